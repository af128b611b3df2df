"""Whether requests can be stored: the answer of /readyz and of gRPC's health service."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

_LOOKED_EVERY_S = 1.0
_TIMEOUT_S = 3.0


class Readiness:
    """Asks ``look`` on a thread of its own, which long bodies do not keep waiting. ``look`` gives an empty text where
    requests can be stored. It writes, and is asked at most once a second: whoever asks often must not cost much."""

    def __init__(
        self, look: Callable[[], str], timeout_s: float = _TIMEOUT_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._look, self._timeout_s, self._clock = look, timeout_s, clock
        self._thread = ThreadPoolExecutor(1, "otel-labelstudio-check")
        self._looking: asyncio.Task[None] | None = None
        self._looked_at, self._why_not = float("-inf"), ""

    async def why_not(self) -> str:
        """Empty where requests can be stored; a disk that does not answer cannot."""
        if self._looking is None and self._clock() - self._looked_at >= _LOOKED_EVERY_S:
            self._looking = asyncio.ensure_future(self._look_again())
        if self._looking is not None:
            await asyncio.wait({self._looking}, timeout=self._timeout_s)
        return "the disk does not answer" if self._looking is not None else self._why_not

    def close(self) -> None:
        """Look no more; what the disk does not answer is not waited for."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _look_again(self) -> None:
        try:
            self._why_not = await asyncio.get_running_loop().run_in_executor(self._thread, self._look)
        except Exception as error:
            self._why_not = f"it cannot be told ({type(error).__name__})"
        finally:
            self._looked_at, self._looking = self._clock(), None

"""Whose turn it is at a server: one import of this process at a time, since on SQLite any other write at the same time
costs predictions. They are counted and repaired, but that takes time.

A request that has had its turn for long is waited for no more: it may hang for minutes, and holds up nobody else.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from otel_labelstudio.errors import RetryableDeliveryError

PATIENCE_S = 5.0


class Turns:
    """Of one server. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._taken: dict[object, float] = {}

    @contextmanager
    def turn(self, timeout_s: float) -> Iterator[None]:
        """Wait for a turn, and have it; raises `RetryableDeliveryError` where there is none within the time."""
        mine = object()
        deadline = self._clock() + timeout_s
        with self._changed:
            while (wait_s := self._wait_s()) > 0:
                left_s = deadline - self._clock()
                if left_s <= 0:
                    raise RetryableDeliveryError("the server is busy with another import of this process")
                self._changed.wait(min(wait_s, left_s))
            self._taken[mine] = self._clock()
        try:
            yield
        finally:
            with self._changed:
                del self._taken[mine]
                self._changed.notify_all()

    def _wait_s(self) -> float:
        """Until all who have a turn now have had it for long."""
        return max((since + PATIENCE_S - self._clock() for since in self._taken.values()), default=0.0)

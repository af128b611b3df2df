"""How long to wait before trying again: exponential, with jitter, and never shorter than the server asked for."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from time import time

_FIRST_S = 1.0
_LONGEST_S = 60.0
# A server that names a longer time is asked again all the same
_LONGEST_RETRY_AFTER_S = 3600.0

# The system's: what an application draws from a seed of its own stays the same, and forked processes draw differently
_random = random.SystemRandom()


class Backoff:
    """The waits of one destination; `reset` after a success."""

    def __init__(self, jitter: Callable[[float, float], float] = _random.uniform) -> None:
        self._jitter = jitter
        self._failures = 0

    def next_wait_s(self, retry_after_s: float | None = None) -> float:
        """Seconds to wait after one more failure: 1, 2, 4, ... to 60, each shortened at random by up to half."""
        longest = min(_LONGEST_S, _FIRST_S * 2.0 ** min(self._failures, 16))
        self._failures += 1
        return max(retry_after_s or 0.0, self._jitter(longest / 2, longest))

    def reset(self) -> None:
        self._failures = 0


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds of a Retry-After header, given in seconds or as a date (RFC 9110, 10.2.3)."""
    value = next((value for name, value in headers.items() if name.lower() == "retry-after"), "").strip()
    if value.isascii() and value.isdigit():
        return min(float(value), _LONGEST_RETRY_AFTER_S)
    try:
        wait_s = parsedate_to_datetime(value).timestamp() - time()
    except (TypeError, ValueError, OverflowError):
        return None
    return min(max(0.0, wait_s), _LONGEST_RETRY_AFTER_S)

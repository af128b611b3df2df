"""How long an operation on a server may last, and how much of its answers is read.

httpx limits each wait for the next bytes, not their sum, nor their number. So a server, or whatever answers in its
place, that sends a byte now and then would hold delivery for ever, one that never ends its answer would fill the
memory, and one that ignores ``page`` would be asked for ever. An `Allowance` bounds all that one operation reads,
together: the exchange of a token, each page, headers and body.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

MAX_RECEIVED_BYTES = 32 * 2**20
"""As large as the largest import. A search whose answer is larger is repeated for fewer calls."""

MAX_PAGES = 100
"""Of 1,000 items each: more projects whose titles contain one text, or tasks of 100 calls, than any server holds."""

SLOWEST_BYTES_PER_S = 64 * 2**10
"""What is transferred more slowly than half a megabit a second counts as waiting: an import of 32 MiB has some nine
minutes beside the time that the server may think about it, and a byte now and then buys nothing."""

_SHORTEST_S = 0.05


class TooMuchReceivedError(Exception):
    """The answers of one operation exceed `MAX_RECEIVED_BYTES`."""


class Allowance:
    """What the operation under way may still take. One operation at a time; `hurry` may be called by other threads."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._must_end_at = float("inf")
        self._began_at = self._ends_at = clock()
        self._received_bytes = 0

    def renew(self, timeout_s: float) -> None:
        """An operation begins, for which the server may take this long."""
        self._began_at = self._clock()
        self._ends_at = self._began_at + timeout_s
        self._received_bytes = 0

    def hurry(self, deadline: float) -> None:
        """Let no operation last beyond this time of the clock; one that begins later has a moment."""
        self._must_end_at = deadline

    def left_s(self) -> float:
        """Seconds that are left; none, or fewer, when the operation is to end."""
        must_end_at = max(self._must_end_at, self._began_at + _SHORTEST_S)
        return min(self._ends_at, must_end_at) - self._clock()

    def count_sent(self, number: int) -> None:
        """So many bytes were sent."""
        self._ends_at += number / SLOWEST_BYTES_PER_S

    def count_received(self, number: int) -> None:
        """So many bytes were received; raises `TooMuchReceivedError`."""
        self._ends_at += number / SLOWEST_BYTES_PER_S
        self._received_bytes += number
        if self._received_bytes > MAX_RECEIVED_BYTES:
            raise TooMuchReceivedError

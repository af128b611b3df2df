"""Two jobs of the worker that deliver nothing: following the clock and forgetting; and settling."""

from __future__ import annotations

import time
from typing import Protocol

from otel_labelstudio.outbox import Outbox

# The pause after settling, as a multiple of what that took and in seconds at the most: it looks at all that waits for
# others of its call, so that a steady trickle is settled by the handful
_PAUSE_SHARE, _LONGEST_PAUSE_S = 20, 1.0
_FOREVER = float("inf")


class Settles(Protocol):
    """The settle stage, as far as the worker knows it."""

    def settle(self, due_by: float) -> None:
        """Settle some of what is due by then (seconds since 1970; infinity: all that waits)."""


class Housekeeping:
    """Follows the clock, and forgets what is long done."""

    def __init__(self, outbox: Outbox) -> None:
        self._retention = outbox.retention

    def run(self, *, is_hurried: bool) -> float:  # noqa: ARG002
        self._retention.follow_clock()
        self._retention.forget()
        return _FOREVER


class Settling:
    """Has what is due become calls."""

    def __init__(self, outbox: Outbox, settler: Settles) -> None:
        self._outbox, self._settler = outbox, settler
        self._next_at = 0.0

    def run(self, *, is_hurried: bool) -> float:
        pause_s = self._next_at - time.monotonic()
        if pause_s > 0 and not is_hurried:
            return pause_s
        due_by = _FOREVER if is_hurried else self._outbox.now()
        began_at = time.monotonic()
        self._settler.settle(due_by)
        took_s = time.monotonic() - began_at
        next_in_s = self._outbox.settling.next_at() - self._outbox.now()
        if is_hurried:
            return 0.0 if next_in_s < _FOREVER else _FOREVER
        if next_in_s <= 0:  # not all that was due
            return 0.0
        pause_s = min(_PAUSE_SHARE * took_s, _LONGEST_PAUSE_S)
        self._next_at = time.monotonic() + pause_s
        return max(next_in_s, pause_s)

"""When each destination is tried, and with how many calls at once. Pure: times go in, decisions come out.

A destination that fails waits by itself, longer each time. A batch on which the server fails is halved, and halved
again, until the call that is to blame stands alone: others are not held up by it. A call that fails alone three times
is set aside for a minute. When that has happened three times while the server took others, it is given up.

In the last seconds of a process (`hurry`) each destination is tried at once, and what may pass by itself is tried as
long as there is time. What will not is not tried again: a person would have to mend the key or the project, and a
server that is down is rarely up within seconds.

All times are of `time.monotonic`, in seconds, so that a clock that is set back or forward changes nothing here.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from otel_labelstudio.delivery.retry import Backoff

# A call on which the server fails each time it is sent alone
_SET_ASIDE_AFTER, SET_ASIDE_S = 3, 60.0
GIVE_UP_AFTER = 3
# What was said of the whole server holds for each project that fails within so long, which is twice the longest wait
_SAID_FOR_S = 120.0
_NEVER = float("inf")


@dataclass(slots=True)
class _Trouble:
    """A destination that failed: how many calls to try next and when, when the server allows it, what was said, and
    until when that holds for others."""

    limit: int
    failed_alone: int = 0
    backoff: Backoff = field(default_factory=Backoff)
    retry_at: float = 0.0
    allowed_at: float = 0.0
    said: str = ""
    is_said_for_all_until: float = 0.0
    is_paused: bool = False


class Schedule:
    """For all destinations of one worker. Thread-safe. ``batch_size`` calls go at once where nothing is wrong."""

    def __init__(self, batch_size: int) -> None:
        self._batch_size = batch_size
        self._troubles: dict[str, _Trouble] = {}
        self._changing = threading.Lock()
        self._is_last_try = self._is_over = False

    def is_due(self, destination: str, now: float) -> bool:
        """Whether a destination can be tried."""
        return self.due_at(destination) <= now

    def due_at(self, destination: str) -> float:
        """When a destination can be tried again; 0 where it is in no trouble, infinity where it is not tried again."""
        if self._is_over:
            return _NEVER
        trouble = self._troubles.get(destination)
        return trouble.retry_at if trouble else 0.0

    def limit(self, destination: str) -> int:
        """How many calls to try at once."""
        trouble = self._troubles.get(destination)
        return trouble.limit if trouble else self._batch_size

    def failed(
        self,
        destination: str,
        now: float,
        *,
        why: str,
        asked_s: float = 0.0,
        is_paused: bool = False,
        is_whole_server: bool = False,
    ) -> bool:
        """A destination failed. ``asked_s`` is for how long the server asked to be left alone; ``is_paused`` says that
        only a person can mend the cause; ``is_whole_server`` that all destinations fail until it is mended. Whether
        this is news: what was said of the server is none where the next destination meets it."""
        with self._changing:
            self._is_over |= self._is_last_try and is_whole_server
            trouble = self._troubles.setdefault(destination, _Trouble(self._batch_size))
            trouble.retry_at = now + trouble.backoff.next_wait_s(asked_s)
            trouble.allowed_at = now + asked_s
            if self._is_last_try and is_paused:
                trouble.retry_at = _NEVER
            trouble.is_paused = is_paused
            is_news = trouble.said != why if is_paused else not trouble.said
            if is_whole_server and not trouble.said and self._is_said_for_all(now):
                return False
            if is_news:
                trouble.said = why
            is_said_of_server = is_whole_server and (is_news or trouble.is_said_for_all_until > 0)
            trouble.is_said_for_all_until = now + _SAID_FOR_S if is_said_of_server else 0.0
            return is_news

    def narrow(self, destination: str, tried: int) -> bool:
        """Half as many next time; whether the one call that was tried is to be set aside."""
        with self._changing:
            trouble = self._troubles.setdefault(destination, _Trouble(self._batch_size))
            trouble.limit = max(1, tried // 2)
            trouble.failed_alone = trouble.failed_alone + 1 if tried == 1 else 0
            if trouble.failed_alone < _SET_ASIDE_AFTER:
                return False
            trouble.failed_alone = 0
            return True

    def succeeded(self, destination: str) -> bool:
        """A destination took calls; whether that is news."""
        with self._changing:
            trouble = self._troubles.pop(destination, None)
            if trouble is None:
                return False
            if trouble.limit < self._batch_size:
                self._troubles[destination] = _Trouble(min(2 * trouble.limit, self._batch_size))
            return bool(trouble.said)

    def hurry(self) -> None:
        """There is no later time: what failed is tried at once, but for what the server has put off."""
        with self._changing:
            self._is_last_try = True
            troubles = list(self._troubles.values())
        for trouble in troubles:
            trouble.retry_at = trouble.allowed_at
            trouble.backoff.reset()

    def _is_said_for_all(self, now: float) -> bool:
        return any(trouble.is_said_for_all_until > now for trouble in self._troubles.values())

    def paused(self) -> list[str]:
        """The destinations that wait for a person."""
        return [destination for destination, trouble in list(self._troubles.items()) if trouble.is_paused]

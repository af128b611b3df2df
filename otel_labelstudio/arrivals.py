"""What has arrived since the start, by service and dialect: for people who ask whether their telemetry comes at all.

Service names come from outside: so many pairs are known, and of those that are told least recently nothing more is.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

_MOST_SOURCES = 1000
_MOST_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Arrival:
    """A span or log record of an LLM call: of which service, in which dialect."""

    service: str
    dialect: str


@dataclass(frozen=True, slots=True)
class Source:
    """How much arrived of a service in a dialect, how much of that gave no call, and when the last did (seconds since
    1970)."""

    service: str
    dialect: str
    received: int
    skipped: int
    last_at: float


class Arrivals:
    """Thread-safe. ``clock`` gives seconds since 1970."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._sources: OrderedDict[tuple[str, str], Source] = OrderedDict()

    def note(self, arrivals: Iterable[Arrival]) -> None:
        """These have arrived."""
        now = self._clock()
        with self._lock:
            for arrival in arrivals:
                self._note(arrival, now)

    def note_skipped(self, service: str, dialect: str) -> None:
        """One of these gave no call."""
        key = _key(service, dialect)
        with self._lock:
            source = self._sources.get(key)
            if source is not None:
                self._sources[key] = replace(source, skipped=source.skipped + 1)

    def sources(self) -> list[Source]:
        """Those that sent last, first."""
        with self._lock:
            return list(reversed(self._sources.values()))

    def _note(self, arrival: Arrival, now: float) -> None:
        key = _key(arrival.service, arrival.dialect)
        before = self._sources.pop(key, None) or Source(*key, 0, 0, now)
        self._sources[key] = replace(before, received=before.received + 1, last_at=now)
        if len(self._sources) > _MOST_SOURCES:
            self._sources.popitem(last=False)


def _key(service: str, dialect: str) -> tuple[str, str]:
    return service[:_MOST_CHARACTERS], dialect

"""How the outbox stands, for those who look on. The status page, the metrics and the command ask here, so that all of
them tell the same numbers.

However much waits, is paused or is dead, looking takes milliseconds, and what is found has a bound.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from sqlite3 import Connection
from typing import Any

from otel_labelstudio.outbox.database import Database
from otel_labelstudio.outbox.entry import STATES
from otel_labelstudio.outbox.notes import LAST_ERROR, LAST_ERROR_OF, LAST_ERROR_OVER, PAUSED, RETRIED, SEEN

# Of destinations and of dead letters, and of the text of each
_MOST, _MOST_CHARACTERS = 100, 500


@dataclass(frozen=True, slots=True)
class TroubledDestination:
    """Where nothing goes now, why, and when it was tried last (seconds since 1970)."""

    destination: str
    reason: str
    tried_at: float


@dataclass(frozen=True, slots=True)
class RecentDeadLetter:
    """What was refused for good, without its content."""

    call_id: str
    destination: str
    reason: str
    died_at: float


@dataclass(frozen=True, slots=True)
class OutboxStatus:
    """``paused`` waits until somebody mends the cause, ``retried`` is tried again. They and ``dead_letters`` are the
    newest few of ``paused_count``, of ``retried_count`` and of those that ``states`` counts as dead.
    ``last_error_over_at`` is when delivery resumed after the last error; None where it has not. ``delivery_seen_at`` is
    when a process last worked on what waits here; None where none has. Ages are in seconds, other times seconds since
    1970."""

    states: dict[str, int]
    held: int
    waiting_bytes: int
    oldest_age_s: float | None
    delivered_last_minute: int
    last_delivered_at: float | None
    delivery_seen_at: float | None
    paused_count: int
    paused: tuple[TroubledDestination, ...]
    retried_count: int
    retried: tuple[TroubledDestination, ...]
    dead_letters: tuple[RecentDeadLetter, ...]
    last_error: str | None
    last_error_at: float | None
    last_error_over_at: float | None

    @property
    def waiting(self) -> int:
        """Calls, and what may become some."""
        return self.held + self.states["settling"] + self.pending

    @property
    def pending(self) -> int:
        """Calls that are whole and not delivered."""
        return self.states["pending"] + self.states["in_flight"]


class Figures:
    """One at a time for the metrics (`telemetry.Observed`), all of them as a status. Raises `OutboxError`."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database, self._clock = database, clock

    def status(self, most: int = _MOST) -> OutboxStatus:
        """All of them, with at most so many of the destinations and of the dead letters."""
        with self._database.reading() as db:
            states = dict(db.execute("SELECT state, COUNT(*) FROM readings GROUP BY state").fetchall())
            last_error, last_error_at = _note(db, LAST_ERROR)
            return OutboxStatus(
                states={state: states.get(state, 0) for state in STATES},
                held=self.held_count(),
                waiting_bytes=self._database.total("waiting")[1],
                oldest_age_s=self._oldest_age_s(),
                delivered_last_minute=self._one(_DELIVERED_SINCE, self._clock() - 60),
                last_delivered_at=self.last_delivery_at(),
                delivery_seen_at=_note(db, SEEN)[1],
                paused_count=self.paused_destination_count(),
                paused=_troubled(db, PAUSED, most),
                retried_count=_troubled_count(db, RETRIED),
                retried=_troubled(db, RETRIED, most),
                dead_letters=_dead_letters(db, most),
                last_error=last_error,
                last_error_at=last_error_at,
                last_error_over_at=self._last_error_over_at(db),
            )

    def oldest_age_s(self) -> float:
        """Seconds for which the oldest call that is not delivered has waited; 0 where none waits."""
        return self._oldest_age_s() or 0.0

    def dead_letter_count(self) -> int:
        """Calls that were refused for good."""
        return self._database.total("dead")[0]

    def held_count(self) -> int:
        """Spans and log records that wait for each other."""
        return self._database.total("held")[0]

    def last_delivery_at(self) -> float | None:
        """When a call was delivered last (seconds since 1970); None where none was."""
        at = self._one("SELECT MAX(delivered_at) FROM destinations")
        return None if at is None else float(at)

    def paused_destination_count(self) -> int:
        """Destinations to which nothing goes until a person corrects the cause."""
        with self._database.reading() as db:
            return _troubled_count(db, PAUSED)

    def _oldest_age_s(self) -> float | None:
        accepted_at = self._one(_OLDEST)
        return None if accepted_at is None else max(0.0, self._clock() - accepted_at)

    def _last_error_over_at(self, db: Connection) -> float | None:
        error_at, over_at = _note(db, LAST_ERROR)[1], _note(db, LAST_ERROR_OVER)[1]
        if error_at is None or over_at is not None or _note(db, LAST_ERROR_OF)[1] is not None:
            return over_at
        # Of an earlier version, which did not note whose error it was
        delivered_at = self.last_delivery_at()
        return delivered_at if delivered_at is not None and delivered_at > error_at else None

    def _one(self, query: str, *values: Any) -> Any:
        with self._database.reading() as db:
            return db.execute(query, values).fetchone()[0]


def _note(db: Connection, name: str) -> tuple[str, float] | tuple[None, None]:
    found: tuple[str, float] | None = db.execute(
        "SELECT substr(value, 1, ?), at FROM notes WHERE name = ?", (_MOST_CHARACTERS, name)
    ).fetchone()
    return found or (None, None)


def _troubled_count(db: Connection, kind: str) -> int:
    return int(db.execute(f"SELECT COUNT(*) FROM notes WHERE {_IN_TROUBLE}", _names(kind)).fetchone()[0])


def _troubled(db: Connection, kind: str, most: int) -> tuple[TroubledDestination, ...]:
    rows = db.execute(
        f"SELECT name, substr(value, 1, :characters), at FROM notes WHERE {_IN_TROUBLE} ORDER BY at DESC LIMIT :most",
        {"characters": _MOST_CHARACTERS, "most": most, **_names(kind)},
    )
    return tuple(TroubledDestination(name[len(kind) :], reason, at) for name, reason, at in rows)


def _names(prefix: str) -> dict[str, str | int]:
    """By the index of the names: up to the character after the one that ends the prefix."""
    return {"first": prefix, "end": prefix[:-1] + chr(ord(prefix[-1]) + 1), "at": len(prefix) + 1}


def _dead_letters(db: Connection, most: int) -> tuple[RecentDeadLetter, ...]:
    rows = db.execute(
        "SELECT call_id, destination, substr(reason, 1, ?), done_at FROM readings INDEXED BY readings_by_end"
        " WHERE state = 'dead' AND done_at IS NOT NULL ORDER BY done_at DESC, seq DESC LIMIT ?",
        (_MOST_CHARACTERS, most),
    )
    return tuple(RecentDeadLetter(call_id, where, reason or "", at) for call_id, where, reason, at in rows)


_OLDEST = (
    "SELECT MIN(accepted_at) FROM readings INDEXED BY readings_by_age"
    " WHERE state IN ('settling', 'pending', 'in_flight')"
)
_DELIVERED_SINCE = "SELECT COUNT(*) FROM readings WHERE state = 'delivered' AND done_at > ?"
# A note may be left of a destination whose last call ended without a delivery
_IN_TROUBLE = (
    "name >= :first AND name < :end AND EXISTS (SELECT 1 FROM readings"
    " WHERE state IN ('settling', 'pending', 'in_flight') AND destination = substr(name, :at))"
)

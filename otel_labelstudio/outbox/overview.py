"""The outbox for a page that people keep open: however much waits, is paused or is dead, looking takes milliseconds,
and what is found has a bound."""

from __future__ import annotations

from dataclasses import dataclass
from sqlite3 import Connection

from otel_labelstudio.outbox.database import Database
from otel_labelstudio.outbox.entry import STATES
from otel_labelstudio.outbox.status import LAST_ERROR, OLDEST, PAUSED

_MOST_CHARACTERS = 500


@dataclass(frozen=True, slots=True)
class PausedDestination:
    """Where nothing goes until somebody mends the cause, why, and when it was tried last (seconds since 1970)."""

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
class OutboxOverview:
    """How an outbox stands. ``paused`` and ``dead_letters`` are the newest few of ``paused_count`` and of those that
    ``states`` counts as dead; ages are in seconds, other times seconds since 1970."""

    states: dict[str, int]
    held: int
    waiting_bytes: int
    oldest_age_s: float | None
    delivered_last_minute: int
    last_delivered_at: float | None
    paused_count: int
    paused: tuple[PausedDestination, ...]
    dead_letters: tuple[RecentDeadLetter, ...]
    last_error: str | None
    last_error_at: float | None

    @property
    def waiting(self) -> int:
        """Calls, and what may become some."""
        return self.held + self.states["settling"] + self.pending

    @property
    def pending(self) -> int:
        """Calls that are whole and not delivered."""
        return self.states["pending"] + self.states["in_flight"]


def overview_of(database: Database, now: float, most: int) -> OutboxOverview:
    """At ``now`` (seconds since 1970), with at most so many of each kind. Raises `OutboxError`."""
    with database.reading() as db:
        states = dict(db.execute("SELECT state, COUNT(*) FROM readings GROUP BY state").fetchall())
        oldest = db.execute(OLDEST).fetchone()[0]
        error = db.execute(
            "SELECT substr(value, 1, ?), at FROM notes WHERE name = ?", (_MOST_CHARACTERS, LAST_ERROR)
        ).fetchone() or (None, None)
        return OutboxOverview(
            states={state: states.get(state, 0) for state in STATES},
            held=database.total("held")[0],
            waiting_bytes=database.total("waiting")[1],
            oldest_age_s=None if oldest is None else max(0.0, now - oldest),
            delivered_last_minute=db.execute(_DELIVERED_SINCE, (now - 60,)).fetchone()[0],
            last_delivered_at=db.execute("SELECT MAX(delivered_at) FROM destinations").fetchone()[0],
            paused_count=db.execute(f"SELECT COUNT(*) FROM notes WHERE {_IS_PAUSE}", _PAUSE_NAMES).fetchone()[0],
            paused=_paused(db, most),
            dead_letters=_dead_letters(db, most),
            last_error=error[0],
            last_error_at=error[1],
        )


def _paused(db: Connection, most: int) -> tuple[PausedDestination, ...]:
    rows = db.execute(
        f"SELECT name, substr(value, 1, ?), at FROM notes WHERE {_IS_PAUSE} ORDER BY at DESC LIMIT ?",
        (_MOST_CHARACTERS, *_PAUSE_NAMES, most),
    )
    return tuple(PausedDestination(name[len(PAUSED) :], reason, at) for name, reason, at in rows)


def _dead_letters(db: Connection, most: int) -> tuple[RecentDeadLetter, ...]:
    rows = db.execute(
        "SELECT call_id, destination, substr(reason, 1, ?), done_at FROM readings INDEXED BY readings_by_end"
        " WHERE state = 'dead' AND done_at IS NOT NULL ORDER BY done_at DESC, seq DESC LIMIT ?",
        (_MOST_CHARACTERS, most),
    )
    return tuple(RecentDeadLetter(call_id, where, reason or "", at) for call_id, where, reason, at in rows)


_DELIVERED_SINCE = "SELECT COUNT(*) FROM readings WHERE state = 'delivered' AND done_at > ?"
# By the index of the names: the character after the one that ends the prefix
_IS_PAUSE = "name >= ? AND name < ?"
_PAUSE_NAMES = (PAUSED, PAUSED[:-1] + chr(ord(PAUSED[-1]) + 1))

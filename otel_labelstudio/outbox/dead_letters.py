"""The outbox's dead letters: what was refused for good, and why. A quarter of the outbox's bounds is theirs; beyond it
the oldest are forgotten."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from sqlite3 import Connection

from otel_labelstudio.calls import LLMCall
from otel_labelstudio.outbox.accepting import Bounds
from otel_labelstudio.outbox.database import Database
from otel_labelstudio.outbox.entry import DeadLetter, HeldItem
from otel_labelstudio.outbox.schema import bury_held
from otel_labelstudio.outbox.serialization import UnreadableError, call_from_text
from otel_labelstudio.tasks.mend import mend_text


class DeadLetters:
    """Raises `OutboxError`."""

    def __init__(self, database: Database, bounds: Bounds, clock: Callable[[], float]) -> None:
        self._database, self._bounds, self._clock = database, bounds, clock

    def bury(self, reasons: Iterable[tuple[int, str]]) -> None:
        """Calls or readings, by ``seq``, become dead letters, each with its reason; their bytes stay as they are."""
        now = self._clock()
        with self._database.transaction() as db:
            db.executemany(
                "UPDATE readings SET state = 'dead', done_at = ?, reason = ? WHERE seq = ?",
                ((now, mend_text(reason), seq) for seq, reason in reasons),
            )
            self._forget_oldest(db)

    def bury_held(self, items: Iterable[HeldItem], reason: str) -> None:
        """What is held becomes dead letters, with the bytes that it has; what is held no longer does not."""
        now = self._clock()
        with self._database.transaction() as db:
            for item in items:
                if db.execute("DELETE FROM held WHERE seq = ?", (item.seq,)).rowcount:
                    bury_held(db, item.seq, item.body, reason, now)
            self._forget_oldest(db)

    def all(self) -> list[DeadLetter]:
        """Oldest first."""
        with self._database.reading() as db:
            rows = db.execute(
                "SELECT call_id, destination, key, body, reason, done_at FROM readings WHERE state = 'dead'"
                " ORDER BY done_at, seq"
            ).fetchall()
        return [DeadLetter(i, d, _call(key, body), reason or "", at) for i, d, key, body, reason, at in rows]

    def retry(self) -> int:
        """Deliver them after all, once their cause is corrected; how many there were."""
        with self._database.transaction() as db:
            self._database.check_in_place()
            return db.execute(
                "UPDATE readings SET state = 'pending', reason = NULL, done_at = NULL, not_before = 0, failures = 0"
                " WHERE state = 'dead'"
            ).rowcount

    def purge(self) -> int:
        """Forget them; how many there were."""
        with self._database.transaction() as db:
            self._database.check_in_place()
            return db.execute("DELETE FROM readings WHERE state = 'dead'").rowcount

    def _forget_oldest(self, db: Connection) -> None:
        while self._is_too_much(*self._database.total("dead")):
            if not db.execute(_FORGET_OLDEST).rowcount:
                self._database.clear_total("dead")

    def _is_too_much(self, dead: int, size: int) -> bool:
        return dead > max(1, self._bounds.max_calls // 4) or size > self._bounds.max_bytes // 4


_FORGET_OLDEST = (
    "DELETE FROM readings WHERE seq = (SELECT seq FROM readings INDEXED BY readings_by_end"
    " WHERE state = 'dead' AND done_at IS NOT NULL ORDER BY done_at, seq LIMIT 1)"
)


def _call(key: str, body: str) -> LLMCall | None:
    try:
        return call_from_text(key, body)
    except UnreadableError:
        return None

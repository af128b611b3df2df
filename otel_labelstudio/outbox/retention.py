"""What the outbox forgets, and how it follows a clock that is set back."""

from __future__ import annotations

from collections.abc import Callable
from sqlite3 import Connection

from otel_labelstudio.outbox.accepting import UNANSWERED_WAIT_S, Bounds
from otel_labelstudio.outbox.database import Database
from otel_labelstudio.outbox.queue import KNOWN_S

# How long the key of a delivered call is known, and how many are at the most
KEY_RETENTION_S = 24 * 3600.0
MAX_KEYS = 200_000
# How long a delivered call is compared with what comes, and how much of them is kept for that
LATE_DUPLICATE_WINDOW_S = 120.0
_MAX_KEPT_BYTES = 32 * 2**20
_MAX_SEEN_SPANS = 200_000
_FORGET_EVERY_S = 10.0
_FORGET_LIMIT = 500
# A clock that is set by less than this is only kept in step
_CLOCK_SLACK_S = 1.0
_FOREVER = float("inf")


class Retention:
    """For the process that delivers. Raises `OutboxError`."""

    def __init__(self, database: Database, bounds: Bounds, clock: Callable[[], float]) -> None:
        self._database, self._bounds, self._clock = database, bounds, clock
        self._forget_at = 0.0
        self._seen_at = self._last_accepted_at()

    def follow_clock(self) -> None:
        """A clock that was set back holds nothing up: what was dated by the old one is dated anew.

        This is the one rule for that: all times in the outbox are of this clock, all others are of `time.monotonic`.
        """
        now = self._clock()
        back_s, self._seen_at = max(self._seen_at, self._last_accepted_at()) - now, now
        if back_s <= _CLOCK_SLACK_S:
            return
        self._forget_at = 0.0
        with self._database.transaction() as db:
            db.execute(
                "UPDATE readings SET due_at = due_at - CASE WHEN accepted_at > :now THEN :back_s ELSE 0 END,"
                " accepted_at = MIN(accepted_at, :now), not_before = MAX(0, not_before - :back_s),"
                " sent_at = sent_at - :back_s, done_at = done_at - :back_s, recheck_at = recheck_at - :back_s",
                {"now": now, "back_s": back_s},
            )
            db.execute(
                "UPDATE held SET due_at = due_at - :back_s, expires_at = expires_at - :back_s", {"back_s": back_s}
            )
            db.execute("UPDATE seen_spans SET seen_at = seen_at - ?", (back_s,))
            db.execute(
                "UPDATE destinations SET delivered_at = MIN(delivered_at, :now), created_at = MIN(created_at, :now)",
                {"now": now},
            )

    def forget(self) -> None:
        """Of what is done, the content after a short while, the keys after a long one."""
        now = self._clock()
        if now < self._forget_at:
            return
        self._forget_at = now + _FORGET_EVERY_S
        with self._database.transaction() as db:
            _forget_content(db, "done_at <= ?", now - LATE_DUPLICATE_WINDOW_S, -1)
            while self._database.total("kept")[1] > min(_MAX_KEPT_BYTES, self._bounds.max_bytes):
                if not _forget_content(db, "done_at < ?", _FOREVER, _FORGET_LIMIT):
                    self._database.clear_total("kept")
            _forget_keys(db, now - KEY_RETENTION_S)
            _forget_spans(db, now - UNANSWERED_WAIT_S)
            db.execute("DELETE FROM destinations WHERE delivered_at <= ?", (now - KNOWN_S,))

    def _last_accepted_at(self) -> float:
        with self._database.reading() as db:
            row = db.execute("SELECT accepted_at FROM readings ORDER BY seq DESC LIMIT 1").fetchone()
        return 0.0 if row is None else float(row[0])


def _forget_keys(db: Connection, oldest: float) -> None:
    # One that is to be rechecked stays known until it was, however long no exporter ran
    is_over = "state IN ('delivered', 'folded') AND recheck_at IS NULL"
    bounds = {"oldest": oldest, "max_keys": MAX_KEYS}
    db.execute(f"DELETE FROM readings WHERE {is_over} AND done_at <= :oldest", bounds)
    db.execute(f"DELETE FROM readings WHERE {is_over} AND seq <= (SELECT MAX(seq) FROM readings) - :max_keys", bounds)


def _forget_spans(db: Connection, oldest: float) -> None:
    db.execute("DELETE FROM seen_spans WHERE seen_at <= ?", (oldest,))
    many = db.execute("SELECT COUNT(*) FROM seen_spans").fetchone()[0] - _MAX_SEEN_SPANS
    if many > 0:
        last = db.execute("SELECT seen_at FROM seen_spans ORDER BY seen_at LIMIT 1 OFFSET ?", (many,)).fetchone()
        db.execute("DELETE FROM seen_spans WHERE seen_at <= ?", last)


def _forget_content(db: Connection, condition: str, value: float, limit: int) -> int:
    """Of how many readings."""
    rows = db.execute(
        "SELECT seq, call_id FROM readings WHERE body IS NOT NULL AND state IN ('delivered', 'folded')"
        f" AND {condition} ORDER BY done_at LIMIT ?",
        (value, limit),
    ).fetchall()
    db.executemany("UPDATE readings SET body = NULL WHERE seq = ?", [(seq,) for seq, _ in rows])
    # A call that waits still is known by what its other readings said
    db.executemany(
        "DELETE FROM fingerprints WHERE call_id = :call_id"
        " AND NOT EXISTS (SELECT 1 FROM readings WHERE call_id = :call_id AND body IS NOT NULL)",
        [{"call_id": call_id} for call_id in {call_id for _, call_id in rows}],
    )
    return len(rows)

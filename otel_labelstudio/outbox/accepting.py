"""The outbox for those who accept: readings, and what is no reading yet."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from otel_labelstudio.calls import LLMCall
from otel_labelstudio.outbox.database import Database
from otel_labelstudio.outbox.entry import Put
from otel_labelstudio.outbox.schema import INSERT_HELD, bounded, known_ids
from otel_labelstudio.outbox.serialization import LOG_RECORD, SPAN, call_to_text, key_of, telemetry_to_text
from otel_labelstudio.spans.model import LogRecord, Span, SpanIds
from otel_labelstudio.tasks.mend import mend_text

# How long a log record waits for its span, or for the end of its call; and how many give way at once to new ones
UNANSWERED_WAIT_S = 3600.0
_GIVEN_UP_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much may wait: readings and calls, as many held spans and log records, and the bytes of all of them."""

    max_calls: int
    max_bytes: int


class Accepting:
    """Thread-safe. Raises `OutboxError` where SQLite cannot store."""

    def __init__(self, database: Database, bounds: Bounds, clock: Callable[[], float]) -> None:
        self._database, self._bounds, self._clock = database, bounds, clock

    def put(
        self,
        reading: LLMCall,
        destination: str,
        *,
        due_at: float,
        may_be_stored: bool = False,
        is_accepted: bool = False,
    ) -> Put:
        """Accept a reading; it settles when it is due.

        ``may_be_stored`` says that an earlier run may have delivered it; ``is_accepted`` that it was accepted before,
        in another form, so that no bound may refuse it.
        """
        body, key = call_to_text(reading), key_of(reading)
        with self._database.transaction() as db:
            if self.is_known(key):
                return Put.KNOWN
            calls, size = self._database.total("waiting")
            if not is_accepted and not self._fits(calls + 1, size + len(body)):
                return Put.FULL
            db.execute(
                "INSERT INTO readings (key, call_id, state, destination, body, size, accepted_at, due_at,"
                " outcome_unknown) VALUES (?, ?, 'settling', ?, ?, ?, ?, ?, ?)",
                (key, key, destination, body, len(body), self._clock(), due_at, may_be_stored),
            )
            return Put.ACCEPTED

    def is_known(self, key: str) -> bool:
        """Whether a reading of this key is here, or was delivered."""
        with self._database.reading() as db:
            return bool(db.execute("SELECT 1 FROM readings WHERE key = ?", (key,)).fetchone())

    def hold(self, telemetry: Span | LogRecord, *, due_at: float) -> bool:
        """Keep a span or log record that is no reading yet; False when the outbox is full.

        A log record whose span was seen is due at once.
        """
        kind, start, end = _kind_and_times(telemetry)
        body = telemetry_to_text(telemetry)
        ids = known_ids(telemetry.trace_id, telemetry.span_id)
        with self._database.transaction() as db:
            held, size = self._database.total("held")[0], self._database.total("waiting")[1]
            if not self._fits(held + 1, size + len(body)):
                return False
            now = self._clock()
            if kind == LOG_RECORD and db.execute(_IS_SEEN, ids).fetchone():
                due_at = now
            where = (kind, *ids, mend_text(telemetry.scope.name), bounded(start), bounded(end))
            db.execute(INSERT_HELD, (*where, body, len(body), due_at, now + UNANSWERED_WAIT_S))
            return True

    def make_room(self) -> int:
        """Give up the log records that have waited longest for their span, and were looked at; how many there were."""
        with self._database.transaction() as db:
            return db.execute(_GIVE_UP, (_GIVEN_UP_AT_ONCE,)).rowcount

    def note_seen(self, spans: Iterable[tuple[SpanIds, str]]) -> None:
        """Keep what became of spans of LLM calls; log records that are held for them are due at once."""
        now = self._clock()
        with self._database.transaction() as db:
            for ids, fate in spans:
                db.execute("INSERT OR REPLACE INTO seen_spans VALUES (?, ?, ?, ?)", (*ids, fate, now))
                db.execute(_MAKE_DUE, (now, *ids))

    def _fits(self, calls: int, size: int) -> bool:
        return calls <= self._bounds.max_calls and size <= self._bounds.max_bytes


_MAKE_DUE = (
    "UPDATE held SET due_at = MIN(due_at, ?)"
    " WHERE trace_id = ? AND span_id = ? AND span_id <> '' AND kind = 'log_record'"
)
# What is due when it expires waits for its span alone
_GIVE_UP = (
    "DELETE FROM held WHERE seq IN"
    " (SELECT seq FROM held WHERE kind = 'log_record' AND due_at >= expires_at ORDER BY expires_at LIMIT ?)"
)
_IS_SEEN = "SELECT 1 FROM seen_spans WHERE trace_id = ? AND span_id = ? AND span_id <> ''"


def _kind_and_times(telemetry: Span | LogRecord) -> tuple[str, int, int]:
    if isinstance(telemetry, Span):
        return SPAN, telemetry.start_time_unix_nano, telemetry.end_time_unix_nano
    return LOG_RECORD, telemetry.time_unix_nano, telemetry.time_unix_nano

"""The outbox for those who accept: readings, and what is no reading yet."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from sqlite3 import Connection

from otel_labelstudio.calls import LLMCall
from otel_labelstudio.identity import FIRST_DIGEST_INDEX, has_digest_index, with_digest_index
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
        resource: str = "",
        keys: Sequence[str] = (),
        may_be_stored: bool = False,
        is_accepted: bool = False,
    ) -> Put:
        """Accept a reading; it settles when it is due.

        ``resource`` is a digest of where it comes from, ``keys`` are those of all readings that were folded into it,
        first that by which the call is known. ``may_be_stored`` says that an earlier run may have delivered it;
        ``is_accepted`` that it was accepted before, in another form, so that no bound may refuse it.
        """
        with self._database.transaction() as db:
            if _are_ids_used_again(db, reading):
                reading, keys = with_digest_index(reading), ()
            body, key = call_to_text(reading), key_of(reading)
            if self.is_known(key) or _was_told_by_records(db, reading):
                return Put.KNOWN
            calls, size = self._database.total("waiting")
            if not is_accepted and not self._fits(calls + 1, size + len(body)):
                return Put.FULL
            row = {
                "key": key,
                "call_id": keys[0] if keys else key,
                "other_keys": " ".join(keys[1:]),
                "destination": destination,
                "resource": resource,
                "body": body,
                "size": len(body),
                "started_at": bounded(reading.start_time_unix_nano),
                "accepted_at": self._clock(),
                "due_at": due_at,
                "outcome_unknown": may_be_stored,
            }
            db.execute(_INSERT, row)
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


_INSERT = (
    "INSERT INTO readings (key, call_id, other_keys, state, destination, resource, body, size, started_at, accepted_at,"
    " due_at, outcome_unknown) VALUES (:key, :call_id, :other_keys, 'settling', :destination, :resource, :body, :size,"
    " :started_at, :accepted_at, :due_at, :outcome_unknown)"
)
# Of a call whose content is forgotten: while it is kept, the two are compared when they settle
_IS_TOLD = (
    "SELECT 1 FROM readings WHERE key > :span || '-' AND key < :span || '.' AND body IS NULL"
    " AND started_at BETWEEN :start AND :end AND CAST(SUBSTR(key, LENGTH(:span) + 2) AS INTEGER) >= :first_digest_index"
)


def _are_ids_used_again(db: Connection, reading: LLMCall) -> bool:
    """Whether a call of the same ids is here that began at another time."""
    known = db.execute("SELECT started_at FROM readings WHERE key = ?", (key_of(reading),)).fetchone()
    return known is not None and known[0] not in (None, bounded(reading.start_time_unix_nano))


def _was_told_by_records(db: Connection, reading: LLMCall) -> bool:
    """Whether log records that were written during this span were a call before it came."""
    if has_digest_index(reading):
        return False
    span = {
        "span": mend_text(f"{reading.trace_id}-{reading.span_id}"),
        "start": bounded(reading.start_time_unix_nano),
        "end": bounded(reading.end_time_unix_nano),
        "first_digest_index": FIRST_DIGEST_INDEX,
    }
    return db.execute(_IS_TOLD, span).fetchone() is not None


def _kind_and_times(telemetry: Span | LogRecord) -> tuple[str, int, int]:
    if isinstance(telemetry, Span):
        return SPAN, telemetry.start_time_unix_nano, telemetry.end_time_unix_nano
    return LOG_RECORD, telemetry.time_unix_nano, telemetry.time_unix_nano

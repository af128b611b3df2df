"""The outbox for the one who settles: what is due, what it is compared with, and what became of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from sqlite3 import Connection
from typing import Any

from otel_labelstudio.calls import LLMCall
from otel_labelstudio.outbox.database import Database
from otel_labelstudio.outbox.entry import HeldItem, Origin, SettlingReading, Unreadable
from otel_labelstudio.outbox.schema import bounded
from otel_labelstudio.outbox.serialization import LOG_RECORD, SPAN, UnreadableError, call_from_text, call_to_text
from otel_labelstudio.spans.model import SpanIds
from otel_labelstudio.tasks.mend import mend_text

# What is loaded at once, so that whoever accepts meanwhile is not kept waiting for long
_BYTES_LIMIT = 32 * 2**20
# Of one span's log records, more than this are taken in several turns
_GROUP_LIMIT = 2000
# Of the calls that said the same, so many are compared with what comes late
_CANDIDATES_LIMIT = 64
# Of the spans that were under way at once, so many are looked at: of more than one, none is given a log record
_MOST_OWNERS = 64
_FOREVER = float("inf")


class SettlingRows:
    """Only the process that delivers settles, on one thread. Raises `OutboxError`.

    ``group_limit`` is how much of what is held of one span, or of none, is given at once; None where that is all.
    """

    def __init__(
        self, database: Database, clock: Callable[[], float], *, group_limit: int | None = _GROUP_LIMIT
    ) -> None:
        self._database, self._clock, self._group_limit = database, clock, group_limit
        # What was due later at the last look, by its ``seq``: most of it is looked at again, and reading it takes long
        self._decoded: dict[int, tuple[str, LLMCall]] = {}

    def next_at(self) -> float:
        """When the next reading, or something held, is due (seconds since 1970); infinity when nothing is."""
        with self._database.reading() as db:
            due = db.execute(_NEXT_AT).fetchone()[0]
        return _FOREVER if due is None else float(due)

    # -- readings ------------------------------------------------------------------------------------------------

    def due_readings(self, due_by: float, limit: int) -> tuple[list[SettlingReading], list[Unreadable]]:
        """The readings that are due by then, the first first."""
        return self._readings(self._rows("due_at <= ?", due_by, limit))

    def later_readings(self, due_by: float, limit: int) -> tuple[list[SettlingReading], list[Unreadable]]:
        """Those that are due later, with which the due ones are compared."""
        rows = self._rows("due_at > ?", due_by, limit)
        readings, unreadable = self._readings(rows)
        bodies = {row[0]: row[-1] for row in rows}
        self._decoded = {reading.seq: (bodies[reading.seq], reading.call) for reading in readings}
        return readings, unreadable

    def _rows(self, condition: str, due_by: float, limit: int) -> list[tuple[Any, ...]]:
        rows = []
        size = 0
        with self._database.reading() as db:
            for row in db.execute(
                "SELECT seq, key, call_id, resource, destination, outcome_unknown, other_keys, body"
                " FROM readings INDEXED BY readings_by_due"
                f" WHERE state = 'settling' AND {condition} ORDER BY due_at LIMIT ?",
                (due_by, limit),
            ):
                rows.append(row)
                size += len(row[-1])
                if size > _BYTES_LIMIT:
                    break
        return rows

    def _readings(self, rows: Iterable[tuple[Any, ...]]) -> tuple[list[SettlingReading], list[Unreadable]]:
        readings: list[SettlingReading] = []
        unreadable: list[Unreadable] = []
        for seq, key, call_id, resource, destination, outcome_unknown, other_keys, body in rows:
            try:
                call = self._call(seq, key, body)
            except UnreadableError as error:  # noqa: PERF203
                unreadable.append(Unreadable(seq, f"cannot be read ({error})"))
            else:
                origin, others = Origin(resource, destination), tuple(other_keys.split())
                readings.append(SettlingReading(seq, key, call_id, origin, bool(outcome_unknown), others, call))
        return readings, unreadable

    def _call(self, seq: int, key: str, body: str) -> LLMCall:
        known_body, known = self._decoded.get(seq, ("", None))
        return known if known is not None and known_body == body else call_from_text(key, body)

    def calls_that_said(self, marks: Iterable[str], started_by: int) -> set[str]:
        """The ids of the settled calls with one of these fingerprints that began last before a time (nanoseconds since
        1970)."""
        with self._database.reading() as db:
            return {call_id for mark in marks for call_id in _nearest(db, mark, bounded(started_by))}

    def readings_of(self, call_ids: Iterable[str]) -> dict[str, list[tuple[LLMCall, Origin]]]:
        """The readings of settled calls, as far as their content is kept, and where each comes from and goes."""
        with self._database.reading() as db:
            return {call_id: _readings_of(db, call_id) for call_id in call_ids}

    def settle(
        self,
        readings: Sequence[SettlingReading],
        richest: SettlingReading,
        *,
        earlier: str | None,
        fingerprints: Iterable[tuple[str, int]],
    ) -> None:
        """The readings are one call, pending from now on as its ``richest`` reading has it, with the id and the
        destination of the first; or folded into an ``earlier`` one."""
        now = self._clock()
        first = readings[0]
        call_id = earlier or first.call_id
        folded = [reading for reading in readings if earlier or reading is not richest]
        keys = dict.fromkeys(key for reading in readings for key in (reading.call_id, reading.key, *reading.other_keys))
        other_keys = " ".join(key for key in keys if key != call_id)
        with self._database.transaction() as db:
            if earlier is None:
                is_unknown = any(reading.is_outcome_unknown for reading in readings)
                db.execute(
                    "UPDATE readings SET state = 'pending', call_id = ?, destination = ?, outcome_unknown = ?,"
                    " other_keys = ? WHERE seq = ?",
                    (call_id, first.origin.destination, is_unknown, other_keys, richest.seq),
                )
            else:
                db.execute(_ADD_KEYS, (other_keys, earlier))
            db.executemany(
                "UPDATE readings SET state = 'folded', call_id = ?, done_at = ? WHERE seq = ?",
                ((call_id, now, reading.seq) for reading in folded),
            )
            db.executemany(
                "INSERT OR IGNORE INTO fingerprints VALUES (?, ?, ?)",
                ((mark, bounded(started_at), call_id) for mark, started_at in fingerprints),
            )

    def reading_that_settles(self, key: str) -> LLMCall | None:
        """The reading of this key, if it settles still."""
        with self._database.reading() as db:
            row = db.execute("SELECT body FROM readings WHERE state = 'settling' AND key = ?", (key,)).fetchone()
        try:
            return None if row is None else call_from_text(key, row[0])
        except UnreadableError:
            return None

    def replace(self, key: str, reading: LLMCall) -> None:
        """Write a reading that settles anew."""
        body = call_to_text(reading)
        with self._database.transaction() as db:
            db.execute(
                "UPDATE readings SET body = ?, size = ? WHERE state = 'settling' AND key = ?", (body, len(body), key)
            )

    # -- what is held --------------------------------------------------------------------------------------------

    def due_groups(self, due_by: float, limit: int) -> list[SpanIds]:
        """The ids of the spans of which something held is due; an empty pair where what is due belongs to none."""
        with self._database.reading() as db:
            rows = db.execute(
                "SELECT trace_id, span_id FROM held WHERE due_at <= ? ORDER BY due_at LIMIT ?", (due_by, limit)
            ).fetchall()
        return list(dict.fromkeys((trace_id, span_id) if span_id else ("", "") for trace_id, span_id in rows))

    def held_of(self, ids: SpanIds) -> list[HeldItem]:
        """What is held of a span, oldest first."""
        return self._held("trace_id = ? AND span_id = ?", ids, self._group_limit)

    def held_of_no_span(self, due_by: float) -> list[HeldItem]:
        """What is held without a span id, oldest first: all that is due, and the newest of the rest."""
        found = self._held("span_id = ''", (due_by,), self._group_limit, "due_at <= ? DESC, seq DESC")
        return sorted(found, key=lambda item: item.seq)

    def spans_of_trace(self, trace_id: str) -> list[HeldItem]:
        """The held spans of a trace."""
        return self._held("kind = 'span' AND trace_id = ?", (trace_id,))

    def log_records_in(self, scope: str, start: int, end: int) -> list[HeldItem]:
        """The log records of a scope that were written during a time (nanoseconds since 1970)."""
        return self._held(
            "scope = ? AND kind = ? AND start_unix_nano BETWEEN ? AND ?",
            (mend_text(scope), LOG_RECORD, bounded(start), bounded(end)),
        )

    def spans_around(self, scope: str, trace_id: str, at: int) -> list[HeldItem]:
        """The held spans of a scope, and of a trace where it is known, during which something was written."""
        return self._held(
            "scope = ? AND kind = ? AND start_unix_nano <= ? AND end_unix_nano >= ? AND ? IN ('', trace_id)",
            (mend_text(scope), SPAN, bounded(at), bounded(at), trace_id),
            _MOST_OWNERS,
        )

    def _held(
        self, condition: str, values: Sequence[object], limit: int | None = _GROUP_LIMIT, order: str = "seq"
    ) -> list[HeldItem]:
        found: list[HeldItem] = []
        size = 0
        with self._database.reading() as db:
            for row in db.execute(
                "SELECT seq, kind, trace_id, span_id, body, due_at, expires_at FROM held"
                f" WHERE {condition} ORDER BY {order} LIMIT ?",
                (*values, -1 if limit is None else limit),
            ):
                found.append(HeldItem(*row))
                size += len(row[4])
                if limit is not None and size > _BYTES_LIMIT:
                    break
        return found

    def fate_of(self, ids: SpanIds) -> str | None:
        """What became of a span that was seen; None where it was not."""
        with self._database.reading() as db:
            row = db.execute("SELECT fate FROM seen_spans WHERE trace_id = ? AND span_id = ?", ids).fetchone()
        return None if row is None else str(row[0])

    def release(self, items: Iterable[HeldItem]) -> None:
        """Hold these no longer."""
        with self._database.transaction() as db:
            db.executemany("DELETE FROM held WHERE seq = ?", [(item.seq,) for item in items])

    def defer(self, items: Iterable[tuple[HeldItem, float]]) -> None:
        """Hold these for longer, each until a time (seconds since 1970)."""
        with self._database.transaction() as db:
            db.executemany("UPDATE held SET due_at = ? WHERE seq = ?", [(at, item.seq) for item, at in items])


_NEXT_AT = (
    "SELECT MIN(at) FROM (SELECT MIN(due_at) AS at FROM readings INDEXED BY readings_by_due WHERE state = 'settling'"
    " UNION ALL SELECT MIN(due_at) FROM held)"
)


_ADD_KEYS = (
    "UPDATE readings SET other_keys = TRIM(other_keys || ' ' || ?)"
    " WHERE call_id = ? AND state IN ('pending', 'in_flight', 'delivered')"
)


def _nearest(db: Connection, mark: str, started_by: int) -> list[str]:
    rows = db.execute(
        "SELECT call_id FROM fingerprints WHERE fingerprint = ? AND started_at <= ? ORDER BY started_at DESC LIMIT ?",
        (mark, started_by, _CANDIDATES_LIMIT),
    )
    return [row[0] for row in rows]


def _readings_of(db: Connection, call_id: str) -> list[tuple[LLMCall, Origin]]:
    rows = db.execute(
        "SELECT key, body, resource, destination FROM readings"
        " WHERE call_id = ? AND body IS NOT NULL AND state <> 'settling'",
        (call_id,),
    )
    calls = []
    for key, body, resource, destination in rows:
        try:
            calls.append((call_from_text(key, body), Origin(resource, destination)))
        except UnreadableError:  # noqa: PERF203 - it is said where it is delivered
            continue
    return calls

"""Settling: the readings of one call, when they have waited long enough, become that call.

Only the process that delivers settles, on its worker's thread. Reading and comparing, which take time, happen outside
of the transaction, so that whoever accepts calls meanwhile hardly waits.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from sqlite3 import Connection

from otel_labelstudio.calls import LLMCall
from otel_labelstudio.delivery.outbox_file import Database
from otel_labelstudio.delivery.written import body_of, call_of, key_text
from otel_labelstudio.earlier_turns import Continuation, continuation_of, with_turns_of_each_other
from otel_labelstudio.folding import (
    CallKey,
    FoldedCall,
    closest_call,
    fingerprints,
    fold,
    response_fingerprint,
    span_fingerprint,
)

_logger = logging.getLogger(__name__)

_DUE_LIMIT = 500
_NEIGHBOURS_LIMIT = 2000
_BYTES_LIMIT = 32 * 2**20
# Of the calls that said the same, so many are compared with what comes late
_CANDIDATES_LIMIT = 64
# Twins overlap in time, with slack for clocks (see `folding`)
_SLACK_NS = 100_000_000


@dataclass(frozen=True, slots=True)
class Settling:
    """A reading that settles."""

    seq: int
    key: str
    destination: str
    in_doubt: bool
    call: LLMCall = field(repr=False)
    is_completed: bool = False  # with the earlier turns of its conversation, which it was accepted without


@dataclass(frozen=True, slots=True)
class _Settled:
    """The readings of one call, the richest first, and the id of the call that was settled before if they are of it."""

    readings: tuple[Settling, ...]
    marks: tuple[tuple[str, int], ...]
    earlier: str | None

    @property
    def first(self) -> Settling:
        """The one that was accepted first."""
        return min(self.readings, key=lambda reading: reading.seq)

    @property
    def call_id(self) -> str:
        return self.earlier or self.first.key


def settle(database: Database, due_by: float, now: float) -> int:
    """Fold some of what is due by then into calls, each pending from now on; how many readings came as late twins."""
    due = _settling(database, "due_at <= ?", due_by, _DUE_LIMIT)
    if not due:
        return 0
    settling = _with_earlier_turns(database, due | _settling(database, "due_at > ?", due_by, _NEIGHBOURS_LIMIT))
    known: dict[str, list[LLMCall]] = {}
    settled = []
    for folded in _folded([reading.call for reading in settling.values()]):
        readings = tuple(settling[key_text(key)] for key in folded.keys)
        if any(reading.key in due for reading in readings):
            marks = _marks(readings)
            settled.append(_Settled(readings, marks, _earlier_call(database, readings, marks, known)))
    with database.transaction() as db:
        for call in settled:
            _write(db, call, now)
    return sum(len(call.readings) for call in settled if call.earlier)


def _settling(database: Database, condition: str, value: float, limit: int) -> dict[str, Settling]:
    with database.reading() as db:
        rows = []
        size = 0
        for row in db.execute(
            "SELECT seq, key, destination, in_doubt, body FROM readings INDEXED BY readings_by_due"
            f" WHERE state = 'settling' AND {condition} ORDER BY due_at LIMIT ?",
            (value, limit),
        ):
            rows.append(row)
            size += len(row[-1])
            if size > _BYTES_LIMIT:
                break
    return {
        key: Settling(seq, key, destination, bool(in_doubt), call_of(key, body))
        for seq, key, destination, in_doubt, body in rows
    }


def _with_earlier_turns(database: Database, settling: dict[str, Settling]) -> dict[str, Settling]:
    """Calls that have only the new turns of a conversation get the others from the call that they continue."""
    if not any(continuation_of(reading.call) for reading in settling.values()):
        return settling

    def find(call: LLMCall, continuation: Continuation) -> LLMCall | None:
        mark = response_fingerprint(continuation.response_id)
        if continuation.span_id:
            mark = span_fingerprint(call.trace_id, continuation.span_id)
        with database.reading() as db:
            rows = [row for call_id in _nearest(db, mark, call.start_time_unix_nano) for row in _bodies(db, call_id)]
        readings = (reading for row in rows if (reading := call_of(*row)).scope == call.scope)
        return max(readings, key=lambda reading: reading.start_time_unix_nano, default=None)

    whole = {CallKey.of(call): call for call in with_turns_of_each_other((r.call for r in settling.values()), find)}
    return {
        key: replace(reading, call=call, is_completed=call != reading.call)
        for key, reading in settling.items()
        for call in (whole[CallKey.of(reading.call)],)
    }


def _folded(readings: Sequence[LLMCall]) -> list[FoldedCall]:
    try:
        return fold(readings)
    except Exception as error:  # one call that cannot be compared must not hold up all others
        _logger.error("Twins are not looked for among %d readings (%s).", len(readings), type(error).__name__)  # noqa: TRY400
        return [FoldedCall(reading, (CallKey.of(reading),)) for reading in readings]


def _marks(readings: Iterable[Settling]) -> tuple[tuple[str, int], ...]:
    """What the readings say, and when each began."""
    marks = ((mark, r.call.start_time_unix_nano) for r in readings for mark in fingerprints(r.call))
    return tuple(dict.fromkeys(marks))


def _earlier_call(
    database: Database,
    readings: Sequence[Settling],
    marks: Sequence[tuple[str, int]],
    known: dict[str, list[LLMCall]],
) -> str | None:
    """The call, settled before, that these readings are of. ``known`` keeps what was read, for the next to be asked."""
    ended_at = max(reading.call.end_time_unix_nano for reading in readings) + _SLACK_NS
    with database.reading() as db:
        call_ids = {call_id for mark in {mark for mark, _ in marks} for call_id in _nearest(db, mark, ended_at)}
        bodies = {call_id: _bodies(db, call_id) for call_id in call_ids - known.keys()}
    known |= {call_id: [call_of(key, body) for key, body in rows] for call_id, rows in bodies.items()}
    candidates = [known[call_id] for call_id in call_ids]
    for reading in readings:
        twin = closest_call(reading.call, candidates)
        if twin is not None:
            return next(call_id for call_id in call_ids if known[call_id] is twin)
    return None


def _nearest(db: Connection, mark: str, ended_at: int) -> list[str]:
    """Those of the calls with this mark that began last before a time."""
    rows = db.execute(
        "SELECT call_id FROM fingerprints WHERE fingerprint = ? AND started_at <= ? ORDER BY started_at DESC LIMIT ?",
        (mark, ended_at, _CANDIDATES_LIMIT),
    )
    return [row[0] for row in rows]


def _bodies(db: Connection, call_id: str) -> list[tuple[str, str]]:
    return db.execute(
        "SELECT key, body FROM readings WHERE call_id = ? AND body IS NOT NULL AND state <> 'settling'",
        (call_id,),
    ).fetchall()


def _write(db: Connection, settled: _Settled, now: float) -> None:
    """The richest reading speaks for the call, unless that has spoken before."""
    call_id, first = settled.call_id, settled.first
    folded = settled.readings
    if settled.earlier is None:
        richest, *folded = settled.readings  # type: ignore[assignment]
        db.execute(
            "UPDATE readings SET state = 'pending', call_id = ?, destination = ?, in_doubt = ? WHERE key = ?",
            (call_id, first.destination, any(reading.in_doubt for reading in settled.readings), richest.key),
        )
        if richest.is_completed:
            body = body_of(richest.call)
            db.execute("UPDATE readings SET body = ?, size = ? WHERE key = ?", (body, len(body), richest.key))
    db.executemany(
        "UPDATE readings SET state = 'folded', call_id = ?, done_at = ? WHERE key = ?",
        ((call_id, now, reading.key) for reading in folded),
    )
    db.executemany("INSERT OR IGNORE INTO fingerprints VALUES (?, ?, ?)", ((*mark, call_id) for mark in settled.marks))

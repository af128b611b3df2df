"""Telemetry that is no reading yet, held in the outbox until it is: spans whose content comes in log records, and such
records, in whatever order they arrive.

A span is read when it has waited for its records as long as readings wait for others of their call. Records whose span
was seen add to what it said, or go. Records whose span does not come are read without it, if they hold an answer; while
they hold none, the call may be under way still, and they wait for an hour from when they came: an event with the prompt
is written when a call begins, the span when it ends. Their own time decides nothing, since it may lie in the future.

Decided group by group, a group being what is held of one span, and written down in one transaction for many groups:
thousands of records without their spans cost a fraction of a second, and are looked at twice.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from itertools import chain
from typing import TypeAlias

from otel_labelstudio.calls import LLMCall
from otel_labelstudio.dialects import Skip, SkipReason
from otel_labelstudio.dialects.relatives import has_relatives, lending_relatives
from otel_labelstudio.dialects.shared.records_without_span import dialogues, is_answer, is_id
from otel_labelstudio.errors import OutboxError
from otel_labelstudio.outbox.entry import HeldItem
from otel_labelstudio.outbox.serialization import SPAN, UnreadableError, telemetry_from_text
from otel_labelstudio.outbox.settling import SettlingRows
from otel_labelstudio.settle.failed_calls import with_failed_calls
from otel_labelstudio.settle.log_records import (
    Joined,
    calls_without_span,
    is_answered,
    is_call_of_its_own,
    owners_by_time,
    parted,
)
from otel_labelstudio.spans.model import LogRecord, Span, SpanIds

HeldSpan: TypeAlias = tuple[HeldItem, Span]
HeldRecord: TypeAlias = tuple[HeldItem, LogRecord]

# Where held log records are due that carry no span's id
NO_SPAN: SpanIds = ("", "")
_FOREVER = float("inf")


class Fate(str, Enum):
    """What became of the span of an LLM call; the values stand in the outbox."""

    READ = "read"
    TOLD = "told"  # its log records told of calls before it came
    UNANSWERED = "unanswered"  # it had no content, which may come late
    SKIPPED = "skipped"


@dataclass(slots=True)
class Decision:
    """What becomes of some of what is held, to be written down together.

    ``calls`` are new readings with the span and records that they are of, ``told`` what records tell of spans that were
    read.
    """

    release: list[HeldItem] = field(default_factory=list)
    defer: list[tuple[HeldItem, float]] = field(default_factory=list)
    bury: list[tuple[HeldItem, str]] = field(default_factory=list)
    calls: list[tuple[tuple[LLMCall, ...], Joined]] = field(default_factory=list)
    told: list[LLMCall] = field(default_factory=list)
    seen: list[tuple[SpanIds, str]] = field(default_factory=list)
    skips: list[Skip] = field(default_factory=list)
    unmatched: int = 0


def waits_for_log_records(reading: tuple[LLMCall, ...] | Skip) -> bool:
    """Whether what the span itself lacks may stand in log records."""
    if isinstance(reading, Skip):
        return reading.reason in _MAY_BE_TOLD
    return any(call.incomplete for call in reading)


_MAY_BE_TOLD = (SkipReason.CONTENT_NOT_CAPTURED, SkipReason.FAILED, SkipReason.ANSWER_UNREADABLE)


_CALLS_ARE_KNOWN = (Fate.READ, Fate.TOLD)


def fate(reading: tuple[LLMCall, ...] | Skip) -> Fate:
    """What becomes of a span, with the log records that have come for it."""
    if not isinstance(reading, Skip):
        return Fate.READ
    is_unanswered = reading.reason in (SkipReason.CONTENT_NOT_CAPTURED, SkipReason.ANSWER_UNREADABLE)
    return Fate.UNANSWERED if is_unanswered else Fate.SKIPPED


class HeldGroups:
    """Decides on what an outbox holds, for one round: what is held changes only with what it has decided.

    ``other_spans`` are the ids of spans that were seen and tell of no model; ``takes_failed_calls``: see
    `failed_calls`.
    """

    def __init__(
        self, rows: SettlingRows, other_spans: Collection[SpanIds], *, takes_failed_calls: bool = False
    ) -> None:
        self._rows, self._other_spans, self._takes_failed_calls = rows, other_spans, takes_failed_calls
        self._decoded: dict[int, Span | LogRecord | UnreadableError] = {}
        self._known_owners: dict[tuple[int, ...], list[SpanIds]] = {}
        self._known_around: dict[SpanIds, bool] = {}
        # Spans that were decided on, and the records of no span that went with them
        self._decided: set[SpanIds] = set()
        self._taken: set[int] = set()

    def decide(self, ids: SpanIds, due_by: float, now: float) -> Decision:
        """On what is held of a span, and of an empty pair of ids on the records that belong to none.

        Times are seconds since 1970; ``due_by`` is infinity where nothing may wait any longer.
        """
        decision = Decision()
        items = self._rows.held_of_no_span(due_by) if ids == NO_SPAN else self._rows.held_of(ids)
        if ids == NO_SPAN or self._is_of_application(ids):
            self._decide_on_records_without_span(items, due_by, now, decision)
            return decision
        last = _last_due(items, due_by)
        if last > due_by and not _is_expired(items, now):
            decision.defer = [(item, last) for item in items if item.due_at < last]
            return decision
        spans, records = self._read(items, decision)
        if spans:
            self._decide_on_spans(ids, spans, records, decision)
        elif records:
            may_wait = due_by < _FOREVER and not _is_expired(items, now)
            self._decide_without_span(ids, records, may_wait, decision)
        return decision

    def _decide_on_spans(
        self, ids: SpanIds, spans: list[HeldSpan], records: list[HeldRecord], decision: Decision
    ) -> None:
        """A span that has waited; more than one where it was sent again, or its ids were used again."""
        became = Fate(self._rows.fate_of(ids) or Fate.SKIPPED)
        for item, span in spans:
            told = records + self._records_by_time(span, is_answered(record for _, record in records), decision)
            joined = Joined(span, _in_order(record for _, record in told), relatives=self._relatives(span, decision))
            reading = self._reading_of(joined)
            decision.release += [item, *(record_item for record_item, _ in told)]
            self._taken.update(record_item.seq for record_item, _ in told)
            if not isinstance(reading, Skip):
                decision.calls.append((reading, joined))
                became = Fate.READ
            elif became not in _CALLS_ARE_KNOWN:
                decision.skips.append(reading)
                became = fate(reading)
        if ids != NO_SPAN:
            self._decided.add(ids)
            decision.seen.append((ids, became.value))

    def _relatives(self, span: Span, decision: Decision) -> tuple[Span, ...]:
        """The held spans that have content of the call that this span is."""
        if not has_relatives(span):
            return ()
        spans, _ = self._read(self._rows.spans_of_trace(span.trace_id), decision)
        return lending_relatives([held for _, held in spans]).get((span.trace_id, span.span_id), ())

    def _decide_on_records_without_span(
        self, items: Iterable[HeldItem], due_by: float, now: float, decision: Decision
    ) -> None:
        """Records that were written outside of their span's context, and spans without an id."""
        spans, records = self._read((item for item in items if item.seq not in self._taken), decision)
        for item, span in spans:
            if item.due_at <= due_by:
                decide = partial(self._decide_on_spans, NO_SPAN, [(item, span)], [])
                _decide_alone(decide, [item], decision)
        item_of = {id(record): item for item, record in records}
        left = {item.seq: item for item, _ in records if item.due_at <= due_by}
        for dialogue in chain.from_iterable(map(self._parted, dialogues(record for _, record in records))):
            members = [item_of[id(record)] for record in dialogue]
            last = _last_due(members, due_by)
            if last > due_by:  # an earlier one is decided on with the others
                decision.defer += [(item, last) for item in members if item.seq in left]
            elif members:
                decide = partial(self._decide_on_dialogue, dialogue, members, due_by, now)
                _decide_alone(decide, members, decision)
            for item in members:
                left.pop(item.seq, None)
        for item in left.values():  # answers of several calls at once: nothing tells whose they are
            _wait_or_release([item], due_by, now, decision)

    def _decide_on_dialogue(
        self, dialogue: Sequence[LogRecord], members: list[HeldItem], due_by: float, now: float, decision: Decision
    ) -> None:
        owners = self._owners(dialogue, members)
        if len(owners) == 1 and owners[0] not in self._decided:
            decision.defer += [(item, item.expires_at) for item in members]  # it goes with that span
        elif len(owners) > 1:
            decision.release += members
            decision.unmatched += len(members)
        elif not is_call_of_its_own(dialogue, 0):
            _wait_or_release(members, due_by, now, decision)
        else:
            (joined, *_) = calls_without_span(dialogue)
            reading = self._reading_of(joined)
            if isinstance(reading, Skip):
                _wait_or_release(members, due_by, now, decision)
            else:
                decision.release += members
                decision.calls.append((reading, joined))

    def _decide_without_span(self, ids: SpanIds, records: list[HeldRecord], may_wait: bool, decision: Decision) -> None:
        """Records whose span was seen before, or has not come."""
        items = [item for item, _ in records]
        became = self._rows.fate_of(ids)
        joined = list(calls_without_span(_in_order(record for _, record in records)))
        if became == Fate.READ.value or (became == Fate.TOLD.value and all(is_answer(record) for _, record in records)):
            decision.told += [call for one in joined for call in one.told()]
            decision.release += items
            return
        readings = [(one, self._reading_of(one)) for one in joined]
        found = [(reading, one) for one, reading in readings if not isinstance(reading, Skip)]
        if became != Fate.SKIPPED.value and found:
            decision.calls += found
            decision.seen.append((ids, Fate.TOLD.value))
        elif became in (None, Fate.TOLD.value) and may_wait:
            decision.defer += [(item, item.expires_at) for item in items]
            return
        elif became is None:
            decision.skips += [reading for _, reading in readings if isinstance(reading, Skip)]
        decision.release += items

    def _reading_of(self, joined: Joined) -> tuple[LLMCall, ...] | Skip:
        reading = joined.read()
        return with_failed_calls(reading) if self._takes_failed_calls else reading

    def _is_of_application(self, ids: SpanIds) -> bool:
        """Whether the span tells of no model, or has not come while one within it has: the application's own, which
        only happened to be the current one."""
        if ids in self._other_spans:
            return True
        if ids not in self._known_around:
            has_come = any(item.kind == SPAN for item in self._rows.held_of(ids)) or self._rows.fate_of(ids)
            within, _ = ([], []) if has_come else self._read(self._rows.spans_of_trace(ids[0]), Decision())
            self._known_around[ids] = any(span.parent_span_id == ids[1] for _, span in within)
        return self._known_around[ids]

    def _records_by_time(self, span: Span, has_answer: bool, decision: Decision) -> list[HeldRecord]:
        """The records that were written outside of the span's context, and can be of no other."""
        items = [
            item
            for item in self._rows.log_records_in(span.scope.name, span.start_time_unix_nano, span.end_time_unix_nano)
            if not item.span_id or self._is_of_application((item.trace_id, item.span_id))
        ]
        _, records = self._read(items, decision)
        item_of = {id(record): item for item, record in records}
        found: list[HeldRecord] = []
        for dialogue in dialogues(record for _, record in records):
            members = [item_of[id(record)] for record in dialogue]
            if self._owners(dialogue, members) != [(span.trace_id, span.span_id)]:
                continue
            if is_answer(dialogue[-1]) and (has_answer or is_answered(record for _, record in found)):
                decision.defer += [(item, 0.0) for item in members]  # a second answer is another call's
            else:
                found += zip(members, dialogue, strict=True)
        return found

    def _parted(self, dialogue: list[LogRecord]) -> Iterator[list[LogRecord]]:
        return parted(dialogue, self._spans_around(dialogue[-1]) if len(dialogue) > 1 else ())

    def _owners(self, dialogue: Sequence[LogRecord], members: Sequence[HeldItem]) -> list[SpanIds]:
        """The held spans during which a dialogue was written."""
        key = tuple(item.seq for item in members)
        if key not in self._known_owners:
            self._known_owners[key] = owners_by_time(dialogue, self._spans_around(dialogue[0]))
        return self._known_owners[key]

    def _spans_around(self, record: LogRecord) -> list[Span]:
        """The held spans of its scope during which a record was written."""
        trace_id = record.trace_id if is_id(record.trace_id) else ""
        around = self._rows.spans_around(record.scope.name, trace_id, record.time_unix_nano)
        spans, _ = self._read(around, Decision())
        return [span for _, span in spans]

    def _read(self, items: Iterable[HeldItem], decision: Decision) -> tuple[list[HeldSpan], list[HeldRecord]]:
        """The spans and log records among what is held; what cannot be read is buried."""
        spans: list[HeldSpan] = []
        records: list[HeldRecord] = []
        for item in items:
            telemetry = self._decode(item)
            if isinstance(telemetry, Span):
                spans.append((item, telemetry))
            elif isinstance(telemetry, LogRecord):
                records.append((item, telemetry))
            else:
                decision.bury.append((item, f"cannot be read ({telemetry})"))
        return spans, records

    def _decode(self, item: HeldItem) -> Span | LogRecord | UnreadableError:
        if item.seq not in self._decoded:
            try:
                self._decoded[item.seq] = telemetry_from_text(item.kind, item.body)
            except UnreadableError as error:
                self._decoded[item.seq] = error
        return self._decoded[item.seq]


def _decide_alone(decide: Callable[[Decision], None], items: Sequence[HeldItem], decision: Decision) -> None:
    """On a span, or a dialogue, beside others that have nothing to do with it: where that fails, it is buried alone."""
    try:
        decide(decision)
    except OutboxError:
        raise
    except Exception as error:
        decision.bury += [(item, f"cannot be settled ({type(error).__name__})") for item in items]


def _last_due(items: Iterable[HeldItem], due_by: float) -> float:
    """When the last of them has waited for company. What was put off until it expires has done so before, and is
    decided on with what has come since."""
    return max((item.due_at for item in items if item.due_at < item.expires_at), default=due_by)


def _is_expired(items: Iterable[HeldItem], now: float) -> bool:
    return min((item.expires_at for item in items), default=now) <= now


def _wait_or_release(items: list[HeldItem], due_by: float, now: float, decision: Decision) -> None:
    """Records of which nobody can tell the span, now or ever."""
    if due_by < _FOREVER and not _is_expired(items, now):
        decision.defer += [(item, item.expires_at) for item in items]
    else:
        decision.release += items
        decision.unmatched += len(items)


def _in_order(records: Iterable[LogRecord]) -> tuple[LogRecord, ...]:
    """As they were written: messages are written in the order of the dialogue, but may arrive in another."""
    return tuple(sorted(records, key=lambda record: record.time_unix_nano))

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

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

from otel_labelstudio.calls import LLMCall
from otel_labelstudio.dialects import Skip, SkipReason
from otel_labelstudio.dialects.shared.spanless import tells_of_a_whole_call
from otel_labelstudio.outbox.entry import HeldItem
from otel_labelstudio.outbox.serialization import UnreadableError, telemetry_from_text
from otel_labelstudio.outbox.settling import MOST_OWNERS, SettlingRows
from otel_labelstudio.settle.log_records import Joined, calls_without_span, owner_by_time
from otel_labelstudio.spans.model import LogRecord, Span, SpanIds

HeldSpan: TypeAlias = tuple[HeldItem, Span]
HeldRecord: TypeAlias = tuple[HeldItem, LogRecord]

# Where held log records are due that carry no span's id
NO_SPAN: SpanIds = ("", "")


class Fate(str, Enum):
    """What became of the span of an LLM call; the values stand in the outbox."""

    READ = "read"
    SKIPPED = "skipped"


@dataclass(slots=True)
class Decision:
    """What becomes of some of what is held, to be written down together.

    ``calls`` are new readings with the span that they are of, ``told`` what records tell of spans that were read.
    """

    release: list[HeldItem] = field(default_factory=list)
    defer: list[tuple[HeldItem, float]] = field(default_factory=list)
    bury: list[tuple[HeldItem, str]] = field(default_factory=list)
    calls: list[tuple[tuple[LLMCall, ...], Span]] = field(default_factory=list)
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


def fate(reading: tuple[LLMCall, ...] | Skip) -> Fate:
    """What becomes of a span that is read as it came."""
    return Fate.SKIPPED if isinstance(reading, Skip) else Fate.READ


class HeldGroups:
    """Decides on what an outbox holds, for one round: what is held changes only with what it has decided.

    ``strangers`` are the ids of spans that were seen and tell of no model.
    """

    def __init__(self, rows: SettlingRows, strangers: Collection[SpanIds]) -> None:
        self._rows, self._strangers = rows, strangers
        self._decoded: dict[int, Span | LogRecord | UnreadableError] = {}
        self._owners: dict[int, SpanIds | None] = {}

    def decide(self, ids: SpanIds, due_by: float, now: float) -> Decision:
        """On what is held of a span, and of an empty pair of ids on the due records that belong to none.

        Times are seconds since 1970; ``due_by`` is infinity where nothing may wait any longer.
        """
        decision = Decision()
        items = self._rows.held_of_no_span(due_by) if ids == NO_SPAN else self._rows.held_of(ids)
        last = max((item.due_at for item in items), default=due_by)
        if ids != NO_SPAN and last > due_by and not _is_expired(items, now):
            decision.defer = [(item, last) for item in items if item.due_at < last]
            return decision
        may_wait = due_by < float("inf") and not _is_expired(items, now)
        spans, records = self._read(items, decision)
        if spans:
            self._decide_on_spans(ids, spans, records, decision)
        elif ids == NO_SPAN or ids in self._strangers:
            for item, record in records:
                self._decide_on_record(item, record, may_wait, decision)
        elif records:
            self._decide_without_span(ids, records, may_wait, decision)
        return decision

    def _decide_on_spans(
        self, ids: SpanIds, spans: list[HeldSpan], records: list[HeldRecord], decision: Decision
    ) -> None:
        """A span that has waited; more than one where it was sent again, or its ids were used again."""
        was_read = self._rows.fate_of(ids) == Fate.READ.value
        for item, span in spans:
            told = records + self._records_by_time(span, decision)
            reading = Joined(span, _in_order(record for _, record in told)).read()
            decision.release += [item, *(record_item for record_item, _ in told)]
            if not isinstance(reading, Skip):
                was_read = True
                decision.calls.append((reading, span))
            elif not was_read:
                decision.skips.append(reading)
        decision.seen.append((ids, (Fate.READ if was_read else Fate.SKIPPED).value))

    def _decide_on_record(self, item: HeldItem, record: LogRecord, may_wait: bool, decision: Decision) -> None:
        """A record of which nobody can tell the span, unless there is one that lasted while it was written."""
        if self._owner(item, record) is not None:
            decision.defer.append((item, item.expires_at))  # it goes with that span
            return
        (alone,) = calls_without_span([record])
        reading = alone.read() if tells_of_a_whole_call(record) else Skip(SkipReason.CONTENT_NOT_CAPTURED)
        if not isinstance(reading, Skip):
            decision.release.append(item)
            decision.calls.append((reading, alone.span))
        elif may_wait:
            decision.defer.append((item, item.expires_at))
        else:
            decision.release.append(item)
            decision.unmatched += 1

    def _decide_without_span(self, ids: SpanIds, records: list[HeldRecord], may_wait: bool, decision: Decision) -> None:
        """Records whose span was seen before, or has not come."""
        items = [item for item, _ in records]
        became = self._rows.fate_of(ids)
        joined = calls_without_span(_in_order(record for _, record in records))
        readings = [(one.span, one.read()) for one in joined]
        found = [(reading, span) for span, reading in readings if not isinstance(reading, Skip)]
        if became == Fate.READ.value:
            decision.told += [call for reading, _ in found for call in reading]
        elif became is None and found:
            decision.calls += found
            decision.seen.append((ids, Fate.READ.value))
        elif became is None and may_wait:
            expires_at = min(item.expires_at for item in items)
            decision.defer += [(item, expires_at) for item in items]
            return
        elif became is None:
            decision.skips += [reading for _, reading in readings if isinstance(reading, Skip)]
        decision.release += items

    def _records_by_time(self, span: Span, decision: Decision) -> list[HeldRecord]:
        """The records that were written outside of the span's context, and can be of no other."""
        items = [
            item
            for item in self._rows.log_records_in(span.scope.name, span.start_time_unix_nano, span.end_time_unix_nano)
            if not item.span_id or (item.trace_id, item.span_id) in self._strangers
        ]
        ids = span.trace_id, span.span_id
        _, records = self._read(items, decision)
        return [(item, record) for item, record in records if self._owner(item, record) == ids]

    def _owner(self, item: HeldItem, record: LogRecord) -> SpanIds | None:
        if item.seq not in self._owners:
            around = self._rows.spans_around(record.scope.name, record.trace_id, record.time_unix_nano)
            spans, _ = self._read(around, Decision()) if len(around) <= MOST_OWNERS else ([], [])
            self._owners[item.seq] = owner_by_time(record, [span for _, span in spans])
        return self._owners[item.seq]

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


def _is_expired(items: Iterable[HeldItem], now: float) -> bool:
    return min((item.expires_at for item in items), default=now) <= now


def _in_order(records: Iterable[LogRecord]) -> tuple[LogRecord, ...]:
    """As they were written: messages are written in the order of the dialogue, but may arrive in another."""
    return tuple(sorted(records, key=lambda record: record.time_unix_nano))

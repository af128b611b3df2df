"""Telemetry that is no reading yet, held in the outbox until it is: spans whose content comes in log records, and such
records, in whatever order they arrive.

A span is read when it has waited for its records as long as readings wait for their twins. Records whose span does not
come are read without it, if they hold an answer; while they hold none, the call may be under way still, and they wait
longer: an event with the prompt is written when a call begins, the span when it ends.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

from otel_labelstudio.calls import LLMCall
from otel_labelstudio.delivery.letters import Held, Put
from otel_labelstudio.delivery.outbox import Outbox
from otel_labelstudio.dialects import Skip, SkipReason
from otel_labelstudio.joining import Joined, join
from otel_labelstudio.spans.model import LogRecord, Scope, Span, SpanEvent, SpanIds
from otel_labelstudio.telemetry import Telemetry

# A call and, as text, its destination
Addressed: TypeAlias = tuple[LLMCall, str]

SPAN, LOG_RECORD = "span", "log_record"
UNANSWERED_WAIT_S = 3600.0


@dataclass(frozen=True, slots=True)
class HeldGroup:
    """What is held of one call, ``due_at`` when it has waited long enough. ``joined`` is None for a record without ids
    of which nobody can tell the span."""

    joined: Joined | None
    held: tuple[Held, ...]

    @property
    def due_at(self) -> float:
        return max(item.due_at for item in self.held)

    def may_be_under_way(self, now: float) -> bool:
        """Whether these are records of a call that may not have ended ``now`` (seconds since 1970)."""
        if self.joined is None or not self.joined.is_span_missing:
            return False
        last = max(record.time_unix_nano for record in self.joined.log_records)
        return now - last / 1e9 < UNANSWERED_WAIT_S


class HeldTelemetry:
    """Makes calls of what an outbox holds.

    ``address`` says where the calls of a span go, if anywhere; ``skip`` is told of what gives none; ``clock`` gives
    seconds since 1970.
    """

    def __init__(
        self,
        outbox: Outbox,
        telemetry: Telemetry,
        *,
        address: Callable[[Iterable[LLMCall], Span], list[Addressed]],
        skip: Callable[[Skip], None],
        settle_s: float,
        clock: Callable[[], float],
    ) -> None:
        self._outbox, self._telemetry = outbox, telemetry
        self._address, self._skip = address, skip
        self._settle_s, self._clock = settle_s, clock

    def settle(self, due_by: float, strangers: Iterable[SpanIds]) -> None:
        """Read what has waited long enough; ``strangers`` as in `groups`."""
        held = self._outbox.held()
        for group in groups(held, set(strangers)) if held else ():
            if group.joined is None:
                self._release_unmatched(group, due_by)
            else:
                self._settle_joined(group, group.joined, due_by)

    def _release_unmatched(self, group: HeldGroup, due_by: float) -> None:
        if group.due_at <= due_by:
            self._outbox.release(group.held)
            self._telemetry.count("log_records.unmatched")

    def _settle_joined(self, group: HeldGroup, joined: Joined, due_by: float) -> None:
        is_due = group.due_at <= due_by
        if not is_due and not joined.is_span_missing:
            return
        reading = joined.read()
        if isinstance(reading, Skip):
            if is_due:
                self._settle_unreadable(group, reading, due_by)
            return
        # Where the span had content of its own, it was read when it came
        is_read = all(self._outbox.is_known(call) for call in reading)
        if is_read or is_due:
            self._store(group, self._address(reading, joined.span), is_read=is_read)

    def _settle_unreadable(self, group: HeldGroup, skip: Skip, due_by: float) -> None:
        """A span whose content never came, or records without an answer: those may be of a call still under way."""
        if group.may_be_under_way(due_by):
            self._outbox.defer(group.held, due_by + self._settle_s)
        else:
            self._outbox.release(group.held)
            self._skip(skip)

    def _store(self, group: HeldGroup, calls: list[Addressed], *, is_read: bool) -> None:
        with self._outbox.transaction():
            self._outbox.release(group.held)
            if is_read:
                self._outbox.complete(call for call, _ in calls)
                return
            due_at = self._clock() + self._settle_s
            put = [self._outbox.put(call, to, due_at=due_at, is_accepted=True) for call, to in calls]
        self._telemetry.count("calls.accepted", put.count(Put.ACCEPTED))
        self._telemetry.count("calls.repeated", put.count(Put.KNOWN))


def may_lack_log_records(reading: tuple[LLMCall, ...] | Skip) -> bool:
    """Whether what the span itself lacks may stand in log records."""
    if isinstance(reading, Skip):
        return reading.reason in (SkipReason.CONTENT_NOT_CAPTURED, SkipReason.ANSWER_UNREADABLE)
    return any(call.incomplete for call in reading)


def to_body(telemetry: Span | LogRecord) -> str:
    """A span or log record as text, for the outbox."""
    return json.dumps(asdict(telemetry), separators=(",", ":"), default=str)


def groups(held: list[Held], strangers: Collection[SpanIds]) -> Iterator[HeldGroup]:
    """What is held, call by call; ``strangers`` are the ids of spans that were seen and tell of no model."""
    spans = [(item, _span(json.loads(item.body))) for item in held if item.kind == SPAN]
    records = [(item, _log_record(json.loads(item.body))) for item in held if item.kind == LOG_RECORD]
    # By identity: two records may be equal
    item_of = {id(telemetry): item for item, telemetry in (*spans, *records)}
    left = {item.seq: item for item in held}
    for joined in join([span for _, span in spans], [record for _, record in records], strangers):
        members = tuple(item_of[id(t)] for t in (joined.span, *joined.log_records) if id(t) in item_of)
        for item in members:
            left.pop(item.seq, None)
        yield HeldGroup(joined, members)
    for item in left.values():
        yield HeldGroup(None, (item,))


def _span(record: dict[str, Any]) -> Span:
    events = tuple(SpanEvent(**event) for event in record.pop("events"))
    return Span(**{**record, "events": events, "scope": Scope(**record["scope"])})


def _log_record(record: dict[str, Any]) -> LogRecord:
    return LogRecord(**{**record, "scope": Scope(**record["scope"])})

"""What spans and log records give that are all at hand, as in a recording: the same as live, when nothing may wait any
longer. What waits for others is held in an outbox in memory, and decided on as there (`held`), all of it at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from otel_labelstudio.calls import CallKey, LLMCall
from otel_labelstudio.dialects import Skip, SkipReason, read
from otel_labelstudio.dialects.relatives import has_relatives
from otel_labelstudio.dialects.shared.records_without_span import is_content_event
from otel_labelstudio.errors import OutboxError
from otel_labelstudio.identity import with_digest_index
from otel_labelstudio.outbox import Outbox
from otel_labelstudio.outbox.settling import SettlingRows
from otel_labelstudio.printable import logger
from otel_labelstudio.settle.failed_calls import with_failed_calls
from otel_labelstudio.settle.fold import completed
from otel_labelstudio.settle.held import NO_SPAN, Decision, HeldGroups, fate, waits_for_log_records
from otel_labelstudio.settle.log_records import Joined
from otel_labelstudio.spans.model import LogRecord, Span, SpanIds

_logger = logger(__name__)

_T = TypeVar("_T")

_FOREVER = float("inf")
_NO_BOUND = 2**62


@dataclass(slots=True)
class RecordedReading:
    """A call with the span and log records that tell of it, and the keys by which it may be known besides."""

    call: LLMCall
    joined: Joined
    other_keys: list[CallKey] = field(default_factory=list)


class RecordedTelemetry:
    """The readings of spans and log records, and how many spans give none, by reason; log records on which something
    fails count among them. ``takes_failed_calls``: see `failed_calls`."""

    def __init__(
        self, spans: Iterable[Span], log_records: Iterable[LogRecord], *, takes_failed_calls: bool = False
    ) -> None:
        self._takes_failed_calls = takes_failed_calls
        self.readings: list[RecordedReading] = []
        self.skipped: Counter[SkipReason] = Counter()
        self._of_key: dict[CallKey, RecordedReading] = {}
        self._other_spans: set[SpanIds] = set()
        self._missing_spans: Counter[SpanIds] = Counter()
        self._outbox = Outbox(max_calls=_NO_BOUND, max_bytes=_NO_BOUND, clock=_clock)
        # All of a group at once: where it was cut, a dialogue would be cut with it
        self._rows = SettlingRows(self._outbox.database, _clock, group_limit=None)
        try:
            self._accept(spans, log_records)
            self._settle()
        finally:
            self._outbox.close()

    def count_fault(self, reason: str) -> None:
        """One more span or log record on which something of ours failed."""
        if not self.skipped[SkipReason.FAULT]:
            _logger.warning("A span or log record %s. Further ones are only counted.", reason)
        self.skipped[SkipReason.FAULT] += 1

    def each(self, work: Callable[[_T], None], items: Iterable[_T]) -> None:
        """Work on the items; those on which that fails cost themselves alone, and are counted."""
        for item in items:
            try:
                work(item)
            except OutboxError:  # noqa: PERF203
                raise
            except Exception as error:  # its message may repeat what the item says
                self.count_fault(f"cannot be read ({type(error).__name__})")

    def _accept(self, spans: Iterable[Span], log_records: Iterable[LogRecord]) -> None:
        content: list[LogRecord] = []
        self.each(lambda record: content.extend([record] * is_content_event(record)), log_records)
        with self._outbox.transaction():
            self.each(partial(self._receive, has_records=bool(content)), spans)
            self.each(self._hold, content)

    def _receive(self, span: Span, *, has_records: bool) -> None:
        reading = read(span)
        if has_relatives(span) or (has_records and waits_for_log_records(reading)):
            self._hold(span)
            return
        if self._takes_failed_calls:
            reading = with_failed_calls(reading)
        if not isinstance(reading, Skip):
            self._add(reading, Joined(span))
        else:
            self.skipped[reading.reason] += 1
        if has_records:
            self._note_seen(span, reading)

    def _hold(self, telemetry: Span | LogRecord) -> None:
        self._outbox.accepting.hold(telemetry, due_at=0.0)

    def _note_seen(self, span: Span, reading: tuple[LLMCall, ...] | Skip) -> None:
        ids = span.trace_id, span.span_id
        if isinstance(reading, Skip) and reading.reason is SkipReason.NOT_GENAI:
            self._other_spans.add(ids)
        else:
            self._outbox.accepting.note_seen([(ids, fate(reading).value)])

    def _settle(self) -> None:
        left = len(self._outbox) + 1
        while len(self._outbox) < left:  # what is put off goes with what is decided on
            left = len(self._outbox)
            deciding = HeldGroups(self._rows, self._other_spans, takes_failed_calls=self._takes_failed_calls)
            groups = sorted(self._rows.due_groups(_FOREVER, _NO_BOUND), key=lambda ids: not ids[1])
            for decision in [self._decide(deciding, ids) for ids in groups]:
                self._write_down(decision)

    def _decide(self, deciding: HeldGroups, ids: SpanIds) -> Decision:
        try:
            return deciding.decide(ids, _FOREVER, 0.0)
        except OutboxError:
            raise
        except Exception as error:
            items = self._rows.held_of_no_span(_FOREVER) if ids == NO_SPAN else self._rows.held_of(ids)
            return Decision(bury=[(item, f"cannot be settled ({type(error).__name__})") for item in items])

    def _write_down(self, decision: Decision) -> None:
        with self._outbox.transaction():
            self._rows.defer(decision.defer)
            self._rows.release([*decision.release, *(item for item, _ in decision.bury)])
            self._outbox.accepting.note_seen(decision.seen)
        self.skipped.update(skip.reason for skip in decision.skips)
        for _, reason in decision.bury:
            self.count_fault(reason)
        self.each(lambda found: self._add(*found), decision.calls)
        self.each(self._complete, decision.told)

    def _add(self, calls: Sequence[LLMCall], joined: Joined) -> None:
        ids = joined.span.trace_id, joined.span.span_id
        other_keys = joined.other_keys(self._missing_spans[ids])
        self._missing_spans[ids] += joined.is_span_missing
        for call in calls:
            reading = RecordedReading(call, joined, list(other_keys))
            self.readings.append(reading)
            self._of_key.setdefault(call.key, reading)

    def _complete(self, told: LLMCall) -> None:
        """Fill what a reading lacks from its span's log records."""
        reading = self._of_key.get(told.key)
        if reading is not None:
            reading.call = completed(reading.call, told)
            reading.other_keys.append(with_digest_index(told).key)


def _clock() -> float:
    """Of what is recorded, all is due at once."""
    return 0.0

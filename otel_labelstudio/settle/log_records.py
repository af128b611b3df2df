"""Which log records belong to which span.

1. A record belongs to the span whose trace and span id it carries, in whatever order and request either came.
2. A record that was written outside of its span's context (Traceloop's LangChain events, and its answers to streams)
   carries no ids, zeros, or those of the application's span around it, which tells of no model, or has not come (it
   went elsewhere) while a span within it has. Such records are parted into dialogues, each of
   which ends with its answer, and a dialogue belongs to the one span of its own scope and resource during which it was
   written, of its own trace if it has one. Where several qualify, nothing tells which, and it is left out: half of
   another call's dialogue is worse than none. Where none does, it is a call of its own. Messages of calls that failed,
   which no answer ends, stand before those of the next one: each goes to the span during which it was written.
3. Records whose span never arrives are a call of their own: each that tells of a whole call, or else all the messages
   of one span together, parted into dialogues where the same choice is answered more than once. Their span may be the
   application's around many calls, and comes in pieces or in files of different days. So what such a call is known by
   depends on nothing but itself (`identity.with_digest_index`); and the span, should it come late, is known to be of
   that call by its ids, its times and what it says (`same_call`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from otel_labelstudio.calls import CallKey, LLMCall
from otel_labelstudio.dialects import Skip, read
from otel_labelstudio.dialects.shared.records_without_span import (
    INCOMPLETE_WITHOUT_SPAN,
    dialogues,
    has_answers_of_several_calls,
    is_answer,
    is_id,
    span_for,
    tells_of_a_call,
    tells_of_a_whole_call,
)
from otel_labelstudio.identity import with_digest_index
from otel_labelstudio.settle.fold import completed
from otel_labelstudio.spans.model import LogRecord, Span, SpanIds


@dataclass(frozen=True, slots=True)
class Joined:
    """A span with its log records, in their order.

    ``is_span_missing`` where the span was made up for them. ``relatives`` are other spans that have content of the
    call.
    """

    span: Span
    log_records: tuple[LogRecord, ...] = ()
    is_span_missing: bool = False
    relatives: tuple[Span, ...] = ()

    def read(self) -> tuple[LLMCall, ...] | Skip:
        """The calls that span and records tell of together, or why there is none."""
        if self.is_span_missing:
            return self._read_without_span()
        own = read(self.span, self.log_records, self.relatives)
        if isinstance(own, Skip) or not any(map(tells_of_a_call, self.log_records)):
            return own
        # The records may have facts of the call that the span has not
        of_prompt = {call.prompt_index: call for call in self.told()}
        return tuple(completed(call, of_prompt.get(call.prompt_index, call)) for call in own)

    def told(self) -> tuple[LLMCall, ...]:
        """What the records tell of, as the calls of their span."""
        reading = read(span_for(self.log_records), self.log_records) if self.log_records else ()
        return () if isinstance(reading, Skip) else reading

    def other_keys(self, earlier: int) -> tuple[CallKey, ...]:
        """By which its calls may be known where span and records did not come together; or to a version that counted
        the calls of a missing span, of which there were so many ``earlier`` ones."""
        if not any(map(tells_of_a_call, self.log_records)):
            return ()
        if self.is_span_missing:
            return tuple(call.key._replace(prompt_index=call.prompt_index + earlier) for call in self.told())
        return tuple(with_digest_index(call).key for call in self.told())

    def _read_without_span(self) -> tuple[LLMCall, ...] | Skip:
        reading = read(self.span, self.log_records)
        if isinstance(reading, Skip):
            return replace(reading, failed=tuple(map(self._without_span, reading.failed)))
        return tuple(map(self._without_span, reading))

    def _without_span(self, call: LLMCall) -> LLMCall:
        told = replace(call, incomplete=(*call.incomplete, INCOMPLETE_WITHOUT_SPAN))
        # Ids that were made for these records are those of no other call
        return with_digest_index(told) if is_id(self.log_records[0].span_id) else told


def calls_without_span(log_records: Sequence[LogRecord]) -> Iterator[Joined]:
    """What the (one or more) records of one missing span tell of by themselves."""
    if not any(map(tells_of_a_call, log_records)):
        return
    calls: list[Sequence[LogRecord]] = [[record] for record in log_records if tells_of_a_whole_call(record)]
    if not calls and has_answers_of_several_calls(log_records):
        calls = [*dialogues(log_records)]
    for records in calls or [log_records]:
        yield Joined(span_for(records), tuple(records), is_span_missing=True)


def parted(dialogue: list[LogRecord], spans: Iterable[Span]) -> Iterator[list[LogRecord]]:
    """Single messages of calls that failed before it, and the dialogue as far as it was written during one span."""
    around_its_end = (span for span in spans if _was_written_during(dialogue[-1], span))
    begin = min((_begin_within(span, dialogue) for span in around_its_end), default=0)
    yield from ([record] for record in dialogue[:begin])
    yield dialogue[begin:]


def _begin_within(span: Span, dialogue: Sequence[LogRecord]) -> int:
    """At which of its records the part of a dialogue begins that was written during a span, to the end."""
    ends_outside = (end for end in range(len(dialogue), 0, -1) if not _was_written_during(dialogue[end - 1], span))
    return next(ends_outside, 0)


def owners_by_time(dialogue: Sequence[LogRecord], spans: Iterable[Span]) -> list[SpanIds]:
    """The ids of the spans during which all records of a dialogue were written."""
    found = (span for span in spans if all(_was_written_during(record, span) for record in dialogue))
    return list(dict.fromkeys((span.trace_id, span.span_id) for span in found))


def is_answered(log_records: Iterable[LogRecord]) -> bool:
    """Whether the records of a span have its answer: another one is another call's."""
    return any(is_answer(record) or tells_of_a_whole_call(record) for record in log_records)


def is_call_of_its_own(dialogue: Sequence[LogRecord], number_of_owners: int) -> bool:
    """Whether records without a span, which may be of so many, tell of a call by themselves."""
    return (is_answer(dialogue[-1]) and number_of_owners < 2) or tells_of_a_whole_call(dialogue[0])


def _was_written_during(record: LogRecord, span: Span) -> bool:
    return (
        span.start_time_unix_nano <= record.time_unix_nano <= span.end_time_unix_nano
        and (not is_id(record.trace_id) or record.trace_id == span.trace_id)
        and record.scope == span.scope
        and record.resource in ({}, span.resource)
    )

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
   of one span together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from otel_labelstudio.calls import LLMCall
from otel_labelstudio.dialects import NAME_PREFIXES, Skip, read
from otel_labelstudio.dialects.relatives import lending_relatives
from otel_labelstudio.dialects.shared.records_without_span import (
    INCOMPLETE_WITHOUT_SPAN,
    dialogues,
    is_answer,
    is_content_event,
    is_id,
    span_for,
    tells_of_a_call,
    tells_of_a_whole_call,
)
from otel_labelstudio.settle.fold import completed
from otel_labelstudio.spans.model import LogRecord, Span, SpanIds


@dataclass(frozen=True, slots=True)
class Joined:
    """A span with its log records, in their order.

    ``is_span_missing`` where the span was made up for them; ``prompt_index`` counts the calls of one missing span.
    ``relatives`` are other spans that have content of the call.
    """

    span: Span
    log_records: tuple[LogRecord, ...] = ()
    is_span_missing: bool = False
    prompt_index: int = 0
    relatives: tuple[Span, ...] = ()

    def read(self) -> tuple[LLMCall, ...] | Skip:
        """The calls that span and records tell of together, or why there is none."""
        if self.is_span_missing:
            return self._read_without_span()
        own = read(self.span, self.log_records, self.relatives)
        if isinstance(own, Skip) or not any(map(tells_of_a_call, self.log_records)):
            return own
        # The records may have facts of the call that the span has not
        told = read(span_for(self.log_records), self.log_records)
        of_prompt = {} if isinstance(told, Skip) else {call.prompt_index: call for call in told}
        return tuple(completed(call, of_prompt.get(call.prompt_index, call)) for call in own)

    def _read_without_span(self) -> tuple[LLMCall, ...] | Skip:
        reading = read(self.span, self.log_records)
        if isinstance(reading, Skip):
            return replace(reading, failed=tuple(map(self._without_span, reading.failed)))
        return tuple(map(self._without_span, reading))

    def _without_span(self, call: LLMCall) -> LLMCall:
        return replace(
            call,
            prompt_index=self.prompt_index + call.prompt_index,
            incomplete=(*call.incomplete, INCOMPLETE_WITHOUT_SPAN),
        )


def join(
    spans: Sequence[Span], log_records: Iterable[LogRecord], other_spans: Collection[SpanIds] = ()
) -> Iterator[Joined]:
    """Every span with its records, then the calls whose span is not among ``spans``.

    ``other_spans`` are the ids of further spans that were seen and tell of no model.
    """
    content = [record for record in log_records if is_content_event(record)]
    # An application's span is no owner; it only happened to be the current one
    seen = {(span.trace_id, span.span_id): _may_own_content(span) for span in spans} if content else {}
    seen |= dict.fromkeys(other_spans, False)
    around = {(span.trace_id, span.parent_span_id) for span in spans} if content else set()
    seen |= dict.fromkeys(around - seen.keys(), False)
    owned: defaultdict[SpanIds, list[LogRecord]] = defaultdict(list)
    without_owner: list[LogRecord] = []
    for record in content:
        ids = (record.trace_id, record.span_id)
        if is_id(record.span_id) and seen.get(ids, True):
            owned[ids].append(record)
        else:
            without_owner.append(record)
    own_calls = _find_by_time(spans, without_owner, owned) if without_owner else {}
    relatives = lending_relatives(spans)
    for span in spans:
        ids = (span.trace_id, span.span_id)
        yield Joined(span, tuple(sorted(owned.get(ids, ()), key=_time)), relatives=relatives.get(ids, ()))
    for records in (records for ids, records in owned.items() if ids not in seen):
        yield from calls_without_span(sorted(records, key=_time))
    for ids, groups in own_calls.items():
        for index, records in enumerate(groups):
            yield Joined(span_for(records), tuple(records), is_span_missing=True, prompt_index=index if any(ids) else 0)


def calls_without_span(log_records: Sequence[LogRecord]) -> Iterator[Joined]:
    """What the (one or more) records of one missing span tell of by themselves."""
    if not any(map(tells_of_a_call, log_records)):
        return
    whole = [record for record in log_records if tells_of_a_whole_call(record)]
    for index, records in enumerate([[record] for record in whole] or [log_records]):
        yield Joined(span_for(records), tuple(records), is_span_missing=True, prompt_index=index)


def _time(record: LogRecord) -> int:
    """Messages are written in the order of the dialogue, but may arrive in another."""
    return record.time_unix_nano


def _may_own_content(span: Span) -> bool:
    names = (*span.attributes, *(event.name for event in span.events))
    return any(name.startswith(NAME_PREFIXES) for name in names)


def _find_by_time(
    spans: Iterable[Span], log_records: Iterable[LogRecord], owned: defaultdict[SpanIds, list[LogRecord]]
) -> dict[SpanIds, list[list[LogRecord]]]:
    """Adds to ``owned`` the records that can only be of one span; gives back those that are calls without any."""
    of_scope: defaultdict[str, list[Span]] = defaultdict(list)
    for span in spans:
        of_scope[span.scope.name].append(span)
    own_calls: defaultdict[SpanIds, list[list[LogRecord]]] = defaultdict(list)
    for records in chain.from_iterable(parted(one, of_scope[one[0].scope.name]) for one in dialogues(log_records)):
        owners = owners_by_time(records, of_scope[records[0].scope.name])
        if len(owners) == 1 and not (is_answer(records[-1]) and is_answered(owned.get(owners[0], ()))):
            owned[owners[0]] += records
        elif is_call_of_its_own(records, len(owners)):
            own_calls[records[0].trace_id.strip("0"), records[0].span_id.strip("0")].append(records)
    return own_calls


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

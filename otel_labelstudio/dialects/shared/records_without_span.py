"""Events whose span never came: one made up in its place, so that the dialects read them as they read all others.

A span may be missing because it was not sampled, because the instrumentation lost it (seen with OpenLIT and asyncio),
or because only the logs reach us. The event ``gen_ai.client.inference.operation.details`` tells of the whole call;
per-message events at least hold the dialogue.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import Any

from otel_labelstudio.dialects.shared.event_records import event_name, is_message_event, object_of
from otel_labelstudio.dialects.shared.moved_content import is_logged_content, is_moved_content
from otel_labelstudio.spans.model import LogRecord, Span

INCOMPLETE_WITHOUT_SPAN = "its span never arrived, only its log records did"

# Events that hold a call's content (semantic conventions: gen-ai-events.md, 1.28 and later); others, such as
# gen_ai.evaluation.result, speak about a call
_WHOLE_CALL = "gen_ai.client.inference.operation.details"
_ANSWERS = ("gen_ai.choice", "gen_ai.content.completion")
_CONTENT_EVENTS = frozenset((_WHOLE_CALL, "gen_ai.content.prompt", "gen_ai.content.completion"))


def is_content_event(record: LogRecord) -> bool:
    """Whether the record holds content of an LLM call; an application's other log lines do not."""
    name = event_name(record)
    return name in _CONTENT_EVENTS or is_message_event(name) or is_moved_content(record) or is_logged_content(record)


def tells_of_a_call(record: LogRecord) -> bool:
    """Whether the record says that it is of a call; content that was moved away from a span is of any span."""
    return not is_moved_content(record) and not is_logged_content(record)


def tells_of_a_whole_call(record: LogRecord) -> bool:
    """Whether the record holds a call by itself; a message's event holds but a part of a dialogue."""
    return event_name(record) == _WHOLE_CALL


def is_id(text: str) -> bool:
    """Whether it is a trace or span id; zeros and empty text say that there is none."""
    return bool(text.strip("0"))


def dialogues(log_records: Iterable[LogRecord]) -> Iterator[list[LogRecord]]:
    """Records without their span's ids, call by call: the messages of each up to its answer.

    Messages without an answer come one by one, since that may stand on their span. Where answers of several calls at
    once are interleaved, nothing tells whose messages are whose, and none is given.
    """
    for records in _by_origin(log_records):
        dialogue: list[LogRecord] = []
        for record in records:
            if tells_of_a_whole_call(record):
                yield [record]
                continue
            if dialogue and is_answer(dialogue[-1]) and not is_answer(record):
                yield from _told_apart(dialogue)
                dialogue = []
            dialogue.append(record)
        yield from _told_apart(dialogue)


def _by_origin(log_records: Iterable[LogRecord]) -> Iterable[list[LogRecord]]:
    """In the order of their time, apart by trace, scope and resource."""
    found: defaultdict[tuple[str, str, str], list[LogRecord]] = defaultdict(list)
    for record in sorted(log_records, key=lambda record: record.time_unix_nano):
        found[record.trace_id, record.scope.name, str(record.resource)].append(record)
    return found.values()


def _told_apart(dialogue: list[LogRecord]) -> Iterator[list[LogRecord]]:
    if not any(map(is_answer, dialogue)):
        yield from ([record] for record in dialogue)
    elif not has_answers_of_several_calls(dialogue):
        yield dialogue


def has_answers_of_several_calls(log_records: Iterable[LogRecord]) -> bool:
    """Whether a choice of the same index was made more than once."""
    indexes = [str(object_of(record.body).get("index")) for record in log_records if is_answer(record)]
    return len(indexes) > len(set(indexes))


def is_answer(record: LogRecord) -> bool:
    """Whether the record holds a choice of the model's, after which a dialogue is over."""
    return event_name(record) in _ANSWERS


def span_for(log_records: Sequence[LogRecord]) -> Span:
    """A span for the (one or more) log records of one call that came without theirs.

    It takes the records' ids, scope and attributes, and lasts from the first record to the last. Where they have no
    ids, it gets such as only these records give: the same records sent again are the same call.
    """
    first = log_records[0]
    trace_id, span_id = first.trace_id, first.span_id
    if not is_id(span_id):
        told = "\n".join(repr(_without_zeros(record)) for record in log_records)
        digest = blake2b(told.encode(errors="replace"), digest_size=24).hexdigest()
        trace_id, span_id = trace_id if is_id(trace_id) else digest[:32], digest[32:]
    attributes: dict[str, Any] = {}
    for record in log_records:
        attributes.update((key, value) for key, value in record.attributes.items() if key != "event.name")
    # Per-message events do not name the operation, and exist for chats alone
    attributes.setdefault("gen_ai.operation.name", "chat")
    times = [record.time_unix_nano for record in log_records]
    return Span(
        trace_id=trace_id,
        span_id=span_id,
        start_time_unix_nano=min(times),
        end_time_unix_nano=max(times),
        attributes=attributes,
        scope=first.scope,
        resource=first.resource,
    )


def _without_zeros(record: LogRecord) -> LogRecord:
    """One door gives zeros where another gives nothing."""
    return replace(record, trace_id=record.trace_id if is_id(record.trace_id) else "", span_id="")

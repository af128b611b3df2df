"""The GenAI conventions 1.26 and 1.27: the whole prompt in one span event, the whole answer in another.

``gen_ai.content.prompt`` and ``gen_ai.content.completion``, each with one attribute that holds JSON or plain text.
Langtrace still writes them. The same two attributes on the span itself are understood too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from otel_labelstudio.dialects.dialect import Content, Findings, Skip, SkipReason
from otel_labelstudio.dialects.shared.capture_hints import APPLICATION
from otel_labelstudio.dialects.shared.event_records import event_name, tools_of
from otel_labelstudio.dialects.shared.reading import INFERENCE_OPERATIONS
from otel_labelstudio.dialects.shared.span_outcome import operation_of
from otel_labelstudio.providers.messages import messages_from, output_messages_from
from otel_labelstudio.spans.attributes import Decoded, decoded
from otel_labelstudio.spans.model import LogRecord, Span

NAME = "genai_prompt_events"
PREFIXES: tuple[str, ...] = ("gen_ai.",)
KEYS: Mapping[str, tuple[str, ...]] = {}
HINTS: Mapping[str, str] = {"langtrace": f"set TRACE_PROMPT_COMPLETION_DATA=true {APPLICATION}"}

# gen-ai-spans.md, 1.26 and 1.27: the names of the events, each with the attribute of that holds its content
_PROMPT_EVENT, _PROMPT = "gen_ai.content.prompt", "gen_ai.prompt"
_COMPLETION_EVENT, _COMPLETION = "gen_ai.content.completion", "gen_ai.completion"


def recognises(span: Span) -> bool:
    attributes = span.attributes
    return (
        _PROMPT in attributes
        or _COMPLETION in attributes
        or any(event.name in (_PROMPT_EVENT, _COMPLETION_EVENT) for event in span.events)
    )


def read(span: Span, log_records: Sequence[LogRecord] = ()) -> Findings | Skip:
    operation = operation_of(span)
    if operation not in INFERENCE_OPERATIONS:
        return Skip(SkipReason.NOT_INFERENCE)
    prompts = list(_held(span, log_records, _PROMPT_EVENT, _PROMPT))
    completions = list(_held(span, log_records, _COMPLETION_EVENT, _COMPLETION))
    is_cut = any(held.is_cut for held in (*prompts, *completions))
    content = Content(
        input_messages=tuple(m for held in prompts for m in messages_from(_messages(held.value))),
        output_messages=tuple(m for held in completions for m in output_messages_from(_messages(held.value))),
        tool_definitions=tools_of(span),
        incomplete=("messages were cut at a limit on the length of attributes",) if is_cut else (),
    )
    return Findings(NAME, operation, content)


def _held(span: Span, log_records: Sequence[LogRecord], event: str, key: str) -> Iterator[Decoded]:
    places = [e.attributes for e in span.events if e.name == event]
    places += [record.attributes for record in log_records if event_name(record) == event]
    for place in places or [span.attributes]:
        if place.get(key) is not None:
            yield decoded(place[key])


def _messages(held: Any) -> Any:
    """The messages of a request or the choices of a response where these were written down whole."""
    if isinstance(held, dict):
        return next((held[name] for name in ("messages", "choices", "contents") if name in held), held)
    return held

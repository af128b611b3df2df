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
from otel_labelstudio.dialects.shared.operations import is_no_inference, operation_of
from otel_labelstudio.providers.request import Request, request_from
from otel_labelstudio.providers.response import Response, response_from
from otel_labelstudio.spans.model import LogRecord, Span

NAME = "genai_prompt_events"
PREFIXES: tuple[str, ...] = ("gen_ai.",)
KEYS: Mapping[str, tuple[str, ...]] = {}
HINTS: Mapping[str, str] = {"langtrace": f"set TRACE_PROMPT_COMPLETION_DATA=true {APPLICATION}"}

# gen-ai-spans.md, 1.26 and 1.27: the names of the events, each with the attribute of that holds its content
_PROMPT_EVENT, _PROMPT = "gen_ai.content.prompt", "gen_ai.prompt"
_COMPLETION_EVENT, _COMPLETION = "gen_ai.content.completion", "gen_ai.completion"


def recognises(span: Span) -> bool:  # noqa: ARG001
    return True  # its events may stand in log records alone


def read(span: Span, log_records: Sequence[LogRecord] = ()) -> Findings | Skip:
    if not span.events and not log_records and _PROMPT not in span.attributes and _COMPLETION not in span.attributes:
        return Skip(SkipReason.NOT_GENAI)
    requests: list[Request] = list(map(request_from, _held(span, log_records, _PROMPT_EVENT, _PROMPT)))
    responses: list[Response] = list(map(response_from, _held(span, log_records, _COMPLETION_EVENT, _COMPLETION)))
    if not requests and not responses:
        return Skip(SkipReason.NOT_GENAI)
    operation = operation_of(span)
    if is_no_inference(operation):
        return Skip(SkipReason.NOT_INFERENCE)
    is_cut = any(request.is_cut for request in requests) or any(response.is_cut for response in responses)
    content = Content(
        input_messages=tuple(message for request in requests for message in request.messages),
        output_messages=tuple(message for response in responses for message in response.outputs),
        system_instructions=tuple(part for request in requests for part in request.system_instructions),
        tool_definitions=tools_of(span) or tuple(tool for request in requests for tool in request.tool_definitions),
        incomplete=("messages were cut at a limit on the length of attributes",) if is_cut else (),
    )
    return Findings(NAME, operation, content)


def _held(span: Span, log_records: Sequence[LogRecord], event: str, key: str) -> Iterator[Any]:
    places = [e.attributes for e in span.events if e.name == event]
    records = [record for record in log_records if event_name(record) == event]
    bodies = [record.body for record in records if isinstance(record.body, dict)]
    if bodies:  # LiteLLM: each the message or choice as it is, of which the attribute has the text alone
        yield bodies
        return
    places += [record.attributes for record in records]
    for place in places or [span.attributes]:
        if place.get(key) is not None:
            yield place[key]

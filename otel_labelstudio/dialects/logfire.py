"""Logfire's first version and pydantic-ai's, under Logfire or alone: raw requests, or message events in an attribute.

``logfire.instrument_openai`` and ``instrument_anthropic`` in version 1 keep the raw request and a reduced response
(``request_data``, ``response_data``), and for the Responses API a list of message events (``events``), as pydantic-ai
does in ``event_mode="attributes"``. A streamed call gives two spans, of which the second has the answer. Later versions
follow the GenAI conventions and are read as these.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from otel_labelstudio.calls import Message, Part, TextPart, ToolCallPart
from otel_labelstudio.dialects.dialect import Findings, Skip, SkipReason
from otel_labelstudio.dialects.shared.capture_hints import APPLICATION
from otel_labelstudio.dialects.shared.event_records import (
    MessageEvent,
    dialogue_of,
    object_of,
    tools_of,
    with_last_as_answer,
)
from otel_labelstudio.dialects.shared.exchange import findings_of_exchange
from otel_labelstudio.dialects.shared.operations import is_no_inference, operation_of
from otel_labelstudio.providers.parts import parts_from
from otel_labelstudio.providers.request import Request, request_from
from otel_labelstudio.providers.response import Response, response_from
from otel_labelstudio.spans.attributes import decoded, integer
from otel_labelstudio.spans.model import LogRecord, Span

NAME = "logfire"
PREFIXES: tuple[str, ...] = ("gen_ai.",)
KEYS: Mapping[str, tuple[str, ...]] = {"tags": ("logfire.tags",)}
HINTS: Mapping[str, str] = {
    "pydantic-ai": f"use InstrumentationSettings(include_content=True) {APPLICATION}",
}

# logfire 5.2, _internal/integrations/llm_providers
_REQUEST = "request_data"
_RESPONSE = "response_data"
# The same for the Responses API; pydantic-ai 0.8, InstrumentationSettings(event_mode="attributes")
_EVENTS = "events"
_STREAMED = "combined_chunk_content"
_EVENT_NAME = "event.name"
# logfire 5.4, instrument_openai_agents with a chat model: the request there has the answer among its messages
_AGENTS_INPUT, _AGENTS_OUTPUT = "input", "output"
_ANTHROPIC = "logfire.anthropic"
# Both name the provider and the operation as the GenAI conventions do
_MARKS = ("gen_ai.operation.name", "gen_ai.system", "gen_ai.provider.name", "gen_ai.request.model")


def recognises(span: Span) -> bool:
    attributes = span.attributes
    return any(key in attributes for key in (_REQUEST, _RESPONSE, _EVENTS)) and any(m in attributes for m in _MARKS)


def read(span: Span, log_records: Sequence[LogRecord] = ()) -> Findings | Skip:  # noqa: ARG001
    if is_no_inference(operation_of(span)):
        return Skip(SkipReason.NOT_INFERENCE)
    request, response = _exchange(span)
    if span.scope.name == _ANTHROPIC:
        response = replace(response, outputs=tuple(map(_with_plain_arguments, response.outputs)))
    request = replace(request, tool_definitions=request.tool_definitions or tools_of(span))
    return findings_of_exchange(NAME, request, response)


def _exchange(span: Span) -> tuple[Request, Response]:
    attributes = span.attributes
    request = request_from(attributes.get(_REQUEST))
    if _RESPONSE not in attributes and _AGENTS_OUTPUT in attributes:
        return replace(request, inputs=request_from(attributes.get(_AGENTS_INPUT)).inputs), response_from(
            attributes[_AGENTS_OUTPUT]
        )
    if _EVENTS not in attributes:
        answer = object_of(attributes.get(_RESPONSE))
        # Of several choices streamed at once, all pieces are strung together, word by word
        is_mixed = _STREAMED in answer and (integer(request.parameters.get("choice.count")) or 1) > 1
        return request, Response() if is_mixed else response_from(_response(answer))
    held = decoded(attributes[_EVENTS])
    inputs, outputs = _dialogue(held.value)
    return replace(request, inputs=(inputs,), is_cut=held.is_cut), Response(outputs, is_cut=held.is_cut)


def _response(held: Mapping[str, Any]) -> Mapping[str, Any]:
    """A response as a provider writes it, where Logfire kept only the text of a stream or of a completion."""
    for name in (_STREAMED, "text"):
        if isinstance(held.get(name), str):
            return {**held, "message": {"role": "assistant", "content": held[name]}}
    return held


def _dialogue(held: Any) -> tuple[tuple[Message, ...], tuple[Message, ...]]:
    bodies = [body for body in held if isinstance(body, dict)] if isinstance(held, list) else []
    inputs, outputs = dialogue_of(MessageEvent(str(body.get(_EVENT_NAME) or ""), body) for body in bodies)
    return with_last_as_answer(tuple(map(_with_media, inputs)), outputs)


def _with_media(message: Message) -> Message:
    """An image of a Responses input stands in its event as the text of its data URL."""
    return replace(message, parts=tuple(part for held in message.parts for part in _opened(held)))


def _opened(part: Part) -> tuple[Part, ...]:
    if isinstance(part, TextPart) and part.content.startswith("data:") and ";base64," in part.content[:128]:
        return parts_from({"type": "image_url", "image_url": {"url": part.content}})
    return (part,)


def _with_plain_arguments(message: Message) -> Message:
    """Anthropic's tool calls: the block's ``input`` is written down with its name around it."""
    return replace(message, parts=tuple(map(_plain_call, message.parts)))


def _plain_call(part: Part) -> Part:
    if not isinstance(part, ToolCallPart) or not isinstance(part.arguments, dict) or set(part.arguments) != {"input"}:
        return part
    held = part.arguments["input"]
    return replace(part, arguments=held) if isinstance(held, dict) else part

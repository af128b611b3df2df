"""The Vercel AI SDK's own telemetry (``experimental_telemetry`` of ai 3.3 to 6, legacy mode of 7).

The inner spans, whose operation ends in ``doGenerate`` or ``doStream``, are the calls; the spans around them
(``ai.generateText``, ``ai.streamObject``) repeat the last answer, and stand for several calls where tools are used.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from otel_labelstudio.calls import Message, Part, ReasoningPart, TextPart
from otel_labelstudio.dialects.dialect import Findings, Skip, SkipReason
from otel_labelstudio.dialects.shared.capture_hints import APPLICATION
from otel_labelstudio.dialects.shared.exchange import findings_of_exchange
from otel_labelstudio.providers.parts import part_from, parts_from
from otel_labelstudio.providers.request import Request, request_from
from otel_labelstudio.providers.response import Response
from otel_labelstudio.providers.tools import tool_definitions_from
from otel_labelstudio.providers.usage import request_parameters_from, usage_from
from otel_labelstudio.spans.attributes import below, decoded, text, texts
from otel_labelstudio.spans.model import LogRecord, Span

NAME = "vercel_ai"
PREFIXES: tuple[str, ...] = ("ai.",)
KEYS: Mapping[str, tuple[str, ...]] = {
    "conversation_id": (
        "ai.telemetry.metadata.sessionId",
        "ai.telemetry.metadata.conversationId",
        "ai.telemetry.metadata.threadId",
    ),
    "user_id": ("ai.telemetry.metadata.userId",),
}
HINTS: Mapping[str, str] = {
    "": f"set recordInputs and recordOutputs of experimental_telemetry to true {APPLICATION}",
}

# ai 5.0.277, src/telemetry and src/generate-text; documented under "AI SDK Core: Telemetry"
_OPERATION = "ai.operationId"
_MESSAGES = "ai.prompt.messages"
# Version 3; the span's own call of completion models
_PROMPT = "ai.prompt"
_TOOLS = "ai.prompt.tools"
_TOOL_CHOICE = "ai.prompt.toolChoice"
# Versions 4 and later; 3
_TEXT = ("ai.response.text", "ai.result.text")
_OBJECT = ("ai.response.object", "ai.result.object")
_TOOL_CALLS = ("ai.response.toolCalls", "ai.result.toolCalls")
_REASONING = ("ai.response.reasoning", "ai.response.reasoningText")
_FILES = ("ai.response.files", "ai.result.files")
_FINISH_REASON = ("ai.response.finishReason", "ai.finishReason")
_RESPONSE_ID, _RESPONSE_MODEL = "ai.response.id", "ai.response.model"
_MODEL, _PROVIDER = "ai.model.id", "ai.model.provider"
_USAGE, _SETTINGS = "ai.usage.", "ai.settings."
_METADATA, _FUNCTION = "ai.telemetry.metadata.", "ai.telemetry.functionId"

_CALLS = (".doGenerate", ".doStream")
_KNOWN_METADATA = frozenset(("userId", "sessionId", "conversationId", "threadId", "tags"))


def recognises(span: Span) -> bool:
    return _OPERATION in span.attributes


def read(span: Span, log_records: Sequence[LogRecord] = ()) -> Findings | Skip:  # noqa: ARG001
    attributes = span.attributes
    if not str(attributes[_OPERATION]).endswith(_CALLS):
        return Skip(SkipReason.NOT_INFERENCE)
    metadata = below(attributes, _METADATA)
    return findings_of_exchange(
        NAME,
        _request(attributes),
        _response(attributes),
        is_answer_hidden=not any(attributes.get(key) for key in (*_TEXT, *_OBJECT, *_TOOL_CALLS)),
        provider=_provider(attributes),
        tags=texts(metadata.get("tags")),
        metadata={
            **{key: decoded(value).value for key, value in metadata.items() if key not in _KNOWN_METADATA},
            **({"functionId": attributes[_FUNCTION]} if attributes.get(_FUNCTION) else {}),
        },
    )


def _request(attributes: Mapping[str, Any]) -> Request:
    request = request_from(attributes.get(_MESSAGES) or attributes.get(_PROMPT))
    choice = decoded(attributes.get(_TOOL_CHOICE)).value
    settings = {**below(attributes, _SETTINGS), "toolChoice": choice}
    parameters = request_parameters_from(settings, below(attributes, "gen_ai.request."))
    return replace(
        request,
        tool_definitions=tool_definitions_from(attributes.get(_TOOLS)),
        parameters={**request.parameters, **parameters},
        model=text(attributes.get(_MODEL)),
        is_text_completion=False,
    )


def _response(attributes: Mapping[str, Any]) -> Response:
    parts = tuple(_answer(attributes))
    reason = text(_first(attributes, _FINISH_REASON))
    cut = any(decoded(_first(attributes, keys)).is_cut for keys in (_TOOL_CALLS, _FILES))
    return Response(
        (Message("assistant", parts, finish_reason=reason),) if parts else (),
        id=text(attributes.get(_RESPONSE_ID)),
        model=text(attributes.get(_RESPONSE_MODEL)),
        usage=usage_from(below(attributes, _USAGE)),
        is_cut=cut,
    )


def _answer(attributes: Mapping[str, Any]) -> Iterator[Part]:
    reasoning = decoded(_first(attributes, _REASONING)).value
    if isinstance(reasoning, list):
        yield from (part for part in parts_from(reasoning) if isinstance(part, ReasoningPart))
    elif isinstance(_first(attributes, _REASONING), str):
        yield ReasoningPart(_first(attributes, _REASONING))
    for said in (_first(attributes, _TEXT), _first(attributes, _OBJECT)):
        if isinstance(said, str):
            yield TextPart(said)
    for keys, kind in ((_TOOL_CALLS, "tool-call"), (_FILES, "file")):
        held = decoded(_first(attributes, keys)).value
        for item in held if isinstance(held, list) else ():
            part = part_from({**item, "type": kind}) if isinstance(item, dict) else None
            yield from (part,) if part else ()


def _first(attributes: Mapping[str, Any], keys: Sequence[str]) -> Any:
    return next((attributes[key] for key in keys if attributes.get(key) not in (None, "")), None)


def _provider(attributes: Mapping[str, Any]) -> str | None:
    """The provider without which of its APIs is used: openai of openai.chat."""
    name = text(attributes.get(_PROVIDER)) or text(attributes.get("gen_ai.system"))
    return name.split(".")[0] if name else None

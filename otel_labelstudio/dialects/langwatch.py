"""LangWatch's SDKs: input and output as JSON text of a value and its type; the spans of type ``llm`` are the calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from otel_labelstudio.dialects.dialect import Findings, Skip, SkipReason
from otel_labelstudio.dialects.shared.capture_hints import APPLICATION
from otel_labelstudio.dialects.shared.exchange import findings_of_exchange
from otel_labelstudio.providers.request import request_from
from otel_labelstudio.providers.response import response_from
from otel_labelstudio.providers.tools import tool_definitions_from
from otel_labelstudio.providers.usage import request_parameters_from, usage_from
from otel_labelstudio.spans.attributes import Decoded, decoded, decoded_object, text
from otel_labelstudio.spans.model import LogRecord, Span

NAME = "langwatch"
PREFIXES: tuple[str, ...] = ("langwatch.",)
KEYS: Mapping[str, tuple[str, ...]] = {
    "conversation_id": ("langwatch.thread.id", "langwatch.thread_id"),
    "user_id": ("langwatch.user.id", "langwatch.user_id"),
    "tags": ("langwatch.labels", "langwatch.tags"),
}
HINTS: Mapping[str, str] = {"": f"have LangWatch capture input and output {APPLICATION}"}

# langwatch 1.4 (Python), attributes.py
_TYPE = "langwatch.span.type"
_INPUT, _OUTPUT = "langwatch.input", "langwatch.output"
_PARAMS, _METRICS = "langwatch.params", "langwatch.metrics"
_MODEL = "gen_ai.request.model"  # provider/model
_MAX_DEPTH = 4


def recognises(span: Span) -> bool:
    return _TYPE in span.attributes


def read(span: Span, log_records: Sequence[LogRecord] = ()) -> Findings | Skip:  # noqa: ARG001
    attributes = span.attributes
    if attributes[_TYPE] != "llm":
        return Skip(SkipReason.NOT_INFERENCE)
    given, answered = _value(attributes.get(_INPUT)), _value(attributes.get(_OUTPUT))
    request, response = request_from(given.value), response_from(answered.value)
    params = decoded_object(attributes.get(_PARAMS)) or {}
    provider, _, model = (text(attributes.get(_MODEL)) or "").partition("/")
    return findings_of_exchange(
        NAME,
        replace(
            request,
            parameters={**request.parameters, **request_parameters_from(params)},
            tool_definitions=request.tool_definitions or tool_definitions_from(params.get("tools")),
            is_cut=request.is_cut or given.is_cut,
        ),
        replace(response, usage=_usage(attributes.get(_METRICS)), is_cut=response.is_cut or answered.is_cut),
        provider=provider if model else None,
    )


def _value(attribute: Any) -> Decoded:
    """What ``{"type": "chat_messages" | "text" | "json" | "raw" | "list", "value": ...}`` holds, one in another too."""
    held = decoded(attribute)
    return Decoded(_unwrapped(held.value, 0), held.is_cut)


def _unwrapped(held: Any, depth: int) -> Any:
    if isinstance(held, dict) and held.keys() == {"type", "value"} and depth < _MAX_DEPTH:
        value = _unwrapped(held["value"], depth + 1)
        if held["type"] != "list" or not isinstance(value, list):
            return value
        # The messages of each choice
        choices = [_unwrapped(item, depth + 1) for item in value]
        return [message for choice in choices for message in (choice if isinstance(choice, list) else [choice])]
    return held


def _usage(attribute: Any) -> Any:
    held = decoded_object(attribute) or {}
    return usage_from(held.get("value") if isinstance(held.get("value"), dict) else held)

"""Laminar's SDK (lmnr): the GenAI conventions' attribute names, holding the provider's own messages and choices.

``gen_ai.input.messages`` is the list of OpenAI messages, ``gen_ai.output.messages`` the list of choices. Earlier
versions wrote OpenLLMetry's flat numbered keys, which its dialect reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from otel_labelstudio.calls import Part
from otel_labelstudio.dialects.dialect import Findings, Skip, SkipReason
from otel_labelstudio.dialects.shared.capture_hints import APPLICATION
from otel_labelstudio.dialects.shared.exchange import findings_of_exchange
from otel_labelstudio.providers.parts import parts_from
from otel_labelstudio.providers.request import Request, request_from
from otel_labelstudio.providers.response import response_from
from otel_labelstudio.providers.tools import tool_definitions_from
from otel_labelstudio.spans.attributes import below, decoded, text
from otel_labelstudio.spans.model import LogRecord, Span

NAME = "laminar"
PREFIXES: tuple[str, ...] = ("lmnr.",)
KEYS: Mapping[str, tuple[str, ...]] = {}
HINTS: Mapping[str, str] = {"": f"set LMNR_TRACE_CONTENT=true {APPLICATION}"}

# lmnr 0.8.2, opentelemetry_lib/tracing/attributes.py
_TYPE = "lmnr.span.type"
_INPUT, _OUTPUT = "lmnr.span.input", "lmnr.span.output"
_SESSION, _USER = "lmnr.association.properties.session_id", "lmnr.association.properties.user_id"
_METADATA = "lmnr.association.properties.metadata."
_TAGS = "lmnr.association.properties.tags"
# The conventions (1.37), with other content
_INPUT_MESSAGES, _OUTPUT_MESSAGES = "gen_ai.input.messages", "gen_ai.output.messages"
_SYSTEM_INSTRUCTIONS = "gen_ai.system_instructions"
_TOOLS = "gen_ai.tool.definitions"
# OpenLLMetry before 0.55, from which Laminar's instrumentations were made
_FIRST_PROMPT = "gen_ai.prompt.0"


def recognises(span: Span) -> bool:
    return _TYPE in span.attributes


def read(span: Span, log_records: Sequence[LogRecord] = ()) -> Findings | Skip:  # noqa: ARG001
    attributes = span.attributes
    if attributes[_TYPE] not in ("LLM", "CACHED"):
        return Skip(SkipReason.NOT_INFERENCE)
    response = response_from(attributes.get(_OUTPUT_MESSAGES) or attributes.get(_OUTPUT))
    metadata = {key: decoded(value).value for key, value in below(attributes, _METADATA).items()}
    tags = attributes.get(_TAGS)
    return findings_of_exchange(
        NAME,
        _request(attributes, is_text_completion=response.is_text_completion),
        response,
        conversation_id=text(attributes.get(_SESSION)),
        user_id=text(attributes.get(_USER)),
        tags=tuple(str(tag) for tag in tags) if isinstance(tags, list) else (),
        metadata=metadata if isinstance(metadata, dict) else None,
    )


def _request(attributes: Mapping[str, Any], *, is_text_completion: bool) -> Request:
    request = request_from(attributes.get(_INPUT_MESSAGES) or attributes.get(_INPUT))
    return replace(
        request,
        system_instructions=request.system_instructions or _system(attributes, request),
        tool_definitions=tool_definitions_from(attributes.get(_TOOLS)),
        is_text_completion=is_text_completion,
    )


def _system(attributes: Mapping[str, Any], request: Request) -> tuple[Part, ...]:
    """Instructions of a Responses request stand among the flat keys alone, which are written besides."""
    system = decoded(attributes.get(_SYSTEM_INSTRUCTIONS)).value
    is_flat = attributes.get(f"{_FIRST_PROMPT}.role") == "system"
    if not system and is_flat and not any(message.role == "system" for message in request.messages):
        system = attributes.get(f"{_FIRST_PROMPT}.content")
    return parts_from(system) if system else ()

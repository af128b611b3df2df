"""MLflow Tracing, exported over OTLP: the raw request and response of a call as JSON text in two attributes.

Every attribute value is JSON, so that a span's type is ``"CHAT_MODEL"`` with the quotes. With
``MLFLOW_ENABLE_OTEL_GENAI_SEMCONV`` the spans speak the GenAI conventions besides; the raw ones say more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from otel_labelstudio.dialects.dialect import Findings, Skip, SkipReason
from otel_labelstudio.dialects.shared.capture_hints import APPLICATION
from otel_labelstudio.dialects.shared.exchange import findings_of_exchange
from otel_labelstudio.providers.request import request_from
from otel_labelstudio.providers.response import Response, response_from
from otel_labelstudio.providers.stream import response_from_chunks
from otel_labelstudio.providers.tools import tool_definitions_from
from otel_labelstudio.providers.usage import request_parameters_from, usage_from
from otel_labelstudio.spans.attributes import decoded, text
from otel_labelstudio.spans.model import LogRecord, Span

NAME = "mlflow"
PREFIXES: tuple[str, ...] = ("mlflow.",)
KEYS: Mapping[str, tuple[str, ...]] = {}
HINTS: Mapping[str, str] = {"": f"have MLflow's autologging record inputs and outputs {APPLICATION}"}

# mlflow 3.17.2, tracing/constant.py, SpanAttributeKey; the span types stand in entities/span.py
_SPAN_TYPE = "mlflow.spanType"
_INPUTS = "mlflow.spanInputs"
_OUTPUTS = "mlflow.spanOutputs"
_TOOLS = "mlflow.chat.tools"
_MODEL = "mlflow.llm.model"
_PROVIDER = "mlflow.llm.provider"
# The library that autologging patched
_FORMAT = "mlflow.message.format"
_USAGE = "mlflow.chat.tokenUsage"
_SESSION = "mlflow.trace.session"
_USER = "mlflow.trace.user"
# The attributes of an event that holds a chunk of a stream, in mlflow/openai/autolog.py
_CHUNK = "mlflow.chunk.value"

_CALLS = frozenset(("CHAT_MODEL", "LLM"))


def recognises(span: Span) -> bool:
    return _SPAN_TYPE in span.attributes


def read(span: Span, log_records: Sequence[LogRecord] = ()) -> Findings | Skip:  # noqa: ARG001
    attributes = span.attributes
    if str(decoded(attributes[_SPAN_TYPE]).value) not in _CALLS:
        return Skip(SkipReason.NOT_INFERENCE)
    request = request_from(_unquoted(attributes, _INPUTS))
    return findings_of_exchange(
        NAME,
        replace(
            request,
            tool_definitions=request.tool_definitions or tool_definitions_from(attributes.get(_TOOLS)),
            # autologging repeats the request's parameters as attributes of their own names
            parameters=request.parameters or request_parameters_from(_own_names(attributes)),
        ),
        _response(span),
        provider=text(_unquoted(attributes, _PROVIDER)) or text(_unquoted(attributes, _FORMAT)),
        conversation_id=text(_unquoted(attributes, _SESSION)),
        user_id=text(_unquoted(attributes, _USER)),
    )


def _response(span: Span) -> Response:
    attributes = span.attributes
    response = response_from(_unquoted(attributes, _OUTPUTS))
    chunks = [event.attributes[_CHUNK] for event in span.events if _CHUNK in event.attributes]
    if chunks and not span.dropped_events_count:
        streamed = response_from_chunks(decoded(chunk).value for chunk in chunks)
        # Autologging mixes the choices of a stream into one
        if len(streamed.outputs) > len(response.outputs):
            response = streamed
    return replace(
        response,
        model=response.model or text(_unquoted(attributes, _MODEL)),
        usage=usage_from(response.usage, attributes.get(_USAGE)),
    )


def _unquoted(attributes: Mapping[str, Any], key: str) -> Any:
    """The value of an attribute, plain text without the quotes of JSON; objects stay JSON text, cut or not."""
    value = attributes.get(key)
    is_quoted = isinstance(value, str) and value.lstrip().startswith('"')
    return decoded(value).value if is_quoted else value


def _own_names(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {key: decoded(value).value for key, value in attributes.items() if not key.startswith("mlflow.")}

"""Google's Agent Development Kit 1: the raw Gemini request and response in two attributes of the span ``call_llm``.

Its spans of tools have the same two attributes, holding ``{}``. ADK 2 follows the GenAI conventions and is read as
these.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from otel_labelstudio.dialects.dialect import Findings, Skip, SkipReason
from otel_labelstudio.dialects.shared.capture_hints import APPLICATION
from otel_labelstudio.dialects.shared.exchange import findings_of_exchange
from otel_labelstudio.dialects.shared.operations import is_no_inference, operation_of
from otel_labelstudio.providers.request import request_from
from otel_labelstudio.providers.response import response_from
from otel_labelstudio.spans.attributes import text
from otel_labelstudio.spans.model import LogRecord, Span

NAME = "google_adk"
PREFIXES: tuple[str, ...] = ("gcp.vertex.agent.",)
KEYS: Mapping[str, tuple[str, ...]] = {"conversation_id": ("gcp.vertex.agent.session_id",)}
HINTS: Mapping[str, str] = {"": f"set ADK_CAPTURE_MESSAGE_CONTENT_IN_SPANS=true {APPLICATION}"}

# google-adk 1.14, telemetry.py
_REQUEST = "gcp.vertex.agent.llm_request"
_RESPONSE = "gcp.vertex.agent.llm_response"
_EMPTY = ("{}", "")


def recognises(span: Span) -> bool:
    return _REQUEST in span.attributes or _RESPONSE in span.attributes


def read(span: Span, log_records: Sequence[LogRecord] = ()) -> Findings | Skip:  # noqa: ARG001
    if is_no_inference(operation_of(span)):
        return Skip(SkipReason.NOT_INFERENCE)
    request, response = (_held(span, key) for key in (_REQUEST, _RESPONSE))
    return findings_of_exchange(NAME, request_from(request), response_from(response))


def _held(span: Span, key: str) -> str | None:
    value = text(span.attributes.get(key))
    return None if value in _EMPTY else value

"""LiveKit Agents: message events on ``llm_request``, the whole conversation on ``llm_node`` around it.

Up to 1.3 the events have the answer only, and the prompt stands on the node alone. Since 1.8 ``llm_request`` has the
conventions' messages, and with ``input_delta`` only what is new since an earlier span, which it names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from otel_labelstudio.dialects.dialect import Content, Findings, Skip, SkipReason
from otel_labelstudio.dialects.shared.capture_hints import APPLICATION
from otel_labelstudio.dialects.shared.operations import CHAT, operation_of
from otel_labelstudio.earlier_turns import Continuation, continuation_facts
from otel_labelstudio.providers.messages import message_from, messages_from
from otel_labelstudio.providers.tools import tools_by_name
from otel_labelstudio.spans.attributes import decoded_object, first, integer, text
from otel_labelstudio.spans.model import LogRecord, Span

NAME = "livekit"
PREFIXES: tuple[str, ...] = ("lk.",)
KEYS: Mapping[str, tuple[str, ...]] = {"conversation_id": ("lk.room_name", "lk.session_id")}
HINTS: Mapping[str, str] = {"livekit-agents": f"record the session's transcripts and content {APPLICATION}"}

# livekit-agents 1.3, telemetry/trace_types.py; 1.8
_CONVERSATION = ("lk.chat_ctx", "lk.pii.chat_ctx")
_ANSWER, _CALLS = ("lk.response.text", "lk.pii.response.text"), "lk.response.function_calls"
_TOOLS = "lk.function_tools"
_METRICS = "lk.llm_metrics"
# livekit-agents 1.8, telemetry/input_delta.py
_BASE, _DROPPED = "lk.input.base_span_id", "lk.input.dropped_from_base"


def recognises(span: Span) -> bool:
    attributes = span.attributes
    return _METRICS in attributes or _BASE in attributes or lends(span)


def read(span: Span, log_records: Sequence[LogRecord] = ()) -> Findings | Skip:  # noqa: ARG001
    attributes = span.attributes
    if lends(span):
        return Skip(SkipReason.NOT_INFERENCE)
    metrics = decoded_object(attributes.get(_METRICS)) or {}
    facts: dict[str, Any] = {"response_id": text(metrics.get("request_id"))}
    if base := text(attributes.get(_BASE)):
        facts |= continuation_facts(Continuation(span_id=base, dropped=integer(attributes.get(_DROPPED)) or 0))
    return Findings(NAME, operation_of(span), facts=facts)


def borrows(span: Span) -> bool:
    return _METRICS in span.attributes


def lends(span: Span) -> bool:
    return any(key in span.attributes for key in _CONVERSATION)


def lend(span: Span) -> Findings:
    """The conversation that a node has of the request inside it."""
    attributes = span.attributes
    held = decoded_object(first(attributes, _CONVERSATION)) or {}
    called = {"role": "assistant", "content": first(attributes, _ANSWER), "tool_calls": attributes.get(_CALLS)}
    answer = message_from(called)
    content = Content(
        input_messages=messages_from(held.get("items") or ()),
        output_messages=(answer,) if answer and answer.parts else (),
        tool_definitions=tools_by_name(attributes.get(_TOOLS)),
    )
    return Findings(NAME, CHAT, content)

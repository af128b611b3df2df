"""The GenAI conventions 1.28 to 1.36: one event a message, as log records or as span events.

``gen_ai.system.message``, ``gen_ai.user.message``, ``gen_ai.assistant.message``, ``gen_ai.tool.message`` and
``gen_ai.choice``: OpenTelemetry's own instrumentations before 1.0, OpenLLMetry with ``use_legacy_attributes=False``,
Semantic Kernel, botocore, pydantic-ai's first version as records; azure-ai-inference and Strands as span events.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from otel_labelstudio.calls import Message
from otel_labelstudio.dialects.dialect import Content, Findings, Skip, SkipReason
from otel_labelstudio.dialects.shared.capture_hints import APPLICATION
from otel_labelstudio.dialects.shared.event_records import (
    dialogue_of,
    events_of,
    is_message_event,
    one_choice,
    tools_of,
    with_last_as_answer,
)
from otel_labelstudio.dialects.shared.operations import is_no_inference, operation_of
from otel_labelstudio.dialects.shared.span_outcome import error_type_of, finish_reasons_of
from otel_labelstudio.spans.attributes import integer
from otel_labelstudio.spans.model import LogRecord, Span

NAME = "genai_events"
PREFIXES: tuple[str, ...] = ("gen_ai.",)
KEYS: Mapping[str, tuple[str, ...]] = {}
_AS_LOGS = f"set OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=true {APPLICATION} and export its logs here too"
_AS_ATTRIBUTES = (
    f"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=span_only {APPLICATION},"
    " with OTEL_SEMCONV_STABILITY_OPT_IN=gen_ai_latest_experimental before util-genai 1.0"
)
HINTS: Mapping[str, str] = {
    "azure.": f"set AZURE_TRACING_GEN_AI_CONTENT_RECORDING_ENABLED=true {APPLICATION}",
    "semantic_kernel": f"set SEMANTICKERNEL_EXPERIMENTAL_GENAI_ENABLE_OTEL_DIAGNOSTICS_SENSITIVE=true {APPLICATION}"
    " and export its logs here too",
    "@opentelemetry/": f"use captureMessageContent: true {APPLICATION} and export its logs here too",
    "opentelemetry.instrumentation.openai_v2": f"{_AS_LOGS}; or {_AS_ATTRIBUTES}",
    "opentelemetry.instrumentation.botocore": _AS_LOGS,
    "opentelemetry.instrumentation.vertexai": _AS_LOGS,
}

# The conventions 1.26 to 1.36; 1.31
_SYSTEM = "gen_ai.system"
_OPERATION = "gen_ai.operation.name"
_CHOICE_COUNT = "gen_ai.request.choice.count"


def recognises(span: Span) -> bool:
    attributes = span.attributes
    # The provider's name was renamed at 1.37, which OpenLLMetry followed without giving up these events
    is_genai = _SYSTEM in attributes or _OPERATION in attributes or "gen_ai.provider.name" in attributes
    return is_genai or any(is_message_event(event.name) for event in span.events)


def read(span: Span, log_records: Sequence[LogRecord] = ()) -> Findings | Skip:
    operation = operation_of(span)
    if is_no_inference(operation):
        return Skip(SkipReason.NOT_INFERENCE)
    if not span.events and not log_records:
        return Findings(NAME, operation)
    inputs, outputs = dialogue_of(events_of(span, log_records))
    if error_type_of(span) is None:
        inputs, outputs = with_last_as_answer(inputs, outputs)
    lost = span.dropped_events_count if any(is_message_event(event.name) for event in span.events) else 0
    content = Content(
        inputs,
        _choices(span, outputs),
        tool_definitions=tools_of(span),
        incomplete=(f"{lost} events of the span were dropped at its limit on events",) if lost else (),
    )
    return Findings(NAME, operation, content)


def _choices(span: Span, messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """One message a choice; google-genai 0.3 writes an event for each piece of a streamed answer."""
    reasons = sum(1 for message in messages if message.finish_reason)
    asked_for = integer(span.attributes.get(_CHOICE_COUNT)) or 1
    is_one = len(messages) > 1 and asked_for < 2 and reasons < 2
    return one_choice(messages) if is_one and len(finish_reasons_of(span.attributes)) < 2 else messages

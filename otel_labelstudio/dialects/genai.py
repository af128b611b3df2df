"""The GenAI semantic conventions since 1.37: whole conversations in ``gen_ai.input.messages`` and its siblings.

As JSON text or structured values, on the span, on the span event ``gen_ai.client.inference.operation.details``, or on a
log record of that name. A producer that follows the conventions needs no code of its own. What producers do otherwise
is understood wherever it is unmistakable: raw messages of the providers, arguments as JSON text, ``result`` for
``response``, system prompts in two places, an answer written down item by item.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from otel_labelstudio.calls import JSONObject, Message, Part, TextPart
from otel_labelstudio.dialects.dialect import Content, Findings, Skip, SkipReason
from otel_labelstudio.dialects.shared.capture_hints import APPLICATION
from otel_labelstudio.dialects.shared.event_records import dialogue_of, event_name, events_of, object_of
from otel_labelstudio.dialects.shared.operations import is_no_inference, operation_of
from otel_labelstudio.dialects.shared.span_outcome import finish_reasons_of
from otel_labelstudio.dialects.shared.unknown_role import with_known_role
from otel_labelstudio.earlier_turns import Continuation, continuation_facts
from otel_labelstudio.providers.messages import joined, message_from, messages_from, output_messages_from
from otel_labelstudio.providers.parts import parts_from
from otel_labelstudio.providers.tools import tool_definitions_from
from otel_labelstudio.spans.attributes import Decoded, decoded, integer, nested
from otel_labelstudio.spans.model import LogRecord, Span

NAME = "genai"
PREFIXES: tuple[str, ...] = ("gen_ai.",)
# The conventions (1.34; the general ones); OpenAI's request parameter under the conventions' prefix
KEYS: Mapping[str, tuple[str, ...]] = {
    # 1.37 and later; 1.26 to 1.36
    "provider": ("gen_ai.provider.name", "gen_ai.system"),
    "response_id": ("gen_ai.response.id",),
    "conversation_id": ("gen_ai.conversation.id", "session.id"),
    "user_id": ("user.id", "enduser.id", "gen_ai.request.user"),
}
_SPAN_ONLY = f"set OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=span_only {APPLICATION}"
_OPT_IN = f"{_SPAN_ONLY}, with OTEL_SEMCONV_STABILITY_OPT_IN=gen_ai_latest_experimental before util-genai 1.0"
HINTS: Mapping[str, str] = {
    "com.anthropic.sdk": f"set ANTHROPIC_OPEN_TELEMETRY_TRACES_CONTENT_MODE=content {APPLICATION}",
    "openlit": f"call openlit.init(capture_message_content=True) {APPLICATION}",
    "agent_framework": f"set ENABLE_SENSITIVE_DATA=true {APPLICATION}",
    "opentelemetry.instrumentation.genai": _SPAN_ONLY,
    "opentelemetry.instrumentation.google_genai": _OPT_IN,
    "opentelemetry.util.genai": _OPT_IN,
    # ADK 2; earlier versions have a dialect of their own
    "gcp.vertex.agent": f"set ADK_CAPTURE_MESSAGE_CONTENT_IN_SPANS=true, or since ADK 2 {_OPT_IN.removeprefix('set ')}",
}

# gen-ai-spans.md, 1.27 and later
_OPERATION = "gen_ai.operation.name"
# The same, 1.37 and later
_INPUT = "gen_ai.input.messages"
_OUTPUT = "gen_ai.output.messages"
_SYSTEM = "gen_ai.system_instructions"
# The same, 1.38 and later
_TOOLS = "gen_ai.tool.definitions"
# LiteLLM 1.110, otel v2
_NUMBERED_TOOLS, _FIRST_TOOL = "gen_ai.tool.", "gen_ai.tool.0.name"
# Coding agents' plugins (Qwen Code and others, after LoongSuite): what is new since the conversation's last call
_DELTA = "gen_ai.input.messages_delta"
_CONTENT = {_INPUT: "the input", _OUTPUT: "the answer", _SYSTEM: "the system prompt", _TOOLS: "the tools"}
_ABSENT = Decoded(None)
# gen-ai-events.md, 1.37 and later
_DETAILS = "gen_ai.client.inference.operation.details"
_EVENT_CONTENT = "gen_ai.event.content"
_CHOICE_COUNT = "gen_ai.request.choice.count"
# com.anthropic.sdk.python 2.12
_TRUNCATED = "anthropic.content.truncated"

# What tells of a call of a model in all versions of the conventions since 1.26, whichever of it a limit dropped
_CALL_MARKS = (_OPERATION, "gen_ai.request.model", "gen_ai.response.model", _INPUT, _OUTPUT)
_MARKS = (*_CALL_MARKS, "gen_ai.provider.name", "gen_ai.system")


# gen-ai-input-messages.json; a tool's text is its response, which is left to the full reader
_ROLES = frozenset(("system", "user", "assistant"))
_OF_MESSAGE = frozenset(("role", "parts", "name", "finish_reason"))


def recognises(span: Span) -> bool:
    attributes = span.attributes
    return any(mark in attributes for mark in _MARKS) or any(event.name == _DETAILS for event in span.events)


def read(span: Span, log_records: Sequence[LogRecord] = ()) -> Findings | Skip:
    operation = operation_of(span)
    if is_no_inference(operation):
        return Skip(SkipReason.NOT_INFERENCE)
    held, sources = _content(span, log_records)
    if not held and not any(mark in span.attributes for mark in _CALL_MARKS):
        # Such as a span that only says which framework it belongs to
        return Skip(SkipReason.NOT_INFERENCE)
    facts = {}
    if _INPUT not in held and _DELTA in span.attributes:
        facts = continuation_facts(Continuation(is_of_conversation=True, has_answer=True))
        held[_INPUT] = decoded(span.attributes[_DELTA])
    if not held and not span.events and not log_records:
        return Findings(NAME, operation)
    inputs, outputs, system, tools = [held.get(key, _ABSENT).value for key in _CONTENT]
    # OpenLLMetry's LangChain instrumentation: the answer as an attribute, the prompt as events
    messages = _messages(inputs) if _INPUT in held else dialogue_of(events_of(span, log_records))[0]
    content = Content(
        input_messages=tuple(map(with_known_role, messages)),
        output_messages=_choices(span, outputs),
        system_instructions=tuple(_instructions(system)),
        tool_definitions=tool_definitions_from(tools) or _numbered_tools(span),
        incomplete=tuple(_missing(span, held, sources)),
    )
    return Findings(NAME, operation, content, facts)


def _content(span: Span, log_records: Iterable[LogRecord]) -> tuple[dict[str, Decoded], list[LogRecord]]:
    """The content's attributes, each from the first place that has it whole, and the log records that were asked."""
    records = [record for record in log_records if event_name(record) == _DETAILS]
    held: dict[str, Decoded] = {}
    for place in _places(span, records):
        for key in _CONTENT:
            value = place.get(key)
            if value and value != "[]" and (key not in held or held[key].is_cut):
                found = decoded(value)
                held[key] = held.get(key, found) if found.is_cut else found
    return held, records


def _places(span: Span, records: Iterable[LogRecord]) -> Iterator[Mapping[str, Any]]:
    yield span.attributes
    yield from (event.attributes for event in span.events if event.name == _DETAILS)
    # azure-ai-projects 2: an event for each attribute, named like it
    yield from ({event.name: event.attributes.get(_EVENT_CONTENT)} for event in span.events if event.name in _CONTENT)
    for record in records:
        yield record.attributes
    for record in records:
        yield object_of(record.body)


def _messages(held: Any, read_others: Callable[[Any], tuple[Message, ...]] = messages_from) -> tuple[Message, ...]:
    """Messages, the quick way where they are as the conventions say, which nearly all are."""
    if not isinstance(held, list):
        return read_others(held)
    found = []
    for item in held:
        if not isinstance(item, dict) or "role" not in item or "parts" not in item:
            return read_others(held)
        message = _text_message(item) or message_from(item)
        if message is not None:
            found.append(message)
    return tuple(found)


def _text_message(item: dict[str, Any]) -> Message | None:
    """The message where all of its parts are plain text, else None."""
    role, parts = item["role"], item["parts"]
    if not isinstance(role, str) or role not in _ROLES or not isinstance(parts, list) or not parts:
        return None
    texts = []
    for part in parts:
        if not isinstance(part, dict) or len(part) > 2 or part.get("type") != "text":
            return None
        content = part.get("content")
        if not isinstance(content, str) or not content:
            return None
        texts.append(TextPart(content))
    if len(item) == 2:
        return Message(role, tuple(texts))
    if not item.keys() <= _OF_MESSAGE:  # LiteLLM: tool calls beside the parts
        return None
    name, reason = item.get("name"), item.get("finish_reason")
    return Message(
        role,
        tuple(texts),
        name if isinstance(name, str) and name else None,
        reason if isinstance(reason, str) and reason else None,
    )


def _choices(span: Span, written: Any) -> tuple[Message, ...]:
    """One message a choice. Logfire writes each item of a Responses answer as a message of its own: one choice.

    A message with a finish reason is a choice, also where the reason is empty: OpenLLMetry's word for an unknown one.
    """
    messages = _messages(written, output_messages_from)
    listed = written if isinstance(written, list) else []
    if len(messages) < 2 or any(message.finish_reason for message in messages):
        return messages
    if any("finish_reason" in item for item in listed if isinstance(item, dict)):
        return messages
    reasons = len(finish_reasons_of(span.attributes))
    asked_for = integer(span.attributes.get(_CHOICE_COUNT)) or 1
    is_one = asked_for < 2 and reasons < len(messages) and operation_of(span) != "text_completion"
    return (joined(messages),) if is_one else messages


def _instructions(system: Any) -> Iterator[Part]:
    """System instructions are parts; texts and whole messages are understood too."""
    for item in system if isinstance(system, list) else [system]:
        if isinstance(item, dict) and "role" in item:
            yield from (part for message in messages_from(item, "system") for part in message.parts)
        else:
            yield from parts_from(item)


def _numbered_tools(span: Span) -> tuple[JSONObject, ...]:
    """LiteLLM's tools, each property an attribute."""
    if _FIRST_TOOL not in span.attributes:
        return ()
    start = len(_NUMBERED_TOOLS)
    tools = {
        key: value for key, value in span.attributes.items() if key[:start] == _NUMBERED_TOOLS and key[start].isdigit()
    }
    return tool_definitions_from(nested(tools, _NUMBERED_TOOLS))


def _missing(span: Span, held: Mapping[str, Decoded], records: Sequence[LogRecord]) -> Iterator[str]:
    for key, name in _CONTENT.items():
        if held.get(key, _ABSENT).is_cut:
            yield f"{name} was cut at a limit on the length of attributes"
    if span.attributes.get(_TRUNCATED):
        yield "the instrumentation shortened the content"
    if any(record.dropped_attributes_count for record in records):
        yield "attributes of the log record were dropped at its limit on attributes"

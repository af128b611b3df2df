"""OpenLLMetry before its switch to the GenAI conventions' messages (Python 0.55.0, 2026-03-29): flat numbered keys.

``gen_ai.prompt.0.role``, ``gen_ai.prompt.0.content``, ``gen_ai.completion.0.tool_calls.0.name`` and so on. OpenLIT,
Laminar and other forks wrote the same for a time. Spans of later versions are read as the conventions' own, but for
those of its decorators and frameworks, which say ``traceloop.span.kind`` in all versions and are never calls.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from otel_labelstudio.calls import Message, Part, ReasoningPart
from otel_labelstudio.dialects.dialect import Content, Findings, Skip, SkipReason
from otel_labelstudio.dialects.shared.capture_hints import APPLICATION
from otel_labelstudio.dialects.shared.operations import is_no_inference, known_operation
from otel_labelstudio.providers.messages import message_from
from otel_labelstudio.providers.parts import blocks_or_text, part_from, parts_from
from otel_labelstudio.providers.tools import tool_definitions_from
from otel_labelstudio.spans.attributes import decoded, grouped, has_any_below, nested, numbered, text
from otel_labelstudio.spans.model import LogRecord, Span

NAME = "openllmetry"
PREFIXES: tuple[str, ...] = ("gen_ai.", "llm.", "traceloop.")
# What the application attached to the call: set_association_properties, LangChain's metadata, LangGraph's thread
_ATTACHED = "traceloop.association.properties."
KEYS: Mapping[str, tuple[str, ...]] = {
    "conversation_id": (
        f"{_ATTACHED}thread_id",
        f"{_ATTACHED}session_id",
        f"{_ATTACHED}conversation_id",
        f"{_ATTACHED}chat_id",
    ),
    "user_id": (f"{_ATTACHED}user_id", f"{_ATTACHED}userId", "llm.user"),
    "tags": (f"{_ATTACHED}tags",),
    # What LangChain calls a run, attached by the application
    "run_id": (f"{_ATTACHED}run_id",),
}
_TRACELOOP = f"set TRACELOOP_TRACE_CONTENT=true {APPLICATION}"
HINTS: Mapping[str, str] = {
    "@traceloop/": f"call initialize({{traceContent: true}}) {APPLICATION}",
    # OpenTelemetry's own packages have names of the same form; those that have a switch of their own are declared
    # where their spans are read
    "opentelemetry.instrumentation.": _TRACELOOP,
}

# opentelemetry-semantic-conventions-ai, SpanAttributes: workflow, task, agent, tool
_SPAN_KIND = "traceloop.span.kind"
# The same, LLMRequestTypeValues: chat, completion, embedding, rerank, unknown. Absent on Responses API calls
_REQUEST_TYPE = "llm.request.type"
_PROMPT = "gen_ai.prompt."
_COMPLETION = "gen_ai.completion."
_FUNCTIONS = "llm.request.functions."
_FLAT = (_PROMPT, _COMPLETION, _FUNCTIONS)
# The conventions (gen-ai-spans.md), also written by OpenLLMetry since 0.53
_OPERATION = "gen_ai.operation.name"
# LiteLLM 1.80 to 1.110, integrations/opentelemetry.py
_FUNCTION_CALL = "function_call"

# The conventions have keys such as gen_ai.prompt.name and gen_ai.prompt.variable.<name>
_MESSAGE_KEY = re.compile(r"gen_ai\.(?:prompt|completion)\.\d")
# Writes the text of a message as JSON, with the quotes
_ENCODING = "opentelemetry.instrumentation.bedrock"
# Writes the names of Haystack's outputs where the answers should be
_WITHOUT_ANSWERS = "opentelemetry.instrumentation.haystack"


def recognises(span: Span) -> bool:
    attributes = span.attributes
    return (
        _REQUEST_TYPE in attributes
        or _SPAN_KIND in attributes
        or (has_any_below(attributes, _PROMPT, _COMPLETION) and any(map(_MESSAGE_KEY.match, attributes)))
    )


def read(span: Span, log_records: Sequence[LogRecord] = ()) -> Findings | Skip:  # noqa: ARG001
    operation = _operation(span)
    if _SPAN_KIND in span.attributes or is_no_inference(operation):
        return Skip(SkipReason.NOT_INFERENCE)
    flat = grouped(span.attributes, _FLAT)
    prompts, first_prompt = _numbered(flat.get(_PROMPT, {}))
    completions, _ = _numbered(flat.get(_COMPLETION, {}))
    if span.scope.name == _WITHOUT_ANSWERS:
        completions = []
    is_encoded = span.scope.name == _ENCODING
    content = Content(
        input_messages=tuple(_message(prompt, "user", is_encoded=is_encoded) for prompt in prompts),
        output_messages=tuple(_answers(_choices(completions), is_encoded=is_encoded)),
        tool_definitions=tool_definitions_from(nested(flat.get(_FUNCTIONS, {}))),
        incomplete=tuple(_missing((*prompts, *completions), first_prompt)),
    )
    return Findings(NAME, operation, content)


def _operation(span: Span) -> str:
    named = span.attributes.get(_OPERATION)
    kind = span.attributes.get(_REQUEST_TYPE)
    for word in (kind, named):
        if isinstance(word, str) and word not in ("", "unknown"):
            return known_operation(word, span)
    # Both are lost where a limit dropped the oldest attributes
    return "text_completion" if span.name.endswith(".completion") else "chat"


def _numbered(keys: Mapping[str, Any]) -> tuple[list[Mapping[str, Any]], int]:
    """The messages that keys below one of the prefixes spell out, in their order, and the number of the first."""
    found = numbered(keys)
    messages = [nested(keys) if _is_nested(keys) else keys for keys in found.values()]
    first = int(next(iter(found), 0))
    return [message for message in messages if isinstance(message, dict)], first


def _is_nested(keys: Iterable[str]) -> bool:
    """Whether there is more than plain properties: tool calls, for one."""
    return any("." in key for key in keys)


def _message(held: Mapping[str, Any], default_role: str, *, is_encoded: bool = False) -> Message:
    # Legacy completions up to 0.54: gen_ai.prompt.0.user holds the text, and there is no role
    if "content" not in held and isinstance(held.get("user"), str):
        return Message("user", parts_from(held["user"]))
    role = held.get("role")
    if role == "unknown":
        # LangChain's ChatMessage, used for OpenAI's "developer", and a streamed answer that was sent back
        role = "assistant" if default_role == "assistant" or "tool_calls" in held else "system"
    content = held.get("content")
    if is_encoded and isinstance(content, str) and content.startswith('"'):
        content = decoded(content).value
    message = message_from({**held, "role": role or default_role, "content": blocks_or_text(content)})
    return message or Message(default_role, ())


def _choices(completions: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The choices; LiteLLM counts the tool calls of an answer where others count these."""
    choices: list[Mapping[str, Any]] = []
    calls: list[Any] = []
    for held in reversed(completions):
        if held.keys() == {_FUNCTION_CALL} and held is not completions[0]:
            calls.insert(0, held[_FUNCTION_CALL])
            continue
        own = [held[_FUNCTION_CALL]] if _FUNCTION_CALL in held else []
        rest = {name: value for name, value in held.items() if name != _FUNCTION_CALL}
        choices.insert(0, {**rest, "tool_calls": [*own, *calls]} if calls else held)
        calls = []
    return choices


def _answers(completions: Sequence[Mapping[str, Any]], *, is_encoded: bool) -> Iterator[Message]:
    """One message a choice. Anthropic's thinking has a number of its own, before the answer that it led to."""
    thoughts: list[Part] = []
    reason: str | None = None
    for held in completions:
        if held.get("role") == "thinking":
            thoughts += [ReasoningPart(thought) for thought in (text(held.get("content")),) if thought]
            reason = reason or text(held.get("finish_reason"))
            continue
        message = _message({**held, "reasoning": None}, "assistant", is_encoded=is_encoded)
        parts = (*thoughts, *_reasoning(held.get("reasoning")), *message.parts)
        yield replace(message, parts=parts, finish_reason=message.finish_reason or reason)
        thoughts, reason = [], None
    if thoughts:
        yield Message("assistant", tuple(thoughts), finish_reason=reason)


def _reasoning(held: Any) -> tuple[Part, ...]:
    # OpenAI Responses, 0.47: the JSON text of the summary's blocks
    summary = decoded(held).value
    part = part_from({"type": "reasoning", "summary": summary}) if summary else None
    return (part,) if part is not None else ()


def _missing(messages: Sequence[Mapping[str, Any]], first_prompt: int) -> Iterator[str]:
    if first_prompt:
        yield f"the first {first_prompt} messages are missing"
    if any(decoded(held.get("content")).is_cut for held in messages):
        yield "a message was cut at a limit on the length of attributes"

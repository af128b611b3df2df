"""Messages of the providers' own APIs, and of the frameworks around them, as messages of the GenAI conventions.

Chat Completions messages and choices, Responses items, Anthropic, Gemini and Bedrock messages, LangChain messages (as
constructors, as plain objects, as generations) and Vercel AI SDK messages; they are told apart message by message,
since frameworks mix them. Nothing here raises, whatever the JSON value.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from otel_labelstudio.calls import (
    JSONObject,
    Message,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallResponsePart,
)
from otel_labelstudio.providers.parts import (
    first,
    json_value,
    part_from,
    parts_from,
    tool_call,
    tool_response,
    unwrapped,
)
from otel_labelstudio.providers.repeated_calls import without_repeated_calls
from otel_labelstudio.providers.shapes import Kind, is_item, is_message, kind_of

_MAX_DEPTH = 5

_ROLES = {
    **{role: role for role in ("system", "user", "assistant", "tool")},
    "human": "user",
    "ai": "assistant",
    "model": "assistant",
    "chatbot": "assistant",  # Cohere
    "bot": "assistant",
    "agent": "assistant",
    "function": "tool",
    "tool_result": "tool",
    "ipython": "tool",  # Llama
    "developer": "system",
}
# Whose content is no response of a tool
_SPEAKERS = frozenset(name for name, role in _ROLES.items() if role != "tool")
# Responses items that are the model's, without a role of their own
_ASSISTANT_ITEMS = frozenset(("reasoning", "function_call", "custom_tool_call", "output_text", "refusal", "compaction"))
_TOOL_ITEMS = frozenset(("function_call_output", "custom_tool_call_output"))


def role_of(role: Any, default: str = "user") -> str:
    """A role in the conventions' words: system, user, assistant, tool; LangChain's class names are understood too."""
    if not isinstance(role, str) or not role:
        return default
    if role in _ROLES:
        return _ROLES[role]
    name = role.lower()
    for ending in ("chunk", "message", "promptvalue"):
        name = name.removesuffix(ending)
    return _ROLES.get(name, name) or default


def messages_from(value: Any, default_role: str = "user") -> tuple[Message, ...]:
    """Messages, in order, from a list of them, one of them, plain text, or lists of lists (a LangChain batch)."""
    return tuple(_merged(_messages(value, default_role, 0)))


def output_messages_from(value: Any) -> tuple[Message, ...]:
    """What the model answered, one message a choice.

    ``value`` is the list of choices, candidates or generations, a list of messages, the items of a Responses answer
    (which are one choice together), one message, a list of content blocks, or plain text.
    """
    items = value if isinstance(value, (list, tuple)) else (value,)
    if items and all(isinstance(item, dict) and not is_message(item) for item in items):
        return (_message_of(items, "assistant"),) if any(part_from(item) for item in items) else ()
    messages = messages_from(value, "assistant")
    if any(map(is_item, items)):
        return (joined(messages),) if messages else ()
    return messages


def message_from(value: Any, default_role: str = "user") -> Message | None:
    """One message in any provider's form; None where it holds nothing."""
    if not isinstance(value, dict):
        parts = parts_from(value)
        return Message(default_role, parts) if parts else None
    return _plain_turn(value) or _of_kind(value, kind_of(value), default_role)


def _plain_turn(value: JSONObject) -> Message | None:
    """The quick way for a turn that has a role, a text and at most a finish reason, as nearly all have."""
    role, content, reason = value.get("role"), value.get("content"), value.get("finish_reason")
    if not isinstance(role, str) or role not in _SPEAKERS or not isinstance(content, str) or not content:
        return None
    if not (reason is None or isinstance(reason, str)) or (len(value) > 2 and _has_more(value)):
        return None
    return Message(_ROLES[role], (TextPart(content),), None, reason or None)


def _has_more(turn: JSONObject) -> bool:
    """Whether there is more than a plain turn has; OpenAI's answers have a null for all that they do without."""
    return any(name not in _OF_PLAIN_TURN and (held or name not in _BESIDE_CONTENT) for name, held in turn.items())


def _of_kind(value: JSONObject, kind: Kind | None, default_role: str) -> Message | None:
    if kind is Kind.CHOICE:
        return _of_choice(value)
    if kind is Kind.PIECE or kind is Kind.TYPED:
        return _of_piece(value, default_role)
    if kind is Kind.CONSTRUCTOR or isinstance(value.get("data"), dict):
        return _of_constructor(value, value.get("kwargs") or value.get("data"), default_role)
    message = _of_object(value, default_role)
    if message is None and value and "role" not in value:
        message = Message(default_role, parts_from(value))  # a part of Gemini or Bedrock, without its message
    return message


def _of_piece(value: JSONObject, default_role: str) -> Message | None:
    kind, part = value.get("type"), part_from(value)
    role = "tool" if kind in _TOOL_ITEMS else "assistant" if kind in _ASSISTANT_ITEMS else default_role
    return Message(role, (part,)) if part is not None else None


def joined(messages: Iterable[Message]) -> Message:
    """Several messages as one: the items of one answer."""
    messages = tuple(messages)
    reasons = [m.finish_reason for m in messages if m.finish_reason]
    parts = tuple(part for message in messages for part in message.parts)
    return Message(messages[0].role, parts, messages[0].name, reasons[-1] if reasons else None)


def _messages(value: Any, default_role: str, depth: int) -> Iterator[tuple[Message, bool]]:
    if isinstance(value, (list, tuple)) and depth < _MAX_DEPTH:
        if _is_short_form(value):
            yield Message(role_of(value[0]), parts_from(value[1])), False
            return
        for item in value:
            if isinstance(item, (list, tuple)):
                yield from _messages(item, default_role, depth + 1)
            elif (message := message_from(item, default_role)) is not None:
                yield message, is_item(item)
    elif (message := message_from(value, default_role)) is not None:
        yield message, is_item(value)


def _is_short_form(value: Sequence[Any]) -> bool:
    """Whether it is LangChain's short form of a message: ["human", "..."]."""
    return len(value) == 2 and all(isinstance(item, str) for item in value) and value[0] in _SHORT_ROLES


_SHORT_ROLES = frozenset(("system", "human", "user", "ai", "assistant"))


def _merged(messages: Iterable[tuple[Message, bool]]) -> Iterator[Message]:
    """Adjacent Responses items of one assistant turn (reasoning, text, calls) are one message, as they were one."""
    last: Message | None = None
    last_is_item = False
    for message, is_of_turn in messages:
        if last and is_of_turn and last_is_item and message.role == last.role == "assistant":
            last = joined((last, message))
            continue
        if last is not None:
            yield last
        last, last_is_item = message, is_of_turn
    if last is not None:
        yield last


def _of_choice(value: JSONObject) -> Message:
    """A choice, candidate or generation: an object around a message, or around the text of a legacy completion."""
    inner, text = first(value, "message", "delta"), value.get("text")
    if not isinstance(inner, dict) and isinstance(value.get("content"), dict):  # Gemini
        inner = value["content"]
    reason = _reason_of_choice(value)
    if not isinstance(inner, dict):
        return Message("assistant", parts_from(text if isinstance(text, str) else None), finish_reason=reason)
    message = message_from(inner, "assistant") or Message("assistant", ())
    # LangChain writes the text before the message as well, which may be cut
    parts = message.parts or parts_from(text if isinstance(text, str) else None)
    return Message(message.role, parts, message.name, message.finish_reason or reason)


def _reason_of_choice(value: JSONObject) -> str | None:
    reason = first(value, "finish_reason", "finishReason", "stop_reason", "stopReason")
    info = value.get("generation_info")  # LangChain
    if isinstance(info, dict):
        reason = first(info, "finish_reason", "finishReason", "stop_reason") or reason
    return reason if isinstance(reason, str) and reason else None


def _of_constructor(value: JSONObject, inner: Any, default_role: str) -> Message | None:
    """LangChain's serialised form: {"lc": 1, "type": "constructor", "id": [.., "HumanMessage"], "kwargs": {..}}."""
    if not isinstance(inner, dict):
        return None
    names = value.get("id")
    named = names[-1] if isinstance(names, list) and names else value.get("type")
    kind = inner.get("role") or inner.get("type") or named
    return _of_object({**inner, "role": kind}, default_role)


def _of_object(value: JSONObject, default_role: str) -> Message | None:
    kind = value.get("type")
    named = value.get("role") or (kind if kind not in (None, "message", "chat", "constructor") else None)
    role = role_of(named, default_role)
    is_plain = role != "tool" and _BESIDE_CONTENT.isdisjoint(value)
    parts = without_repeated_calls(parts_from(first(value, *_CONTENT)) if is_plain else _parts(value, role))
    if role == "user" and parts and all(isinstance(part, ToolCallResponsePart) for part in parts):
        role = "tool"  # Anthropic, Gemini and Bedrock send a tool's response as the user's message
    name = value.get("name")
    reason = None if _REASONS.isdisjoint(value) else _reason(value)
    if not parts and "content" not in value and "parts" not in value:
        return None
    return Message(
        role, parts, name if isinstance(name, str) and name else None, reason if isinstance(reason, str) else None
    )


_REASONS = frozenset(("finish_reason", "finishReason", "stop_reason", "response_metadata"))


def _reason(value: JSONObject) -> Any:
    reported = value.get("response_metadata")  # LangChain
    reported = reported if isinstance(reported, dict) else {}
    own = first(value, "finish_reason", "finishReason", "stop_reason")
    return own or first(reported, "finish_reason", "stop_reason", "stopReason")


_CONTENT = ("content", "parts", "text")
_OF_PLAIN_TURN = frozenset(("role", "content", "finish_reason", "annotations"))
# Where a message has more than its content
_BESIDE_CONTENT = frozenset(
    (
        *("reasoning_content", "reasoning", "additional_kwargs", "refusal", "audio", "function_call"),
        *("tool_calls", "toolCalls", "toolInvocations", "invalid_tool_calls"),
    )
)


def _parts(value: JSONObject, role: str) -> Iterator[Part]:
    extra = value.get("additional_kwargs")  # LangChain
    extra = extra if isinstance(extra, dict) else {}
    for thought in (first(value, "reasoning_content", "reasoning") or extra.get("reasoning_content"),):
        if isinstance(thought, str) and thought:
            yield ReasoningPart(thought)
    content = first(value, *_CONTENT)
    if role == "tool":
        yield from _tool_parts(value, content)
        return
    yield from parts_from(content)
    refusal = value.get("refusal") or extra.get("refusal")
    if isinstance(refusal, str) and refusal:
        yield TextPart(refusal, {"refusal": True})
    if isinstance(value.get("audio"), dict):
        audio = part_from({**value["audio"], "type": "audio"})
        yield from (audio,) if audio else ()
    for call in _calls(value, extra):
        part = tool_call(call)
        yield from (part,) if part else ()


def _calls(value: JSONObject, extra: JSONObject) -> Iterator[JSONObject]:
    for calls in (first(value, "tool_calls", "toolCalls", "toolInvocations") or extra.get("tool_calls"),):
        # LiveKit and Agent Framework write them as JSON text, of all or of each
        opened = json_value(calls)
        for call in map(json_value, opened) if isinstance(opened, (list, tuple)) else ():
            if isinstance(call, dict):
                yield call
    for invalid in value.get("invalid_tool_calls") or () if isinstance(value.get("invalid_tool_calls"), list) else ():
        if isinstance(invalid, dict):
            yield invalid
    call = value.get("function_call") or extra.get("function_call")
    if isinstance(call, dict):
        yield call


def _tool_parts(value: JSONObject, content: Any) -> Iterator[Part]:
    """A tool's message: its content is the response, unless it is made of response blocks already."""
    blocks = content if isinstance(content, (list, tuple)) else ()
    parts = parts_from(blocks)
    if parts and any(isinstance(part, ToolCallResponsePart) for part in parts):
        yield from parts
        return
    held = {"response": unwrapped(content), "id": first(value, "tool_call_id", "toolCallId", "tool_use_id")}
    part = tool_response(held)
    yield from (part,) if part else ()


def _message_of(blocks: Iterable[Any], role: str) -> Message:
    parts = (part for block in blocks for part in (part_from(block),) if part is not None)
    return Message(role, without_repeated_calls(parts))

"""OpenInference's flat numbered keys as messages, and how they compare with the raw values beside them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from otel_labelstudio.calls import Message, TextPart, ToolCallPart, ToolCallResponsePart
from otel_labelstudio.providers.messages import message_from
from otel_labelstudio.providers.parts import blocks_or_text, json_text
from otel_labelstudio.spans.attributes import REDACTED, nested, numbered, texts

# Below llm.input_messages.N. and llm.output_messages.N. (specification, messages): message.role, message.content,
# message.contents.M.message_content.*, message.tool_calls.M.tool_call.*, message.tool_call_id, message.name
_MESSAGE, _ROLE, _TEXT = "message.", "message.role", "message.content"
_CONTENT, _TOOL_CALL = "message_content", "tool_call"
# Before tool_calls, for OpenAI's function calling
_FUNCTION_NAME, _FUNCTION_ARGUMENTS = "function_call_name", "function_call_arguments_json"


def flat_messages(keys: Mapping[str, Any], default_role: str) -> tuple[Message, ...]:
    """The messages that keys below one of the prefixes spell out; their numbers may begin anywhere and have gaps."""
    found = [_message(keys, default_role) for keys in numbered(keys).values()]
    return tuple([message for message in found if message is not None])


def flat_texts(keys: Mapping[str, Any], listed: Any, name: str) -> tuple[str, ...]:
    """``N.name.text`` of each N, or else the plain list of texts that stands under the prefix itself."""
    found = nested(keys)
    if not isinstance(found, list):
        return texts(listed)
    held = (item.get(name) for item in found if isinstance(item, dict))
    return tuple(str(item.get("text") or "") for item in held if isinstance(item, dict))


def is_redacted(attributes: Mapping[str, Any], *keys: str) -> bool:
    """Whether something under these keys, or prefixes that end in a dot, was replaced by the mark of redaction."""
    if REDACTED not in attributes.values():
        return False
    return any(
        value == REDACTED and any(key == name or (name[-1] == "." and key.startswith(name)) for name in keys)
        for key, value in attributes.items()
    )


def tells_the_same(flat: Iterable[Message], raw: Iterable[Message], *, is_flat_damaged: bool) -> bool:
    """Whether the raw value is the dialogue that the flat keys tell, or, where some of them were dropped, has it."""
    flat_text, flat_calls = _told(flat)
    raw_text, raw_calls = _told(raw)
    if is_flat_damaged:
        return _squeezed(flat_text) in _squeezed(raw_text) and set(flat_calls) <= set(raw_calls)
    if sorted(flat_calls) != sorted(raw_calls):
        return False
    return flat_text == raw_text or _squeezed(flat_text) == _squeezed(raw_text)


def _message(keys: Mapping[str, Any], default_role: str) -> Message | None:
    if len(keys) == 2 and isinstance(keys.get(_TEXT), str) and _ROLE in keys:  # as nearly all are
        content = blocks_or_text(keys[_TEXT])
        return message_from({"role": keys[_ROLE] or default_role, "content": content}, default_role)
    held = nested(keys, _MESSAGE)
    return _whole_message(held, default_role) if isinstance(held, dict) else None


def _whole_message(held: Mapping[str, Any], default_role: str) -> Message | None:
    content, contents = blocks_or_text(held.get("content")), held.get("contents")  # Mistral: the JSON of blocks
    blocks = list(_blocks(contents))
    if content and not any(block.get("text") == content for block in blocks):
        blocks.insert(0, {"type": "text", "text": content})
    message = {"role": held.get("role") or default_role, "content": content if not contents else blocks}
    calls = list(_calls(held))
    beside = {name: held[name] for name in ("tool_call_id", "name") if name in held}
    return message_from({**message, **beside, "tool_calls": calls} if calls else message | beside, default_role)


def _blocks(contents: Any) -> Iterator[Mapping[str, Any]]:
    for item in contents if isinstance(contents, list) else ():
        block, call = (item.get(_CONTENT), item.get(_TOOL_CALL)) if isinstance(item, dict) else (None, None)
        if isinstance(call, dict):
            yield {**call, "type": "tool_use"}
        # @arizeai/openinference-vercel writes the type of a block that it says nothing else of
        elif isinstance(block, dict) and any(value is not None for key, value in block.items() if key != "type"):
            yield block


def _calls(held: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    calls = held.get("tool_calls")
    for item in calls if isinstance(calls, list) else ():
        call = item.get(_TOOL_CALL) if isinstance(item, dict) else None
        if isinstance(call, dict) and call.get("function") != {"name": None, "arguments": None}:
            yield call
    if held.get(_FUNCTION_NAME):
        yield {"name": held[_FUNCTION_NAME], "arguments": held.get(_FUNCTION_ARGUMENTS)}


def _told(messages: Iterable[Message]) -> tuple[str, list[str]]:
    """All texts in one, and the calls: what does not depend on how it is cut into parts."""
    said: list[str] = []
    calls: list[str] = []
    for part in (part for message in messages for part in message.parts):
        if isinstance(part, ToolCallPart):
            calls.append(f"{part.name} {json_text(part.arguments)}")
        elif isinstance(part, TextPart):
            said.append(part.content)
        elif isinstance(part, ToolCallResponsePart):
            said.append(json_text(part.response))
    return "".join(said), calls


def _squeezed(text: str) -> str:
    """Without white space, in which the two differ."""
    return "".join(text.split())

"""What OpenAI's documentation says of rows for fine-tuning, field by field, written from it and not from our writer.

Sources, as of November 2026: the guide "Supervised fine-tuning" (a conversation with `messages`, `tools` and
`parallel_tool_calls`; `weight` 0 or 1 on assistant messages; the last message is the assistant's), the guide "Direct
preference optimization" (`input`, `preferred_output`, `non_preferred_output`, each output one assistant message), and
the API reference of chat completions for messages (which keys each role has, content null where there are tool calls,
arguments as JSON text, an id for each call, results behind their calls) and tools (names of 64 characters, JSON
Schema).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_KEYS = {
    "system": {"role", "content", "name"},
    "user": {"role", "content", "name"},
    "assistant": {"role", "content", "name", "tool_calls", "weight", "refusal"},
    "tool": {"role", "content", "tool_call_id"},
}
_SCHEMA_TYPES = {"string", "number", "integer", "boolean", "array", "object", "null"}
_PARTS = {"text": "text", "image_url": "image_url", "input_audio": "input_audio", "file": "file"}


def faults_of_supervised(row: Mapping[str, Any]) -> list[str]:
    """What is wrong with a row for supervised fine-tuning."""
    return list(_supervised(row))


def faults_of_preference(row: Mapping[str, Any]) -> list[str]:
    """What is wrong with a row for direct preference optimization."""
    return list(_preference(row))


def _supervised(row: Mapping[str, Any]) -> Iterator[str]:
    yield from _only(row, {"messages", "tools", "parallel_tool_calls"}, "row")
    yield from _conversation(row.get("messages"), row.get("tools"))
    messages = row["messages"]
    if messages[-1]["role"] != "assistant":
        yield "the last message is not the assistant's"
    if messages[-1].get("weight", 1) != 1:
        yield "the last message has no weight"


def _preference(row: Mapping[str, Any]) -> Iterator[str]:
    yield from _only(row, {"input", "preferred_output", "non_preferred_output"}, "row")
    prompt = row["input"]
    yield from _only(prompt, {"messages", "tools", "parallel_tool_calls"}, "input")
    yield from _conversation(prompt["messages"], prompt.get("tools"))
    if prompt["messages"][-1]["role"] == "assistant":
        yield "the input ends with an assistant"
    if any("weight" in message for message in prompt["messages"]):
        yield "weights are for supervised fine-tuning"
    for name in ("preferred_output", "non_preferred_output"):
        if [message["role"] for message in row[name]] != ["assistant"]:
            yield f"{name} is not one assistant's message"
        yield from _conversation(row[name], prompt.get("tools"))


def _conversation(messages: Any, tools: Any) -> Iterator[str]:
    if not isinstance(messages, list) or not messages:
        yield "no messages"
        return
    for message in messages:
        yield from _message(message)
    yield from _results(messages)
    if tools is not None:
        yield from _tools(tools)


def _message(message: Mapping[str, Any]) -> Iterator[str]:
    role = message.get("role")
    if role not in _KEYS:
        yield f"role {role}"
        return
    yield from _only(message, _KEYS[role], role)
    if message.get("weight", 0) not in (0, 1):
        yield "weight"
    content = message.get("content")
    if content is None and not (role == "assistant" and message.get("tool_calls")):
        yield f"{role} without content"
    if isinstance(content, list):
        yield from (f"part {part}" for part in content if role != "user" or _PARTS.get(part.get("type")) not in part)
    elif content is not None and not isinstance(content, str):
        yield f"content of {role}"
    if "tool_calls" in message:
        yield from _calls(message["tool_calls"])


def _calls(calls: Any) -> Iterator[str]:
    if not isinstance(calls, list) or not calls:
        yield "tool_calls is empty"
        return
    for call in calls:
        yield from _only(call, {"id", "type", "function"}, "tool call")
        if not isinstance(call["id"], str) or not call["id"] or call["type"] != "function":
            yield "a tool call without id or type"
        yield from _only(call["function"], {"name", "arguments"}, "function")
        arguments = call["function"]["arguments"]
        if not isinstance(arguments, str) or not isinstance(json.loads(arguments), dict):
            yield "arguments are no JSON text of an object"
        if not _NAME.fullmatch(call["function"]["name"]):
            yield "name of a function"


def _results(messages: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Each call but the last message's has its result before anybody else speaks."""
    waiting: list[str] = []
    for message in messages:
        if message["role"] == "tool":
            if message.get("tool_call_id") not in waiting:
                yield "a result without its call"
            else:
                waiting.remove(message["tool_call_id"])
            continue
        if waiting:
            yield "a call without its result"
        waiting = [call["id"] for call in message.get("tool_calls", ())]


def _tools(tools: Any) -> Iterator[str]:
    if not isinstance(tools, list) or not tools:
        yield "tools is empty"
        return
    for tool in tools:
        yield from _only(tool, {"type", "function"}, "tool")
        function = tool["function"]
        yield from _only(function, {"name", "description", "parameters", "strict"}, "function")
        if tool["type"] != "function" or not _NAME.fullmatch(function["name"]):
            yield "type or name of a tool"
        yield from _schema(function.get("parameters", {}))


def _schema(schema: Any) -> Iterator[str]:
    if not isinstance(schema, Mapping):
        return
    kinds = schema.get("type")
    for kind in [kinds] if isinstance(kinds, str) else kinds or []:
        if isinstance(kind, str) and kind not in _SCHEMA_TYPES:
            yield f"JSON Schema has no type {kind}"
    for inner in (*schema.get("properties", {}).values(), schema.get("items")):
        yield from _schema(inner)


def _only(record: Mapping[str, Any], known: set[str], of: str) -> Iterator[str]:
    unknown = sorted(record.keys() - known)
    if unknown:
        yield f"{of} has unknown keys {unknown}"

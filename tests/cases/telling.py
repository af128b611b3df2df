"""What a call tells, as short lines that a person can compare at a glance.

``system: T``, ``user: T``, ``assistant: T``, ``tool: T`` (a result), ``reasoning: T``, ``text: T`` (of an answer),
``call: NAME {json}``. Texts that follow upon each other in one message are one line.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from otel_labelstudio.calls import LLMCall, Message, Part, ReasoningPart, TextPart, ToolCallPart, ToolCallResponsePart


def told(call: LLMCall) -> dict[str, Any]:
    """What an expectation may name of a call."""
    return {
        "in": [*_lines("system", call.system_instructions), *_of_messages(call.input_messages)],
        "out": [_lines("text", message.parts) for message in call.output_messages],
        "model": call.model,
        "provider": call.provider,
        "usage": call.usage.to_dict(),
        "tools": [tool.get("name") for tool in call.tool_definitions],
        "finish": list(call.finish_reasons),
        "conversation": call.conversation_id,
        "incomplete": bool(call.incomplete),
    }


def differences(calls: Iterable[LLMCall], expected: list[dict[str, Any]]) -> list[str]:
    """How the calls, in the order of their start, differ from what is expected of them; of usage, what is named."""
    found = [told(call) for call in sorted(calls, key=lambda call: call.start_time_unix_nano)]
    if len(found) != len(expected):
        return [f"{len(found)} calls for {len(expected)}: {found}"]
    return [
        f"{name} is {got[name]!r}, not {value!r}"
        for got, wanted in zip(found, expected, strict=True)
        for name, value in wanted.items()
        if got[name] != value and not (name == "usage" and value.items() <= got[name].items())
    ]


def _of_messages(messages: Iterable[Message]) -> list[str]:
    return [line for message in messages for line in _lines(message.role, message.parts)]


def _lines(role: str, parts: Iterable[Part]) -> list[str]:
    lines: list[str] = []
    previous: type[Part] | None = None
    for part in parts:
        if isinstance(part, TextPart) and previous is TextPart:
            lines[-1] += part.content
        else:
            lines.append(_line(role, part))
        previous = type(part)
    return lines


def _line(role: str, part: Part) -> str:
    match part:
        case TextPart():
            return f"{role}: {part.content}"
        case ReasoningPart():
            return f"reasoning: {part.content}"
        case ToolCallPart():
            return f"call: {part.name} {_json(part.arguments)}"
        case ToolCallResponsePart():
            return f"tool: {part.response if isinstance(part.response, str) else _json(part.response)}"
        case _:
            return f"{part.type}: {_json(vars(part) if hasattr(part, '__dict__') else part.extra)}"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)

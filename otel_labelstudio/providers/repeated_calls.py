"""A tool call that a message mentions twice is one call.

Frameworks write a call among the content blocks and beside them under the same id, or once more as the JSON text of the
content.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from otel_labelstudio.calls import Part, TextPart, ToolCallPart
from otel_labelstudio.providers.parts import json_value, tool_call


def without_repeated_calls(parts: Iterable[Part]) -> tuple[Part, ...]:
    """The parts without a second mention of a tool call: the same id again, or text that merely repeats calls."""
    parts = tuple(parts)
    if len(parts) < 2 or not any(map(_is_call, parts)):
        return parts
    kept = tuple(_each_id_once(parts))
    if not any(map(_may_repeat_calls, kept)):
        return kept
    known = {_told(part) for part in kept if isinstance(part, ToolCallPart)}
    return tuple(part for part in kept if not (isinstance(part, TextPart) and _repeats(part.content, known)))


def _is_call(part: Part) -> bool:
    return isinstance(part, ToolCallPart)


def _may_repeat_calls(part: Part) -> bool:
    return isinstance(part, TextPart) and part.content.startswith(("[", "{"))


def _each_id_once(parts: Iterable[Part]) -> Iterator[Part]:
    seen: set[tuple[str, str]] = set()
    for part in parts:
        if isinstance(part, ToolCallPart) and part.id:
            if (part.name, part.id) in seen:
                continue
            seen.add((part.name, part.id))
        yield part


def _told(call: ToolCallPart) -> tuple[str, str]:
    """Name and arguments, whatever the order in which the arguments are written."""
    return call.name, json.dumps(call.arguments, sort_keys=True, default=str)


def _repeats(text: str, known: set[tuple[str, str]]) -> bool:
    if not text.startswith(("[", "{")):
        return False
    held = json_value(text)
    calls = list(_calls(held if isinstance(held, list) else [held]))
    return bool(calls) and all(isinstance(call, ToolCallPart) and _told(call) in known for call in calls)


def _calls(items: Iterable[Any]) -> Iterator[Part | None]:
    for item in items:
        yield tool_call(item) if isinstance(item, dict) else None

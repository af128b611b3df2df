"""The way back of `render.answers`: an answer that a person edited, as the parts of a message.

Tool calls stand in an answer's box as lines ``[tool call] NAME(JSON)``. Such a line becomes a tool call again where
NAME is a tool of the call's and JSON can be read; otherwise the whole answer cannot be, since a model must never learn
to write "[tool call]".
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from otel_labelstudio.calls import LLMCall, Message, Part, TextPart, ToolCallPart
from otel_labelstudio.tasks.render import part_text

_BEGIN = re.compile(r"^\[tool call\] ([^\s(]+)\(", re.MULTILINE)
_END = re.compile(r"\s*\)[ \t\r]*$", re.MULTILINE)
# What is left of one that a person has edited amiss, and no link
_MARK = re.compile(r"\[\s*tool[ _-]?calls?\s*\](?!\((?:https?:|[/#]))", re.IGNORECASE)
_DECODER = json.JSONDecoder()


class ToolCallTextError(ValueError):
    """A text has a tool call that cannot be read. The message has no content of it."""


def answer_parts(text: str, call: LLMCall, original: Message | None = None) -> tuple[Part, ...]:
    """The parts that an edited answer says; ids are those of ``original``'s tool calls, by position and name.

    Raises `ToolCallTextError` where a tool call in it cannot be read.
    """
    calls = [part for part in original.parts if isinstance(part, ToolCallPart)] if original else []
    parts = list(_pieces(text, calls, tool_names(call)))
    return tuple(_with_ids(parts, calls))


def tool_names(call: LLMCall) -> frozenset[str]:
    """The tools that a call knows: those that were defined, and those that were called."""
    defined = {str(tool["name"]) for tool in call.tool_definitions if tool.get("name")}
    messages = (*call.input_messages, *call.output_messages)
    return frozenset(defined | {p.name for m in messages for p in m.parts if isinstance(p, ToolCallPart)})


def _pieces(text: str, calls: Sequence[ToolCallPart], names: frozenset[str]) -> Iterator[Part]:
    at, unused, called = 0, list(calls), {call.name for call in calls}
    while begin := _BEGIN.search(text, at):
        yield from _text(text[at : begin.start()].removesuffix("\n").removesuffix("\r"), called)
        part, at = _unchanged(text, begin.start(), unused) or _tool_call(text, begin, names)
        yield part
        at += text.startswith("\n", at)
    yield from _text(text[at:], called)


def _text(text: str, called: Collection[str]) -> Iterator[TextPart]:
    """A text in which no tool call is left, neither its mark nor, of the tools that were ``called``, a line without
    it."""
    lines = (line.lstrip() for line in text.splitlines())
    if _MARK.search(text) or any(line.startswith(f"{name}(") for line in lines for name in called):
        raise ToolCallTextError("a tool call is not written as NAME(JSON)")
    if text.strip():
        yield TextPart(text)


def _unchanged(text: str, start: int, unused: list[ToolCallPart]) -> tuple[ToolCallPart, int] | None:
    """The model's own tool call, where it stands as it came: its arguments may be no JSON."""
    for call in unused:
        end = start + len(line := part_text(call) or "")
        if text.startswith(line, start) and text[end : end + 1] in ("", "\n"):
            unused.remove(call)
            return call, end
    return None


def _tool_call(text: str, begin: re.Match[str], names: frozenset[str]) -> tuple[ToolCallPart, int]:
    if begin[1] not in names:
        raise ToolCallTextError("a tool that the call does not know")
    arguments, at = _arguments(text, begin.end())
    end = _END.match(text, at)
    if end is None:
        raise ToolCallTextError("a tool call does not end with its line")
    return ToolCallPart(begin[1], arguments), end.end()


def _arguments(text: str, at: int) -> tuple[Any, int]:
    if text[at:].lstrip().startswith(")"):
        return {}, at
    try:
        return _DECODER.raw_decode(text, at + len(text[at:]) - len(text[at:].lstrip()))
    except ValueError as error:
        raise ToolCallTextError("the arguments of a tool call are not JSON") from error


def _with_ids(parts: Sequence[Part], calls: Sequence[ToolCallPart]) -> Iterator[Part]:
    """Each changed tool call with the id of the one that it was: at the same position, else the first of its name that
    nothing else stands for."""
    unused = [call for call in calls if not any(call is part for part in parts)]
    position = 0
    for part in parts:
        if isinstance(part, ToolCallPart):
            yield part if any(part is call for call in calls) else _with_id(part, position, calls, unused)
            position += 1
        else:
            yield part


def _with_id(
    part: ToolCallPart, position: int, calls: Sequence[ToolCallPart], unused: list[ToolCallPart]
) -> ToolCallPart:
    named = [call for call in unused if call.name == part.name]
    was = next((call for call in named if call is calls[min(position, len(calls) - 1)]), named[0] if named else None)
    if was is None:
        return part
    unused.remove(was)
    return ToolCallPart(part.name, part.arguments, was.id, was.extra)

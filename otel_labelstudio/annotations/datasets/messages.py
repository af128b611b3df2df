"""A call's messages as chat templates and provider APIs take them.

One system message stands first: the instructions and the leading system messages. A tool's results are messages of
their own. Arguments are JSON values and every content is a text here; `openai` rewrites both. 41 chat templates were
rendered to find this shape: a null key, a developer role or a second system message breaks up to a half of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, groupby
from typing import Any

from otel_labelstudio.annotations.datasets.left_out import LeftOut, RowLeftOutError
from otel_labelstudio.annotations.datasets.media_parts import content_part
from otel_labelstudio.annotations.datasets.tool_ids import ToolIds
from otel_labelstudio.calls import (
    BlobPart,
    FilePart,
    LLMCall,
    Message,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolCallResponsePart,
    UriPart,
)
from otel_labelstudio.tasks.render import message_text, value_text

WireMessage = dict[str, Any]

_ROLES = {"developer": "system", "function": "tool"}
_KNOWN_ROLES = frozenset({"system", "user", "assistant", "tool"})
_MEDIA = (BlobPart, UriPart, FilePart)


@dataclass(frozen=True, slots=True)
class Dialogue:
    """A prompt and answers to it, as wire messages; tool call ids are unique in the prompt with each answer."""

    prompt: list[WireMessage]
    answers: list[WireMessage]
    is_every_tool_call_answered: bool


def dialogue_of(call: LLMCall, answers: Sequence[Message], *, reasoning: bool, media: bool) -> Dialogue:
    """The prompt of a call with answers to it, of which each stands for itself; raises `RowLeftOutError`."""
    writer = _Writer(reasoning=reasoning, media=media)
    prompt = writer.prompt(call)
    are_all_answered = writer.ids.are_all_answered
    if all(message["role"] == "system" for message in prompt):
        raise RowLeftOutError(LeftOut.NO_PROMPT)
    if prompt[-1]["role"] not in ("user", "tool"):
        raise RowLeftOutError(LeftOut.PROMPT_END)
    writer.ids.complete()
    return Dialogue(prompt, [writer.answer(answer) for answer in answers], are_all_answered)


class _Writer:
    def __init__(self, *, reasoning: bool, media: bool) -> None:
        self.ids = ToolIds()
        self._reasoning, self._media = reasoning, media

    def prompt(self, call: LLMCall) -> list[WireMessage]:
        leading, others = _leading_system(call.input_messages)
        texts = [_only_text("system", parts) for parts in (call.system_instructions, *leading) if parts]
        messages = [{"role": "system", "content": "\n\n".join(texts)}] if texts else []
        for is_tools, run in groupby(others, lambda message: _role(message) == "tool"):
            for written in self._results(run) if is_tools else chain.from_iterable(map(self._messages, run)):
                if messages and _are_one_turn(messages[-1], written):
                    messages[-1] = _joined(messages[-1], written)
                else:
                    messages.append(written)
        return messages

    def answer(self, message: Message) -> WireMessage:
        ids = self.ids.branch()
        written = self._assistant(message, ids)
        ids.complete()
        if not written["content"].strip() and not written.get("tool_calls"):
            raise RowLeftOutError(LeftOut.EMPTY_ANSWER)
        return written

    def _messages(self, message: Message) -> list[WireMessage]:
        role = _role(message)
        if role == "assistant":
            return [self._assistant(message, self.ids)]
        if any(isinstance(part, ToolCallPart) for part in message.parts):
            raise RowLeftOutError(LeftOut.UNKNOWN_PART)
        others = [part for part in message.parts if not isinstance(part, ToolCallResponsePart)]
        # Results stand right behind their calls, whatever the person who sends them says beside
        return [*self._results([message]), *([self._said(message, role, others)] if others else [])]

    def _said(self, message: Message, role: str, parts: Sequence[Part]) -> WireMessage:
        """What a user says, or the system later on."""
        has_media = any(isinstance(part, _MEDIA) for part in parts)
        if has_media and not (self._media and role == "user"):
            raise RowLeftOutError(LeftOut.MEDIA)
        content = [_content(part) for part in parts] if has_media else _only_text(role, parts)
        return {"role": role, "content": content, **_name(message)}

    def _assistant(self, message: Message, ids: ToolIds) -> WireMessage:
        written: WireMessage = {"role": "assistant", "content": _assistant_text(message.parts), **_name(message)}
        thoughts = [part.content for part in message.parts if isinstance(part, ReasoningPart)]
        if self._reasoning and any(thoughts):
            written["reasoning_content"] = "\n".join(thoughts)
        calls = [_tool_call(part) for part in message.parts if isinstance(part, ToolCallPart)]
        for entry in calls:
            ids.call(entry)
        return {**written, "tool_calls": calls} if calls else written

    def _results(self, messages: Iterable[Message]) -> list[WireMessage]:
        """What tools returned, a message each."""
        parts = [part for message in messages for part in _responses(message)]
        entries = self.ids.answered([part.id for part in parts])
        return [_result(entry, part) for entry, part in zip(entries, parts, strict=True)]


def _result(entry: dict[str, Any], part: ToolCallResponsePart) -> WireMessage:
    content = value_text(part.response)
    return {"role": "tool", "tool_call_id": entry["id"], "name": entry["function"]["name"], "content": content}


def _are_one_turn(before: WireMessage, message: WireMessage) -> bool:
    """Some APIs have each tool call of an answer, and the text before them, as items of their own."""
    are_of_assistant = before["role"] == message["role"] == "assistant" and before.get("name") == message.get("name")
    return are_of_assistant and ("tool_calls" in before or "tool_calls" in message)


def _joined(before: WireMessage, message: WireMessage) -> WireMessage:
    texts: WireMessage = {
        name: "\n".join(one[name] for one in (before, message) if one.get(name))
        for name in ("content", "reasoning_content")
        if name in before or name in message
    }
    calls = [*before.get("tool_calls", ()), *message.get("tool_calls", ())]
    return {**before, **texts, "tool_calls": calls}


def _leading_system(messages: Sequence[Message]) -> tuple[list[tuple[Part, ...]], Sequence[Message]]:
    leading = next((at for at, message in enumerate(messages) if _role(message) != "system"), len(messages))
    return [message.parts for message in messages[:leading]], messages[leading:]


def _role(message: Message) -> str:
    role = _ROLES.get(message.role, message.role)
    if role not in _KNOWN_ROLES:
        raise RowLeftOutError(LeftOut.UNKNOWN_ROLE)
    return role


def _responses(message: Message) -> Iterable[ToolCallResponsePart]:
    """A tool's results; some telemetry has them as the text of a tool's message."""
    found = [part for part in message.parts if isinstance(part, ToolCallResponsePart)]
    if found or _role(message) != "tool":
        return found
    return [ToolCallResponsePart(_only_text("tool", message.parts))]


def _tool_call(part: ToolCallPart) -> dict[str, Any]:
    arguments = {} if part.arguments is None else part.arguments
    return {"id": part.id, "type": "function", "function": {"name": part.name, "arguments": arguments}}


def _only_text(role: str, parts: Sequence[Part]) -> str:
    for part in parts:
        if not isinstance(part, TextPart | ReasoningPart):
            raise RowLeftOutError(LeftOut.MEDIA if isinstance(part, _MEDIA) else LeftOut.UNKNOWN_PART)
    return message_text(role, parts)


def _assistant_text(parts: Sequence[Part]) -> str:
    """Text before and after tool calls stands on lines of its own."""
    runs = groupby(parts, lambda part: isinstance(part, ToolCallPart))
    texts = [_only_text("assistant", list(run)) for is_tool_call, run in runs if not is_tool_call]
    return "\n".join(text for text in texts if text)


def _content(part: Part) -> dict[str, Any]:
    match part:
        case TextPart():
            return {"type": "text", "text": part.content}
        case BlobPart() | UriPart() | FilePart():
            return content_part(part)
    raise RowLeftOutError(LeftOut.UNKNOWN_PART)


def _name(message: Message) -> dict[str, str]:
    return {"name": message.name} if message.name else {}

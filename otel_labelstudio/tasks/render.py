"""Messages and parts as the text that a person reads in Label Studio.

Only text goes into a task's data: Label Studio's editor goes blank on anything else in a dialogue. What is shortened
or left out here (media, reasoning) stays whole in the task's meta.
"""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from otel_labelstudio.calls import (
    BlobPart,
    FilePart,
    GenericPart,
    LLMCall,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolCallResponsePart,
    UriPart,
)
from otel_labelstudio.media import media_bytes

Turn = tuple[str, str]

NO_INPUT = "[The input of this call is not in its telemetry.]"
_PREVIEW_LENGTH = 100
# Of an address, or of a part that nobody understood
_MAX_PLACEHOLDER = 500


def dialogue(call: LLMCall) -> list[Turn]:
    """The input of a call as (role, text) turns, the system instructions first; at least one."""
    turns = [("system", message_text("system", call.system_instructions))] if call.system_instructions else []
    turns += [(message.role, message_text(message.role, message.parts)) for message in call.input_messages]
    return turns or [("user", NO_INPUT)]


def prompt(call: LLMCall) -> str:
    """The input of a completion call: its text alone."""
    texts = [message_text(message.role, message.parts) for message in call.input_messages]
    return "\n".join(texts) if texts else NO_INPUT


def dialogue_text(call: LLMCall) -> str:
    """A dialogue written out for a tag that shows text; a single user turn is the text itself."""
    return turns_text(dialogue(call))


def turns_text(turns: Sequence[Turn]) -> str:
    """Turns written out; a single one of the user is the text itself."""
    if len(turns) == 1 and turns[0][0] == "user":
        return turns[0][1]
    return "\n\n".join(f"{role}:\n{text}" for role, text in turns)


def answers(call: LLMCall) -> list[str]:
    """The text of each choice: what a person corrects. Reasoning is no part of it."""
    return [message_text("assistant", message.parts) for message in call.output_messages] or [""]


def system_text(call: LLMCall) -> str:
    """The system prompt, wherever it stands: among the instructions or as messages."""
    texts = [message_text("system", call.system_instructions)] if call.system_instructions else []
    texts += [message_text(m.role, m.parts) for m in call.input_messages if m.role == "system"]
    return "\n\n".join(texts)


def preview(call: LLMCall) -> str:
    """One short line for the Data Manager: the last question, and the beginning of the answer or what came instead."""
    asked = next((m for m in reversed(call.input_messages) if m.role == "user"), None)
    question = message_text("user", asked.parts) if asked else dialogue(call)[-1][1]
    answer = f"[{call.error_type}]" if call.is_unanswered else answers(call)[0]
    line = f"{_shortened(question)} → {_shortened(answer)}"
    return f"[incomplete] {line}" if call.incomplete else line


def message_text(role: str, parts: Sequence[Part]) -> str:
    """The parts of a message as one text. What a model streamed joins without a seam; what was sent to it as several
    parts stands on lines of its own, and so do tool calls and media."""
    pieces: list[str] = []
    seamless = False
    for part in parts:
        text = part_text(part)
        if text is None:
            continue
        is_streamed_text = role == "assistant" and isinstance(part, TextPart)
        if pieces and is_streamed_text and seamless:
            pieces[-1] += text
        else:
            pieces.append(text)
        seamless = is_streamed_text
    return "\n".join(pieces)


def part_text(part: Part) -> str | None:
    """A part as text, None for reasoning."""
    match part:
        case TextPart():
            return part.content
        case ReasoningPart():
            return None
        case ToolCallPart():
            return f"[tool call] {part.name}({_argument_text(part.arguments)})"
        case ToolCallResponsePart():
            return value_text(part.response)
        case BlobPart():
            return f"[{part.mime_type or part.modality}, {_size(media_bytes(part))}]"
        case UriPart() if part.uri.startswith("data:"):
            return f"[{part.mime_type or part.modality}, {_size(media_bytes(part))}]"
        case UriPart():
            return f"[{part.mime_type or part.modality}: {_cut(part.uri, _MAX_PLACEHOLDER)}]"
        case FilePart():
            return f"[{part.mime_type or part.modality}: file {part.file_id}]"
        case GenericPart():
            shown = _cut(value_text(dict(part.extra)), _MAX_PLACEHOLDER) if part.extra else ""
            return f"[{part.type}] {shown}".rstrip()


def as_html(text: str) -> str:
    """The text for a tag that shows HTML. Markup in it stays text: what a model wrote could load images from anywhere.
    Never empty: Label Studio waits for ever for such a tag's content."""
    return f'<div style="white-space: pre-wrap">{html.escape(text)}</div>'


def tools_text(definitions: Iterable[Any]) -> str:
    """Tool definitions as readable JSON."""
    listed = list(definitions)
    return json.dumps(listed, ensure_ascii=False, indent=2, default=str) if listed else ""


def tool_text(definition: Any) -> tuple[str, str]:
    """The name of a tool, and the rest of its definition."""
    if not isinstance(definition, Mapping):
        return "", value_text(definition)
    rest = {key: value for key, value in definition.items() if key not in ("type", "name")}
    return str(definition.get("name", "")), value_text(rest)


def value_text(value: Any) -> str:
    """A JSON value: a text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _argument_text(arguments: Any) -> str:
    return "" if arguments in (None, {}) else value_text(arguments)


def _shortened(text: str) -> str:
    return _cut(" ".join(text[: 4 * _PREVIEW_LENGTH].split()), _PREVIEW_LENGTH)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _size(size: int) -> str:
    if size == 0:
        return "removed"
    return f"{size} bytes" if size < 1024 else f"{size / 1024:.0f} KiB"

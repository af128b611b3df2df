"""What of a call's content is there: privacy switches, redaction and limits leave parts that say nothing."""

from __future__ import annotations

from collections.abc import Iterable

from otel_labelstudio.calls import (
    BlobPart,
    GenericPart,
    Message,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolCallResponsePart,
)
from otel_labelstudio.dialects.dialect import Content
from otel_labelstudio.spans.attributes import REDACTED

# Properties that say what a part is, and nothing of what is in it
_LABELS = frozenset(
    ("id", "name", "media_type", "mime_type", "modality", "format", "detail", "index", "status", "kind")
)


def is_captured(content: Content) -> bool:
    """Whether anything of the dialogue is there; names and ids without their content are not."""
    messages = (*content.input_messages, *content.output_messages)
    return any(map(says_something, (*content.system_instructions, *parts_of(messages))))


def has_answer(content: Content) -> bool:
    """Whether there is anything that a person could judge. A tool call without arguments is an answer, too."""
    return any(isinstance(part, ToolCallPart) or says_something(part) for part in parts_of(content.output_messages))


def has_input(content: Content) -> bool:
    return any(map(says_something, parts_of(content.input_messages)))


def is_input_whole(content: Content) -> bool:
    """Whether there is an input of which no message has lost its content."""
    messages = content.input_messages
    return bool(messages) and all(any(map(says_something, message.parts)) for message in messages)


def has_text(messages: Iterable[Message]) -> bool:
    return any(isinstance(part, TextPart) for part in parts_of(messages))


def parts_of(messages: Iterable[Message]) -> list[Part]:
    return [part for message in messages for part in message.parts]


def is_empty(part: Part) -> bool:
    if isinstance(part, TextPart):
        return part.content in ("", REDACTED)
    return isinstance(part, ReasoningPart) and part.content in ("", REDACTED) and not part.extra


def says_something(part: Part) -> bool:
    """Whether the part has content; instrumentations that must not capture any may still write a part's type."""
    match part:
        case TextPart():
            return not is_empty(part)
        case ReasoningPart():
            return bool(part.content)
        case ToolCallPart():
            return part.arguments not in (None, "", {}, REDACTED)
        case ToolCallResponsePart():
            return part.response not in (None, "", REDACTED)
        case BlobPart():
            return bool(part.content)
        case GenericPart():
            held = (value for name, value in part.extra.items() if name not in _LABELS)
            return any(value not in (None, "", [], {}, REDACTED) for value in held)
        case _:
            return True

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
    for messages in (content.input_messages, content.output_messages):
        for message in messages:  # any() would take twice as long
            for part in message.parts:
                if says_something(part):
                    return True
    return any(map(says_something, content.system_instructions))


def has_answer(content: Content) -> bool:
    """Whether there is anything that a person could judge. A tool call without arguments is an answer, too."""
    for message in content.output_messages:
        for part in message.parts:
            if isinstance(part, ToolCallPart) or says_something(part):
                return True
    return False


def has_input(content: Content) -> bool:
    return any(map(says_something, parts_of(content.input_messages)))


def is_input_whole(content: Content) -> bool:
    """Whether there is an input of which no message has lost its content."""
    for message in content.input_messages:
        for part in message.parts:
            if says_something(part):
                break
        else:
            return False
    return bool(content.input_messages)


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
    if isinstance(part, TextPart):
        return part.content not in ("", REDACTED)
    match part:
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

"""Media that are too large to keep: their type and size stay, the bytes do not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from otel_labelstudio.calls import BlobPart, GenericPart, LLMCall, Message, Part, UriPart
from otel_labelstudio.media import OMITTED_BYTES, media_bytes


def without_large_media(call: LLMCall, max_bytes: int) -> LLMCall:
    """The call, with no inline image, sound or file of more than ``max_bytes``; the very same where there is none."""
    if not any(_is_large(part, max_bytes) for part in _parts(call)):
        return call
    return replace(
        call,
        system_instructions=tuple(_slim(part, max_bytes) for part in call.system_instructions),
        input_messages=tuple(_slim_message(message, max_bytes) for message in call.input_messages),
        output_messages=tuple(_slim_message(message, max_bytes) for message in call.output_messages),
    )


def _parts(call: LLMCall) -> Iterable[Part]:
    yield from call.system_instructions
    for message in (*call.input_messages, *call.output_messages):
        yield from message.parts


def _slim_message(message: Message, max_bytes: int) -> Message:
    return replace(message, parts=tuple(_slim(part, max_bytes) for part in message.parts))


def _slim(part: Part, max_bytes: int) -> Part:
    if not _is_large(part, max_bytes):
        return part
    size = media_bytes(part)
    if isinstance(part, BlobPart):
        return replace(part, content="", extra={**part.extra, OMITTED_BYTES: size})
    if isinstance(part, UriPart):
        return replace(part, uri=part.uri.partition(",")[0], extra={**part.extra, OMITTED_BYTES: size})
    return GenericPart(part.type, {**_slim_value(part.extra, max_bytes), OMITTED_BYTES: size})


def _is_large(part: Part, max_bytes: int) -> bool:
    return media_bytes(part) > max_bytes and OMITTED_BYTES not in getattr(part, "extra", {})


def _slim_value(value: Any, max_bytes: int) -> Any:
    if isinstance(value, str):
        return value if len(value) <= max_bytes else ""
    if isinstance(value, Mapping):
        return {key: _slim_value(item, max_bytes) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_slim_value(item, max_bytes) for item in value]
    return value

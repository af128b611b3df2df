"""What is missing of a call, or not understood in it, in words for the people who label it.

This is the last look at a call, whatever dialect it was read in: an answer that holds something may come out in a form
that is not understood, but then the call says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from otel_labelstudio.calls import GenericPart, Message, ReasoningPart, TextPart, ToolCallPart, ToolCallResponsePart
from otel_labelstudio.dialects.dialect import Content
from otel_labelstudio.dialects.shared.captured import has_answer, parts_of
from otel_labelstudio.providers.shapes import is_envelope
from otel_labelstudio.spans.attributes import decoded
from otel_labelstudio.spans.model import Span

NOT_UNDERSTOOD = "the answer is in a form that is not understood, and stands here as it was recorded"

# Lengths that people set as a limit
_LIKELY_LIMITS = frozenset(
    (
        *(2**power for power in range(6, 18)),
        *(100, 200, 250, 500, 1_000, 2_000, 2_500, 4_000, 5_000, 8_000),
        *(10_000, 12_000, 16_000, 20_000, 25_000, 32_000, 50_000, 64_000, 100_000),
    )
)
# Below this, a text of a round length in the middle of a sentence is more often a title than cut
_SHORTEST_LIMIT = 128
# The repr of an object that is no answer: "<groq.Stream object at 0x7f99f0b21050>"
_OBJECT = re.compile(r"<[\w.]+(?: object)? at 0x[0-9a-fA-F]+>")


def damages(span: Span, content: Content, error_type: str | None) -> Iterator[str]:
    """Why the call is not whole, as far as span and content tell by themselves, and which error ended it."""
    if error_type:
        answer = "after part of its answer" if has_answer(content) else "and its telemetry has no answer"
        yield f"the call broke off {answer} ({error_type})"
    if not content.input_messages and not content.system_instructions:
        yield "the input is missing"
    if span.dropped_attributes_count > 0:
        yield f"{span.dropped_attributes_count} attributes of the span were dropped at its limit on attributes"
    limit = _probable_limit(span, content)
    if limit:
        yield f"texts of {limit} characters were probably cut at a limit on the length of attributes"
    if any(map(_is_not_understood, content.output_messages)):
        yield NOT_UNDERSTOOD


def is_no_answer(text: str) -> bool:
    """Whether the text only stands for an answer that was not written down: an object's repr, JSON's null."""
    return text == "null" or (text.startswith("<") and _OBJECT.fullmatch(text) is not None)


def _is_not_understood(message: Message) -> bool:
    """Whether an answer is nothing but raw JSON: a part that nobody knows, or a provider's envelope as text."""
    texts = [part.content for part in message.parts if isinstance(part, TextPart)]
    if len(texts) > 1 or (texts and not texts[0].startswith(("{", "["))):
        return False
    if any(isinstance(part, ToolCallPart) for part in message.parts):
        return False
    return is_envelope(decoded(texts[0]).value) if texts else any(isinstance(p, GenericPart) for p in message.parts)


def _probable_limit(span: Span, content: Content) -> int | None:
    """The length of the content's longest texts, where it looks like a limit and the span has no longer text.

    A round length alone is none: the texts break off in the middle of a sentence, or several values are just as long.
    """
    longest = max(map(len, _texts(content)), default=0)
    if longest not in _LIKELY_LIMITS:
        return None
    values = {value for value in _values(span) if isinstance(value, str) and len(value) >= longest}
    if any(len(value) > longest for value in values):
        return None
    breaks_off = longest >= _SHORTEST_LIMIT and any(
        text[-1].isalnum() for text in _texts(content) if len(text) == longest
    )
    return longest if breaks_off or len(values) > 1 else None


def _values(span: Span) -> Iterable[Any]:
    return [*span.attributes.values(), *(value for event in span.events for value in event.attributes.values())]


def _texts(content: Content) -> Iterable[str]:
    for part in (*content.system_instructions, *parts_of((*content.input_messages, *content.output_messages))):
        if isinstance(part, (TextPart, ReasoningPart)):
            yield part.content
        elif isinstance(part, ToolCallResponsePart) and isinstance(part.response, str):
            yield part.response

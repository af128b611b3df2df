"""Digests by which prompts and answers are found to be the same, whatever the format.

Ids, reasoning and finish reasons are left out, and text that was streamed in pieces is one text: so the answer of one
call is found again in the history of the next.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import Any

from otel_labelstudio.annotations.datasets.example import Example
from otel_labelstudio.calls import LLMCall, Message, Part, ReasoningPart, TextPart, part_to_dict

_OUTSIDE = frozenset({"id", "finish_reason"})
_SIZE = 16


def digest(*values: Any) -> bytes:
    """Of JSON values."""
    text = json.dumps(values, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:_SIZE]


def message_digest(message: Message) -> bytes:
    return digest(message.role, message.name, _parts(message.parts))


class PromptDigests:
    """Of a call's ``prompt``, by which rows are found to be the same; of its ``messages`` and of each beginning of them
    that could be an earlier call with its answer, by which calls are found to belong together, whatever their tools."""

    def __init__(self, call: LLMCall) -> None:
        running = digest(_parts(call.system_instructions))
        self.beginnings: list[bytes] = []
        for message in call.input_messages:
            running = _after(running, message)
            if message.role == "assistant":
                self.beginnings.append(running)
        self.messages = running
        self.prompt = digest(running.hex(), [dict(tool) for tool in call.tool_definitions])
        # The beginnings that a later call may have: with each of the answers
        self.with_answers = [_after(running, answer) for answer in call.output_messages]


def content_digest(example: Example, prompt: bytes) -> bytes:
    """Of all that makes a row, but for a label, on which people may vote."""
    return digest(example.kind.value, prompt.hex(), [message_digest(answer).hex() for answer in example.answers])


def pair_digest(example: Example, prompt: bytes) -> tuple[bytes, bool]:
    """Of a pair whatever its direction, and the direction."""
    answers = [message_digest(answer) for answer in example.answers[:2]]
    return digest(prompt.hex(), sorted(answer.hex() for answer in answers)), answers == sorted(answers)


def _after(running: bytes, message: Message) -> bytes:
    return digest(running.hex(), message_digest(message).hex())


def _parts(parts: Sequence[Part]) -> list[dict[str, Any]]:
    return list(_merged(parts))


def _merged(parts: Sequence[Part]) -> Iterator[dict[str, Any]]:
    text = ""
    for part in parts:
        if isinstance(part, TextPart):
            text += part.content
        elif not isinstance(part, ReasoningPart):
            if text:
                yield {"type": "text", "content": text}
            text = ""
            yield {name: value for name, value in part_to_dict(part).items() if name not in _OUTSIDE}
    if text:
        yield {"type": "text", "content": text}

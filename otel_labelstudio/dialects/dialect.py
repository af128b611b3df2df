"""What a dialect is, what it finds in a span, and what is said of a span that gives no call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol

from otel_labelstudio.calls import JSONObject, LLMCall, Message, Part
from otel_labelstudio.quick_init import quick_init
from otel_labelstudio.spans.model import LogRecord, Span


class SkipReason(str, Enum):
    """Why a span gives no call; the values are what counters and log lines say."""

    NOT_GENAI = "not_genai"  # no dialect recognises it
    NOT_INFERENCE = "not_inference"  # an agent, a chain, a tool, a retriever, an embedding
    CONTENT_NOT_CAPTURED = "content_not_captured"  # the instrumentation was told to leave the content out
    FAILED = "failed"  # the call failed before any answer came
    FAULT = "fault"  # ours: a reader raised
    ANSWER_UNREADABLE = "answer_unreadable"  # cut, redacted or empty, so that there is nothing to label


@dataclass(frozen=True, slots=True)
class Skip:
    """A span that gives no call. ``hint`` names the switch that would make it give one.

    ``failed`` are the calls that failed before any answer came, for those who review errors: their input, and the
    error's type. Empty where nothing of the input is told. ``dialect`` is the `NAME` of the one that knew the
    span, ``service`` whose span it was.
    """

    reason: SkipReason
    hint: str = ""
    failed: tuple[LLMCall, ...] = field(default=(), repr=False, compare=False)
    dialect: str = field(default="", compare=False)
    service: str = field(default="", compare=False)


@quick_init
@dataclass(frozen=True, slots=True)
class Content:
    """A call's content as a dialect found it; ``incomplete`` says what is missing, for people."""

    input_messages: tuple[Message, ...] = ()
    output_messages: tuple[Message, ...] = ()
    system_instructions: tuple[Part, ...] = ()
    tool_definitions: tuple[JSONObject, ...] = ()
    incomplete: tuple[str, ...] = ()


NO_CONTENT = Content()


@quick_init
@dataclass(frozen=True, slots=True)
class Findings:
    """What one dialect found of a call. What it did not find may be there in another one.

    ``facts`` are fields of `LLMCall` that the dialect knows better than the span's common attributes do; None among
    them is no knowledge. ``is_answer_hidden`` where the answer was left out on purpose. ``dialect`` is its `NAME`.
    """

    dialect: str
    operation: str
    content: Content = NO_CONTENT
    facts: Mapping[str, Any] = field(default_factory=dict)
    is_answer_hidden: bool = False


class Dialect(Protocol):
    """The public names of a dialect's module, as the head of ``dialects/__init__.py`` describes them."""

    NAME: str
    PREFIXES: tuple[str, ...]
    HINTS: Mapping[str, str]
    KEYS: Mapping[str, tuple[str, ...]]

    def recognises(self, span: Span) -> bool: ...

    def read(self, span: Span, log_records: Sequence[LogRecord] = ()) -> Findings | Skip: ...

"""What a row is written from, in no format's words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from otel_labelstudio.annotations.datasets.left_out import LeftOut, RowLeftOutError
from otel_labelstudio.annotations.datasets.options import Kind
from otel_labelstudio.annotations.records import Act, JudgedAnswer, Judgement
from otel_labelstudio.calls import GenericPart, LLMCall, Message, ReasoningPart, TextPart
from otel_labelstudio.tasks.answer_parts import ToolCallTextError, answer_parts

_CORRECTED = (Act.EDITED.value, Act.REWRITTEN.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A call with an answer to learn from, and who said so.

    ``completion`` is what people vouched for, of a pair the chosen one, for KTO the answer that ``label`` judges, for
    an evaluation the model's own, of which ``reference`` is what it should have been. ``act`` is a word for what was
    done.
    """

    kind: Kind
    call: LLMCall = field(repr=False)
    completion: Message = field(repr=False)
    rejected: Message | None = field(default=None, repr=False)
    reference: Message | None = field(default=None, repr=False)
    label: bool | None = None
    act: str
    judgements: tuple[Judgement, ...] = ()

    @property
    def answers(self) -> tuple[Message, ...]:
        """All answers in it."""
        return tuple(m for m in (self.completion, self.rejected, self.reference) if m is not None)

    @property
    def comparable_answers(self) -> tuple[Message, ...]:
        """All answers, those that are learned against each other with reasoning only where both are the model's own: if
        only one had it, a trainer would learn to think or not to, and not what the person meant."""
        is_pair_of_models = self.rejected is None or all(one in self.call.output_messages for one in self.answers)
        is_corrected = self.kind is Kind.KTO and self.act in _CORRECTED
        if is_pair_of_models and not is_corrected:
            return self.answers
        return tuple(map(_without_reasoning, self.answers))


@dataclass(frozen=True, slots=True)
class NoExample:
    """That a judgement gives no row of a kind, and why."""

    kind: Kind
    reason: LeftOut


Found = Example | NoExample


def model_answer(call: LLMCall, index: int) -> Message:
    """An answer as it came from the model; raises `RowLeftOutError` where there was none."""
    if index < len(call.output_messages):
        return call.output_messages[index]
    raise RowLeftOutError(LeftOut.EMPTY_ANSWER)


def final_answer(call: LLMCall, answer: JudgedAnswer) -> Message:
    """What a person left of an answer: the model's own message where its text is as it was."""
    if answer.act.keeps_answer:
        return model_answer(call, answer.index)
    original = call.output_messages[answer.index] if answer.index < len(call.output_messages) else None
    return written_answer(call, answer.final or "", original)


def written_texts(judgement: Judgement) -> tuple[str, ...]:
    """What a person wrote beside the model's answers, or made of another model's."""
    if judgement.imported_base is None:
        return judgement.written
    finals = (answer.final for answer in judgement.answers if answer.act is not Act.UNTOUCHED)
    return (*judgement.written, *(final for final in finals if final is not None))


def written_answer(call: LLMCall, text: str, original: Message | None = None) -> Message:
    """A text as an answer, with tool calls as structure; the model's reasoning no longer fits, so it is left out."""
    if original and any(_is_unreadable(text, part) for part in original.parts):
        raise RowLeftOutError(LeftOut.UNKNOWN_PART)
    try:
        parts = answer_parts(text, call, original)
    except ToolCallTextError as error:
        raise RowLeftOutError(LeftOut.TOOL_CALL_TEXT) from error
    return Message("assistant", parts or (TextPart(""),))


def _without_reasoning(message: Message) -> Message:
    return replace(message, parts=tuple(part for part in message.parts if not isinstance(part, ReasoningPart)))


def _is_unreadable(text: str, part: object) -> bool:
    """Whether the text shows a part that has no text to go back to it from."""
    return isinstance(part, GenericPart) and f"[{part.type}]" in text


def examples_or_nothing(kind: Kind, each: Iterable[Iterator[Found]]) -> Iterator[Found]:
    """Those of all, each by itself: one that cannot be written does not take the others with it. Where there are none,
    nothing was said that gives one."""
    is_empty = True
    for found in each:
        is_empty = False
        yield from examples_or_reason(kind, found)
    if is_empty:
        yield NoExample(kind, LeftOut.NOTHING_SAID)


def examples_or_reason(kind: Kind, found: Iterator[Found]) -> Iterator[Found]:
    """The examples up to the first that cannot be made, and then why."""
    try:
        yield from found
    except RowLeftOutError as left_out:
        yield NoExample(kind, left_out.reason)

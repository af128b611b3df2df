"""KTO: answers that are good or bad, each by itself.

An answer that was removed while another one survived is bad, and so is the only one where nothing was written in its
place. That an answer was edited says nothing of how good it was; `edited_is_bad` takes it so all the same.
"""

from __future__ import annotations

from collections.abc import Iterator

from otel_labelstudio.annotations.datasets.approval import Approval, approval, may_be_cleared
from otel_labelstudio.annotations.datasets.example import (
    Example,
    Found,
    examples_or_nothing,
    final_answer,
    model_answer,
    written_answer,
)
from otel_labelstudio.annotations.datasets.options import DatasetOptions, Kind
from otel_labelstudio.annotations.records import Act, JudgedAnswer, JudgedCall, Judgement
from otel_labelstudio.calls import Message


def unpaired(judged: JudgedCall, judgement: Judgement, options: DatasetOptions) -> Iterator[Found]:
    """Each answer that was called good or bad, and each that a person wrote."""
    return examples_or_nothing(Kind.KTO, _all(judged, judgement, options))


def _all(judged: JudgedCall, judgement: Judgement, options: DatasetOptions) -> Iterator[Iterator[Found]]:
    if judgement.imported_base is not None:
        return
    for answer in judgement.answers:
        label = _label(judged, judgement, answer, options)
        if label is not None:
            yield _model_answer(judged, judgement, answer, label)
        if answer.act.changes_answer and 1 - answer.similarity >= options.min_edit:
            yield _corrected(judged, judgement, answer)
    for text in judgement.written[:1]:
        yield _written(judged, judgement, text)


def _label(judged: JudgedCall, judgement: Judgement, answer: JudgedAnswer, options: DatasetOptions) -> bool | None:
    """Whether the model's answer is good; None where nobody said."""
    said = approval(judgement, answer.index, options)
    if answer.act.changes_answer:
        is_bad = said is Approval.BAD or (options.edited_is_bad and said is not Approval.GOOD)
        return False if is_bad else None
    if answer.act is Act.REMOVED:  # of one that is called good all the same, nobody knows what is meant
        return None if said is Approval.GOOD else False
    if said in (Approval.GOOD, Approval.BAD):
        return said is Approval.GOOD
    survived_others = any(other.act is Act.REMOVED for other in judgement.answers)
    is_left = answer.act.keeps_answer and not (answer.act is Act.UNTOUCHED and may_be_cleared(judged, judgement))
    is_good = said is Approval.NONE and is_left and (survived_others or options.accepted_is_good)
    return True if is_good else None


def _model_answer(judged: JudgedCall, judgement: Judgement, answer: JudgedAnswer, label: bool) -> Iterator[Found]:
    yield _example(judged, judgement, model_answer(judged.call, answer.index), label, answer.act.value)


def _corrected(judged: JudgedCall, judgement: Judgement, answer: JudgedAnswer) -> Iterator[Found]:
    yield _example(judged, judgement, final_answer(judged.call, answer), True, answer.act.value)


def _written(judged: JudgedCall, judgement: Judgement, text: str) -> Iterator[Found]:
    yield _example(judged, judgement, written_answer(judged.call, text), True, "written")


def _example(judged: JudgedCall, judgement: Judgement, answer: Message, label: bool, act: str) -> Example:
    return Example(kind=Kind.KTO, call=judged.call, completion=answer, label=label, act=act, judgements=(judgement,))

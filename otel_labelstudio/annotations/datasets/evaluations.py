"""Evaluation: a prompt, the model's first answer, what it should have been, and what each person said of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from otel_labelstudio.annotations.datasets.canonical import message_digest
from otel_labelstudio.annotations.datasets.choosing import counting
from otel_labelstudio.annotations.datasets.example import Example, Found, NoExample, model_answer
from otel_labelstudio.annotations.datasets.left_out import LeftOut, RowLeftOutError
from otel_labelstudio.annotations.datasets.options import DatasetOptions, Kind, Several
from otel_labelstudio.annotations.datasets.supervised import supervised
from otel_labelstudio.annotations.records import JudgedCall, Judgement
from otel_labelstudio.calls import Message


def evaluation(judged: JudgedCall, judgements: Sequence[Judgement], options: DatasetOptions) -> Iterator[Found]:
    """One example a call: nobody's word is averaged away."""
    try:
        answer = model_answer(judged.call, 0)
    except RowLeftOutError as left_out:
        yield NoExample(Kind.EVAL, left_out.reason)
        return
    reference = _reference(judged, judgements, options)
    if reference is None and all(judgement.imported_base is not None for judgement in judgements):
        yield NoExample(Kind.EVAL, LeftOut.NOTHING_SAID)
        return
    yield Example(
        kind=Kind.EVAL,
        call=judged.call,
        completion=answer,
        reference=reference,
        act="judged",
        judgements=tuple(judgements),
    )


def _reference(judged: JudgedCall, judgements: Sequence[Judgement], options: DatasetOptions) -> Message | None:
    """The answer that a row for fine-tuning would have; none where people are to agree and do not."""
    counted = counting(judgements, Kind.SFT, options.several)
    asked = counted if options.several is Several.AGREE else counted[-1:]
    found = [_completion(judged, judgement, options) for judgement in asked]
    is_one = len({message and message_digest(message) for message in found}) == 1
    return found[-1] if is_one else None


def _completion(judged: JudgedCall, judgement: Judgement, options: DatasetOptions) -> Message | None:
    try:
        found = next(supervised(judged, judgement, options))
    except RowLeftOutError:
        return None
    return found.completion if isinstance(found, Example) else None

"""DPO: pairs of a chosen and a rejected answer to one prompt.

A correction is better than what it corrects, an answer that was left standing better than one that was removed, and
what a ranking or a comparison puts first better than what it puts behind. A text of the person's own is better than
what they removed or called bad.
"""

from __future__ import annotations

from collections.abc import Iterator

from otel_labelstudio.annotations.datasets.example import (
    Example,
    Found,
    NoExample,
    examples_or_nothing,
    final_answer,
    model_answer,
    written_answer,
    written_texts,
)
from otel_labelstudio.annotations.datasets.left_out import LeftOut
from otel_labelstudio.annotations.datasets.options import DatasetOptions, Kind
from otel_labelstudio.annotations.records import Act, JudgedAnswer, JudgedCall, Judgement


def preferences(judged: JudgedCall, judgement: Judgement, options: DatasetOptions) -> Iterator[Found]:
    """All pairs that a judgement says."""
    return examples_or_nothing(Kind.DPO, _pairs(judged, judgement, options))


def _pairs(judged: JudgedCall, judgement: Judgement, options: DatasetOptions) -> Iterator[Iterator[Found]]:
    if judgement.imported_base is not None:
        yield _imported(judged, judgement)
        return
    for answer in judgement.answers:
        if answer.act.changes_answer:
            yield _correction(judged, judgement, answer, options)
    removed = [answer for answer in judgement.answers if answer.act is Act.REMOVED]
    for worse in removed:
        for better in judgement.answers:
            if better.act.keeps_answer:
                yield _pair(judged, judgement, better.index, worse.index, "kept")
    bad = [one for one in judgement.answers if one.index in judgement.disliked and one.act.keeps_answer]
    for worse in (*removed, *bad):
        for text in judgement.written[:1]:
            yield _written(judged, judgement, text, worse.index)
    for one in judgement.preferences:
        yield _pair(judged, judgement, one.better, one.worse, "preferred")


def _correction(
    judged: JudgedCall, judgement: Judgement, answer: JudgedAnswer, options: DatasetOptions
) -> Iterator[Found]:
    if 1 - answer.similarity < options.min_edit:
        yield NoExample(Kind.DPO, LeftOut.SMALL_EDIT)
        return
    yield Example(
        kind=Kind.DPO,
        call=judged.call,
        completion=final_answer(judged.call, answer),
        rejected=model_answer(judged.call, answer.index),
        act=answer.act.value,
        judgements=(judgement,),
    )


def _pair(judged: JudgedCall, judgement: Judgement, better: int, worse: int, act: str) -> Iterator[Found]:
    yield Example(
        kind=Kind.DPO,
        call=judged.call,
        completion=model_answer(judged.call, better),
        rejected=model_answer(judged.call, worse),
        act=act,
        judgements=(judgement,),
    )


def _written(judged: JudgedCall, judgement: Judgement, text: str, worse: int) -> Iterator[Found]:
    yield Example(
        kind=Kind.DPO,
        call=judged.call,
        completion=written_answer(judged.call, text),
        rejected=model_answer(judged.call, worse),
        act="written",
        judgements=(judgement,),
    )


def _imported(judged: JudgedCall, judgement: Judgement) -> Iterator[Found]:
    """What a person made of another model's answer, against that answer."""
    base, texts = judgement.imported_base or "", written_texts(judgement)
    if not texts or texts[0].split() == base.split():
        yield NoExample(Kind.DPO, LeftOut.NOTHING_SAID)
        return
    yield Example(
        kind=Kind.DPO,
        call=judged.call,
        completion=written_answer(judged.call, texts[0]),
        rejected=written_answer(judged.call, base),
        act="edited",
        judgements=(judgement,),
    )

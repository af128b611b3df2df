"""From a judged call to the examples of each kind, with the reason for each that is not there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from otel_labelstudio.annotations.datasets.canonical import message_digest
from otel_labelstudio.annotations.datasets.choosing import asked_for, counting
from otel_labelstudio.annotations.datasets.evaluations import evaluation
from otel_labelstudio.annotations.datasets.example import Found, NoExample, examples_or_reason
from otel_labelstudio.annotations.datasets.left_out import REASONS, LeftOut
from otel_labelstudio.annotations.datasets.options import DatasetOptions, Kind, Several
from otel_labelstudio.annotations.datasets.preferences import preferences
from otel_labelstudio.annotations.datasets.supervised import supervised
from otel_labelstudio.annotations.datasets.unpaired import unpaired
from otel_labelstudio.annotations.records import JudgedCall, Judgement

_OF_JUDGEMENT: dict[Kind, Callable[[JudgedCall, Judgement, DatasetOptions], Iterator[Found]]] = {
    Kind.SFT: supervised,
    Kind.DPO: preferences,
    Kind.KTO: unpaired,
}


def annotations_left_out(judged: JudgedCall, options: DatasetOptions) -> Iterator[LeftOut]:
    """Why annotations do not count, whatever the kind."""
    # A reason is called what an annotation that counts for nobody is called
    yield from (REASONS[why.value] for why in judged.disregarded.values())
    yield from (why for one in judged.judgements if (why := asked_for(one, options)))


def examples_of(judged: JudgedCall, kind: Kind, options: DatasetOptions) -> Iterator[Found]:
    """All examples of one kind in a call that people judged."""
    wanted = [judgement for judgement in judged.judgements if asked_for(judgement, options) is None]
    if not wanted:
        return
    if judged.call.incomplete and not options.incomplete:
        yield NoExample(kind, LeftOut.INCOMPLETE)
        return
    if kind is Kind.EVAL:
        yield from evaluation(judged, wanted, options)
        return
    counted = counting(wanted, kind, options.several)
    yield from (NoExample(kind, LeftOut.OTHERS_COUNT) for one in wanted if one not in counted)
    find = partial(_of_judgement, judged, kind, options)
    yield from _agreed(kind, counted, find) if options.several is Several.AGREE else _each(counted, find)


def _of_judgement(judged: JudgedCall, kind: Kind, options: DatasetOptions, judgement: Judgement) -> Iterator[Found]:
    return examples_or_reason(kind, _OF_JUDGEMENT[kind](judged, judgement, options))


def _each(counted: Sequence[Judgement], find: Callable[[Judgement], Iterator[Found]]) -> Iterator[Found]:
    for judgement in counted:
        yield from find(judgement)


def _agreed(kind: Kind, counted: Sequence[Judgement], find: Callable[[Judgement], Iterator[Found]]) -> Iterator[Found]:
    """What every person says alike; where they do not, nothing."""
    found = [list(find(judgement)) for judgement in counted]
    if len({frozenset(_said(one) for one in of_one) for of_one in found}) > 1:
        yield NoExample(kind, LeftOut.DISAGREEMENT)
        return
    for of_one in found:
        yield from of_one


def _said(found: Found) -> tuple[object, ...]:
    if isinstance(found, NoExample):
        return (found.reason,)
    return (*(message_digest(answer) for answer in found.answers), found.label)

"""Whose judgements count: by person, by time spent, and where several people judged one call."""

from __future__ import annotations

from collections.abc import Sequence

from otel_labelstudio.annotations.datasets.left_out import LeftOut
from otel_labelstudio.annotations.datasets.options import DatasetOptions, Kind, Several
from otel_labelstudio.annotations.records import Judgement, User


def asked_for(judgement: Judgement, options: DatasetOptions) -> LeftOut | None:
    """Why a judgement does not count, whatever others say."""
    names = _names(judgement.annotator)
    if options.annotators and not names & options.annotators:
        return LeftOut.ANNOTATOR
    if names & options.exclude_annotators:
        return LeftOut.ANNOTATOR
    return LeftOut.LEAD_TIME if (judgement.annotation.lead_time_s or 0) < options.min_lead_time_s else None


def _names(user: User | None) -> frozenset[str]:
    return frozenset(str(name) for name in (user.id, user.email) if name is not None) if user else frozenset()


def counting(judgements: Sequence[Judgement], kind: Kind, several: Several) -> Sequence[Judgement]:
    """The judgements that count for a kind, which is all of them for an evaluation.

    Labels of KTO are voted upon, so that all count for them unless there is ground truth or only the latest is wanted.
    """
    if kind is Kind.EVAL or several in (Several.EACH, Several.AGREE) or not judgements:
        return judgements
    truth = [one for one in judgements if one.annotation.is_ground_truth]
    if several is Several.GROUND_TRUTH and truth:
        return [max(truth, key=_time)]
    if several is Several.GROUND_TRUTH and kind is Kind.KTO:
        return judgements
    return [max(judgements, key=_time)]


def _time(judgement: Judgement) -> tuple[float, int]:
    return judgement.annotation.updated_at.timestamp(), judgement.annotation.id

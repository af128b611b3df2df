"""Whether a person called an answer good or bad, by ratings, choices and rankings."""

from __future__ import annotations

from enum import Enum

from otel_labelstudio.annotations.datasets.options import DatasetOptions
from otel_labelstudio.annotations.judging.starting_point import may_be_hidden
from otel_labelstudio.annotations.records import About, JudgedCall, Judgement, Verdict


class Approval(Enum):
    GOOD = "good"
    BAD = "bad"
    UNDECIDED = "undecided"  # judged, and neither
    NONE = "none"  # not judged


# The first that any control says counts
_STRONGEST_FIRST = (Approval.BAD, Approval.UNDECIDED, Approval.GOOD)


def approval(judgement: Judgement, index: int, options: DatasetOptions) -> Approval:
    """What a person thinks of the answer as it came from the model, not of what they made of it.

    What is said of the whole call is said of its first answer, as the layouts' headers ask for it. Where several
    controls speak, the worst of them counts.
    """
    if index in judgement.disliked:
        return Approval.BAD
    said = {_of(verdict, options) for verdict in judgement.verdicts if _is_about(verdict, index)}
    if index in judgement.liked:
        said.add(Approval.GOOD)
    return next((one for one in _STRONGEST_FIRST if one in said), Approval.NONE)


def _is_about(verdict: Verdict, index: int) -> bool:
    if verdict.about is About.CALL:
        return index == 0
    return verdict.about is About.ANSWER and (verdict.index or 0) == index


def _of(verdict: Verdict, options: DatasetOptions) -> Approval:
    match verdict.kind, verdict.value:
        case "rating", float() | int() as rating:
            return _of_rating(rating, options)
        case "choices", tuple() as values:
            return _of_choices(verdict.name, values, options)
    return Approval.NONE


def _of_rating(rating: float, options: DatasetOptions) -> Approval:
    if rating <= options.max_bad_rating:
        return Approval.BAD
    return Approval.GOOD if rating >= options.min_rating else Approval.UNDECIDED


def _of_choices(name: str, values: tuple[str, ...], options: DatasetOptions) -> Approval:
    chosen = {(name, value) for value in values}
    if chosen & options.bad:
        return Approval.BAD
    if chosen & options.good:
        return Approval.GOOD
    # A control whose other values say good, as "unsure" of a verdict
    return Approval.UNDECIDED if any(name == control for control, _ in options.good) and values else Approval.NONE


def may_be_cleared(judged: JudgedCall, judgement: Judgement) -> bool:
    """Whether an annotation without a text may be of somebody who cleared it. With its prediction Label Studio forgets
    that an annotation began with it, and a box that a choice hides leaves nothing either: then nobody can tell whether
    an answer was left as it was or taken away."""
    origin, annotation = judged.task.origin, judgement.annotation
    was_sent = origin is not None and origin.answers_sha256 is not None
    is_of_page = any(region.origin for region in annotation.regions)
    is_unknown = annotation.parent_prediction_id is None or may_be_hidden(judged.task)
    return was_sent and is_of_page and is_unknown

"""Whether a person called an answer good or bad, by ratings, choices and rankings."""

from __future__ import annotations

from enum import Enum

from otel_labelstudio.annotations.datasets.options import DatasetOptions
from otel_labelstudio.annotations.records import About, JudgedCall, Judgement, Verdict


class Opinion(Enum):
    GOOD = "good"
    BAD = "bad"
    UNDECIDED = "undecided"  # judged, and neither
    NONE = "none"  # not judged


# The first that any control says counts
_STRONGEST_FIRST = (Opinion.BAD, Opinion.UNDECIDED, Opinion.GOOD)


def opinion(judgement: Judgement, index: int, options: DatasetOptions) -> Opinion:
    """What a person thinks of the answer as it came from the model, not of what they made of it.

    What is said of the whole call is said of its first answer, as the layouts' headers ask for it. Where several
    controls speak, the worst of them counts.
    """
    if index in judgement.disliked:
        return Opinion.BAD
    said = {_of(verdict, options) for verdict in judgement.verdicts if _is_about(verdict, index)}
    if index in judgement.liked:
        said.add(Opinion.GOOD)
    return next((one for one in _STRONGEST_FIRST if one in said), Opinion.NONE)


def _is_about(verdict: Verdict, index: int) -> bool:
    if verdict.about is About.CALL:
        return index == 0
    return verdict.about is About.ANSWER and (verdict.index or 0) == index


def _of(verdict: Verdict, options: DatasetOptions) -> Opinion:
    match verdict.kind, verdict.value:
        case "rating", float() | int() as rating:
            return _of_rating(rating, options)
        case "choices", tuple() as values:
            return _of_choices(verdict.name, values, options)
    return Opinion.NONE


def _of_rating(rating: float, options: DatasetOptions) -> Opinion:
    if rating <= options.max_bad_rating:
        return Opinion.BAD
    return Opinion.GOOD if rating >= options.min_rating else Opinion.UNDECIDED


def _of_choices(name: str, values: tuple[str, ...], options: DatasetOptions) -> Opinion:
    chosen = {(name, value) for value in values}
    if chosen & options.bad:
        return Opinion.BAD
    if chosen & options.good:
        return Opinion.GOOD
    # A control whose other values say good, as "unsure" of a verdict
    return Opinion.UNDECIDED if any(name == control for control, _ in options.good) and values else Opinion.NONE


def may_be_cleared(judged: JudgedCall, judgement: Judgement) -> bool:
    """Whether an annotation without a text may be of somebody who cleared it. With its prediction Label Studio forgets
    that an annotation began with it, so that nobody can tell whether an answer was left as it was or taken away."""
    origin, annotation = judged.task.origin, judgement.annotation
    was_sent = origin is not None and origin.answers_sha256 is not None
    is_of_page = any(region.origin for region in annotation.regions)
    return was_sent and is_of_page and annotation.parent_prediction_id is None

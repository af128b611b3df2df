"""The answers that a person saw, and what became of them."""

from __future__ import annotations

from otel_labelstudio.annotations.judging.comparison import compare
from otel_labelstudio.annotations.records import JudgedAnswer, Judgement


def seen_answers(judgement: Judgement) -> tuple[JudgedAnswer, ...]:
    """The call's own; where the person began with another model's answer, that one. None where they only compared the
    answers: who says which is the best leaves the texts alone, and does not approve of them."""
    if judgement.imported_base is None:
        only_compared = _is_comparison(judgement) and all(answer.act.keeps_answer for answer in judgement.answers)
        return () if only_compared else judgement.answers
    finals = [answer.final for answer in judgement.answers if answer.final is not None]
    return compare((judgement.imported_base,), (*finals, *judgement.written)).answers


def _is_comparison(judgement: Judgement) -> bool:
    return bool(judgement.preferences or judgement.liked or judgement.disliked)

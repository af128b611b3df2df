"""The answers that a person saw, and what became of them."""

from __future__ import annotations

from otel_labelstudio.annotations.judging.comparison import compare, without_text
from otel_labelstudio.annotations.records import Act, JudgedAnswer, Judgement


def seen_answers(judgement: Judgement) -> tuple[JudgedAnswer, ...]:
    """The call's own; where the person began with another model's answer, that one."""
    if judgement.imported_base is None:
        return judgement.answers
    if any(answer.act is Act.UNTOUCHED for answer in judgement.answers) and not judgement.written:
        return without_text((judgement.imported_base,), is_removed=False).answers
    finals = [answer.final for answer in judgement.answers if answer.final is not None]
    return compare((judgement.imported_base,), (*finals, *judgement.written)).answers


def reviewed_answers(judgement: Judgement) -> tuple[JudgedAnswer, ...]:
    """Those whose text the person was there to approve or to change. Who compares answers is not: they leave texts
    alone without approving of them, and mend at most the best one."""
    is_comparison = judgement.preferences or judgement.liked or judgement.disliked
    return () if is_comparison else seen_answers(judgement)

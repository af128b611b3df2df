"""SFT: the answer that a person vouched for, one a judgement.

An edited answer counts whatever its rating, which is of the answer as it came. Of several answers the best one that
survived counts: by the ranking where there is one, else the first.
"""

from __future__ import annotations

from collections.abc import Iterator

from otel_labelstudio.annotations.datasets.approval import Approval, approval, may_be_cleared
from otel_labelstudio.annotations.datasets.example import (
    Example,
    Found,
    NoExample,
    final_answer,
    written_answer,
    written_texts,
)
from otel_labelstudio.annotations.datasets.left_out import LeftOut
from otel_labelstudio.annotations.datasets.options import DatasetOptions, Kind
from otel_labelstudio.annotations.records import Act, JudgedAnswer, JudgedCall, Judgement

_REASONS = {Approval.BAD: LeftOut.BAD, Approval.UNDECIDED: LeftOut.UNDECIDED}
# The model's text stands, but perhaps for white space
_KEPT = (Act.ACCEPTED, Act.UNTOUCHED, Act.WHITESPACE)


def supervised(judged: JudgedCall, judgement: Judgement, options: DatasetOptions) -> Iterator[Found]:
    """One example, or the reason why there is none."""
    reasons: list[LeftOut] = []
    if judgement.imported_base is None:
        for answer in _best_first(judgement):
            reason = _reason(judged, judgement, answer, options, is_vouched_for=set(reasons) <= {LeftOut.REMOVED})
            if reason is None:
                yield _example(judged, judgement, answer)
                return
            reasons.append(reason)
    text = next(iter(written_texts(judgement)), None)
    if text is None:
        yield NoExample(Kind.SFT, reasons[0] if reasons else LeftOut.NOTHING_SAID)
    elif why := _why_not_learned(judgement, text, options):
        yield NoExample(Kind.SFT, why)
    else:
        completion = written_answer(judged.call, text)
        yield Example(kind=Kind.SFT, call=judged.call, completion=completion, act="written", judgements=(judgement,))


def _example(judged: JudgedCall, judgement: Judgement, answer: JudgedAnswer) -> Example:
    completion = final_answer(judged.call, answer)
    return Example(
        kind=Kind.SFT, call=judged.call, completion=completion, act=answer.act.value, judgements=(judgement,)
    )


def _why_not_learned(judgement: Judgement, text: str, options: DatasetOptions) -> LeftOut | None:
    """Of another model's answer that a person left as it was; what they wrote counts whatever they called it."""
    if judgement.imported_base is None or text.split() != judgement.imported_base.split():
        return None
    if why := _REASONS.get(approval(judgement, 0, options)):
        return why
    return LeftOut.ACCEPTED if text == judgement.imported_base and not options.accepted else None


def _best_first(judgement: Judgement) -> list[JudgedAnswer]:
    losses = {answer.index: 0 for answer in judgement.answers}
    for preference in judgement.preferences:
        losses[preference.worse] = losses.get(preference.worse, 0) + 1
    return sorted(judgement.answers, key=lambda one: (one.index not in judgement.liked, losses[one.index], one.index))


def _reason(
    judged: JudgedCall, judgement: Judgement, answer: JudgedAnswer, options: DatasetOptions, *, is_vouched_for: bool
) -> LeftOut | None:
    """Why an answer is nothing to learn. ``is_vouched_for`` if leaving it as it is says that it is good: that of the
    first answer is bad does not make the second one good."""
    if answer.act is Act.REMOVED:
        return LeftOut.REMOVED
    if answer.act not in _KEPT:
        return None
    said = approval(judgement, answer.index, options)
    if why := _REASONS.get(said):
        return why
    if answer.act is Act.UNTOUCHED and may_be_cleared(judged, judgement):
        is_vouched_for = False
    if said is Approval.NONE and (not is_vouched_for or _is_only_compared(judgement)):
        return LeftOut.NOTHING_SAID
    is_untouched = answer.act is not Act.WHITESPACE
    return LeftOut.ACCEPTED if is_untouched and not options.accepted else None


def _is_only_compared(judgement: Judgement) -> bool:
    """That one answer is better than another does not make it good: a Pairwise alone vouches for none."""
    pairwise = {region.from_name for region in judgement.annotation.regions if region.type == "pairwise"}
    compared = {preference.control for preference in judgement.preferences}
    return bool(compared) and compared <= pairwise and all(answer.act.keeps_answer for answer in judgement.answers)

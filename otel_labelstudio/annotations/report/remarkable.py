"""The tasks that a reader should look at: answers that were removed, rated low, or changed most."""

from __future__ import annotations

import heapq
from collections.abc import Iterator

from otel_labelstudio.annotations.records import JudgedCall, Judgement
from otel_labelstudio.annotations.report.fields import value_of
from otel_labelstudio.annotations.report.links import link_to
from otel_labelstudio.annotations.report.records import Remarkable
from otel_labelstudio.annotations.report.seen import seen_answers
from otel_labelstudio.annotations.report.tally import BECAME, EDITED, REMOVED
from otel_labelstudio.annotations.report.words import percent

SHOWN = 15
_LONGEST_COMMENT = 240
# Less than this much of an answer changed is no reason to look at it
_SMALLEST_EDIT = 0.2


class RemarkableTally:
    """Keeps the most remarkable calls, and of equally remarkable ones the first."""

    def __init__(self) -> None:
        self._kept: list[tuple[float, int, Remarkable]] = []
        self._number = 0

    def add(self, judged: JudgedCall) -> None:
        """A call, which is kept if it is among the most remarkable so far."""
        weight, why, comment = max((_remark(judgement) for judgement in judged.judgements), default=(0.0, "", ""))
        self._number += 1
        if weight > 0:
            entry = Remarkable(link_to(judged.task), value_of("model", judged, None), why, comment)
            heapq.heappush(self._kept, (weight, -self._number, entry))
            if len(self._kept) > SHOWN:
                heapq.heappop(self._kept)

    def most(self) -> tuple[Remarkable, ...]:
        """The most remarkable first."""
        return tuple(entry for _, _, entry in sorted(self._kept, key=lambda kept: kept[:2], reverse=True))


def _remark(judgement: Judgement) -> tuple[float, str, str]:
    reasons = sorted(_reasons(judgement), reverse=True)
    if not reasons:
        return 0.0, "", ""
    comment = " / ".join(judgement.comments)[:_LONGEST_COMMENT]
    return sum(weight for weight, _ in reasons), ", ".join(why for _, why in reasons), comment


def _reasons(judgement: Judgement) -> Iterator[tuple[float, str]]:
    answers = seen_answers(judgement)
    became = [BECAME[answer.act] for answer in answers]
    if REMOVED in became and set(became) == {REMOVED}:
        yield 1.0, "removed"
    size = max((1 - a.similarity for a in answers if BECAME[a.act] == EDITED), default=0.0)
    if size >= _SMALLEST_EDIT:
        yield size, f"{percent(size)} of an answer changed"
    for verdict in judgement.verdicts:
        if verdict.kind == "rating" and verdict.max_value and isinstance(verdict.value, int | float):
            low = 1 - verdict.value / verdict.max_value
            if low >= 0.5:
                yield low, f"{verdict.name} {verdict.value:g} of {verdict.max_value:g}"

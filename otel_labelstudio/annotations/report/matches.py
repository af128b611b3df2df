"""Which model's answer people preferred, where a task had answers of several models."""

from __future__ import annotations

from collections import defaultdict
from statistics import fmean

from otel_labelstudio.annotations.records import JudgedCall
from otel_labelstudio.annotations.report.fields import NOT_SET
from otel_labelstudio.annotations.report.records import Match
from otel_labelstudio.annotations.report.summary import share

_MOST_PAIRS = 1_000
SHOWN = 30


class MatchTally:
    """Counts, for each pair of models, the calls in which both were compared. Of a call's pairs of their answers each
    counts for its part."""

    def __init__(self) -> None:
        self._calls: dict[tuple[str, str], int] = {}
        self._won: dict[tuple[str, str], float] = defaultdict(float)

    def add(self, judged: JudgedCall) -> None:
        """A call; most have answers of one model only."""
        models = judged.call.answer_models
        wins: dict[tuple[str, str], list[bool]] = defaultdict(list)
        for preference in (preference for judgement in judged.judgements for preference in judgement.preferences):
            if max(preference.better, preference.worse) < len(models):
                better, worse = (models[index] or NOT_SET for index in (preference.better, preference.worse))
                if better != worse:
                    one, other = sorted((better, worse))
                    wins[one, other].append(better == one)
        for pair, won in wins.items():
            if pair in self._calls or len(self._calls) < _MOST_PAIRS:
                self._calls[pair] = self._calls.get(pair, 0) + 1
                self._won[pair] += fmean(won)

    def matches(self) -> tuple[Match, ...]:
        """The winner first in each; the pair that was compared most comes first."""
        found = []
        for (one, other), calls in sorted(self._calls.items(), key=lambda item: (-item[1], item[0])):
            won = self._won[one, other]
            first, second, count = (one, other, won) if won >= calls / 2 else (other, one, calls - won)
            found.append(Match(first, second, share(count, calls)))
        return tuple(found[:SHOWN])

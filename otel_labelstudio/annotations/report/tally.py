"""Counts what people said of a group of calls, one call after the other; holds no text of theirs."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from math import isfinite
from statistics import fmean

from otel_labelstudio.annotations.records import Act, JudgedAnswer, Judgement
from otel_labelstudio.annotations.report.seen import reviewed_answers

UNCHANGED, EDITED, REMOVED = "unchanged", "edited", "removed"
# White space alone is no edit: nobody reads another answer
BECAME = {
    **dict.fromkeys((Act.ACCEPTED, Act.UNTOUCHED, Act.WHITESPACE), UNCHANGED),
    **dict.fromkeys((Act.EDITED, Act.REWRITTEN), EDITED),
    Act.REMOVED: REMOVED,
}
# Means of a call are counted in steps, so that a million calls need no more room than a thousand
_STEP = 2
_NUMBERS = ("rating", "number")


@dataclass(slots=True)
class Weighed:
    """Values of ``calls`` calls, each call with the weight of one."""

    calls: int = 0
    values: Counter[str] = field(default_factory=Counter)

    def add(self, said: Sequence[Iterable[str]]) -> None:
        """What was said of one call, each time one value or several."""
        self.calls += 1
        for values in said:
            for value in values:
                self.values[value] += 1 / len(said)  # type: ignore[assignment]  # a Counter counts fractions too


@dataclass(slots=True)
class PlaceTally:
    """One answer among others that it was compared with."""

    calls: int = 0
    first: float = 0.0
    won: int = 0
    pairs: int = 0


@dataclass(slots=True)
class Tally:
    """The counts of one group."""

    calls: int = 0
    judgements: int = 0
    annotators: set[int] = field(default_factory=set)
    became: Weighed = field(default_factory=Weighed)
    edit_sizes: Counter[float] = field(default_factory=Counter)
    numbers: dict[tuple[str, str], Counter[float]] = field(default_factory=lambda: defaultdict(Counter))
    scales: dict[str, float] = field(default_factory=dict)
    choices: dict[str, Weighed] = field(default_factory=lambda: defaultdict(Weighed))
    places: dict[int, PlaceTally] = field(default_factory=lambda: defaultdict(PlaceTally))
    written: int = 0
    comments: int = 0
    lead_times_s: Counter[float] = field(default_factory=Counter)

    def add(self, judgements: Sequence[Judgement]) -> None:
        """What people said of one call."""
        self.calls += 1
        self.judgements += len(judgements)
        self.annotators |= {judgement.annotator.id for judgement in judgements if judgement.annotator}
        self._add_answers([answer for judgement in judgements for answer in reviewed_answers(judgement)])
        self._add_verdicts(judgements)
        self._add_places([judgement for judgement in judgements if judgement.preferences])
        for judgement in judgements:
            self.written += bool(judgement.written)
            self.comments += bool(judgement.comments)
            lead_time_s = judgement.annotation.lead_time_s
            if lead_time_s is not None and isfinite(lead_time_s):
                self.lead_times_s[float(round(lead_time_s))] += 1

    def _add_answers(self, answers: Sequence[JudgedAnswer]) -> None:
        if not answers:
            return
        self.became.add([(BECAME[answer.act],) for answer in answers])
        sizes = [1 - answer.similarity for answer in answers if BECAME[answer.act] == EDITED]
        if sizes:
            self.edit_sizes[round(fmean(sizes), _STEP)] += 1

    def _add_verdicts(self, judgements: Sequence[Judgement]) -> None:
        numbers: dict[tuple[str, str], list[float]] = defaultdict(list)
        choices: dict[str, list[tuple[str, ...]]] = defaultdict(list)
        for verdict in (verdict for judgement in judgements for verdict in judgement.verdicts):
            if verdict.kind in _NUMBERS and isinstance(verdict.value, int | float):
                numbers[verdict.name, verdict.kind].append(float(verdict.value))
                if verdict.max_value is not None:
                    self.scales[verdict.name] = verdict.max_value
            elif isinstance(verdict.value, tuple):
                choices[verdict.name].append(verdict.value)
        for key, values in numbers.items():
            self.numbers[key][round(fmean(values), _STEP)] += 1
        for name, said in choices.items():
            self.choices[name].add(said)

    def _add_places(self, judgements: Sequence[Judgement]) -> None:
        for index in sorted(set(_each(judgements, compared))):
            place = self.places[index]
            offered = [judgement for judgement in judgements if index in compared(judgement)]
            place.calls += 1
            place.first += fmean(index in first_places(judgement) for judgement in offered)
            pairs = [pair for judgement in offered for pair in judgement.preferences]
            won = sum(pair.better == index for pair in pairs)
            place.won += won
            place.pairs += won + sum(pair.worse == index for pair in pairs)


def compared(judgement: Judgement) -> frozenset[int]:
    """The answers that a person compared with others."""
    return frozenset(index for pair in judgement.preferences for index in (pair.better, pair.worse))


def first_places(judgement: Judgement) -> frozenset[int]:
    """Of those the ones that are worse than none."""
    return compared(judgement) - {pair.worse for pair in judgement.preferences}


def _each(judgements: Iterable[Judgement], of: Callable[[Judgement], Iterable[int]]) -> Iterator[int]:
    for judgement in judgements:
        yield from of(judgement)

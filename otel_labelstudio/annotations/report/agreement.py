"""How far people agree who judged the same: Krippendorff's alpha, control by control.

Choices are nominal (several chosen ones are one value), ratings ordinal, numbers interval. A unit is what a control is
about: a call, or one of its answers, steps or turns. What became of an answer's text is a control too.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from math import comb
from typing import Any, Literal, TypeAlias

import krippendorff
import numpy as np

from otel_labelstudio.annotations.records import JudgedCall, Judgement
from otel_labelstudio.annotations.report.intervals import TOO_FEW, Floats, percentiles
from otel_labelstudio.annotations.report.records import Agreement, Interval
from otel_labelstudio.annotations.report.seen import reviewed_answers
from otel_labelstudio.annotations.report.tally import BECAME, first_places

TEXT, FIRST_PLACE = "answer text", "first place"
_DRAWS, _SEED = 300, 11

Level: TypeAlias = Literal["nominal", "ordinal", "interval"]
_LEVELS: dict[str, Level] = {"rating": "ordinal", "number": "interval"}
_NOMINAL: Level = "nominal"

# A control and its level; the unit within a call; what one person said of it
Control: TypeAlias = tuple[str, Level]
Unit: TypeAlias = tuple[str, int | None]
Value: TypeAlias = float | str


class AgreementTally:
    """Counts the units that several people judged, by what they said."""

    def __init__(self) -> None:
        self._units: dict[Control, Counter[tuple[Value, ...]]] = defaultdict(Counter)

    def add(self, judged: JudgedCall) -> None:
        """A call, whoever judged it."""
        if len(judged.judgements) < 2:
            return
        units: dict[tuple[Control, Unit], list[Value]] = defaultdict(list)
        for judgement in judged.judgements:
            for control, unit, value in _said(judgement):
                units[control, unit].append(value)
        for (control, _), values in units.items():
            if len(values) > 1:
                self._units[control][tuple(sorted(values, key=str))] += 1

    def agreement(self) -> Iterator[Agreement]:
        """Of each control, by name."""
        for (name, level), units in sorted(self._units.items()):
            alpha, interval = _alpha(units, level)
            pairs = sum(comb(len(values), 2) * times for values, times in units.items())
            yield Agreement(name, level, alpha, interval, sum(units.values()), pairs)


def _said(judgement: Judgement) -> Iterator[tuple[Control, Unit, Value]]:
    # Who saw another model's answer says nothing of this one
    for answer in reviewed_answers(judgement) if judgement.imported_base is None else ():
        yield (TEXT, _NOMINAL), ("answer", answer.index), BECAME[answer.act]
    if judgement.preferences:
        yield (FIRST_PLACE, _NOMINAL), ("call", None), " ".join(map(str, sorted(first_places(judgement))))
    for verdict in judgement.verdicts:
        unit = verdict.about.value, verdict.index
        if isinstance(verdict.value, tuple):
            yield (verdict.name, _NOMINAL), unit, " + ".join(sorted(verdict.value))
        elif verdict.kind in _LEVELS:
            yield (verdict.name, _LEVELS[verdict.kind]), unit, float(verdict.value)


def _alpha(units: Counter[tuple[Value, ...]], level: Level) -> tuple[float | None, Interval | None]:
    domain = sorted({value for values in units for value in values}, key=_order)
    if sum(units.values()) < TOO_FEW or len(domain) < 2:
        return None, None
    rows = np.array([[values.count(value) for value in domain] for values in units], dtype=np.float64)
    table = np.repeat(rows, list(units.values()), axis=0)
    return _of_table(table, domain, level), _interval(table, domain, level)


def _interval(table: Floats, domain: list[Value], level: Level) -> Interval | None:
    """From samples of the units, drawn with replacement; those in which all say the same have no alpha."""
    rng = np.random.default_rng(_SEED)
    samples = (table[rng.integers(len(table), size=len(table))] for _ in range(_DRAWS))
    alphas = [_of_table(sample, domain, level) for sample in samples if (sample.sum(axis=0) > 0).sum() > 1]
    return percentiles(np.array(alphas)) if alphas else None


def _of_table(table: Floats, domain: list[Value], level: Level) -> float:
    values: Any = np.arange(len(domain)) if level == _NOMINAL else domain
    return float(krippendorff.alpha(value_counts=table, value_domain=values, level_of_measurement=level))


def _order(value: Value) -> tuple[bool, float, str]:
    return (False, value, "") if isinstance(value, float) else (True, 0.0, value)

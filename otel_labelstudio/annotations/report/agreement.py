"""How far people agree who judged the same: Krippendorff's alpha, control by control.

Choices are nominal (several chosen ones are one value), ratings ordinal, numbers interval. A unit is what a control is
about: a call, or one of its answers, steps or turns. What became of an answer's text is a control too.

The work grows with the units times the square of the different values. So numbers of many different values are rounded
to `_MOST_NUMBERS` equal steps, alpha is not computed above `_MOST_CELLS` cells, and the bootstrap makes fewer draws, or
none, where `_DRAWS` would take more than some ten seconds.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from math import comb
from statistics import fmean
from typing import Any, Literal, TypeAlias

import krippendorff
import numpy as np

from otel_labelstudio.annotations.records import JudgedCall, Judgement
from otel_labelstudio.annotations.report.intervals import TOO_FEW, Floats, percentiles
from otel_labelstudio.annotations.report.records import Agreement, Interval
from otel_labelstudio.annotations.report.seen import reviewed_answers
from otel_labelstudio.annotations.report.tally import BECAME, first_places

TEXT, FIRST_PLACE = "answer text", "first place"
_DRAWS, _FEWEST_DRAWS, _SEED = 300, 100, 11
_MOST_NUMBERS = 20
# Units times the square of the values: of one table, and of all draws together
_MOST_CELLS, _MOST_DRAWN_CELLS = 20_000_000, 250_000_000

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
        units: dict[tuple[Control, Unit, str | None], list[Value]] = defaultdict(list)
        for judgement in judged.judgements:
            for (control, unit), value in _said_once(judgement):
                units[control, unit, judgement.imported_base].append(value)
        for (control, _, _), values in units.items():
            if len(values) > 1:
                self._units[control][tuple(sorted(values, key=str))] += 1

    def agreement(self) -> Iterator[Agreement]:
        """Of each control, by name."""
        for (name, level), units in sorted(self._units.items()):
            alpha, interval = _alpha(units, level)
            pairs = sum(comb(len(values), 2) * times for values, times in units.items())
            yield Agreement(name, level, alpha, interval, sum(units.values()), pairs)


def _said_once(judgement: Judgement) -> Iterator[tuple[tuple[Control, Unit], Value]]:
    """One value of a person for each control and unit: who labels two words of a turn does not disagree with anybody.
    Several labels are one value, as several choices are; of several numbers it is the mean."""
    values: dict[tuple[Control, Unit], list[Value]] = defaultdict(list)
    for control, unit, value in _said(judgement):
        values[control, unit].append(value)
    for of, said in values.items():
        numbers = [value for value in said if isinstance(value, float)]
        yield of, fmean(numbers) if numbers else " + ".join(sorted({str(value) for value in said}))


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
    if level == "interval":
        units = _in_steps(units)
    domain = sorted({value for values in units for value in values}, key=_order)
    cells = units.total() * len(domain) ** 2
    if units.total() < TOO_FEW or len(domain) < 2 or cells > _MOST_CELLS:
        return None, None
    rows = np.array([[values.count(value) for value in domain] for values in units], dtype=np.float64)
    table = np.repeat(rows, list(units.values()), axis=0)
    draws = min(_DRAWS, _MOST_DRAWN_CELLS // cells)
    interval = _interval(table, domain, level, draws) if draws >= _FEWEST_DRAWS else None
    return _of_table(table, domain, level), interval


def _in_steps(units: Counter[tuple[Value, ...]]) -> Counter[tuple[Value, ...]]:
    """Numbers, each rounded to the nearest of equal steps from the lowest to the highest, where too many differ."""
    numbers = sorted({float(value) for values in units for value in values})
    if len(numbers) <= _MOST_NUMBERS:
        return units
    steps = np.linspace(numbers[0], numbers[-1], _MOST_NUMBERS)
    nearest = {number: float(steps[np.abs(steps - number).argmin()]) for number in numbers}
    found: Counter[tuple[Value, ...]] = Counter()
    for values, times in units.items():
        found[tuple(nearest[float(value)] for value in values)] += times
    return found


def _interval(table: Floats, domain: list[Value], level: Level, draws: int) -> Interval | None:
    """From samples of the units, drawn with replacement; those in which all say the same have no alpha."""
    rng = np.random.default_rng(_SEED)
    samples = (table[rng.integers(len(table), size=len(table))] for _ in range(draws))
    alphas = [_of_table(sample, domain, level) for sample in samples if (sample.sum(axis=0) > 0).sum() > 1]
    return percentiles(np.array(alphas)) if alphas else None


def _of_table(table: Floats, domain: list[Value], level: Level) -> float:
    values: Any = np.arange(len(domain)) if level == _NOMINAL else domain
    return float(krippendorff.alpha(value_counts=table, value_domain=values, level_of_measurement=level))


def _order(value: Value) -> tuple[bool, float, str]:
    return (False, value, "") if isinstance(value, float) else (True, 0.0, value)

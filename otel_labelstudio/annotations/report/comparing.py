"""What changed from one period to another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from otel_labelstudio.annotations.report.intervals import mean_difference, newcombe
from otel_labelstudio.annotations.report.records import Difference, Period
from otel_labelstudio.annotations.report.summary import distribution
from otel_labelstudio.annotations.report.tally import EDITED, REMOVED, UNCHANGED, Tally, Weighed
from otel_labelstudio.annotations.times import utc
from otel_labelstudio.errors import ConfigError

_HOW = "Write --compare FROM..TO,FROM..TO with dates such as 2026-11-01; an end may be left open."


def periods(text: str) -> tuple[Period, Period]:
    """The two periods that ``FROM..TO,FROM..TO`` names; raises `ConfigError`."""
    parts = [part.split("..") for part in text.split(",")]
    if len(parts) != 2 or any(len(part) != 2 for part in parts):
        raise ConfigError(f"{text!r} does not name two periods. {_HOW}")
    before, after = (Period(*(moment(end) if end.strip() else None for end in part)) for part in parts)
    return before, after


def moment(text: str) -> datetime:
    """A date or a time in ISO 8601, in UTC unless it says otherwise; raises `ConfigError`."""
    try:
        return utc(text)
    except ValueError:
        raise ConfigError(f"{text!r} is no date. {_HOW}") from None


def differences(before: Tally, after: Tally) -> Iterator[Difference]:
    """Of all figures that both have: what became of the texts, what was chosen, how it was rated."""
    for what in (UNCHANGED, EDITED, REMOVED):
        yield from _of_shares(f"text {what}", what, before.became, after.became)
    for control in sorted(before.choices.keys() & after.choices.keys()):
        one, other = before.choices[control], after.choices[control]
        for value in sorted(one.values.keys() | other.values.keys()):
            yield from _of_shares(f"{control}: {value}", value, one, other)
    for control, kind in sorted(before.numbers.keys() & after.numbers.keys()):
        yield _of_means(f"{control}, mean", before.numbers[control, kind], after.numbers[control, kind])


def _of_shares(figure: str, value: str, before: Weighed, after: Weighed) -> Iterator[Difference]:
    if before.calls and after.calls:
        one = min(before.values[value], before.calls), before.calls
        other = min(after.values[value], after.calls), after.calls
        shares = one[0] / one[1], other[0] / other[1]
        yield Difference(figure, *shares, one[1], other[1], newcombe(one, other))


def _of_means(figure: str, before: Mapping[float, int], after: Mapping[float, int]) -> Difference:
    one, other = distribution(before), distribution(after)
    interval = mean_difference(before, after)
    return Difference(figure, one.mean, other.mean, one.calls, other.calls, interval, is_share=False)

"""From the counts of a group to its figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from otel_labelstudio.annotations.report.intervals import mean_interval, wilson
from otel_labelstudio.annotations.report.records import Choices, Distribution, Group, Numbers, Place, Share
from otel_labelstudio.annotations.report.tally import EDITED, REMOVED, UNCHANGED, PlaceTally, Tally, Weighed


def group(name: str, tally: Tally) -> Group:
    """The figures of all that was counted."""
    lead_times = tally.lead_times_s
    return Group(
        name=name,
        calls=tally.calls,
        judgements=tally.judgements,
        annotators=len(tally.annotators),
        unchanged=became(tally, UNCHANGED),
        edited=became(tally, EDITED),
        removed=became(tally, REMOVED),
        edit_size=distribution(tally.edit_sizes) if tally.edit_sizes else None,
        numbers=tuple(_numbers(tally)),
        choices=tuple(_choices(tally)),
        places=tuple(_place(index, place) for index, place in sorted(tally.places.items())),
        written=tally.written,
        comments=tally.comments,
        median_lead_time_s=median(lead_times) if lead_times else None,
    )


def became(tally: Tally, what: str) -> Share:
    """In how many calls that became of the answer."""
    return share(tally.became.values[what], tally.became.calls)


def share(count: float, calls: int) -> Share:
    """A share with its interval."""
    return Share(round(count, 6), calls, wilson(min(count, calls), calls))


def distribution(counts: Mapping[float, int], max_value: float | None = None) -> Distribution:
    """Of values that come so many times each; there is at least one."""
    ordered = {value: counts[value] for value in sorted(counts)}
    calls = sum(ordered.values())
    mean = sum(value * times for value, times in ordered.items()) / calls
    return Distribution(calls, mean, median(ordered), mean_interval(ordered), tuple(ordered.items()), max_value)


def median(counts: Mapping[float, int]) -> float:
    """The middle value, or the mean of the two in the middle."""
    calls = sum(counts.values())
    return (_value_at(counts, (calls - 1) // 2) + _value_at(counts, calls // 2)) / 2


def _value_at(counts: Mapping[float, int], position: int) -> float:
    for value in sorted(counts):
        position -= counts[value]
        if position < 0:
            return value
    raise IndexError(position)


def _numbers(tally: Tally) -> Iterator[Numbers]:
    for (control, kind), counts in sorted(tally.numbers.items()):
        yield Numbers(control, kind, distribution(counts, tally.scales.get(control)))


def _choices(tally: Tally) -> Iterator[Choices]:
    """The control that was used most comes first."""
    for control, weighed in sorted(tally.choices.items(), key=lambda item: (-item[1].calls, item[0])):
        yield Choices(control, weighed.calls, _values(weighed))


def _values(weighed: Weighed) -> tuple[tuple[str, Share], ...]:
    ordered = sorted(weighed.values.items(), key=lambda item: (-item[1], item[0]))
    return tuple((value, share(count, weighed.calls)) for value, count in ordered)


def _place(index: int, place: PlaceTally) -> Place:
    return Place(index, share(place.first, place.calls), place.won, place.pairs)

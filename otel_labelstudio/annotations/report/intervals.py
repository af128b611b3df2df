"""Intervals at 95 %: Wilson's for a share, Newcombe's for the difference of two, percentiles of a bootstrap for means.

Below `TOO_FEW` calls there is none: 3 of 4 is all that can be said. A bootstrap draws with a seed of its own, so that
the same annotations always give the same report.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from otel_labelstudio.annotations.report.records import Interval

TOO_FEW = 10
_Z = NormalDist().inv_cdf(0.975)
_PERCENTILES = (2.5, 97.5)
_DRAWS, _SEED = 2_000, 7

Floats = NDArray[np.float64]


def wilson(count: float, calls: int) -> Interval | None:
    """Wilson's score interval of a share; the count need not be whole."""
    if calls < TOO_FEW:
        return None
    share, weight = count / calls, _Z**2 / calls
    center = (share + weight / 2) / (1 + weight)
    spread = _Z / (1 + weight) * sqrt(share * (1 - share) / calls + weight / (4 * calls))
    return Interval(max(0.0, center - spread), min(1.0, center + spread))


def newcombe(before: tuple[float, int], after: tuple[float, int]) -> Interval | None:
    """Newcombe's hybrid score interval (his method 10) of the share after minus the share before."""
    one, other = wilson(*before), wilson(*after)
    if one is None or other is None:
        return None
    share_before, share_after = before[0] / before[1], after[0] / after[1]
    low = sqrt((share_after - other.low) ** 2 + (one.high - share_before) ** 2)
    high = sqrt((other.high - share_after) ** 2 + (share_before - one.low) ** 2)
    return Interval(share_after - share_before - low, share_after - share_before + high)


def mean_interval(counts: Mapping[float, int]) -> Interval | None:
    """A bootstrap interval of the mean of values that come so many times each."""
    if sum(counts.values()) < TOO_FEW:
        return None
    return percentiles(_drawn_means(counts, _SEED))


def mean_difference(before: Mapping[float, int], after: Mapping[float, int]) -> Interval | None:
    """A bootstrap interval of the mean after minus the mean before."""
    if min(sum(before.values()), sum(after.values())) < TOO_FEW:
        return None
    return percentiles(_drawn_means(after, _SEED) - _drawn_means(before, _SEED + 1))


def _drawn_means(counts: Mapping[float, int], seed: int) -> Floats:
    """Means of samples drawn with replacement. Of values that repeat, how often each is drawn is multinomial, which
    makes the work depend on the number of different values and not on that of calls."""
    values = np.array(list(counts), dtype=np.float64)
    times = np.array(list(counts.values()), dtype=np.float64)
    drawn = np.random.default_rng(seed).multinomial(int(times.sum()), times / times.sum(), size=_DRAWS)
    means: Floats = drawn @ values / times.sum()
    return means


def percentiles(drawn: Floats) -> Interval:
    """The interval that holds 95 % of what was drawn."""
    low, high = np.percentile(drawn, _PERCENTILES)
    return Interval(float(low), float(high))

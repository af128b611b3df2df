"""Intervals against published examples."""

from __future__ import annotations

from collections import Counter
from math import sqrt

import pytest

from otel_labelstudio.annotations.report.intervals import mean_difference, mean_interval, newcombe, wilson


# R. G. Newcombe, Statistics in Medicine 17 (1998), 857-872, table I, method 3
@pytest.mark.parametrize(
    ("count", "calls", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilsons_interval_is_the_published_one(count: int, calls: int, low: float, high: float) -> None:
    """Four digits, also where the count is none."""
    interval = wilson(count, calls)
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=5e-5)


# R. G. Newcombe, Statistics in Medicine 17 (1998), 873-890, table II, method 10
@pytest.mark.parametrize(
    ("one", "other", "low", "high"),
    [
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((10, 10), (0, 10), 0.6075, 1.0),
        ((5, 56), (0, 29), -0.0381, 0.1926),
    ],
)
def test_newcombes_interval_is_the_published_one(
    one: tuple[int, int], other: tuple[int, int], low: float, high: float
) -> None:
    """His difference is first minus second, ours after minus before."""
    interval = newcombe(other, one)
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=5e-5)


def test_a_bootstrapped_mean_has_the_error_that_theory_gives() -> None:
    """Efron and Tibshirani's mouse data, each value twice: the standard error of a bootstrapped mean is that of the
    sample with n in the denominator; the interval is near 1.96 of it at both sides."""
    mice = Counter({float(value): 2 for value in (94, 197, 16, 38, 99, 141, 23)})
    mean = sum(value * times for value, times in mice.items()) / 14
    error = sqrt(sum(times * (value - mean) ** 2 for value, times in mice.items()) / 14 / 14)
    interval = mean_interval(mice)
    assert mean == pytest.approx(86.86, abs=0.01)
    assert interval is not None
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * error, rel=0.1)
    assert mean in interval


def test_a_difference_of_means_is_bootstrapped_from_both() -> None:
    """Its width is that of independent errors; equal samples leave zero in, far ones do not."""
    low, high = Counter({1.0: 50, 2.0: 50}), Counter({4.0: 50, 5.0: 50})
    interval = mean_difference(low, high)
    assert interval is not None
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * sqrt(0.25 / 100 * 2), rel=0.1)
    assert 3.0 in interval
    assert 0.0 not in interval
    same = mean_difference(low, low)
    assert same is not None
    assert 0.0 in same


def test_too_few_calls_have_no_interval() -> None:
    """Nine say nothing about others, ten little."""
    assert wilson(9, 9) is None
    assert wilson(10, 10) is not None
    assert newcombe((5, 9), (500, 900)) is None
    assert mean_interval({5.0: 9}) is None
    assert mean_difference({5.0: 90}, {4.0: 9}) is None


def test_the_same_numbers_give_the_same_interval() -> None:
    """A report that is made again says the same."""
    assert mean_interval({1.0: 30, 5.0: 20}) == mean_interval({1.0: 30, 5.0: 20})

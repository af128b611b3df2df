"""Figures in words, with no more digits than they are worth: for the page and for the terminal alike."""

from __future__ import annotations

from otel_labelstudio.annotations.report.intervals import TOO_FEW
from otel_labelstudio.annotations.report.records import Difference, Distribution, Interval, Period, Share

NOTHING = "-"
_MINUTE_S = 60


def percent(value: float) -> str:
    """Whole percents; what is neither none nor all is not rounded to it."""
    rounded = round(value * 100)
    if rounded == 0 and value > 0:
        return "<1 %"
    return ">99 %" if rounded == 100 and value < 1 else f"{rounded} %"


def share(found: Share) -> str:
    """A share as percents, or as counts where the calls are too few for percents."""
    if found.value is None:
        return NOTHING
    if found.interval is None:
        return f"{number(found.count)} of {found.calls}"
    return percent(found.value)


def share_interval(interval: Interval | None) -> str:
    """Both ends as percents; empty where there is no interval."""
    return "" if interval is None else f"{round(interval.low * 100)} to {round(interval.high * 100)} %"


def number(value: float) -> str:
    """At most one digit after the point."""
    return f"{value:.1f}".removesuffix(".0")


def choice(value: str) -> str:
    """A value of Choices; a number, as of the best answer, is told from the figure after it."""
    return f"no. {value}" if value.isdecimal() else value


def mean(found: Distribution) -> str:
    """A mean on its scale, or that the calls are too few for one."""
    scale = f" of {number(found.max_value)}" if found.max_value else ""
    return f"{found.mean:.1f}{scale}" if found.calls >= TOO_FEW else f"median {number(found.median)}{scale}"


def mean_interval(interval: Interval | None) -> str:
    """Both ends; empty where there is no interval."""
    return "" if interval is None else f"{interval.low:.1f} to {interval.high:.1f}"


def size(value: float) -> str:
    """How much of an answer was changed."""
    return percent(value)


def duration(seconds: float | None) -> str:
    """Seconds, or minutes where there are many."""
    if seconds is None:
        return NOTHING
    return f"{seconds:.0f} s" if seconds < 2 * _MINUTE_S else f"{seconds / _MINUTE_S:.0f} min"


def alpha(value: float | None) -> str:
    """Two digits after the point."""
    return NOTHING if value is None else f"{value:.2f}"


def alpha_interval(interval: Interval | None) -> str:
    """Both ends; empty where there is no interval."""
    return "" if interval is None else f"{interval.low:.2f} to {interval.high:.2f}"


def period(found: Period) -> str:
    """From when to when."""
    start = f"from {found.start:%Y-%m-%d}" if found.start else ""
    end = f"before {found.end:%Y-%m-%d}" if found.end else ""
    return " ".join(filter(None, (start, end))) or "always"


def difference(found: Difference) -> str:
    """With its sign, in percentage points or on the scale of the numbers; nothing where the calls are too few."""
    if found.interval is None:
        return NOTHING
    return f"{found.value * 100:+.0f} points" if found.is_share else f"{found.value:+.1f}"


def difference_interval(found: Difference) -> str:
    """Both ends with their signs, or that the calls are too few."""
    if found.interval is None:
        return "n too small"
    scale, digits = (100, 0) if found.is_share else (1, 1)
    return f"{found.interval.low * scale:+.{digits}f} to {found.interval.high * scale:+.{digits}f}"


def before(found: Difference) -> str:
    """The value of the first period."""
    return _level(found, found.before, found.calls_before)


def after(found: Difference) -> str:
    """The value of the second period."""
    return _level(found, found.after, found.calls_after)


def _level(found: Difference, value: float, calls: int) -> str:
    if not found.is_share:
        return f"{value:.1f}"
    return percent(value) if calls >= TOO_FEW else f"{number(value * calls)} of {calls}"

"""Whose meter this package's instruments are of: that of the process's meter provider, whenever one is set, or of a
provider that a program of this package's own has for itself.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TypeVar

from opentelemetry import metrics
from opentelemetry.metrics import Meter, MeterProvider

_Made = TypeVar("_Made")
_own: list[MeterProvider] = []


def use(provider: MeterProvider) -> None:
    """Make instruments with this provider from now on."""
    _own[:] = [provider]


def meter() -> Meter:
    """The one for instruments that are made now."""
    return metrics.get_meter("otel_labelstudio", meter_provider=_provider())


def made_once(make: Callable[[Meter], _Made]) -> Callable[[], _Made]:
    """A function that gives what ``make`` makes, which is done once for each provider: a meter takes each name once."""
    made = cache(lambda _: make(meter()))
    return lambda: made(_provider())


def _provider() -> MeterProvider | None:
    return _own[0] if _own else None

"""Metrics that look at objects: at all of them, for as long as they are there, and without ever raising."""

from __future__ import annotations

import gc
from dataclasses import dataclass
from typing import Any

from opentelemetry.metrics import CallbackOptions

from otel_labelstudio.gauges import Observer, Watched


@dataclass(eq=False)
class Tank:
    """Something with a level, if its gauge works."""

    level: float | None

    def read(self) -> float | None:
        if self.level is not None and self.level < 0:
            raise OSError("broken")
        return self.level


def seen(observer: Observer) -> list[tuple[float, dict[str, Any]]]:
    return [(o.value, dict(o.attributes or {})) for o in observer(CallbackOptions())]


def test_each_object_is_looked_at_by_its_name() -> None:
    """But for those that have nothing to say."""
    tanks: Watched[Tank] = Watched()
    full, empty, unknown = Tank(5), Tank(0), Tank(None)
    for name, tank in (("full", full), ("empty", empty), ("unknown", unknown)):
        tanks.add(tank, {"tank": name})
    assert seen(tanks.one(Tank.read)) == [(5, {"tank": "full"}), (0, {"tank": "empty"})]


def test_what_cannot_be_read_is_left_out() -> None:
    """And costs no other."""
    tanks: Watched[Tank] = Watched()
    broken, full = Tank(-1), Tank(5)
    tanks.add(broken, {"tank": "broken"})
    tanks.add(full, {"tank": "full"})
    assert seen(tanks.one(Tank.read)) == [(5, {"tank": "full"})]


def test_looking_keeps_nothing_alive() -> None:
    """An object that nobody uses any longer is not looked at."""
    tanks: Watched[Tank] = Watched()
    tanks.add(Tank(5), {})
    gc.collect()
    assert seen(tanks.one(Tank.read)) == []


def test_numbers_of_the_same_attributes_are_added_up() -> None:
    """A reader of metrics would keep one of them."""
    tanks: Watched[Tank] = Watched()
    both = [Tank(5), Tank(2)]
    for tank in both:
        tanks.add(tank, {})
    assert seen(tanks.one(Tank.read)) == [(7, {})]


def test_several_numbers_of_one_object() -> None:
    """Each has attributes of its own beside the object's."""
    tanks: Watched[Tank] = Watched()
    tank = Tank(5)
    tanks.add(tank, {"tank": "full"})
    observer = tanks.several(lambda tank: [(1, {"side": "left"}), (tank.read() or 0, {})])
    assert seen(observer) == [(1, {"tank": "full", "side": "left"}), (5, {"tank": "full"})]

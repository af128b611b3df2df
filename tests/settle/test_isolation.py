"""Working on many items together, of which some cannot be worked on."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from otel_labelstudio.errors import OutboxError
from otel_labelstudio.settle.isolation import isolate


class Work:
    """Doubles numbers; fails on some of them."""

    def __init__(self, *to_blame: int, error: Exception | None = None) -> None:
        self._to_blame, self._error = set(to_blame), error or ValueError("what somebody asked")
        self.done: list[int] = []
        self.aside: list[tuple[int, str]] = []
        self.times = 0

    def work(self, items: Sequence[int]) -> None:
        self.times += 1
        if self._to_blame.intersection(items):
            raise self._error
        self.done += items

    def set_aside(self, item: int, why: str) -> None:
        self.aside.append((item, why))

    def run(self, count: int) -> Work:
        isolate(range(count), self.work, self.set_aside)
        return self


def test_all_go_together_where_nothing_fails() -> None:
    """Once, and not at all where there is nothing."""
    assert Work().run(100).times == 1
    assert Work().run(0).times == 0


@pytest.mark.parametrize("to_blame", [(0,), (99,), (3, 4), (10, 50, 90), tuple(range(100))])
def test_those_to_blame_are_set_aside_alone(to_blame: tuple[int, ...]) -> None:
    """Each other one is worked on once, in order."""
    work = Work(*to_blame).run(100)
    assert work.done == [number for number in range(100) if number not in to_blame]
    assert [item for item, _ in work.aside] == list(to_blame)


def test_the_reason_is_the_type_of_the_error() -> None:
    """Its text may repeat what an item says."""
    assert Work(1).run(3).aside == [(1, "ValueError")]


def test_one_of_many_costs_few_more_tries() -> None:
    """Halves, and not one by one."""
    assert Work(700).run(1000).times < 25


def test_a_disk_that_fails_is_the_fault_of_none() -> None:
    """It is raised at once, and nothing is set aside."""
    work = Work(1, error=OutboxError("the disk is full"))
    with pytest.raises(OutboxError):
        work.run(8)
    assert (work.times, work.aside) == (1, [])

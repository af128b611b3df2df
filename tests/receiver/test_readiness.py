"""Whether requests can be stored: looked at seldom, and answered in time also where looking takes for ever."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from otel_labelstudio.receiver.readiness import Readiness

DEADLINE_S = 240.0


class Looking:
    """What is there to see, and how often somebody looked."""

    def __init__(self) -> None:
        self.why_not = ""
        self.error: Exception | None = None
        self.looked = 0
        self.has_begun, self.may_see = threading.Event(), threading.Event()
        self.may_see.set()

    def __call__(self) -> str:
        self.looked += 1
        self.has_begun.set()
        assert self.may_see.wait(DEADLINE_S)
        if self.error:
            raise self.error
        return self.why_not


@pytest.fixture
def looking() -> Iterator[Looking]:
    made = Looking()
    yield made
    made.may_see.set()


def test_it_is_looked_at_once_a_second(looking: Looking) -> None:
    """However many ask, and what was seen last is the answer."""
    now = [100.0]
    readiness = Readiness(looking, DEADLINE_S, lambda: now[0])

    async def ask() -> None:
        assert await asyncio.gather(*(readiness.why_not() for _ in range(50))) == [""] * 50
        assert looking.looked == 1
        looking.why_not = "full"
        now[0] += 0.5
        assert await readiness.why_not() == ""
        now[0] += 0.5
        assert await readiness.why_not() == "full"
        assert looking.looked == 2

    asyncio.run(ask())
    readiness.close()


def test_a_disk_that_does_not_answer(looking: Looking) -> None:
    """Is not ready, for all who ask meanwhile, without one more thread or look; and it is again when it answers."""
    readiness = Readiness(looking, timeout_s=0.05)
    looking.may_see.clear()

    async def ask() -> None:
        assert await asyncio.gather(*(readiness.why_not() for _ in range(20))) == ["the disk does not answer"] * 20
        assert await asyncio.to_thread(looking.has_begun.wait, DEADLINE_S)
        assert looking.looked == 1
        looking.may_see.set()
        while (why_not := await readiness.why_not()) != "":
            assert why_not == "the disk does not answer"

    asyncio.run(asyncio.wait_for(ask(), DEADLINE_S))
    readiness.close()


def test_an_error_is_an_answer(looking: Looking) -> None:
    """By its type alone."""
    readiness = Readiness(looking, DEADLINE_S)
    looking.error = ValueError("CANARY")
    assert asyncio.run(readiness.why_not()) == "it cannot be told (ValueError)"
    readiness.close()

"""Snapshots for the status page: taken seldom, and answered in time also if the disk hangs."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast

import pytest

from otel_labelstudio.errors import OutboxError
from otel_labelstudio.receiver.page.snapshot import Snapshot, Snapshots
from otel_labelstudio.receiver.status import Outcome, RefusedError

DEADLINE_S = 30.0


@dataclass
class Disk:
    """What a snapshot is taken of; each is its number here."""

    taken: int = 0
    error: Exception | None = None
    answers: threading.Event = field(default_factory=threading.Event)

    def take(self) -> Snapshot:
        assert self.answers.wait(DEADLINE_S)
        self.taken += 1
        if self.error:
            raise self.error
        return cast(Snapshot, self.taken)


@pytest.fixture
def disk() -> Iterator[Disk]:
    made = Disk()
    made.answers.set()
    yield made
    made.answers.set()


def test_one_is_taken_once_a_second(disk: Disk) -> None:
    """However many look, and after a change at once."""
    now = [100.0]
    snapshots = Snapshots(disk.take, DEADLINE_S, lambda: now[0])

    async def look() -> None:
        assert set(map(str, await asyncio.gather(*(snapshots.latest() for _ in range(50))))) == {"1"}
        now[0] += 0.9
        assert cast(int, await snapshots.latest()) == 1
        now[0] += 0.1
        assert cast(int, await snapshots.latest()) == 2
        assert await snapshots.change(lambda: "changed") == "changed"
        assert cast(int, await snapshots.latest()) == 3

    asyncio.run(look())
    snapshots.close()


def test_a_disk_that_does_not_answer(disk: Disk) -> None:
    """Those who look are told so in time, nothing piles up behind it, and once it answers they see it."""
    snapshots = Snapshots(disk.take, timeout_s=0.05)

    async def look() -> None:
        disk.answers.clear()
        for _ in range(5):
            with pytest.raises(RefusedError, match="does not answer") as refused:
                await snapshots.latest()
            assert refused.value.outcome is Outcome.STORAGE
        with pytest.raises(RefusedError, match="does not answer"):
            await snapshots.change(lambda: pytest.fail("it must not wait in the queue"))
        disk.answers.set()
        end = time.monotonic() + DEADLINE_S
        while not disk.taken:
            assert time.monotonic() < end
            await asyncio.sleep(0.01)
        assert cast(int, await snapshots.latest()) == 1

    asyncio.run(look())
    snapshots.close()


def test_an_error_is_not_kept(disk: Disk) -> None:
    """It is raised for those who look, and the next second is another."""
    now = [100.0]
    snapshots = Snapshots(disk.take, DEADLINE_S, lambda: now[0])

    async def look() -> None:
        disk.error = OutboxError("the disk is full")
        with pytest.raises(OutboxError):
            await snapshots.latest()
        disk.error = None
        now[0] += 1.0
        assert cast(int, await snapshots.latest()) == 2

    asyncio.run(look())
    snapshots.close()

"""Snapshots for the status page: taken seldom, and answered in time also if the disk hangs."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import cast

import pytest

from otel_labelstudio.errors import OutboxError
from otel_labelstudio.receiver.page.snapshot import Snapshot, Snapshots
from otel_labelstudio.receiver.status import Outcome, RefusedError

DEADLINE_S = 240.0


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
    snapshots = Snapshots(disk.take, timeout_s=0.05, clock=lambda: 100.0)

    async def look() -> None:
        disk.answers.clear()
        for _ in range(5):
            with pytest.raises(RefusedError, match="does not answer") as refused:
                await snapshots.latest()
            assert refused.value.outcome is Outcome.STORAGE
        with pytest.raises(RefusedError, match="does not answer"):
            await snapshots.change(lambda: pytest.fail("it must not wait in the queue"))
        disk.answers.set()
        assert cast(int, await once_it_answers(snapshots)) == 1

    asyncio.run(look())
    snapshots.close()


async def once_it_answers(snapshots: Snapshots) -> Snapshot:
    end = time.monotonic() + DEADLINE_S
    while True:
        with suppress(RefusedError):
            return await snapshots.latest()
        assert time.monotonic() < end


def test_one_change_at_a_time(disk: Disk) -> None:
    """Behind one that the disk holds up no other waits, and none is done that somebody was told is refused."""
    snapshots = Snapshots(disk.take, timeout_s=0.05, clock=lambda: 100.0)

    async def change() -> None:
        disk.answers.clear()
        with pytest.raises(RefusedError, match="does not answer"):
            await snapshots.change(disk.take)
        refused = []
        for _ in range(3):
            with pytest.raises(RefusedError, match="does not answer"):
                await snapshots.change(lambda: refused.append("was done"))
        disk.answers.set()
        assert cast(int, await once_it_answers(snapshots)) == 2
        assert not refused

    asyncio.run(change())
    snapshots.close()


def test_a_disk_that_hangs_keeps_no_process_from_ending() -> None:
    """Python waits at its end for the threads of executors; not for this one."""
    done = subprocess.run([sys.executable, "-c", _HANGS], timeout=DEADLINE_S, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "the disk does not answer\n"), done.stderr


_HANGS = """
import asyncio, threading
from otel_labelstudio.receiver.page.snapshot import Snapshots
from otel_labelstudio.receiver.status import RefusedError

async def look():
    snapshots = Snapshots(threading.Event().wait, timeout_s=0.05)
    try:
        await snapshots.latest()
    except RefusedError as refused:
        print(refused)
    snapshots.close()

asyncio.run(look())
"""


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

"""What the page shows. Taken on a thread of its own, which a disk may hold up, and at most once a second: whoever asks
often, or has many windows open, must not cost much."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from otel_labelstudio import background
from otel_labelstudio.background import FOREVER, BackgroundThread
from otel_labelstudio.overview import PipelineOverview
from otel_labelstudio.pipeline import Pipeline
from otel_labelstudio.receiver.inbox import Inbox
from otel_labelstudio.receiver.status import Outcome, RefusedError

# Of sources, of paused destinations, of dead letters
MOST_ROWS = 25
_TAKEN_EVERY_S = 1.0
_TIMEOUT_S = 5.0

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class InboxState:
    """Bytes that wait to be read and may, for how long nothing was read of them, and files of what cannot be."""

    size: int
    max_bytes: int
    stalled_s: float
    files_set_aside: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """How a receiver stands at ``taken_at`` (seconds since 1970)."""

    taken_at: float
    label_studio: str
    capacity: int
    ended_threads: tuple[str, ...]
    pipeline: PipelineOverview
    inbox: InboxState


def take_snapshot(pipeline: Pipeline, inbox: Inbox) -> Snapshot:
    """How they stand now; raises `OutboxError`."""
    settings = pipeline.settings
    return Snapshot(
        taken_at=time.time(),
        label_studio=settings.url,
        capacity=settings.outbox_max_calls,
        ended_threads=tuple(background.dead()),
        pipeline=pipeline.overview(MOST_ROWS),
        inbox=InboxState(inbox.size, inbox.max_bytes, inbox.stalled_s, inbox.set_aside_files.number_of_files()),
    )


class Snapshots:
    """``take`` takes one. On one event loop; ``clock`` gives seconds. A disk may hold up one piece of work at a time,
    and never the end of the process."""

    def __init__(
        self,
        take: Callable[[], Snapshot],
        timeout_s: float = _TIMEOUT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._take, self._timeout_s, self._clock = take, timeout_s, clock
        self._work: SimpleQueue[Callable[[], None]] = SimpleQueue()
        # A daemon: Python waits at its end for the threads of an executor, also for one that hangs
        self._thread = BackgroundThread("otel-labelstudio-status", "Looking at the outbox", self._step)
        self._latest: asyncio.Future[Snapshot] | None = None
        self._under_way: asyncio.Future[Any] | None = None
        self._asked_at = float("-inf")

    async def latest(self) -> Snapshot:
        """One that is at most a second old. Raises `RefusedError` where the disk does not answer."""
        if self._is_due:
            await self._until_free()
        if self._latest is None or self._is_due:  # nobody else began one meanwhile
            self._asked_at = self._clock()
            self._latest = self._begin(self._take)
        await self._wait(self._latest)
        return self._latest.result()

    async def change(self, work: Callable[[], _T]) -> _T:
        """Do something that the next snapshot shows. Raises `RefusedError` where the disk does not answer; then the
        next change is refused until this one has ended."""
        await self._until_free()
        self._latest = None
        changing = self._begin(work)
        await self._wait(changing)
        return changing.result()

    def close(self) -> None:
        """Take no more; what the disk does not answer is not waited for."""
        self._thread.stop(0.0)

    @property
    def _is_due(self) -> bool:
        is_old = self._clock() - self._asked_at >= _TAKEN_EVERY_S
        return self._latest is None or (self._latest.done() and is_old)

    def _begin(self, work: Callable[[], _T]) -> asyncio.Future[_T]:
        answer: Future[_T] = Future()
        self._work.put(partial(_answer, answer, work))
        self._thread.wake()
        self._under_way = begun = asyncio.wrap_future(answer)
        begun.add_done_callback(_look_at_error)
        return begun

    def _step(self) -> float:
        with suppress(Empty):
            self._work.get_nowait()()
            return 0.0
        return FOREVER

    async def _until_free(self) -> None:
        """So that nothing piles up behind a disk that hangs."""
        while self._under_way is not None and not self._under_way.done():
            await self._wait(self._under_way)

    async def _wait(self, under_way: asyncio.Future[Any]) -> None:
        await asyncio.wait({under_way}, timeout=self._timeout_s)
        if not under_way.done():
            raise RefusedError(Outcome.STORAGE, "the disk does not answer")


def _answer(answer: Future[_T], work: Callable[[], _T]) -> None:
    try:
        result = work()
    except BaseException as error:
        answer.set_exception(error)
    else:
        answer.set_result(result)


def _look_at_error(ended: asyncio.Future[Any]) -> None:
    """Nobody may wait for it any longer."""
    if not ended.cancelled():
        ended.exception()

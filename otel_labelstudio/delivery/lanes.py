"""Work that may hang holds up nobody else: it is waited for only so long, and goes on beside what comes next.

A server, or what stands in front of it, may take a request for one project and never answer. The request goes on until
its own time limit, minutes later; meanwhile other destinations are served in other lanes. There are few of them: where
all are taken, nothing else answers either.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import TypeAlias

from opentelemetry import context

LANES = 8
PATIENCE_S = 2.0
# How often it is worth while to look at what is under way
LOOK_EVERY_S = 0.25

Work: TypeAlias = Callable[[], None]


class Lanes:
    """Daemon threads, each started when it is first needed. For one thread that hands out work."""

    def __init__(self, number: int = LANES, patience_s: float = PATIENCE_S) -> None:
        self._number, self._patience_s = number, patience_s
        self._free: list[_Lane] = []
        self._all: list[_Lane] = []
        self._under_way: dict[str, _Lane] = {}
        self._late: Exception | None = None
        self._is_ending = False
        self._ending = threading.Lock()
        self._at_end: Work | None = None

    @property
    def is_ending(self) -> bool:
        """Whether nobody waits any longer for what can be done by the next process as well."""
        return self._is_ending

    def is_taken(self, name: str) -> bool:
        """Whether work of this name is under way, or no lane is free for it."""
        self._collect()
        return name in self._under_way or (not self._free and len(self._all) >= self._number)

    def under_way(self) -> list[str]:
        """The names of the work that goes on."""
        self._collect()
        return list(self._under_way)

    def run(self, name: str, work: Work) -> None:
        """Do work, and wait for it for a while. Raises what it raised, if that is within the time; see `raise_late`."""
        lane = self._lane()
        if lane is None:
            work()  # the interpreter is shutting down and starts no more threads
            return
        self._under_way[name] = lane
        lane.begin(work)
        if lane.done.wait(self._patience_s):
            self._collect()
            self.raise_late()

    def raise_late(self) -> None:
        """Raise what work has raised for which nobody waited any longer."""
        self._collect()
        error, self._late = self._late, None
        if error is not None:
            raise error

    def hurry(self) -> None:
        """The end is near."""
        self._is_ending = True

    def close(self, timeout_s: float) -> bool:
        """End the threads as soon as their work is done; whether that was within the time."""
        self.hurry()
        for lane in self._all:
            lane.end()
        deadline = time.monotonic() + timeout_s
        for lane in self._all:
            lane.thread.join(max(0.0, deadline - time.monotonic()))
        return not any(lane.thread.is_alive() for lane in self._all)

    def when_over(self, at_end: Work) -> None:
        """Run ``at_end``, once, when the threads have done their last work: here, or in the last of them. For lanes
        that were closed."""
        self._at_end = at_end
        self._end_if_over()

    def _end_if_over(self) -> None:
        with self._ending:
            at_end = self._at_end
            if at_end is None or not all(lane.is_over for lane in self._all):
                return
            self._at_end = None
        at_end()

    def _collect(self) -> None:
        for name, lane in list(self._under_way.items()):
            if lane.done.is_set():
                del self._under_way[name]
                self._free.append(lane)
                self._late = lane.error or self._late

    def _lane(self) -> _Lane | None:
        if self._free:
            return self._free.pop()
        lane = _Lane(len(self._all), self._end_if_over)
        try:
            lane.thread.start()
        except RuntimeError:
            return None
        self._all.append(lane)
        return lane


class _Lane:
    """A thread that does one thing after the other, and ``at_end`` when it is told to end."""

    def __init__(self, number: int, at_end: Work) -> None:
        self._waiting: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        self._at_end, self.is_over = at_end, False
        self.done = threading.Event()
        self.error: Exception | None = None
        self.thread = threading.Thread(target=self._run, name=f"otel-labelstudio-delivery-{number}", daemon=True)

    def begin(self, work: Work) -> None:
        self.done.clear()
        self.error = None
        # Whoever hands out the work says, in the context, that its requests are not to be traced
        carried = context.get_current()
        self._waiting.put(lambda: _within(carried, work))

    def end(self) -> None:
        self._waiting.put(None)

    def _run(self) -> None:
        try:
            while (work := self._waiting.get()) is not None:
                self._do(work)
        finally:
            self.is_over = True
            self._at_end()

    def _do(self, work: Work) -> None:
        try:
            work()
        except Exception as error:
            self.error = error
        finally:
            self.done.set()


def _within(carried: context.Context, work: Work) -> None:
    token = context.attach(carried)
    try:
        work()
    finally:
        context.detach(token)

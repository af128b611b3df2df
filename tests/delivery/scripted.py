"""A sink that says what a test has written, and the books that delivery keeps on it: an outbox in memory, whose clock
is set by hand."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from otel_labelstudio.delivery.deliveries import Deliveries
from otel_labelstudio.delivery.lanes import Lanes
from otel_labelstudio.delivery.results import Delivered, Result
from otel_labelstudio.delivery.sink import Terms
from otel_labelstudio.destinations.destination import Destination
from otel_labelstudio.errors import DeliveryError
from otel_labelstudio.outbox import Outbox
from otel_labelstudio.outbox.entry import CallToRecheck, OutboxEntry, Put
from otel_labelstudio.telemetry import Telemetry
from tests.outbox.calls import ROOMY, Clock, number_of, numbered, settle

HERE, THERE = Destination(title="here").dumps(), Destination(title="there").dumps()

Script: TypeAlias = Callable[[Sequence[OutboxEntry], Terms], Iterator[Result]]


def delivers(entries: Sequence[OutboxEntry], _: Terms) -> Iterator[Result]:
    """All is well."""
    yield Delivered(entries)


class PanicException(BaseException):
    """As PyO3 names what it raises where an extension written in Rust panics."""


def fails(error: BaseException, on: Callable[[int], bool] = lambda _: True) -> Script:
    """Raises where the batch holds a number that it fails on."""

    def deliver(entries: Sequence[OutboxEntry], _: Terms) -> Iterator[Result]:
        if any(on(number_of(entry.call)) for entry in entries):
            raise error.with_traceback(None)
        yield Delivered(entries)

    return deliver


@dataclass
class ScriptedSink:
    """Each delivery follows the next of its destination's scripts; the last of them again and again."""

    scripts: defaultdict[str, list[Script]] = field(default_factory=lambda: defaultdict(lambda: [delivers]))
    takes: bool | DeliveryError = True
    asked: list[tuple[str, list[int], Terms]] = field(default_factory=list)
    is_closed: bool = False

    def deliver(self, destination: str, entries: Sequence[OutboxEntry], terms: Terms) -> Iterator[Result]:
        self.asked.append((destination, [number_of(entry.call) for entry in entries], terms))
        scripts = self.scripts[destination]
        return (scripts.pop(0) if len(scripts) > 1 else scripts[0])(entries, terms)

    def takes_calls(self, destination: str) -> bool:
        if isinstance(self.takes, DeliveryError):
            raise self.takes
        return self.takes

    def recheck(self, destination: str, calls: Sequence[CallToRecheck]) -> Iterable[str]:
        return [call.call_id for call in calls]

    def hurry(self, deadline: float) -> None:
        pass

    def close(self) -> None:
        self.is_closed = True


class Desk:
    """Deliveries from an outbox in memory to a scripted sink, which is waited for ``patience_s``: until it has ended,
    unless it is to hang."""

    def __init__(self, *, batch_size: int = 100, max_new_projects: int = 100, patience_s: float = 240.0) -> None:
        self._patience_s = patience_s
        self.clock, self.sink, self.telemetry = Clock(), ScriptedSink(), Telemetry()
        self.outbox = Outbox(None, **ROOMY, clock=self.clock)
        self._options = {"batch_size": batch_size, "max_new_projects": max_new_projects}
        self.restart()

    def restart(self, patience_s: float | None = None) -> None:
        """Another process goes on."""
        self.lanes = Lanes(patience_s=self._patience_s if patience_s is None else patience_s)
        self.deliveries = Deliveries(self.outbox, self.sink, self.telemetry, self.lanes, **self._options)

    def accept(self, *numbers: int, to: str = HERE) -> None:
        for number in numbers:
            assert self.outbox.accepting.put(numbered(number), to, due_at=0.0) is Put.ACCEPTED
        settle(self.outbox, float("inf"))

    def know(self, *destinations: str) -> None:
        """Calls were delivered there before."""
        for destination in destinations:
            self.outbox.queue.mark_known(destination)

    def run(self, rounds: int = 1) -> float:
        """Seconds until there is something to do again."""
        return [self.deliveries.run(is_hurried=False) for _ in range(rounds)][-1]

    def run_until_nothing_is_left(self, most_rounds: int = 200) -> None:
        """Skipping the times in between."""
        for _ in range(most_rounds):
            if not len(self.outbox):
                return
            self.run()
            self.clock.now += max(0.0, min(self.outbox.queue.next_in_s(), 3600.0))
        raise AssertionError(f"{len(self.outbox)} calls are left")

    def batches(self) -> list[tuple[str, list[int]]]:
        return [(destination, numbers) for destination, numbers, _ in self.sink.asked]

    def states(self) -> dict[str, int]:
        """How many calls are in which state, but for those in which none is."""
        return {state: count for state, count in self.outbox.figures.status().states.items() if count}

    def paused(self) -> dict[str, str]:
        """Why each paused destination waits, as the outbox tells it."""
        return {paused.destination: paused.reason for paused in self.outbox.figures.status().paused}

    def entry(self, destination: str = HERE) -> OutboxEntry:
        """The next call as it would be delivered now."""
        (entry,) = self.outbox.queue.take(destination, limit=1, max_bytes=2**30)
        self.outbox.queue.put_back([entry])
        return entry

    def dead(self) -> list[int]:
        return sorted(number_of(letter.call) for letter in self.outbox.dead_letters.all() if letter.call)

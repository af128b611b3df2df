"""The worker's rounds: what fails in one job costs the others nothing, and nothing but `stop` ends the thread."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from otel_labelstudio.delivery import worker as worker_module
from otel_labelstudio.delivery.election import Election
from otel_labelstudio.delivery.housekeeping import Settling
from otel_labelstudio.delivery.results import Delivered, Result
from otel_labelstudio.delivery.sink import Terms
from otel_labelstudio.delivery.worker import Job, Worker
from otel_labelstudio.errors import OutboxError, UnknownOutcomeError
from otel_labelstudio.outbox.entry import OutboxEntry
from tests.delivery.pipelines import until
from tests.delivery.scripted import HERE, Desk

DEADLINE_S = 240.0
NOTHING_TO_DO_S = float("inf")

Made = Callable[..., Worker]


class Counted:
    """A job that does what ``work`` does, and tells how often it was run."""

    def __init__(self, work: Callable[[], float] = lambda: NOTHING_TO_DO_S) -> None:
        self._work = work
        self._ran = threading.Condition()
        self.runs = 0

    def run(self, *, is_hurried: bool) -> float:
        with self._ran:
            self.runs += 1
            self._ran.notify_all()
        return self._work()

    def wait_for(self, runs: int) -> None:
        """Until it was run so often."""
        with self._ran:
            assert self._ran.wait_for(lambda: self.runs >= runs, DEADLINE_S)


def errors_said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The log's lines of errors, in their order."""
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]


def raising(error: Exception) -> Callable[[], float]:
    def work() -> float:
        raise error.with_traceback(None)

    return work


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def made(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Iterator[Made]:
    """Makes workers that try again at once; none works any more when the test has ended."""
    monkeypatch.setattr(worker_module, "_FAULT_WAIT_S", 0.001)
    workers: list[Worker] = []

    def make(*jobs: Job) -> Worker:
        workers.append(Worker(desk.outbox, desk.deliveries, jobs, Election(None, lambda: True)))
        return workers[-1]

    yield make
    for worker in workers:
        worker.stop(DEADLINE_S)
        assert not worker._thread.is_alive


@pytest.mark.parametrize(
    "error", [OverflowError("CANARY"), OutboxError("the disk is full"), RecursionError(), MemoryError()], ids=repr
)
def test_a_job_that_raises_keeps_no_other_from_running(
    made: Made, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """The jobs before and after it run in every round; one line says what happened, however often it happens, and
    holds nothing of what a call says."""
    before, bad, after = Counted(), Counted(raising(error)), Counted()
    worker = made(before, bad, after)
    worker.notify()
    after.wait_for(5)
    assert before.runs >= 5
    assert bad.runs >= 5
    worker.stop(DEADLINE_S)
    (line,) = errors_said(caplog)
    assert "Delivery" in line
    assert "CANARY" not in caplog.text


def test_a_call_is_delivered_in_the_round_in_which_settling_fails(desk: Desk, made: Made) -> None:
    """What was settled before does not wait for what cannot be."""

    class Failing:
        def settle(self, due_by: float) -> None:
            raise OverflowError

    desk.accept(1)
    is_over = Counted()
    made(Settling(desk.outbox, Failing()), desk.deliveries, is_over).notify()
    is_over.wait_for(1)
    assert desk.states() == {"delivered": 1}


def test_what_a_failed_round_left_in_flight_is_taken_over(desk: Desk, made: Made) -> None:
    """A job ends where it could not even put back what it had taken: the next round does."""
    desk.accept(1)
    rounds = iter(["the first"])

    def take_and_fail() -> float:
        if next(rounds, None) is None:
            return NOTHING_TO_DO_S
        assert desk.outbox.queue.take(HERE, limit=1, max_bytes=2**20)
        raise OutboxError("the disk is full")

    is_over = Counted()
    made(Counted(take_and_fail), desk.deliveries, is_over).notify()
    is_over.wait_for(2)
    assert desk.states() == {"delivered": 1}


def test_each_fault_is_said_and_so_is_one_that_comes_again(made: Made, caplog: pytest.LogCaptureFixture) -> None:
    """Two jobs that fail are told apart; a job that worked meanwhile is news when it fails again."""
    outcomes = iter([OutboxError("full"), OutboxError("full"), None, OutboxError("full"), None])

    def work() -> float:
        outcome = next(outcomes, None)
        if outcome is not None:
            raise outcome
        return 0.0

    comes_and_goes, always = Counted(work), Counted(raising(OutboxError("read-only")))
    worker = made(comes_and_goes, always)
    worker.notify()
    always.wait_for(6)
    worker.stop(DEADLINE_S)
    assert sorted(errors_said(caplog)) == ["Delivery waits: full", "Delivery waits: full", "Delivery waits: read-only"]


def test_an_outbox_that_fails_before_the_jobs_is_said_each_time_that_it_begins_to(
    made: Made, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a disk that is full once more: rounds that went well lie between."""
    outcomes = iter([OutboxError("full"), OutboxError("full"), None, OutboxError("full"), None])

    def is_won(_: Election) -> bool:
        outcome = next(outcomes, None)
        if outcome is not None:
            raise outcome
        return True

    monkeypatch.setattr(Election, "is_won", is_won)
    job = Counted(lambda: 0.0)
    worker = made(job)
    worker.notify()
    job.wait_for(2)
    worker.stop(DEADLINE_S)
    assert errors_said(caplog) == ["Delivery waits: full", "Delivery waits: full"]


def test_two_faults_by_turns_are_said_once_each(made: Made, caplog: pytest.LogCaptureFixture) -> None:
    """However long they go on: the log is not filled."""
    errors = itertools.cycle([OutboxError("full"), OutboxError("read-only")])
    job = Counted(lambda: raising(next(errors))())
    worker = made(job)
    worker.notify()
    job.wait_for(10)
    worker.stop(DEADLINE_S)
    assert errors_said(caplog) == ["Delivery waits: full", "Delivery waits: read-only"]


def test_while_something_waits_the_thread_looks_again(desk: Desk, made: Made) -> None:
    """Whatever the jobs say of it: nobody wakes the thread of an outbox in memory but the next call."""
    desk.accept(1)
    job = Counted()
    made(job).notify()
    job.wait_for(3)


def test_stop_waits_for_the_job_that_runs_and_lets_connections_go(desk: Desk, made: Made) -> None:
    """No further round begins, and nothing starts the thread again."""
    may_end = threading.Event()

    def work() -> float:
        assert may_end.wait(DEADLINE_S)
        return 0.0

    job = Counted(work)
    worker = made(job)
    worker.notify()
    job.wait_for(1)
    worker.stop(0.0)
    assert worker._thread.is_alive
    assert not desk.sink.is_closed
    may_end.set()
    worker.stop(DEADLINE_S)
    assert not worker._thread.is_alive
    assert desk.sink.is_closed
    worker.notify()
    assert not worker._thread.is_alive
    assert job.runs == 1


def test_the_next_process_delivers_when_what_was_under_way_has_ended(tmp_path: Path) -> None:
    """A request, or the disk, may outlast the time that a stop waits for it. The lock is kept so long, not longer: a
    process that goes on, with another exporter on the same outbox, delivers what this one has left."""
    may_end, path = threading.Event(), str(tmp_path / "calls.outbox")

    def hang(entries: Sequence[OutboxEntry], _: Terms) -> Iterator[Result]:
        assert may_end.wait(DEADLINE_S)
        raise UnknownOutcomeError("no answer")
        yield Delivered(entries)

    desk = Desk(patience_s=0.1)
    desk.sink.scripts[HERE] = [hang]
    desk.accept(1)
    worker = Worker(desk.outbox, desk.deliveries, [desk.deliveries], Election(path, lambda: True))
    worker.notify()
    until(desk.deliveries.under_way)
    worker.stop(DEADLINE_S)
    assert not worker._thread.is_alive
    other = Election(path, lambda: True)
    assert not other.is_won()
    may_end.set()
    until(other.is_won)
    assert desk.states() == {"pending": 1}
    other.resign()


def test_a_flush_waits_for_the_process_that_delivers(tmp_path: Path, desk: Desk) -> None:
    """And delivers itself when that has ended; who ends leaves to the other what it delivers, and waits for nothing."""
    path = str(tmp_path / "calls.outbox")
    other = Election(path, lambda: True)
    assert other.is_won()
    desk.accept(1)
    worker = Worker(desk.outbox, desk.deliveries, [desk.deliveries], Election(path, lambda: True))
    begin = time.monotonic()
    assert not worker.drain(DEADLINE_S, is_last=True)
    assert time.monotonic() - begin < DEADLINE_S / 2
    threading.Timer(0.5, other.resign).start()
    assert worker.drain(DEADLINE_S)
    assert desk.states() == {"delivered": 1}
    worker.stop(DEADLINE_S)


def test_the_last_of_them_delivers_what_is_left(tmp_path: Path, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two end, one soon after the other: the second one looks anew whether the first one still delivers."""
    monkeypatch.setattr(worker_module, "_ELECTION_WAIT_S", DEADLINE_S)
    path = str(tmp_path / "calls.outbox")
    other = Election(path, lambda: True)
    assert other.is_won()
    desk.accept(1)
    worker = Worker(desk.outbox, desk.deliveries, [desk.deliveries], Election(path, lambda: True))
    worker.notify()
    until(lambda: worker._is_another_elected)
    other.resign()
    assert worker.drain(DEADLINE_S, is_last=True)
    assert desk.states() == {"delivered": 1}
    worker.stop(DEADLINE_S)


def test_what_is_delivered_is_counted(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """When a flush says that nothing is left, also where counting takes long."""
    count = desk.telemetry.count

    def count_late(*arguments: Any, **options: Any) -> None:
        time.sleep(0.5)
        count(*arguments, **options)

    monkeypatch.setattr(desk.telemetry, "count", count_late)
    desk.accept(1)
    worker = Worker(desk.outbox, desk.deliveries, [desk.deliveries], Election(None, lambda: True))
    assert worker.drain(DEADLINE_S)
    assert desk.telemetry.counts()["tasks.delivered"] == 1
    worker.stop(DEADLINE_S)


def test_an_election_under_way_is_none_of_the_end(desk: Desk) -> None:
    """It was lost before the other process let go: the end waits for the next one."""

    class SlowElection(Election):
        asked = 0

        def is_won(self) -> bool:
            self.asked += 1
            if self.asked == 1:
                until(lambda: worker._hurry)
                return False
            time.sleep(0.5)
            return super().is_won()

    desk.accept(1)
    election = SlowElection(None, lambda: True)
    worker = Worker(desk.outbox, desk.deliveries, [desk.deliveries], election)
    worker.notify()
    until(lambda: election.asked)
    assert worker.drain(DEADLINE_S, is_last=True)
    assert desk.states() == {"delivered": 1}
    worker.stop(DEADLINE_S)


def test_a_worker_that_never_began_ends_at_once(desk: Desk, made: Made) -> None:
    """As in a process that traced no call."""
    made(Counted()).stop(DEADLINE_S)
    assert desk.sink.is_closed


def test_drain_delivers_in_this_thread_where_no_other_can_start(
    desk: Desk, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As while the interpreter shuts down."""
    desk.accept(1)
    worker = made(desk.deliveries)
    monkeypatch.setattr(worker._thread, "start", lambda: False)
    assert worker.drain(DEADLINE_S)
    assert desk.states() == {"delivered": 1}

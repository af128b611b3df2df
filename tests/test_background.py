"""Threads in the background: nothing that a step raises ends one, and how it goes can be seen."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import NoReturn

import pytest

from otel_labelstudio import background
from otel_labelstudio.background import FOREVER, Attempts, BackgroundThread, Seldom
from otel_labelstudio.errors import OutboxError

DEADLINE_S = 240.0

Made = Callable[..., BackgroundThread]


class Step:
    """A step that does, one after the other, what ``outcomes`` say: raise it, or wait so long; and then waits."""

    def __init__(self, *outcomes: BaseException | float) -> None:
        self._outcomes = list(outcomes)
        self.runs = 0
        self._ran = threading.Condition()

    def __call__(self) -> float:
        with self._ran:
            self.runs += 1
            self._ran.notify_all()
        outcome = self._outcomes.pop(0) if self._outcomes else FOREVER
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def wait_for(self, runs: int) -> None:
        """Until it was run so often."""
        with self._ran:
            assert self._ran.wait_for(lambda: self.runs >= runs, DEADLINE_S)


@pytest.fixture
def made() -> Iterator[Made]:
    """Makes threads; all of them have ended when the test has."""
    threads: list[BackgroundThread] = []

    def make(step: Callable[[], float], name: str = "a thread", **arguments: object) -> BackgroundThread:
        threads.append(BackgroundThread(name, "A step", step, **{"retry_s": 0.001, **arguments}))  # type: ignore[arg-type]
        return threads[-1]

    yield make
    for thread in threads:
        assert thread.stop(DEADLINE_S)


class DiesOnce:
    """An `Attempts.attempt` that ends the thread which calls it, the first time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.has_died = False
        self._attempt = Attempts.attempt
        monkeypatch.setattr(Attempts, "attempt", lambda attempts: self(attempts))

    def __call__(self, attempts: Attempts) -> float:
        if self.has_died:
            return self._attempt(attempts)
        self.has_died = True
        raise SystemExit


@pytest.mark.parametrize(
    "error",
    [OSError("disk"), MemoryError(), SystemExit(), KeyboardInterrupt(), GeneratorExit(), RecursionError()],
    ids=repr,
)
def test_nothing_ends_a_thread(made: Made, error: BaseException) -> None:
    """Whatever a step raises, the next one runs, on the same thread."""
    step = Step(error, error)
    thread = made(step)
    assert thread.start()
    step.wait_for(3)
    assert thread.is_alive


def test_progress_and_the_last_error_can_be_seen(made: Made) -> None:
    """When a step last ended well, and what the last one raised, by its type."""
    now = [100.0]
    step = Step(0.0, ValueError("secret"), 0.0)
    attempts = Attempts("A step", step, retry_s=5.0, clock=lambda: now[0])
    assert attempts.last_progress_at == 100.0
    now[0] = 110.0
    assert (attempts.attempt(), attempts.last_progress_at, attempts.error) == (0.0, 110.0, "")
    now[0] = 120.0
    assert (attempts.attempt(), attempts.last_progress_at, attempts.error) == (5.0, 110.0, "ValueError")
    now[0] = 130.0
    assert (attempts.attempt(), attempts.last_progress_at, attempts.error) == (0.0, 130.0, "")
    thread = made(Step(OSError()))
    thread.start()
    assert thread.last_progress_at <= time.monotonic()


def test_an_error_is_said_once_without_its_text(caplog: pytest.LogCaptureFixture) -> None:
    """A line for each place that raises, again after a while, and nothing of what was worked on."""
    now = [0.0]

    def fail_here() -> NoReturn:
        raise ValueError("CANARY")

    def fail_there() -> NoReturn:
        raise ValueError("CANARY")

    failing = [fail_here, fail_here, fail_there, fail_here]
    attempts = Attempts("A step", lambda: failing.pop(0)(), clock=lambda: now[0])
    for _ in range(4):
        attempts.attempt()
    assert caplog.text.count("A step failed unexpectedly (ValueError)") == 2
    assert "fail_here" in caplog.text
    assert "CANARY" not in caplog.messages[0].replace('raise ValueError("CANARY")', "")
    now[0] = 3600.0
    failing.append(fail_here)
    attempts.attempt()
    assert caplog.text.count("failed unexpectedly") == 3


def test_our_own_errors_are_said_in_their_words(caplog: pytest.LogCaptureFixture) -> None:
    """They hold no content, and say what to do."""
    attempts = Attempts("Reading", Step(*[OutboxError("the disk is full")] * 2))
    attempts.attempt()
    attempts.attempt()
    assert caplog.messages == ["Reading is tried again: the disk is full"]


def test_a_log_that_fails_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does saying so."""

    def fail(*_: object) -> NoReturn:
        raise OSError("no space left")

    monkeypatch.setattr(logging.getLogger("otel_labelstudio.background"), "error", fail)
    attempts = Attempts("A step", Step(ValueError()), retry_s=2.0)
    assert attempts.attempt() == 2.0


def test_an_interrupt_is_the_main_threads() -> None:
    """Who presses Ctrl+C means the process, not a step that runs on its main thread."""
    with pytest.raises(KeyboardInterrupt):
        Attempts("A step", Step(KeyboardInterrupt())).attempt()


def test_a_step_waits_as_long_as_it_says_or_until_woken(made: Made) -> None:
    """Waking in the midst of a step is not lost."""
    is_inside, may_go_on = threading.Event(), threading.Event()
    step = Step(0.0, 0.001, FOREVER)

    def slow() -> float:
        wait_s = step()
        if step.runs == 4:
            is_inside.set()
            assert may_go_on.wait(DEADLINE_S)
        return wait_s

    thread = made(slow)
    thread.start()
    step.wait_for(3)  # by itself
    thread.wake()
    assert is_inside.wait(DEADLINE_S)
    thread.wake()  # in the midst of the fourth
    may_go_on.set()
    step.wait_for(5)


def test_stop_waits_for_the_step_and_no_longer_than_it_may(made: Made) -> None:
    """What is under way comes to its end; one that does not is left behind."""
    may_end = threading.Event()
    ended: list[str] = []

    def step() -> float:
        assert may_end.wait(DEADLINE_S)
        return 0.0

    thread = made(step, at_end=lambda: ended.append("once"))
    thread.start()
    assert not thread.stop(0.01)
    assert thread.is_alive
    assert thread.is_stopped
    assert not ended
    may_end.set()
    assert thread.stop(DEADLINE_S)
    assert not thread.is_alive
    assert ended == ["once"]
    assert not thread.wake()  # stopped is stopped
    assert not thread.is_alive


def test_the_end_runs_once_also_without_a_thread(made: Made) -> None:
    """Where none was ever started, `stop` does what it would have done."""
    ended: list[str] = []
    thread = made(Step(), at_end=lambda: ended.append("once"))
    assert thread.stop(0.0)
    assert thread.stop(0.0)
    assert ended == ["once"]


def test_stopping_oneself_waits_for_nothing(made: Made) -> None:
    """A step may find that it is the last one."""
    threads: list[BackgroundThread] = []
    threads.append(made(lambda: float(threads[0].stop(DEADLINE_S))))
    threads[0].start()
    assert threads[0].stop(DEADLINE_S)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("who", ["wake", "start", "dead"])
def test_a_dead_thread_is_started_again(
    made: Made, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, who: str
) -> None:
    """By whoever has something for it, or asks for its health."""
    step = Step()
    thread = made(step)
    DiesOnce(monkeypatch)
    thread.start()
    assert thread._thread is not None
    thread._thread.join(DEADLINE_S)
    assert not thread.is_alive
    assert thread in background.running()
    if who == "dead":
        assert background.dead() == []
    else:
        assert getattr(thread, who)()
    assert thread.is_alive
    step.wait_for(1)
    assert "had ended and was started again" in caplog.text


def test_a_thread_that_cannot_be_started_is_dead(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system gives no more threads, or the interpreter shuts down; later it may be started after all."""
    thread = made(Step(), "the dead one")

    def refuse(_: threading.Thread) -> NoReturn:
        raise RuntimeError("can't start new thread")

    assert "the dead one" not in background.dead()  # nobody wanted it yet
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        assert not thread.start()
        assert "the dead one" in background.dead()
    assert "the dead one" not in background.dead()
    assert thread.is_alive


def test_what_was_stopped_is_not_missed(made: Made) -> None:
    """Only threads that should run are looked at."""
    thread = made(Step())
    thread.start()
    assert thread in background.running()
    thread.stop(DEADLINE_S)
    assert thread not in background.running()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_child_process_misses_no_thread_of_its_parent(made: Made) -> None:
    """Threads are not copied: they are the parent's business."""
    made(Step(), "the parent's").start()
    child = os.fork()
    if child == 0:
        os._exit(1 if background.running() else 0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_something_is_said_seldom() -> None:
    """Once for each key until the time has passed, and of very many keys no more is kept than it takes."""
    now = [0.0]
    seldom = Seldom(60.0, lambda: now[0])
    assert [seldom.is_due("a"), seldom.is_due("a"), seldom.is_due("b")] == [True, False, True]
    now[0] = 60.0
    assert seldom.is_due("a")
    assert all(seldom.is_due(number) for number in range(1000))

"""Work that hangs is waited for only so long, and holds up nothing else."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from opentelemetry import context

from otel_labelstudio.delivery.lanes import Lanes
from tests.delivery.pipelines import until

SOON_S = 240.0


@pytest.fixture
def released() -> Iterator[threading.Event]:
    """What hanging work waits for; it ends at the end of the test."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def lanes(released: threading.Event) -> Iterator[Lanes]:
    made = Lanes(number=2, patience_s=0.05)
    yield made
    released.set()
    assert made.close(SOON_S)


def test_work_that_ends_soon_is_done_when_run_returns(released: threading.Event) -> None:
    """As if it had been called, its error too; one thread does it all."""
    lanes = Lanes(number=2, patience_s=SOON_S)
    done: list[str] = []

    def work() -> None:
        done.append(threading.current_thread().name)

    for _ in range(3):
        lanes.run("a", work)
    assert len(done) == 3
    assert len(set(done)) == 1

    def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        lanes.run("a", fail)
    lanes.run("a", work)
    assert len(done) == 4
    assert lanes.close(SOON_S)


def test_work_that_hangs_holds_up_nothing_else(lanes: Lanes, released: threading.Event) -> None:
    """Other work is done beside it; the same work is not begun again until it has ended."""
    ended = threading.Event()

    def hang() -> None:
        released.wait()
        ended.set()

    lanes.run("hanging", hang)
    assert lanes.under_way() == ["hanging"]
    assert lanes.is_taken("hanging")
    assert not lanes.is_taken("other")
    other = threading.Event()
    lanes.run("other", other.set)
    assert other.wait(SOON_S)
    released.set()
    assert ended.wait(SOON_S)
    until(lambda: not lanes.is_taken("hanging"))
    assert lanes.under_way() == []


def test_no_more_lanes_than_there_are(lanes: Lanes, released: threading.Event) -> None:
    """Where all are taken, nothing else is begun."""

    def hang() -> None:
        released.wait()

    lanes.run("a", hang)
    lanes.run("b", hang)
    assert lanes.is_taken("c")
    released.set()
    until(lambda: not lanes.is_taken("c"))


def test_an_error_that_comes_late_ends_nothing(lanes: Lanes, released: threading.Event) -> None:
    """Nobody waits for it any more: it is raised once, when somebody asks, and the lane is free again."""

    def fail_late() -> None:
        released.wait()
        raise ZeroDivisionError

    lanes.run("a", fail_late)
    released.set()
    until(lambda: not lanes.is_taken("a"))
    with pytest.raises(ZeroDivisionError):
        lanes.raise_late()
    lanes.raise_late()
    done = threading.Event()
    lanes.run("a", done.set)
    assert done.wait(SOON_S)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_lane_is_over_however_it_ended() -> None:
    """Also by what ends a thread: who waits for the end of all work is told."""
    lanes, is_over = Lanes(number=2, patience_s=SOON_S), threading.Event()

    def end_the_thread() -> None:
        raise SystemExit

    lanes.run("a", end_the_thread)
    assert lanes.close(SOON_S)
    lanes.when_over(is_over.set)
    assert is_over.is_set()


def test_work_has_the_context_of_who_hands_it_out(lanes: Lanes) -> None:
    """Which says that its requests are not to be traced."""
    token = context.attach(context.set_value("key", "value"))
    found: list[object] = []
    try:
        lanes.run("a", lambda: found.append(context.get_value("key")))
        until(lambda: not lanes.is_taken("a"))
    finally:
        context.detach(token)
    assert found == ["value"]


def test_without_threads_work_is_done_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the interpreter shuts down none can be started."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    done: list[int] = []
    Lanes().run("a", lambda: done.append(threading.get_ident()))
    assert done == [threading.get_ident()]

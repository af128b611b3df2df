"""When each destination is tried, and with how many calls: times go in, decisions come out."""

from __future__ import annotations

import pytest

from otel_labelstudio.delivery import retry
from otel_labelstudio.delivery.schedule import Schedule

HERE, THERE = '{"title":"here"}', '{"title":"there"}'


@pytest.fixture(autouse=True)
def longest_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without jitter: 1, 2, 4, ... seconds."""
    monkeypatch.setattr(retry.Backoff.__init__, "__defaults__", (lambda _, longest: longest,))


@pytest.fixture
def schedule() -> Schedule:
    return Schedule(batch_size=100)


def narrowed(schedule: Schedule, tried: int, times: int = 1) -> list[bool]:
    return [schedule.narrow(HERE, tried) for _ in range(times)]


def test_without_trouble_all_is_due_in_whole_batches(schedule: Schedule) -> None:
    """A destination that nobody has heard of can be tried at once."""
    assert schedule.is_due(HERE, 0.0)
    assert schedule.limit(HERE) == 100
    assert not schedule.succeeded(HERE)


def test_a_destination_that_fails_waits_by_itself_and_longer_each_time(schedule: Schedule) -> None:
    """One is down; the other goes on."""
    due = []
    for _ in range(4):
        schedule.failed(HERE, 1000.0, why="down")
        due.append(schedule.due_at(HERE) - 1000.0)
    assert due == [1, 2, 4, 8]
    assert not schedule.is_due(HERE, 1007.9)
    assert schedule.is_due(HERE, 1008.0)
    assert schedule.is_due(THERE, 1000.0)
    assert schedule.limit(HERE) == 100


def test_the_server_is_left_alone_for_as_long_as_it_asks(schedule: Schedule) -> None:
    """Also by who is in a hurry."""
    schedule.failed(HERE, 1000.0, why="busy", asked_s=30.0)
    assert schedule.due_at(HERE) == 1030.0
    schedule.hurry()
    assert schedule.due_at(HERE) == 1030.0


def test_hurry_tries_at_once_what_waits_of_our_own_accord(schedule: Schedule) -> None:
    """And the next wait is the first one again."""
    for _ in range(6):
        schedule.failed(HERE, 1000.0, why="down")
    schedule.hurry()
    assert schedule.is_due(HERE, 1000.0)
    schedule.failed(HERE, 1000.0, why="down")
    assert schedule.due_at(HERE) == 1001.0


def test_in_the_last_seconds_what_a_person_must_mend_is_tried_once_more(schedule: Schedule) -> None:
    """The project has no TextArea: nobody adds one meanwhile. Another project, and what may pass, are tried on."""
    schedule.failed(HERE, 1000.0, why="no TextArea", is_paused=True)
    schedule.hurry()
    assert schedule.is_due(HERE, 1000.0)
    schedule.failed(HERE, 1000.0, why="no TextArea", is_paused=True)
    assert schedule.due_at(HERE) == float("inf")
    schedule.failed(THERE, 1000.0, why="busy")
    assert schedule.due_at(THERE) == 1001.0


def test_in_the_last_seconds_a_server_that_takes_nothing_is_asked_once_more(schedule: Schedule) -> None:
    """However many projects wait: what one of them was told holds for all."""
    schedule.failed(HERE, 1000.0, why="refused", is_whole_server=True)
    schedule.hurry()
    assert schedule.is_due(HERE, 1000.0)
    assert schedule.is_due(THERE, 1000.0)
    schedule.failed(HERE, 1000.0, why="refused", is_whole_server=True)
    assert schedule.due_at(HERE) == schedule.due_at(THERE) == float("inf")


def test_what_holds_for_the_whole_server_is_news_once(schedule: Schedule) -> None:
    """Not for each of a hundred projects, nor is its end; what one of them alone has is news."""
    assert schedule.failed(HERE, 1000.0, why="refused", is_whole_server=True)
    assert not schedule.failed(THERE, 1000.1, why="refused", is_whole_server=True)
    assert schedule.failed("a third", 1000.2, why="it has no TextArea", is_paused=True)
    assert not schedule.failed(HERE, 1060.0, why="refused", is_whole_server=True)
    assert not schedule.failed(THERE, 1170.0, why="refused", is_whole_server=True)
    assert [schedule.succeeded(THERE), schedule.succeeded(HERE)] == [False, True]


def test_what_was_said_of_the_server_long_ago_is_news_again(schedule: Schedule) -> None:
    """Where the project that met it then has had no calls since."""
    assert schedule.failed(HERE, 1000.0, why="refused", is_whole_server=True)
    assert schedule.failed(THERE, 5000.0, why="refused", is_whole_server=True)


def test_what_was_said_of_one_project_is_not_said_of_the_server(schedule: Schedule) -> None:
    """One that failed by itself before the server went down is not told of again; the next that meets it is."""
    assert schedule.failed(HERE, 1000.0, why="busy")
    assert not schedule.failed(HERE, 1001.0, why="refused", is_whole_server=True)
    assert schedule.failed(THERE, 1001.5, why="refused", is_whole_server=True)
    assert not schedule.failed("a third", 1002.0, why="refused", is_whole_server=True)


def test_before_the_last_seconds_everything_is_tried_again(schedule: Schedule) -> None:
    """A server comes back, and a key is mended."""
    schedule.failed(HERE, 1000.0, why="refused", is_whole_server=True)
    schedule.failed(THERE, 1000.0, why="the key is wrong", is_paused=True, is_whole_server=True)
    assert schedule.due_at(HERE) == schedule.due_at(THERE) == 1001.0


def test_a_batch_is_halved_until_one_call_stands_alone(schedule: Schedule) -> None:
    """By how many were tried, not by how many may be."""
    tried = [100]
    while tried[-1] > 1:
        assert not schedule.narrow(HERE, tried[-1])
        tried.append(schedule.limit(HERE))
    assert tried == [100, 50, 25, 12, 6, 3, 1]
    assert schedule.limit(THERE) == 100


def test_a_call_that_fails_alone_three_times_is_set_aside(schedule: Schedule) -> None:
    """And so is the next one after three more."""
    assert narrowed(schedule, 1, times=6) == [False, False, True, False, False, True]


def test_only_failures_alone_and_in_a_row_count(schedule: Schedule) -> None:
    """A success between them, or a failure of several, begins anew."""
    narrowed(schedule, 1, times=2)
    schedule.succeeded(HERE)
    assert narrowed(schedule, 1, times=2) == [False, False]
    narrowed(schedule, 2)
    assert narrowed(schedule, 1, times=3) == [False, False, True]


def test_success_restores_the_batch_size_step_by_step(schedule: Schedule) -> None:
    """What was narrowed is doubled with each success, so that a second bad call is found soon."""
    narrowed(schedule, 7)
    limits = [schedule.limit(HERE)]
    while limits[-1] < 100:
        schedule.succeeded(HERE)
        limits.append(schedule.limit(HERE))
    assert limits == [3, 6, 12, 24, 48, 96, 100]
    schedule.succeeded(HERE)
    assert schedule.limit(HERE) == 100


def test_success_ends_the_wait(schedule: Schedule) -> None:
    """The destination is due, and its next wait is the first one again."""
    for _ in range(4):
        schedule.failed(HERE, 1000.0, why="down")
    assert schedule.succeeded(HERE)
    assert schedule.is_due(HERE, 0.0)
    schedule.failed(HERE, 2000.0, why="down")
    assert schedule.due_at(HERE) == 2001.0


def test_a_failure_is_news_once_and_so_is_its_end(schedule: Schedule) -> None:
    """However the words change meanwhile: a server that comes and goes fills no log."""
    said = [schedule.failed(HERE, 0.0, why=why) for why in ("down", "down", "busy")]
    assert said == [True, False, False]
    assert schedule.succeeded(HERE)
    assert not schedule.succeeded(HERE)


def test_each_reason_for_a_pause_is_news(schedule: Schedule) -> None:
    """What a person has to mend is said, even where something else failed before."""
    schedule.failed(HERE, 0.0, why="down")
    said = [schedule.failed(HERE, 0.0, why=why, is_paused=True) for why in ("key", "key", "project", "project")]
    assert said == [True, False, True, False]


def test_what_waits_for_a_person_is_paused_until_it_fails_otherwise_or_succeeds(schedule: Schedule) -> None:
    """A paused destination is tried now and then all the same."""
    schedule.failed(HERE, 1000.0, why="key", is_paused=True)
    schedule.failed(THERE, 1000.0, why="down")
    assert schedule.paused() == [HERE]
    assert schedule.is_due(HERE, 1001.0)
    schedule.failed(HERE, 1001.0, why="down")
    assert schedule.paused() == []
    schedule.failed(HERE, 1002.0, why="key", is_paused=True)
    schedule.succeeded(HERE)
    assert schedule.paused() == []

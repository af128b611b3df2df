"""What the outbox tells those who look on."""

from __future__ import annotations

from pathlib import Path

import pytest

from otel_labelstudio.outbox import Outbox
from otel_labelstudio.outbox.entry import STATES
from otel_labelstudio.outbox.notes import LAST_ERROR
from otel_labelstudio.outbox.status import TroubledDestination
from otel_labelstudio.spans.model import LogRecord
from tests.outbox.calls import DESTINATION, ROOMY, Clock, numbered, pending, taken

OTHER = '{"title":"other"}'


def test_a_new_outbox_has_nothing(outbox: Outbox) -> None:
    """Each state is there from the start."""
    status = outbox.figures.status()
    assert status.states == dict.fromkeys(STATES, 0)
    assert (status.held, status.waiting_bytes, status.delivered_last_minute) == (0, 0, 0)
    assert (status.oldest_age_s, status.last_delivered_at, status.delivery_seen_at) == (None, None, None)
    assert (status.paused, status.last_error, status.last_error_at) == ((), None, None)
    assert outbox.figures.oldest_age_s() == 0


def test_calls_are_counted_by_state(outbox: Outbox, clock: Clock) -> None:
    """And what is held beside them."""
    one, two = taken(outbox, numbered(1), numbered(2))
    outbox.queue.mark_delivered([one])
    outbox.dead_letters.bury([(two.seq, "refused")])
    taken(outbox, numbered(3))
    pending(outbox, numbered(4))
    outbox.accepting.put(numbered(5), DESTINATION, due_at=clock() + 9)
    outbox.accepting.hold(LogRecord(), due_at=clock() + 9)
    status = outbox.figures.status()
    assert status.states == {"settling": 1, "pending": 1, "in_flight": 1, "delivered": 1, "folded": 0, "dead": 1}
    assert status.held == 1
    assert status.waiting_bytes == outbox.database.total("waiting")[1] > 0


def test_the_oldest_is_the_one_that_was_accepted_first_and_waits_still(outbox: Outbox, clock: Clock) -> None:
    """A clock that was set back makes nothing younger than new."""
    (one,) = taken(outbox, numbered(1))
    clock.now += 10
    pending(outbox, numbered(2))
    clock.now += 10
    assert outbox.figures.oldest_age_s() == outbox.figures.status().oldest_age_s == pytest.approx(20)
    outbox.queue.mark_delivered([one])
    assert outbox.figures.oldest_age_s() == pytest.approx(10)
    clock.now -= 100
    assert outbox.figures.oldest_age_s() == 0


def test_the_last_delivery_and_the_rate_are_known(outbox: Outbox, clock: Clock) -> None:
    """The rate of the last minute; the last delivery for as long as its destination is known."""
    entries = taken(outbox, *map(numbered, range(3)))
    outbox.queue.mark_delivered(entries)
    outbox.queue.mark_known(DESTINATION)
    at = clock()
    assert outbox.figures.status().delivered_last_minute == 3
    clock.now += 61
    status = outbox.figures.status()
    assert (status.delivered_last_minute, status.last_delivered_at) == (0, at)
    assert outbox.figures.last_delivery_at() == at


def test_a_paused_destination_says_why_until_it_resumes(outbox: Outbox, clock: Clock) -> None:
    """Others, and errors that mend themselves, pause nothing; the last error stays."""
    pending(outbox, numbered(1))
    outbox.notes.delivery_failed(DESTINATION, "the key is wrong", is_paused=True)
    clock.now += 1
    outbox.notes.delivery_failed(OTHER, "the server is down \ud800", is_paused=False)
    status = outbox.figures.status()
    assert status.paused == (TroubledDestination(DESTINATION, "the key is wrong", clock() - 1),)
    assert status.last_error is not None
    assert status.last_error.startswith("the server is down")
    assert status.last_error_at == clock()
    outbox.notes.delivery_resumed(OTHER)
    assert outbox.figures.status().paused == status.paused
    outbox.notes.delivery_resumed(DESTINATION)
    assert outbox.figures.status().paused == ()


def test_an_error_is_over_when_its_destination_resumes(outbox: Outbox, clock: Clock) -> None:
    """From then on, whatever becomes of other destinations, and until the next error."""
    pending(outbox, numbered(1))
    pending(outbox, numbered(2), destination=OTHER)
    notes, status = outbox.notes, outbox.figures.status
    notes.delivery_failed(OTHER, "the project is full", is_paused=False)
    clock.now += 1
    notes.delivery_failed(DESTINATION, "the server is down", is_paused=False)
    failed_at = clock()
    clock.now += 1
    assert [trouble.destination for trouble in status().retried] == [DESTINATION, OTHER]
    assert (status().retried_count, status().last_error_over_at) == (2, None)
    notes.delivery_resumed(OTHER)
    assert status().retried == (TroubledDestination(DESTINATION, "the server is down", failed_at),)
    assert status().last_error_over_at is None
    notes.delivery_resumed(DESTINATION)
    over_at = clock()
    clock.now += 1
    notes.delivery_resumed(DESTINATION)
    assert (status().retried, status().last_error_over_at) == ((), over_at)
    assert (status().last_error, status().last_error_at) == ("the server is down", failed_at)
    notes.delivery_failed(DESTINATION, "the key is wrong", is_paused=True)
    assert status().last_error_over_at is None
    assert (status().paused_count, status().retried_count) == (1, 0)


def test_no_destination_is_in_trouble_for_which_nothing_waits(outbox: Outbox) -> None:
    """However its last call ended: one that cannot be read is buried without a word to the sink."""
    (entry,) = taken(outbox, numbered(1))
    outbox.notes.delivery_failed(DESTINATION, "the key is wrong", is_paused=True)
    assert (outbox.figures.paused_destination_count(), outbox.figures.status().paused_count) == (1, 1)
    outbox.dead_letters.bury([(entry.seq, "cannot be read")])
    assert (outbox.figures.paused_destination_count(), outbox.figures.status().paused_count) == (0, 0)
    assert outbox.figures.status().paused == ()
    taken(outbox, numbered(2))
    assert [trouble.reason for trouble in outbox.figures.status().paused] == ["the key is wrong"]


def test_an_error_that_an_earlier_version_noted_is_over_after_a_delivery(outbox: Outbox, clock: Clock) -> None:
    """It is not known whose error it was, so any delivery since then counts."""
    outbox.notes.write(LAST_ERROR, "the server is down")
    clock.now += 1
    assert outbox.figures.status().last_error_over_at is None
    outbox.queue.mark_known(DESTINATION)
    assert outbox.figures.status().last_error_over_at == clock()


def test_it_is_known_when_somebody_last_worked_on_it(outbox: Outbox, clock: Clock) -> None:
    """Whatever he found to do."""
    outbox.notes.delivery_seen()
    clock.now += 5
    assert outbox.figures.status().delivery_seen_at == clock() - 5


def test_all_of_it_is_there_after_a_restart(tmp_path: Path, clock: Clock) -> None:
    """Another process may look on."""
    path = str(tmp_path / "calls.outbox")
    outbox = Outbox(path, clock=clock, **ROOMY)
    pending(outbox, numbered(1))
    outbox.notes.delivery_failed(DESTINATION, "the key is wrong", is_paused=True)
    outbox.notes.delivery_seen()
    outbox.notes.write("read to, inbox", "7")
    outbox.queue.mark_known(DESTINATION)
    other = Outbox(path, clock=clock, **ROOMY)
    assert other.figures.status() == outbox.figures.status()
    assert other.notes.read("read to, inbox") == "7"
    assert other.notes.read("read to, another") is None
    for opened in (outbox, other):
        opened.close()

"""The outbox for the one who delivers: what is pending where, and what is known of a call in flight."""

from __future__ import annotations

import pytest

from otel_labelstudio.outbox import Outbox
from otel_labelstudio.outbox.entry import CallToRecheck, OutboxEntry
from otel_labelstudio.outbox.queue import KNOWN_S
from otel_labelstudio.outbox.serialization import key_of
from tests.outbox.calls import DESTINATION, Clock, numbered, pending, settle, taken

OTHER = '{"title":"other"}'
HOUR_S = 3600.0


def again(outbox: Outbox) -> list[OutboxEntry]:
    return outbox.queue.take(DESTINATION, limit=1000, max_bytes=2**30)


def test_the_destination_that_has_waited_longest_goes_first(outbox: Outbox) -> None:
    """Of those that have something to deliver now."""
    pending(outbox, numbered(1), destination=OTHER)
    pending(outbox, numbered(2), numbered(3))
    pending(outbox, numbered(4), destination=OTHER)
    assert outbox.queue.destinations() == [OTHER, DESTINATION]
    outbox.queue.take(OTHER, limit=1, max_bytes=1)
    assert outbox.queue.destinations() == [DESTINATION, OTHER]
    outbox.queue.put_back(outbox.queue.take(DESTINATION, limit=9, max_bytes=2**30), after_s=30)
    assert outbox.queue.destinations() == [OTHER]


def test_a_batch_is_bounded_by_calls_and_by_bytes(outbox: Outbox) -> None:
    """A call that is larger than a batch goes alone."""
    pending(outbox, *map(numbered, range(6)))
    assert len(outbox.queue.take(DESTINATION, limit=2, max_bytes=2**30)) == 2
    assert len(outbox.queue.take(DESTINATION, limit=9, max_bytes=1)) == 1
    assert len(again(outbox)) == 3
    assert again(outbox) == []


def test_what_is_put_off_waits_and_is_known_to(outbox: Outbox, clock: Clock) -> None:
    """Nothing else waits for it."""
    assert outbox.queue.next_in_s() == float("inf")
    one, two = taken(outbox, numbered(1), numbered(2))
    outbox.queue.put_back([one], after_s=30)
    outbox.queue.put_back([two])
    assert outbox.queue.next_in_s() == pytest.approx(30)
    assert [entry.call_id for entry in again(outbox)] == [two.call_id]
    clock.now += 30
    assert [entry.call_id for entry in again(outbox)] == [one.call_id]


def test_what_is_done_is_not_put_back(outbox: Outbox) -> None:
    """Only what is in flight still."""
    one, two = taken(outbox, numbered(1), numbered(2))
    outbox.queue.mark_delivered([one])
    outbox.dead_letters.bury([(two.seq, "refused")])
    outbox.queue.put_back([one, two])
    assert again(outbox) == []


def test_the_ids_of_all_requests_that_carried_a_call_are_kept(outbox: Outbox) -> None:
    """By them it is told later which tasks are ours."""
    (entry,) = taken(outbox, numbered(1))
    assert entry.import_ids == ()
    for import_id, after in (("first", 7), ("second", 9)):
        outbox.queue.mark_sent([entry], import_id, after)
    outbox.queue.put_back([entry])
    (entry,) = again(outbox)
    assert (entry.import_ids, entry.after_task_id) == (("first", "second"), 9)


def test_a_call_that_is_sent_may_be_a_task_until_more_is_known(outbox: Outbox, clock: Clock) -> None:
    """Since when, and above which id; a task is known by its id, and nothing of it is unknown."""
    (entry,) = taken(outbox, numbered(1))
    outbox.queue.mark_sent([entry], "import", 7)
    outbox.queue.put_back([entry])
    (entry,) = again(outbox)
    assert (entry.is_outcome_unknown, entry.sent_at, entry.after_task_id, entry.task_id) == (True, clock(), 7, None)
    outbox.queue.mark_stored([(entry, 8)])
    outbox.queue.put_back([entry])
    (entry,) = again(outbox)
    assert (entry.is_outcome_unknown, entry.task_id) == (False, 8)


def test_a_request_that_stored_nothing_leaves_what_was_known_before(outbox: Outbox, clock: Clock) -> None:
    """Of an earlier request with an unknown outcome nothing is known by that; without one, nothing is unknown."""
    (entry,) = taken(outbox, numbered(1))
    outbox.queue.mark_sent([entry], "first", 7)
    outbox.queue.put_back([entry])
    (earlier,) = again(outbox)
    clock.now += 60
    outbox.queue.mark_sent([earlier], "second", 9)
    outbox.queue.mark_not_stored([earlier])
    outbox.queue.put_back([earlier])
    (entry,) = again(outbox)
    assert (entry.is_outcome_unknown, entry.sent_at, entry.after_task_id) == (True, clock() - 60, 7)
    (fresh,) = taken(outbox, numbered(2))
    outbox.queue.mark_sent([fresh], "third", 11)
    outbox.queue.mark_not_stored([fresh])
    outbox.queue.put_back([fresh])
    (entry,) = again(outbox)
    assert (entry.is_outcome_unknown, entry.sent_at, entry.after_task_id) == (False, None, 0)


def test_failures_alone_are_counted(outbox: Outbox) -> None:
    """Across restarts of the worker."""
    (entry,) = taken(outbox, numbered(1))
    assert outbox.queue.mark_failed(entry) == 1
    outbox.queue.put_back([entry])
    (entry,) = again(outbox)
    assert outbox.queue.mark_failed(entry) == 2


def test_what_another_process_had_in_flight_is_taken_over(outbox: Outbox) -> None:
    """With what it knew."""
    entries = taken(outbox, numbered(1))
    outbox.queue.mark_sent(entries, "import", 7)
    outbox.queue.recover()
    (entry,) = again(outbox)
    assert entry.is_outcome_unknown


def test_an_outcome_that_an_earlier_run_left_unknown_stays_so(outbox: Outbox) -> None:
    """Also where the richer reading of the call knows nothing of it."""
    outbox.accepting.put(numbered(1), DESTINATION, due_at=0, may_be_stored=True)
    outbox.accepting.put(numbered(1, "client", response_id="richer"), DESTINATION, due_at=0)
    settle(outbox, float("inf"))
    (entry,) = again(outbox)
    assert (entry.is_outcome_unknown, entry.sent_at) == (True, None)
    assert entry.call.response_id == "richer"


def test_rechecks_are_of_delivered_calls_when_they_are_due(outbox: Outbox, clock: Clock) -> None:
    """By destination, with the ids of their requests; each until it is done."""
    (one,) = taken(outbox, numbered(1))
    (two,) = taken(outbox, numbered(2), destination=OTHER)
    for entry in (one, two):
        outbox.queue.mark_sent([entry], f"import-{entry.seq}", 0)
        outbox.queue.mark_recheck([entry], after_s=HOUR_S)
    clock.now += HOUR_S
    assert outbox.queue.due_rechecks(10) == {}
    assert outbox.queue.next_recheck_in_s() == float("inf")
    outbox.queue.mark_delivered([one, two])
    assert outbox.queue.next_recheck_in_s() == 0
    assert outbox.queue.due_rechecks(10) == {
        DESTINATION: [CallToRecheck(one.call_id, ("import-1",))],
        OTHER: [CallToRecheck(two.call_id, ("import-2",))],
    }
    outbox.queue.mark_rechecked([one.call_id])
    assert list(outbox.queue.due_rechecks(10)) == [OTHER]


def test_a_destination_is_known_once_something_was_delivered_there(outbox: Outbox, clock: Clock) -> None:
    """For two days after the last time."""
    assert DESTINATION not in outbox.queue.known()
    outbox.queue.mark_known(DESTINATION)
    clock.now += KNOWN_S - 1
    outbox.retention.forget()
    assert DESTINATION in outbox.queue.known()
    clock.now += 11
    outbox.retention.forget()
    assert DESTINATION not in outbox.queue.known()


def test_destinations_in_use_and_created_are_counted_apart(outbox: Outbox, clock: Clock) -> None:
    """A project that was created lately is not in use already: else each new one would allow one more."""
    outbox.queue.mark_known("old", is_created=True)
    outbox.queue.mark_known("found")
    clock.now += 20 * HOUR_S
    for name in ("new", "newer"):
        outbox.queue.mark_known(name, is_created=True)
        outbox.queue.mark_known(name)  # its first delivery does not undo that it was created
    assert outbox.queue.in_use_and_created(25 * HOUR_S, 12 * HOUR_S) == (2, 2)
    assert outbox.queue.in_use_and_created(HOUR_S, HOUR_S) == (0, 2)
    clock.now += 12 * HOUR_S
    assert outbox.queue.in_use_and_created(25 * HOUR_S, 12 * HOUR_S) == (2, 0)


def test_a_row_that_cannot_be_read_is_a_dead_letter_alone(outbox: Outbox) -> None:
    """The batch goes without it."""
    pending(outbox, numbered(1), numbered(2))
    with outbox.database.transaction() as db:
        db.execute("UPDATE readings SET body = '{}' WHERE key = ?", (key_of(numbered(1)),))
    assert [entry.call for entry in again(outbox)] == [numbered(2)]
    (letter,) = outbox.dead_letters.all()
    assert (letter.call, letter.reason[:14]) == (None, "cannot be read")

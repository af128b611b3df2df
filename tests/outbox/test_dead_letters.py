"""What was refused for good: kept with its reason, tried again, forgotten, bounded."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager

from otel_labelstudio.calls import Message, TextPart
from otel_labelstudio.outbox import Outbox
from otel_labelstudio.outbox.entry import HeldItem
from otel_labelstudio.outbox.serialization import call_to_text
from otel_labelstudio.spans.model import LogRecord
from tests.outbox.calls import DESTINATION, Clock, drained, number_of, numbered, settle, taken


def dead(outbox: Outbox, *numbers: int) -> None:
    entries = taken(outbox, *map(numbered, numbers))
    outbox.dead_letters.bury([(entry.seq, f"refused {number_of(entry.call)}") for entry in entries])


def left(outbox: Outbox) -> list[int]:
    return [number_of(letter.call) for letter in outbox.dead_letters.all() if letter.call]


def held(outbox: Outbox) -> list[HeldItem]:
    outbox.accepting.hold(LogRecord(body="what somebody asked"), due_at=0)
    return outbox.settling.held_of_no_span(0)


def test_a_dead_letter_says_what_why_where_and_when(outbox: Outbox, clock: Clock) -> None:
    """And nothing of the call in its repr."""
    dead(outbox, 1)
    (letter,) = outbox.dead_letters.all()
    assert (letter.call, letter.reason, letter.destination, letter.died_at) == (
        *(numbered(1), "refused 1", DESTINATION, clock()),
    )
    assert "Question" not in repr(letter)


@contextmanager
def no_file_grows() -> Iterator[None]:
    """Whatever this process writes to a file fails."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_an_outbox_in_memory_writes_nothing_to_a_disk(outbox: Outbox) -> None:
    """Nor does SQLite, which sorts much content in files of its own unless told otherwise."""
    content = (Message("user", (TextPart("x" * 2**20),)),)
    entries = taken(outbox, *(numbered(number, input_messages=content) for number in range(8)))
    outbox.dead_letters.bury([(entry.seq, "refused") for entry in entries])
    with no_file_grows():
        assert len(outbox.dead_letters.all()) == 8


def test_the_oldest_come_first_and_are_forgotten_first(clock: Clock) -> None:
    """A quarter of the outbox's bounds is theirs."""
    outbox = Outbox(max_calls=12, max_bytes=2**20, clock=clock)
    for number in range(1, 6):
        clock.now += 1
        dead(outbox, number)
    assert left(outbox) == [3, 4, 5]


def test_their_bytes_are_bounded_too(clock: Clock) -> None:
    """As many are kept as fit into a quarter."""
    size = len(call_to_text(numbered(1)))
    outbox = Outbox(max_calls=1000, max_bytes=4 * 2 * size, clock=clock)
    for number in range(1, 6):
        clock.now += 1
        dead(outbox, number)
    assert left(outbox) == [4, 5]
    assert outbox.database.total("dead") == (2, 2 * size)


def test_one_is_kept_in_the_smallest_outbox(clock: Clock) -> None:
    """A quarter of one is one."""
    outbox = Outbox(max_calls=1, max_bytes=2**20, clock=clock)
    dead(outbox, 1)
    assert left(outbox) == [1]


def test_what_is_tried_again_is_a_call_like_any_other(outbox: Outbox, clock: Clock) -> None:
    """It neither waits nor counts as having failed."""
    (entry,) = taken(outbox, numbered(1))
    outbox.queue.mark_failed(entry)
    outbox.queue.put_back([entry], after_s=60)
    outbox.dead_letters.bury([(entry.seq, "failed by itself")])
    assert outbox.dead_letters.retry() == 1
    assert outbox.dead_letters.all() == []
    (entry,) = outbox.queue.take(DESTINATION, limit=9, max_bytes=1)
    assert entry.failures == 0
    outbox.queue.put_back([entry])
    assert drained(outbox) == [1]


def test_what_is_purged_is_gone(outbox: Outbox) -> None:
    """And unknown: it is a new call if it comes again."""
    dead(outbox, 1, 2)
    assert outbox.dead_letters.purge() == 2
    assert (outbox.dead_letters.all(), outbox.database.total("dead")) == ([], (0, 0))
    assert drained(outbox) == []
    dead(outbox, 1)
    assert left(outbox) == [1]


def test_what_is_held_keeps_its_bytes(outbox: Outbox) -> None:
    """It is held no longer."""
    (item,) = held(outbox)
    outbox.dead_letters.bury_held([item], "cannot be read")
    (letter,) = outbox.dead_letters.all()
    assert (letter.call, letter.reason) == (None, "cannot be read")
    with outbox.database.reading() as db:
        assert db.execute("SELECT body FROM readings WHERE state = 'dead'").fetchall() == [(item.body,)]
    assert len(outbox) == 0


def test_what_is_held_no_longer_is_not_buried_again(outbox: Outbox) -> None:
    """Several may have looked at it in one round."""
    (item,) = held(outbox)
    outbox.dead_letters.bury_held([item, item], "cannot be read")
    outbox.dead_letters.bury_held([item], "cannot be read")
    assert len(outbox.dead_letters.all()) == 1


def test_held_telemetry_that_is_tried_again_is_dead_again(outbox: Outbox, clock: Clock) -> None:
    """It is no call, and holds up nothing."""
    outbox.dead_letters.bury_held(held(outbox), "cannot be read")
    assert outbox.dead_letters.retry() == 1
    for destination in outbox.queue.destinations():
        assert outbox.queue.take(destination, limit=9, max_bytes=2**20) == []
    settle(outbox, clock())
    assert len(outbox) == 0
    assert len(outbox.dead_letters.all()) == 1

"""What the outbox takes, and what it says of what it does not."""

from __future__ import annotations

import pytest

from otel_labelstudio.errors import OutboxError
from otel_labelstudio.outbox import Outbox
from otel_labelstudio.outbox.accepting import UNANSWERED_WAIT_S
from otel_labelstudio.outbox.entry import Put
from otel_labelstudio.outbox.serialization import call_to_text, key_of
from otel_labelstudio.spans.model import LogRecord, Scope, Span
from tests.outbox.calls import DESTINATION, Clock, drained, numbered

FAR = 1e12
RECORD = LogRecord(trace_id="1" * 32, span_id="1" * 16, time_unix_nano=5)
SPAN = Span(trace_id="1" * 32, span_id="1" * 16)


def due_at(outbox: Outbox) -> list[float]:
    with outbox.database.reading() as db:
        return [row[0] for row in db.execute("SELECT due_at FROM held ORDER BY seq")]


def test_a_reading_is_known_by_its_span_and_prompt(outbox: Outbox) -> None:
    """Here or delivered, whatever else has changed in it."""
    assert outbox.accepting.put(numbered(1), DESTINATION, due_at=0) is Put.ACCEPTED
    assert outbox.accepting.put(numbered(1, user_id="another"), DESTINATION, due_at=0) is Put.KNOWN
    assert outbox.accepting.put(numbered(1, prompt_index=1), DESTINATION, due_at=0) is Put.ACCEPTED
    drained(outbox)
    assert outbox.accepting.put(numbered(1), DESTINATION, due_at=0) is Put.KNOWN
    assert outbox.accepting.is_known(key_of(numbered(1)))
    assert not outbox.accepting.is_known(key_of(numbered(2)))


def test_the_number_of_calls_is_bounded_until_some_are_delivered(clock: Clock) -> None:
    """What was accepted before in another form is never refused."""
    outbox = Outbox(max_calls=2, max_bytes=2**20, clock=clock)
    assert [outbox.accepting.put(numbered(n), DESTINATION, due_at=0) for n in (1, 2, 3)] == [
        *(Put.ACCEPTED, Put.ACCEPTED, Put.FULL)
    ]
    assert outbox.accepting.put(numbered(4), DESTINATION, due_at=0, is_accepted=True) is Put.ACCEPTED
    assert drained(outbox) == [1, 2, 4]
    assert outbox.accepting.put(numbered(3), DESTINATION, due_at=0) is Put.ACCEPTED


def test_the_bytes_of_calls_and_of_what_is_held_are_bounded_together(clock: Clock) -> None:
    """The last byte that fits is taken."""
    size = len(call_to_text(numbered(1)))
    outbox = Outbox(max_calls=100, max_bytes=2 * size, clock=clock)
    assert outbox.accepting.put(numbered(1), DESTINATION, due_at=0) is Put.ACCEPTED
    assert outbox.accepting.put(numbered(2), DESTINATION, due_at=0) is Put.ACCEPTED
    assert not outbox.accepting.hold(SPAN, due_at=FAR)
    assert outbox.accepting.put(numbered(3), DESTINATION, due_at=0) is Put.FULL


def test_held_telemetry_has_a_bound_of_its_own(clock: Clock) -> None:
    """Where as much is held as may be, calls go in still."""
    outbox = Outbox(max_calls=2, max_bytes=2**20, clock=clock)
    assert [outbox.accepting.hold(RECORD, due_at=FAR) for _ in range(3)] == [True, True, False]
    assert outbox.accepting.put(numbered(1), DESTINATION, due_at=0) is Put.ACCEPTED


@pytest.mark.parametrize("is_record_first", [False, True])
def test_a_record_of_a_span_that_was_seen_is_due_at_once(outbox: Outbox, clock: Clock, is_record_first: bool) -> None:
    """In either order; its span, and the records of others, wait as they did."""
    seen = [((RECORD.trace_id, RECORD.span_id), "read")]
    if not is_record_first:
        outbox.accepting.note_seen(seen)
    outbox.accepting.hold(RECORD, due_at=FAR)
    outbox.accepting.hold(SPAN, due_at=FAR)
    outbox.accepting.hold(LogRecord(trace_id="1" * 32, span_id="2" * 16), due_at=FAR)
    if is_record_first:
        outbox.accepting.note_seen(seen)
    assert due_at(outbox) == [clock(), FAR, FAR]


def test_zeros_and_nothing_are_no_span(outbox: Outbox) -> None:
    """A record without ids is not one of the span without ids that was seen."""
    outbox.accepting.note_seen([(("", ""), "read"), (("0" * 32, "0" * 16), "read")])
    for record in (LogRecord(), LogRecord(trace_id="0" * 32, span_id="0" * 16)):
        outbox.accepting.hold(record, due_at=FAR)
    assert due_at(outbox) == [FAR, FAR]


def test_an_hour_counts_from_when_something_came(outbox: Outbox, clock: Clock) -> None:
    """Its own time may lie anywhere, also where SQLite has no number for it."""
    for at in (0, 2**70, -(2**70)):
        assert outbox.accepting.hold(LogRecord(time_unix_nano=at, scope=Scope("\ud800")), due_at=FAR)
    items = outbox.settling.held_of_no_span(FAR)
    assert [item.expires_at for item in items] == [clock() + UNANSWERED_WAIT_S] * 3


def test_a_transaction_is_all_or_nothing(outbox: Outbox) -> None:
    """Also where it holds others."""

    def fail() -> None:
        with outbox.transaction():
            outbox.accepting.put(numbered(1), DESTINATION, due_at=0)
            outbox.accepting.hold(SPAN, due_at=0)
            outbox.accepting.note_seen([(("1", "1"), "read")])
            raise OutboxError("the disk is full")

    with pytest.raises(OutboxError):
        fail()
    assert len(outbox) == 0
    assert outbox.settling.fate_of(("1", "1")) is None

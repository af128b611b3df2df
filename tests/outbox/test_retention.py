"""What the outbox forgets, and when."""

from __future__ import annotations

import pytest

from otel_labelstudio.outbox import Outbox, retention
from otel_labelstudio.outbox.accepting import UNANSWERED_WAIT_S
from otel_labelstudio.outbox.entry import Put
from otel_labelstudio.outbox.retention import KEY_RETENTION_S, LATE_DUPLICATE_WINDOW_S
from otel_labelstudio.spans.model import LogRecord
from tests.outbox.calls import DESTINATION, Clock, drained, numbered, pending, settle, taken


def deliver(outbox: Outbox, *numbers: int) -> None:
    pending(outbox, *map(numbered, numbers))
    assert drained(outbox) == list(numbers)


def forget_after(outbox: Outbox, clock: Clock, seconds: float) -> None:
    clock.now += seconds
    outbox.retention.forget()


def is_content_kept(outbox: Outbox) -> list[bool]:
    with outbox.database.reading() as db:
        return [bool(row[0]) for row in db.execute("SELECT body IS NOT NULL FROM readings ORDER BY seq")]


def test_the_content_of_a_delivered_call_is_kept_for_two_minutes(outbox: Outbox, clock: Clock) -> None:
    """By it a late duplicate is recognised; after that the duplicate is a new call."""
    deliver(outbox, 1)
    forget_after(outbox, clock, LATE_DUPLICATE_WINDOW_S - 1)
    assert is_content_kept(outbox) == [True]
    forget_after(outbox, clock, 11)
    assert is_content_kept(outbox) == [False]
    assert outbox.database.total("kept") == (0, 0)
    outbox.accepting.put(numbered(1, "client"), DESTINATION, due_at=clock())
    assert settle(outbox, clock()) == 0
    assert drained(outbox) == [1]


def test_a_key_is_known_for_a_day(outbox: Outbox, clock: Clock) -> None:
    """Longer than the content."""
    deliver(outbox, 1)
    forget_after(outbox, clock, KEY_RETENTION_S - 1)
    assert outbox.accepting.put(numbered(1), DESTINATION, due_at=0) is Put.KNOWN
    forget_after(outbox, clock, 11)
    assert outbox.accepting.put(numbered(1), DESTINATION, due_at=0) is Put.ACCEPTED


def test_the_number_of_keys_is_bounded(outbox: Outbox, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest go; what waits and what is dead stays."""
    monkeypatch.setattr(retention, "MAX_KEYS", 3)
    (entry,) = taken(outbox, numbered(1))
    outbox.dead_letters.bury([(entry.seq, "refused")])
    outbox.accepting.put(numbered(2), DESTINATION, due_at=1e12)
    for number in range(3, 9):
        (entry,) = taken(outbox, numbered(number))
        outbox.queue.mark_delivered([entry])
    forget_after(outbox, clock, 11)
    known = [number for number in range(1, 9) if outbox.accepting.is_known(_key(number))]
    assert known == [1, 2, 6, 7, 8]


def test_a_call_that_is_to_be_rechecked_stays_known(outbox: Outbox, clock: Clock) -> None:
    """Until that is done, however long no exporter runs: it is rechecked as soon as one does."""
    (entry,) = taken(outbox, numbered(1))
    outbox.queue.mark_recheck([entry], after_s=KEY_RETENTION_S)
    outbox.queue.mark_delivered([entry])
    forget_after(outbox, clock, KEY_RETENTION_S + 11)
    assert len(outbox.queue.due_rechecks(10)) == 1
    forget_after(outbox, clock, 3 * KEY_RETENTION_S)
    assert len(outbox.queue.due_rechecks(10)) == 1
    outbox.queue.mark_rechecked([entry.call_id])
    forget_after(outbox, clock, 11)
    assert not outbox.accepting.is_known(_key(1))


def test_spans_that_were_seen_are_known_for_as_long_as_records_wait(outbox: Outbox, clock: Clock) -> None:
    """A record that comes later than that is one without its span."""
    outbox.accepting.note_seen([(("1", "1"), "read")])
    forget_after(outbox, clock, UNANSWERED_WAIT_S - 1)
    assert outbox.settling.fate_of(("1", "1")) == "read"
    forget_after(outbox, clock, 11)
    assert outbox.settling.fate_of(("1", "1")) is None


def test_the_number_of_spans_that_are_known_is_bounded(
    outbox: Outbox, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest stay."""
    monkeypatch.setattr(retention, "_MAX_SEEN_SPANS", 3)
    for number in range(10):
        clock.now += 1
        outbox.accepting.note_seen([((str(number), "1"), "read")])
    forget_after(outbox, clock, 11)
    known = [number for number in range(10) if outbox.settling.fate_of((str(number), "1"))]
    assert known in ([7, 8, 9], [8, 9])


def test_a_clock_that_is_set_back_forgets_nothing_early_and_keeps_nothing_longer(outbox: Outbox, clock: Clock) -> None:
    """What is held, what was seen and where was delivered follow it."""
    outbox.accepting.hold(LogRecord(trace_id="1", span_id="1"), due_at=clock() + 5)
    outbox.accepting.note_seen([(("2", "2"), "read")])
    outbox.queue.mark_known(DESTINATION, is_created=True)
    outbox.retention.follow_clock()
    clock.now -= 86_400
    outbox.retention.follow_clock()
    (item,) = outbox.settling.held_of(("1", "1"))
    assert item.due_at == pytest.approx(clock() + 5)
    assert item.expires_at == pytest.approx(clock() + UNANSWERED_WAIT_S)
    assert outbox.figures.last_delivery_at() == clock()
    assert outbox.queue.in_use_and_created(1, 1) == (0, 1)
    forget_after(outbox, clock, UNANSWERED_WAIT_S + 11)
    assert outbox.settling.fate_of(("2", "2")) is None


def _key(number: int) -> str:
    return f"{numbered(number).trace_id}-{numbered(number).span_id}-0"

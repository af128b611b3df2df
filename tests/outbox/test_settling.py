"""What the one who settles sees of the outbox."""

from __future__ import annotations

from typing import Any

import pytest

from otel_labelstudio.outbox import Outbox, settling
from otel_labelstudio.outbox.serialization import key_of
from otel_labelstudio.spans.model import LogRecord, Scope, Span
from tests.outbox.calls import DESTINATION, Clock, numbered, pending, settle

FAR = 1e12


def held(outbox: Outbox, number: int, *, due_at: float = 0.0, **fields: object) -> None:
    ids = {"trace_id": f"{number:032x}", "span_id": f"{number:016x}"}
    outbox.accepting.hold(LogRecord(**{**ids, **fields}), due_at=due_at)  # type: ignore[arg-type]


@pytest.fixture
def small_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settling, "_BYTES_LIMIT", 1500)


def test_what_is_due_next_is_known(outbox: Outbox, clock: Clock) -> None:
    """A reading or something held, whichever is first; nothing where nothing settles."""
    assert outbox.settling.next_at() == float("inf")
    held(outbox, 1, due_at=clock() + 9)
    assert outbox.settling.next_at() == clock() + 9
    outbox.accepting.put(numbered(1), DESTINATION, due_at=clock() + 5)
    assert outbox.settling.next_at() == clock() + 5


def test_readings_are_due_in_order_and_the_others_later(outbox: Outbox, clock: Clock) -> None:
    """Each is in one of the two lists."""
    for number, due_at in ((1, clock() + 2), (2, clock() + 1), (3, clock() + 9)):
        outbox.accepting.put(numbered(number), DESTINATION, due_at=due_at)
    due, unreadable = outbox.settling.due_readings(clock() + 2, 10)
    later, _ = outbox.settling.later_readings(clock() + 2, 10)
    assert [reading.call for reading in due] == [numbered(2), numbered(1)]
    assert [reading.call for reading in later] == [numbered(3)]
    assert unreadable == []
    assert len(outbox.settling.due_readings(clock() + 2, 1)[0]) == 1


@pytest.mark.usefixtures("small_loads")
def test_not_more_is_loaded_at_once_than_keeps_nobody_waiting(outbox: Outbox, clock: Clock) -> None:
    """What is left comes in the next turn."""
    for number in range(10):
        outbox.accepting.put(numbered(number), DESTINATION, due_at=clock())
        held(outbox, 1, body="x" * 400)
    assert 0 < len(outbox.settling.due_readings(clock(), 100)[0]) < 10
    assert 0 < len(outbox.settling.held_of((f"{1:032x}", f"{1:016x}"))) < 10


def test_the_nearest_of_many_calls_that_said_the_same_are_found(outbox: Outbox) -> None:
    """Those that began last before the time, and no more than can be compared."""
    for number in range(100):
        pending(outbox, numbered(number, response_id="same"))
    (mark,) = {row[0] for row in _rows(outbox, "SELECT fingerprint FROM fingerprints WHERE fingerprint LIKE 'id %'")}
    found = outbox.settling.calls_that_said([mark], numbered(80).start_time_unix_nano)
    assert found == {key_of(numbered(number)) for number in range(17, 81)}


def test_a_reading_that_settles_can_be_written_anew(outbox: Outbox, clock: Clock) -> None:
    """Its size with it; one that has settled stays as it is."""
    outbox.accepting.put(numbered(1), DESTINATION, due_at=clock())
    longer = numbered(1, user_id="x" * 100)
    outbox.settling.replace(key_of(longer), longer)
    assert outbox.settling.reading_that_settles(key_of(longer)) == longer
    assert _rows(outbox, "SELECT size = LENGTH(body) FROM readings") == [(1,)]
    settle(outbox, clock())
    outbox.settling.replace(key_of(longer), numbered(1))
    assert outbox.settling.reading_that_settles(key_of(longer)) is None
    (entry,) = outbox.queue.take(DESTINATION, limit=1, max_bytes=1)
    assert entry.call == longer


def test_groups_are_the_spans_of_what_is_due(outbox: Outbox, clock: Clock) -> None:
    """Each once, the first first; all that belongs to no span is one."""
    held(outbox, 1, due_at=clock() + 1)
    held(outbox, 2, due_at=clock())
    held(outbox, 2, due_at=clock() + 1)
    held(outbox, 3, due_at=FAR)
    for trace_id in ("", "5" * 32):
        held(outbox, 4, trace_id=trace_id, span_id="")
    two, one = (f"{2:032x}", f"{2:016x}"), (f"{1:032x}", f"{1:016x}")
    assert outbox.settling.due_groups(clock() + 1, 100) == [("", ""), two, one]
    assert outbox.settling.due_groups(clock() - 1, 100) == [("", "")]


def test_what_is_held_of_no_span_comes_as_it_came(
    outbox: Outbox, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Records of one time are put in order by that. Where not all is looked at, what is due goes before the newest."""
    monkeypatch.setattr(outbox.settling, "_group_limit", 3)
    for due_at in (0.0, FAR, FAR, 0.0, FAR):
        held(outbox, 1, trace_id="", span_id="", due_at=due_at)
    assert [item.seq for item in outbox.settling.held_of_no_span(clock())] == [1, 4, 5]


def test_spans_are_found_by_their_time_and_scope(outbox: Outbox) -> None:
    """Both ends belong to it, and a trace counts where it is known."""
    scope = Scope("s\ud800")
    outbox.accepting.hold(
        Span(trace_id="a", span_id="b", start_time_unix_nano=5, end_time_unix_nano=9, scope=scope), due_at=FAR
    )
    found = outbox.settling.spans_around
    assert [bool(found(scope.name, "", at)) for at in (4, 5, 9, 10)] == [False, True, True, False]
    assert (bool(found(scope.name, "a", 7)), bool(found(scope.name, "other", 7)), bool(found("other", "", 7))) == (
        *(True, False, False),
    )
    assert [item.span_id for item in outbox.settling.spans_of_trace("a")] == ["b"]


def test_what_is_put_off_is_due_later_and_what_is_released_is_gone(outbox: Outbox, clock: Clock) -> None:
    """The totals follow."""
    held(outbox, 1)
    held(outbox, 2)
    one, two = (outbox.settling.held_of((f"{n:032x}", f"{n:016x}"))[0] for n in (1, 2))
    outbox.settling.defer([(one, clock() + 5)])
    outbox.settling.release([two])
    assert (outbox.settling.next_at(), outbox.database.total("held")[0], len(outbox)) == (clock() + 5, 1, 1)


def test_a_spans_fate_is_the_last_that_was_told(outbox: Outbox) -> None:
    """None where it was not seen."""
    outbox.accepting.note_seen([(("1", "2"), "skipped"), (("1", "2"), "read")])
    assert outbox.settling.fate_of(("1", "2")) == "read"
    assert outbox.settling.fate_of(("1", "3")) is None


def _rows(outbox: Outbox, statement: str) -> list[tuple[Any, ...]]:
    with outbox.database.reading() as db:
        return db.execute(statement).fetchall()

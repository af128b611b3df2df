"""The outbox remembers to which projects calls of a destination were sent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from otel_labelstudio.delivery.results import Delivered, InProject, Recheck, Result, Retry, Sending
from otel_labelstudio.delivery.sink import Terms
from otel_labelstudio.outbox import Outbox, sent_to
from otel_labelstudio.outbox.entry import OutboxEntry
from tests.delivery.scripted import HERE, THERE, Desk, Script
from tests.outbox.calls import Clock


def delivers_to(project_id: int) -> Script:
    """All is well there."""

    def deliver(entries: Sequence[OutboxEntry], _: Terms) -> Iterator[Result]:
        yield InProject(project_id)
        yield Delivered(entries)

    return deliver


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_the_last_ones_first_and_each_once(outbox: Outbox, clock: Clock) -> None:
    """As many as are looked into, by destination."""
    for project_id in (7, 9, 7, *range(100, 120)):
        clock.now += 1
        outbox.sent_to.note(HERE, project_id)
    outbox.sent_to.note(THERE, 7)
    assert outbox.sent_to.projects(HERE) == tuple(range(119, 109, -1))
    assert outbox.sent_to.projects(THERE) == (7,)
    assert len(outbox.sent_to.all()) == 23
    assert outbox.sent_to.projects("elsewhere") == ()


def test_what_is_very_old_is_forgotten(outbox: Outbox, clock: Clock) -> None:
    """With the next project, of whichever destination: a title with a date in it does not come again."""
    outbox.sent_to.note(HERE, 7)
    clock.now += sent_to._KNOWN_S + 1
    outbox.sent_to.note(THERE, 9)
    assert outbox.sent_to.all() == {(THERE, 9)}


def test_what_the_sink_says_is_noted_before_it_goes_on(desk: Desk) -> None:
    """The project is known when the request is made; calls that may be stored are given out with it, others are not."""
    known: list[tuple[int, ...]] = []

    def is_lost(entries: Sequence[OutboxEntry], _: Terms) -> Iterator[Result]:
        yield InProject(7)
        yield Sending(entries, "import-1", 3)
        yield Retry(entries, 0.0)

    def is_found(entries: Sequence[OutboxEntry], _: Terms) -> Iterator[Result]:
        known.append(entries[0].project_ids)
        yield Recheck(entries, 5.0)
        yield Delivered(entries)

    desk.sink.scripts[HERE] = [is_lost, is_found]
    desk.accept(1)
    assert desk.entry().project_ids == ()
    desk.run()
    assert desk.entry().project_ids == (7,)
    desk.run()
    assert known == [(7,)]
    desk.clock.now += 10
    (call,) = desk.outbox.queue.due_rechecks(10)[HERE]
    assert call.project_ids == (7,)


def test_it_is_written_once_for_many_batches(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write costs a sync of the disk."""
    notes = []
    monkeypatch.setattr(desk.outbox.sent_to, "note", lambda *noted: notes.append(noted))
    desk.sink.scripts[HERE] = [delivers_to(7)]
    for number in range(5):
        desk.accept(number)
        desk.run()
    desk.sink.scripts[HERE] = [delivers_to(9)]
    desk.accept(5)
    desk.run()
    assert notes == [(HERE, 7), (HERE, 9)]

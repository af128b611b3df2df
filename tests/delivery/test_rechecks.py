"""Calls that were in doubt are looked up once more: one that cannot be keeps no other from it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence

import pytest

from otel_labelstudio.delivery.lanes import LOOK_EVERY_S
from otel_labelstudio.delivery.rechecks import FAULT_RETRY_S, RETRY_S, Rechecks
from otel_labelstudio.delivery.results import Delivered, Recheck, Result
from otel_labelstudio.delivery.sink import Terms
from otel_labelstudio.errors import FailingCallsError, OutboxError, PausedDeliveryError, RetryableDeliveryError
from otel_labelstudio.outbox.entry import CallToRecheck, OutboxEntry
from tests.delivery.pipelines import until
from tests.delivery.scripted import HERE, THERE, Desk, ScriptedSink

NEVER = float("inf")
DEADLINE_S = 30.0


class LookingSink(ScriptedSink):
    """Fails on the calls, or at the destinations, of ``errors``; leaves a call of ``forgotten`` out; and does not
    answer a look-up before it ``answers``."""

    def __init__(self) -> None:
        super().__init__()
        self.errors: dict[str, Exception] = {}
        self.forgotten: set[str] = set()
        self.looked_up: list[str] = []
        self.answers = threading.Event()
        self.answers.set()

    def deliver(self, destination: str, entries: Sequence[OutboxEntry], terms: Terms) -> Iterator[Result]:
        yield Recheck(entries, 0.0)
        yield Delivered(entries)

    def recheck(self, destination: str, calls: Sequence[CallToRecheck]) -> Iterator[str]:
        assert self.answers.wait(DEADLINE_S)
        for call in calls:
            for name in (destination, call.call_id):
                if name in self.errors:
                    raise self.errors[name]
            if call.call_id not in self.forgotten:
                self.looked_up.append(call.call_id)
                yield call.call_id


@pytest.fixture
def sink() -> LookingSink:
    return LookingSink()


@pytest.fixture
def desk(sink: LookingSink) -> Desk:
    desk = Desk()
    desk.sink = sink
    desk.restart()
    return desk


def due(desk: Desk, count: int, to: str = HERE, first: int = 0) -> list[str]:
    """So many delivered calls are to be looked up; their ids, in order."""
    desk.know(to)
    desk.accept(*range(first, first + count), to=to)
    while desk.states().get("pending"):
        desk.run()
    return [call.call_id for call in desk.outbox.queue.due_rechecks(10_000)[to]]


def test_each_call_is_looked_up_once(desk: Desk, sink: LookingSink) -> None:
    """And then nothing is left to do."""
    calls = due(desk, 3)
    assert Rechecks(desk.outbox.queue, sink, desk.lanes).run(is_hurried=False) == NEVER
    assert sink.looked_up == calls


def test_a_call_on_which_we_fail_is_put_off_and_the_others_are_looked_up(
    desk: Desk, sink: LookingSink, caplog: pytest.LogCaptureFixture
) -> None:
    """One line says so, without its text; it is tried again in an hour, with no others in its way."""
    calls = due(desk, 5)
    sink.errors = {calls[1]: KeyError("CANARY"), calls[3]: KeyError("CANARY")}
    rechecks = Rechecks(desk.outbox.queue, sink, desk.lanes)
    assert rechecks.run(is_hurried=False) == FAULT_RETRY_S
    assert sink.looked_up == [calls[0], calls[2], calls[4]]
    (line,) = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    assert "KeyError" in line
    assert "CANARY" not in caplog.text
    sink.errors = {}
    desk.clock.now += FAULT_RETRY_S
    assert rechecks.run(is_hurried=False) == NEVER
    assert sink.looked_up[3:] == [calls[1], calls[3]]


def test_a_project_that_is_gone_does_not_hold_up_those_beside_it(desk: Desk, sink: LookingSink) -> None:
    """However many of its calls are due: they make way for the others."""
    gone = due(desk, 450)
    sink.errors = {HERE: PausedDeliveryError("there is no such project")}
    others = due(desk, 3, to=THERE, first=1000)
    rechecks = Rechecks(desk.outbox.queue, sink, desk.lanes)
    waits = [rechecks.run(is_hurried=False) for _ in range(3)]
    assert sink.looked_up == others
    assert waits[-1] == RETRY_S
    sink.errors = {}
    desk.clock.now += RETRY_S
    for _ in range(3):
        rechecks.run(is_hurried=False)
    assert sorted(sink.looked_up[3:]) == sorted(gone)


def test_what_was_looked_up_before_the_server_failed_is_done(desk: Desk, sink: LookingSink) -> None:
    """Only the rest is looked up again."""
    calls = due(desk, 3)
    sink.errors = {calls[1]: PausedDeliveryError("the key is wrong")}
    rechecks = Rechecks(desk.outbox.queue, sink, desk.lanes)
    assert rechecks.run(is_hurried=False) == RETRY_S
    sink.errors = {}
    desk.clock.now += RETRY_S
    assert rechecks.run(is_hurried=False) == NEVER
    assert sink.looked_up == calls


def test_calls_on_which_the_server_fails_keep_no_others_from_being_looked_up(desk: Desk, sink: LookingSink) -> None:
    """Each stands first twice, and then behind the others."""
    calls = due(desk, 5)
    sink.errors = dict.fromkeys(calls[:3], RetryableDeliveryError("it fails on these"))
    rechecks = Rechecks(desk.outbox.queue, sink, desk.lanes)
    for _ in range(7):
        assert rechecks.run(is_hurried=False) == RETRY_S
        desk.clock.now += RETRY_S
    assert sink.looked_up == calls[3:]


@pytest.mark.parametrize(
    ("error", "are_given_up"),
    [(FailingCallsError("it fails on these"), True), (RetryableDeliveryError("it fails on everything"), False)],
)
def test_calls_on_which_the_server_always_fails_are_not_asked_for_without_end(
    desk: Desk, sink: LookingSink, error: Exception, are_given_up: bool
) -> None:
    """However many they are; an outage ends some day, whatever the server says meanwhile."""
    calls = due(desk, 8)
    sink.errors = dict.fromkeys(calls[:6], error)
    rechecks = Rechecks(desk.outbox.queue, sink, desk.lanes)
    waits = []
    for _ in range(100):
        waits.append(rechecks.run(is_hurried=False))
        desk.clock.now += RETRY_S
    assert sink.looked_up == calls[6:]
    assert waits[-1] == (NEVER if are_given_up else RETRY_S)
    sink.errors = {}
    rechecks.run(is_hurried=False)
    assert sorted(sink.looked_up[2:]) == ([] if are_given_up else sorted(calls[:6]))


def test_a_call_of_which_nothing_was_said_is_not_asked_for_without_end(desk: Desk, sink: LookingSink) -> None:
    """It waits as one does whose look-up failed, some times."""
    calls = due(desk, 2)
    sink.forgotten = {calls[0]}
    rechecks = Rechecks(desk.outbox.queue, sink, desk.lanes)
    waits = []
    for _ in range(5):
        waits.append(rechecks.run(is_hurried=False))
        desk.clock.now += RETRY_S
    assert waits == [RETRY_S, RETRY_S, RETRY_S, RETRY_S, NEVER]
    assert sink.looked_up == [calls[1]]


def test_a_server_that_does_not_answer_a_look_up_holds_up_no_delivery(desk: Desk, sink: LookingSink) -> None:
    """As one that searches a large project: the look-up goes on beside what is delivered, and is not begun twice."""
    (call,) = due(desk, 1)
    desk.restart(patience_s=0.1)
    sink.answers.clear()
    rechecks = Rechecks(desk.outbox.queue, sink, desk.lanes)
    rechecks.run(is_hurried=False)
    assert rechecks.run(is_hurried=False) == LOOK_EVERY_S
    assert desk.deliveries.under_way() == []
    desk.accept(1)
    desk.run()
    assert desk.states() == {"delivered": 2}
    sink.answers.set()
    until(lambda: sink.looked_up == [call])
    assert desk.lanes.close(DEADLINE_S)


def test_the_end_waits_for_no_look_up(desk: Desk, sink: LookingSink) -> None:
    """What is under way stops behind the call that it is at, and no other is begun: the rest is due still."""
    first, *rest = due(desk, 3)
    others = due(desk, 2, to=THERE, first=1000)
    desk.restart(patience_s=0.1)
    sink.answers.clear()
    rechecks = Rechecks(desk.outbox.queue, sink, desk.lanes)
    rechecks.run(is_hurried=False)
    desk.deliveries.hurry(0.0)
    sink.answers.set()
    assert desk.lanes.close(DEADLINE_S)
    assert rechecks.run(is_hurried=True) == NEVER
    assert sink.looked_up == [first]
    still_due = desk.outbox.queue.due_rechecks(10)
    assert {to: [call.call_id for call in calls] for to, calls in still_due.items()} == {HERE: rest, THERE: others}


def test_an_outbox_that_cannot_be_written_is_the_workers_to_tell(
    desk: Desk, sink: LookingSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the fault of no call: none is put off for it."""
    due(desk, 2)

    def refuse(_: object) -> None:
        raise OutboxError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(desk.outbox.queue, "mark_rechecked", refuse)
        with pytest.raises(OutboxError):
            Rechecks(desk.outbox.queue, sink, desk.lanes).run(is_hurried=False)
    assert len(desk.outbox.queue.due_rechecks(10)[HERE]) == 2

"""What a sink says is written down as it says it; one call or destination that fails holds up no other."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from otel_labelstudio.delivery import retry
from otel_labelstudio.delivery.lanes import LANES, LOOK_EVERY_S
from otel_labelstudio.delivery.results import (
    Dead,
    Delivered,
    LookUpsFail,
    NotStored,
    ProjectCreated,
    Recheck,
    Result,
    Retry,
    Sending,
    Stored,
)
from otel_labelstudio.delivery.schedule import SET_ASIDE_S
from otel_labelstudio.delivery.sink import Terms
from otel_labelstudio.destinations.destination import Destination
from otel_labelstudio.errors import (
    BlockedRequestError,
    DeliveryError,
    OutboxError,
    PausedDeliveryError,
    ProjectLimitError,
    RetryableDeliveryError,
    UnknownOutcomeError,
)
from otel_labelstudio.outbox.entry import OutboxEntry
from tests.delivery.pipelines import until
from tests.delivery.scripted import HERE, THERE, Desk, PanicException, Script, delivers, fails
from tests.outbox.calls import Clock

Entries = Sequence[OutboxEntry]

LOST = UnknownOutcomeError("HTTP status 500")
HALF_A_DAY_S = 12 * 3600.0


@pytest.fixture(autouse=True)
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """What failed is due again at once; how long it waits is the schedule's, and tested there."""
    monkeypatch.setattr(retry, "_FIRST_S", 0.0)


@pytest.fixture
def desk() -> Desk:
    return Desk()


def says(*results: Callable[[Entries], Result | Exception]) -> Script:
    """Yields one after the other, and raises what is an error."""

    def deliver(entries: Entries, _: Terms) -> Iterator[Result]:
        for make in results:
            result = make(entries)
            if isinstance(result, Exception):
                raise result
            yield result

    return deliver


def lost(_: Entries) -> Exception:
    return LOST


def sending(entries: Entries) -> Result:
    return Sending(entries, "import-1", 7)


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]


# -- the books -----------------------------------------------------------------------------------------------------


def test_a_request_is_in_doubt_from_before_it_is_made(desk: Desk) -> None:
    """Whoever takes the call up next knows which request may have stored it, and where to look."""
    desk.sink.scripts[HERE] = [says(sending, lost)]
    desk.accept(1)
    desk.run()
    entry = desk.entry()
    assert entry.is_outcome_unknown
    assert (entry.sent_at, entry.after_task_id, entry.import_ids) == (desk.clock.now, 7, ("import-1",))


def test_each_result_is_written_down_before_the_next_is_asked_for(desk: Desk) -> None:
    """A process that dies in between has lost nothing of what was said."""
    seen: list[object] = []

    def deliver(entries: Entries, _: Terms) -> Iterator[Result]:
        db = desk.outbox.database
        for result in (Sending(entries, "import-1", 7), Stored([(entries[0], 8)]), Delivered(entries)):
            yield result
            with db.reading() as rows:
                seen.append(rows.execute("SELECT outcome_unknown, task_id, state FROM readings").fetchone())

    desk.sink.scripts[HERE] = [deliver]
    desk.accept(1)
    desk.run()
    assert seen == [(1, None, "in_flight"), (0, 8, "in_flight"), (0, 8, "delivered")]


def test_what_was_certainly_not_stored_is_in_doubt_no_longer(desk: Desk) -> None:
    """The name of the request is kept, that of an earlier doubt too."""
    desk.sink.scripts[HERE] = [
        says(sending, NotStored, lambda _: RetryableDeliveryError("busy")),
        says(lambda entries: Sending(entries, "import-2", 9), lost),
        says(lambda entries: Sending(entries, "import-3", 9), NotStored, lambda _: RetryableDeliveryError("busy")),
    ]
    desk.accept(1)
    doubts = []
    for _ in range(3):
        desk.run()
        doubts.append((desk.entry().is_outcome_unknown, desk.entry().import_ids))
    assert doubts == [
        (False, ("import-1",)),
        (True, ("import-1", "import-2")),
        (True, ("import-1", "import-2", "import-3")),
    ]


def test_what_is_stored_has_a_task_and_is_not_done(desk: Desk) -> None:
    """Its prediction is still to be looked at."""
    desk.sink.scripts[HERE] = [says(sending, lambda entries: Stored([(entries[0], 8)]), lost), delivers]
    desk.accept(1)
    desk.run()
    assert (desk.entry().task_id, desk.entry().is_outcome_unknown) == (8, False)
    assert desk.states() == {"pending": 1}


def test_a_recheck_is_due_when_it_was_asked_for_and_delivered(desk: Desk) -> None:
    """With the name of each request that may have stored the call."""
    desk.sink.scripts[HERE] = [says(sending, lost), says(lambda entries: Recheck(entries, 60.0), Delivered)]
    desk.accept(1)
    desk.run(rounds=2)
    assert desk.outbox.queue.due_rechecks(10) == {}
    assert desk.outbox.queue.next_recheck_in_s() == 60.0
    desk.clock.now += 60.0
    ((call,),) = desk.outbox.queue.due_rechecks(10).values()
    assert call.import_ids == ("import-1",)


def test_what_is_delivered_or_dead_is_counted_and_nothing_of_it_is_left(desk: Desk) -> None:
    """A dead letter keeps its reason; the other call of its batch is a task."""
    desk.sink.scripts[HERE] = [
        says(lambda entries: Dead(entries[0], "it has no answer", "refused"), lambda entries: Delivered(entries[1:]))
    ]
    desk.accept(1, 2)
    assert desk.run() == 0.0
    assert desk.run() == float("inf")
    assert desk.states() == {"delivered": 1, "dead": 1}
    assert [letter.reason for letter in desk.outbox.dead_letters.all()] == ["it has no answer"]
    counts = desk.telemetry.counts()
    assert (counts["tasks.delivered"], counts["tasks.rejected[refused]"]) == (1, 1)


def test_a_retry_waits_and_what_came_with_it_does_not(desk: Desk) -> None:
    """Only that call is put off, for as long as the sink said."""
    desk.sink.scripts[HERE] = [
        says(lambda entries: Retry(entries[:1], 10.0), lambda entries: Delivered(entries[1:])),
        delivers,
    ]
    desk.accept(1, 2)
    desk.run()
    assert desk.run() == 10.0
    assert desk.states() == {"pending": 1, "delivered": 1}
    desk.clock.now += 10.0
    desk.run()
    assert desk.batches() == [(HERE, [1, 2]), (HERE, [1])]


def test_where_look_ups_fail_all_that_is_in_doubt_waits_and_nothing_else(desk: Desk) -> None:
    """However many are in doubt, and however small batches have become: what is known to be unsent goes by."""
    desk.sink.scripts[HERE] = [says(sending, lost)]
    desk.accept(*range(50))
    desk.run()
    in_doubt = says(lambda entries: LookUpsFail(entries, 10.0), lambda _: RetryableDeliveryError("HTTP status 500"))
    desk.sink.scripts[HERE] = [in_doubt, delivers]
    desk.accept(100)
    desk.run(rounds=2)
    assert [numbers for _, numbers in desk.batches()[1:]] == [list(range(25)), [100]]
    assert desk.run() == 10.0
    assert desk.states() == {"pending": 50, "delivered": 1}
    desk.clock.now += 10.0
    desk.run(rounds=10)
    assert desk.states() == {"delivered": 51}


def test_of_what_nothing_final_was_said_is_tried_again(desk: Desk) -> None:
    """A sink that forgets a call loses none."""
    desk.sink.scripts[HERE] = [says(lambda entries: Delivered(entries[:1])), delivers]
    desk.accept(1, 2)
    desk.run(rounds=2)
    assert desk.batches() == [(HERE, [1, 2]), (HERE, [2])]
    assert desk.states() == {"delivered": 2}


def test_an_outbox_that_cannot_be_written_costs_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is the worker's to tell; what was in flight is put back, with what is known of it, and the sink is not
    asked to go on."""
    went_on = []

    def deliver(entries: Entries, _: Terms) -> Iterator[Result]:
        yield Sending(entries, "import-1", 7)
        yield Delivered(entries)
        went_on.append(entries)

    def refuse(_: object) -> None:
        raise OutboxError("the disk is full")

    desk.sink.scripts[HERE] = [deliver]
    desk.accept(1)
    with monkeypatch.context() as patch:
        patch.setattr(desk.outbox.queue, "mark_delivered", refuse)
        with pytest.raises(OutboxError):
            desk.run()
    assert went_on == []
    assert desk.states() == {"pending": 1}
    assert desk.entry().import_ids == ("import-1",)


# -- several destinations -------------------------------------------------------------------------------------------


def titled(number: int) -> str:
    return Destination(title=f"title {number}").dumps()


def test_known_destinations_go_before_new_ones_and_those_one_by_one(desk: Desk) -> None:
    """A sender that names sixty projects in one request holds up nobody else's call for more than one of them."""
    desk.know(HERE)
    for number in range(60):
        desk.accept(number, to=titled(number))
    desk.accept(100)
    desk.run()
    assert desk.batches() == [(HERE, [100]), (titled(0), [0])]
    desk.accept(101)
    assert desk.run() == 0.0
    assert desk.batches()[2:] == [(HERE, [101]), (titled(1), [1])]


def test_a_destination_is_known_once_calls_were_delivered_there(desk: Desk) -> None:
    """Also to another process."""
    desk.accept(1)
    desk.run()
    desk.restart()
    desk.accept(2, to=THERE)
    desk.accept(3)
    desk.run()
    assert desk.batches()[1:] == [(HERE, [3]), (THERE, [2])]


def test_new_destinations_that_fail_give_way_to_those_that_were_not_tried(desk: Desk) -> None:
    """However many of them fail, and however soon they are due again, each gets its turn."""
    for number in range(5):
        desk.accept(number, to=titled(number))
        desk.sink.scripts[titled(number)] = [fails(PausedDeliveryError("no project"))]
    desk.accept(9)
    desk.run(rounds=6)
    assert [numbers for _, numbers in desk.batches()] == [[0], [1], [2], [3], [4], [9]]


@pytest.mark.parametrize(
    "error",
    [LOST, PausedDeliveryError("key"), RetryableDeliveryError("busy"), BlockedRequestError("403"), KeyError("CANARY")],
    ids=lambda error: type(error).__name__,
)
def test_a_destination_that_fails_holds_up_no_other(desk: Desk, error: Exception) -> None:
    """In whatever way; its calls stay."""
    desk.sink.scripts[HERE] = [fails(error)]
    desk.know(HERE, THERE)
    desk.accept(1)
    for number in range(2, 5):
        desk.accept(number, to=THERE)
        desk.run()
    assert [numbers for destination, numbers in desk.batches() if destination == THERE] == [[2], [3], [4]]
    assert desk.states() == {"pending": 1, "delivered": 3}


# -- as many new projects as may be ---------------------------------------------------------------------------------


def creates(entries: Entries, terms: Terms) -> Iterator[Result]:
    """As Label Studio's sink does for a title that has no project."""
    if not terms.may_create_project:
        raise ProjectLimitError("raise max_new_projects")
    yield ProjectCreated()
    yield Delivered(entries)


def creating(desk: Desk, first: int, count: int) -> list[str]:
    """Calls of so many titles that have no project; the titles."""
    titles = [titled(number) for number in range(first, first + count)]
    for number, title in enumerate(titles, first):
        desk.sink.scripts[title] = [creates]
        desk.accept(number, to=title)
    return titles


def test_beyond_the_bound_calls_wait_and_one_line_says_what_to_do(caplog: pytest.LogCaptureFixture) -> None:
    """They are counted, nothing is lost, and a title that is known goes on."""
    desk = Desk(max_new_projects=3)
    desk.know(HERE)
    titles = creating(desk, 0, 6)
    desk.run(rounds=8)
    assert desk.states() == {"delivered": 3, "pending": 3}
    assert sorted(desk.deliveries.paused()) == titles[3:]
    assert sorted(desk.paused()) == titles[3:]
    assert desk.telemetry.counts()["deliveries.failed[ProjectLimitError]"] >= 3
    (line,) = errors(caplog)
    assert "raise max_new_projects" in line
    desk.accept(100)
    desk.run()
    assert desk.states() == {"delivered": 4, "pending": 3}


def test_half_a_day_later_as_many_projects_may_be_created_again() -> None:
    """What waited is delivered then, without anybody's doing, and is paused no longer."""
    desk = Desk(max_new_projects=3)
    creating(desk, 0, 6)
    desk.run(rounds=8)
    desk.clock.now += HALF_A_DAY_S + 1
    desk.run(rounds=8)
    assert desk.states() == {"delivered": 6}
    assert desk.deliveries.paused() == []
    assert desk.paused() == {}


def test_a_day_change_of_all_known_services_fits() -> None:
    """Three hundred services with a project a day each, and the usual bound: all of them at midnight, but for one that
    nobody knew the day before."""
    desk = Desk(max_new_projects=100)
    desk.know(*(titled(number) for number in range(300)))
    desk.clock.now += HALF_A_DAY_S + 1
    creating(desk, 1000, 301)
    desk.run(rounds=310)
    assert desk.states() == {"delivered": 300, "pending": 1}


# -- one call that fails --------------------------------------------------------------------------------------------

FAILURES = [LOST, BlockedRequestError("a firewall refuses it"), KeyError("CANARY"), PanicException("CANARY")]


@pytest.mark.parametrize("error", FAILURES, ids=lambda error: type(error).__name__)
def test_one_call_on_which_the_sink_fails_is_given_up_and_the_others_pass(
    desk: Desk, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    """Whether the server fails, a firewall or we do: batches are halved until it stands alone; it is set aside three
    times while others come, and then a dead letter, without its text in the log."""
    desk.sink.scripts[HERE] = [fails(error, lambda number: number == 17)]
    desk.accept(*range(40))
    passed_after = []
    for number in range(100, 200):
        desk.run(rounds=20)
        passed_after.append(desk.states().get("delivered"))
        if desk.dead():
            break
        desk.clock.now += SET_ASIDE_S
        desk.accept(number)
    assert passed_after[0] == 39
    assert desk.dead() == [17]
    assert desk.telemetry.counts()["tasks.rejected[failed]"] == 1
    assert "CANARY" not in caplog.text
    assert all("CANARY" not in letter.reason for letter in desk.outbox.dead_letters.all())


def test_a_call_that_is_set_aside_lets_others_go_first(desk: Desk) -> None:
    """It is tried alone three times, and then not for a minute."""
    desk.sink.scripts[HERE] = [fails(LOST, lambda number: number == 1)]
    desk.accept(1, 2)
    desk.run(rounds=4)
    assert [numbers for _, numbers in desk.batches()] == [[1, 2], [1], [1], [1]]
    assert desk.run() == 0.0
    assert desk.batches()[-1] == (HERE, [2])
    assert desk.run() == SET_ASIDE_S


def test_one_call_alone_is_given_up_where_the_server_says_that_it_takes_calls(desk: Desk) -> None:
    """Nothing else comes that could show it; and it is not held back, since it is in nobody's way."""
    desk.sink.scripts[HERE] = [fails(LOST)]
    desk.accept(1)
    assert desk.run(rounds=9) == 0.0
    assert desk.dead() == [1]


@pytest.mark.parametrize("takes", [False, RetryableDeliveryError("down")], ids=["says no", "cannot be asked"])
def test_in_an_outage_no_call_is_given_up(desk: Desk, takes: bool | DeliveryError) -> None:
    """The server takes none: nothing tells that a call is to blame, however often each has failed."""
    desk.sink.takes = takes
    desk.sink.scripts[HERE] = [fails(LOST)]
    desk.accept(1, 2, 3)
    for _ in range(50):
        desk.run(rounds=10)
        desk.clock.now += SET_ASIDE_S
    assert desk.dead() == []
    desk.sink.scripts[HERE] = [delivers]
    desk.run_until_nothing_is_left()
    assert desk.states() == {"delivered": 3}


@pytest.mark.parametrize("error", FAILURES, ids=lambda error: type(error).__name__)
def test_that_another_destination_takes_calls_proves_nothing(desk: Desk, error: BaseException) -> None:
    """One project on which the server fails keeps its calls, however much is delivered to the one beside it."""
    desk.sink.takes = False
    desk.sink.scripts[HERE] = [fails(error)]
    desk.accept(1, 2, 3)
    for number in range(100, 150):
        desk.accept(number, to=THERE)
        desk.run(rounds=10)
        desk.clock.now += SET_ASIDE_S
    assert desk.dead() == []
    assert desk.states() == {"pending": 3, "delivered": 50}


def test_a_fault_of_ours_on_every_call_gives_none_up(desk: Desk) -> None:
    """That the server takes calls proves nothing then: the next version may deliver them."""
    desk.sink.scripts[HERE] = [fails(KeyError("CANARY"))]
    desk.accept(1, 2, 3)
    for _ in range(50):
        desk.run(rounds=10)
        desk.clock.now += SET_ASIDE_S
    assert desk.states() == {"pending": 3}


def test_success_makes_batches_large_again(desk: Desk) -> None:
    """Step by step, once the call that was to blame is out of the way."""
    desk.sink.scripts[HERE] = [fails(LOST, lambda number: number == 0)]
    desk.accept(*range(64))
    desk.run(rounds=20)
    sizes = [len(numbers) for _, numbers in desk.batches()]
    assert sizes == [64, 32, 16, 8, 4, 2, 1, 1, 1, 1, 2, 4, 8, 16, 32]
    assert desk.states() == {"pending": 1, "delivered": 63}


# -- what is paused -------------------------------------------------------------------------------------------------


def test_a_paused_destination_is_told_until_it_resumes(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    """With one error line, in the metrics and in the outbox."""
    desk.sink.scripts[HERE] = [fails(PausedDeliveryError("the key is wrong"))]
    desk.accept(1, 2)
    desk.run(rounds=3)
    assert desk.deliveries.paused() == [HERE]
    assert desk.paused() == {HERE: "the key is wrong"}
    assert desk.outbox.figures.status().last_error == "the key is wrong"
    assert errors(caplog) == ['Delivery to project "here" is paused: the key is wrong']
    desk.sink.scripts[HERE] = [delivers]
    desk.run()
    assert desk.deliveries.paused() == []
    assert desk.paused() == {}
    assert desk.states() == {"delivered": 2}


def test_a_pause_that_was_mended_by_a_restart_is_told_no_longer(desk: Desk) -> None:
    """A new key comes with a new process, which knows nothing of the pause."""
    desk.sink.scripts[HERE] = [fails(PausedDeliveryError("the key is wrong"))]
    desk.accept(1)
    desk.run()
    desk.restart()
    desk.sink.scripts[HERE] = [delivers]
    desk.run()
    assert desk.paused() == {}


def test_what_waits_for_a_person_no_longer_is_not_told_as_paused(desk: Desk) -> None:
    """The key was mended, and now the server is down: it comes back by itself."""
    desk.sink.scripts[HERE] = [fails(PausedDeliveryError("the key is wrong")), fails(RetryableDeliveryError("down"))]
    desk.accept(1)
    desk.run(rounds=2)
    assert desk.deliveries.paused() == []
    assert desk.paused() == {}
    assert desk.outbox.figures.status().last_error == "down"


def test_an_error_is_over_with_the_next_delivery(desk: Desk) -> None:
    """Also where another process has noted it; until then its destination is told as in trouble."""
    desk.sink.scripts[HERE] = [fails(RetryableDeliveryError("down"))]
    desk.accept(1)
    desk.run()
    assert [trouble.reason for trouble in desk.outbox.figures.status().retried] == ["down"]
    desk.restart()
    desk.sink.scripts[HERE] = [delivers]
    desk.run()
    status = desk.outbox.figures.status()
    assert (status.retried, status.last_error, status.last_error_over_at) == ((), "down", desk.clock())


def test_nothing_is_in_trouble_where_the_call_to_blame_is_given_up(desk: Desk) -> None:
    """Nothing else waits there, so nothing would be delivered that ends the trouble."""
    desk.sink.scripts[HERE] = [fails(LOST)]
    desk.accept(1)
    desk.run_until_nothing_is_left()
    status = desk.outbox.figures.status()
    assert (desk.dead(), status.retried) == ([1], ())
    assert status.last_error_over_at is not None


STEP_S = 0.125
BETWEEN = [n * STEP_S / 2 for n in range(1, 40)]


@pytest.mark.parametrize("after_s", BETWEEN)
def test_a_call_that_becomes_due_during_a_round_is_waited_for(desk: Desk, after_s: float) -> None:
    """It was not due when the round looked at what is, and is when it asks how long to wait."""
    desk.accept(1)
    (entry,) = desk.outbox.queue.take(HERE, limit=1, max_bytes=2**20)
    desk.outbox.queue.put_back([entry], after_s=after_s)
    desk.clock.step = STEP_S
    wait_s = desk.run()
    assert desk.batches() or wait_s <= after_s


@pytest.mark.parametrize("after_s", BETWEEN)
def test_a_destination_that_becomes_due_during_a_round_is_waited_for(
    desk: Desk, after_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As its call is; also where the last seconds have begun, and nothing else could be waited for."""
    clock = Clock()
    monkeypatch.setattr("otel_labelstudio.delivery.deliveries.time.monotonic", clock)
    monkeypatch.setattr(retry, "_FIRST_S", 2 * after_s)
    monkeypatch.setattr(retry, "_LONGEST_S", 2 * after_s)
    desk.sink.scripts[HERE] = [fails(RetryableDeliveryError("HTTP status 503")), delivers]
    desk.accept(1)
    desk.run()
    clock.step = STEP_S
    in_s = desk.deliveries.next_in_s()
    wait_s = desk.run()
    assert in_s <= 2 * after_s
    assert len(desk.batches()) == 2 or wait_s <= 2 * after_s


@pytest.fixture
def answers() -> Iterator[threading.Event]:
    """Set at the end at the latest."""
    event = threading.Event()
    yield event
    event.set()


def late(answers: threading.Event) -> Script:
    def deliver(entries: Entries, _: Terms) -> Iterator[Result]:
        answers.wait()
        yield Delivered(entries)

    return deliver


def silent(entries: Entries, _: Terms) -> Iterator[Result]:
    """Says nothing of what becomes of them."""
    yield Sending(entries, "import")


def test_a_new_destination_that_hangs_keeps_no_other_new_one_waiting(answers: threading.Event) -> None:
    """However many calls wait for it: one batch at a time is under way."""
    desk = Desk(batch_size=1, patience_s=0.1)
    desk.sink.scripts[HERE] = [late(answers)]
    desk.accept(1, 2, 3)
    desk.accept(11, 12, to=THERE)
    until(lambda: desk.run() == LOOK_EVERY_S and desk.states()["delivered"] == 2)
    assert desk.batches() == [(HERE, [1]), (THERE, [11]), (THERE, [12])]
    answers.set()
    desk.lanes.close(60)
    assert desk.states() == {"delivered": 3, "pending": 2}


@pytest.mark.parametrize("are_known", [False, True])
@pytest.mark.parametrize(
    "trouble",
    [
        *(RetryableDeliveryError("HTTP status 503"), PausedDeliveryError("the key is wrong"), LOST),
        *(ProjectLimitError("too many"), KeyError("a fault"), "hangs", "says nothing"),
    ],
    ids=str,
)
def test_no_trouble_keeps_the_thread_busy(
    trouble: Exception | str, are_known: bool, answers: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A round in which there was nothing to ask of the sink is followed by a pause, however much waits: the processor
    is the application's."""
    monkeypatch.setattr(retry, "_FIRST_S", 60.0)
    scripts = {"hangs": late(answers), "says nothing": silent}
    desk = Desk(batch_size=1, patience_s=0.02)
    for number in range(12):
        to = Destination(title=f"project {number}").dumps()
        desk.sink.scripts[to] = [fails(trouble) if isinstance(trouble, Exception) else scripts[trouble]]
        desk.accept(*range(10 * number, 10 * number + 3), to=to)
        if are_known:
            desk.know(to)
    taken: list[OutboxEntry] = []
    take = desk.outbox.queue.take

    def take_and_note(*arguments: Any, **options: Any) -> list[OutboxEntry]:
        entries = take(*arguments, **options)
        taken.extend(entries)
        return entries

    monkeypatch.setattr(desk.outbox.queue, "take", take_and_note)
    idle = 0
    for _ in range(60):
        before = len(taken)
        idle += desk.run() == 0.0 and len(taken) == before
    assert len(taken) >= LANES
    assert idle == 0
    answers.set()
    assert desk.lanes.close(60)


def test_a_batch_of_which_nothing_is_said_is_not_tried_without_a_pause(desk: Desk) -> None:
    """As one that fails; what comes behind it goes through."""
    desk.sink.scripts[HERE] = [silent, delivers]
    desk.accept(1)
    assert desk.run() == 0.0
    assert desk.telemetry.counts()["deliveries.failed[FaultError]"] == 1
    desk.run_until_nothing_is_left()
    assert desk.states() == {"delivered": 1}


def test_what_fails_after_the_end_is_not_said_to_be_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    """A request that nobody waited for any longer: its call is put back, for the next process."""
    desk, answers, ended = Desk(patience_s=0.1), threading.Event(), threading.Event()

    def fails_late(entries: Entries, _: Terms) -> Iterator[Result]:
        answers.wait()
        raise RetryableDeliveryError("HTTP status 503")
        yield Delivered(entries)

    desk.sink.scripts[HERE] = [fails_late]
    desk.accept(1)
    desk.run()
    desk.deliveries.close(at_end=ended.set)
    assert not ended.is_set()
    answers.set()
    assert ended.wait(60)
    assert desk.states() == {"pending": 1}
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_there_is_a_later_time_for_what_waits_in_a_file(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only where the outbox ends with the process is a hurried delivery the last one."""
    desk.deliveries.hurry(deadline=0.0)
    desk.accept(1)
    desk.run()
    monkeypatch.setattr(desk.outbox, "is_durable", True)
    desk.accept(2)
    desk.run()
    assert [terms.is_last_try for _, _, terms in desk.sink.asked] == [True, False]

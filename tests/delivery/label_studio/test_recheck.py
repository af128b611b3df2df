"""Calls that are stored twice are rechecked: our duplicates go, and nothing that a person has had to do with."""

from __future__ import annotations

import json
import logging
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import pytest

from otel_labelstudio.delivery.label_studio.duplicates import KeptReason, SentCall
from otel_labelstudio.delivery.label_studio.recheck import Kept, Rechecked, recheck
from otel_labelstudio.delivery.label_studio.server import LabelStudioServer
from otel_labelstudio.errors import RetryableDeliveryError
from otel_labelstudio.tasks.binding import Mode, default_label_config
from tests.delivery.faults import Exchange, Fault, FaultyServer, after_forwarding, answers, forwarded, reset
from tests.delivery.label_studio.people import Colleague, Person
from tests.delivery.labeling import Labeling, fresh_title

OLDER, YOUNGER = "1a" * 16, "2b" * 16
BOTH = frozenset({OLDER, YOUNGER})


def task_of(call_id: str, import_id: str | None, *, with_prediction: bool = True) -> dict[str, Any]:
    """As we send one; ``import_id`` None: as an earlier version did."""
    prediction = {
        "model_version": "gpt",
        "result": [
            {"from_name": "response", "to_name": "dialogue", "type": "textarea", "value": {"text": [f"to {call_id}"]}}
        ],
    }
    ours = {} if import_id is None else {"otel_labelstudio": {"import_id": import_id, "variable": "prompt"}}
    return {
        "data": {"prompt": [{"role": "user", "content": f"Question {call_id}."}], "call_id": call_id},
        "meta": {"call": {"span_id": call_id}, **ours},
        "predictions": [prediction] if with_prediction else [],
    }


def failed_task_of(call_id: str, import_id: str) -> dict[str, Any]:
    """As we send that of a call which failed before any answer."""
    task = task_of(call_id, import_id, with_prediction=False)
    task["meta"]["otel_labelstudio"]["no_prediction"] = True
    return task


@dataclass
class Twice:
    """A project of a real Label Studio in which we store calls."""

    server: LabelStudioServer
    labeling: Labeling
    project_id: int
    person: Person = field(init=False)

    def __post_init__(self) -> None:
        self.person = Person(self.labeling, self.project_id)

    def store(self, *tasks: dict[str, Any]) -> list[int]:
        return list(self.server.import_tasks(self.project_id, tasks).task_ids)

    def store_twice(self, call_id: str) -> tuple[int, int]:
        (older,) = self.store(task_of(call_id, OLDER))
        (younger,) = self.store(task_of(call_id, YOUNGER))
        return older, younger

    def recheck(self, *call_ids: str, delete_duplicates: bool = True) -> list[Rechecked]:
        calls = [SentCall(call_id, BOTH) for call_id in call_ids]
        return list(recheck(self.server, self.project_id, calls, delete_duplicates=delete_duplicates))

    def task_ids(self) -> list[int]:
        return [task["id"] for task in self.labeling.tasks(self.project_id)]


def made(labeling: Labeling, url: str) -> Iterator[Twice]:
    project_id = labeling.make_project(fresh_title("Twice"), default_label_config(Mode.CHAT))
    server = LabelStudioServer(url, labeling.api_key, 60, 60)
    yield Twice(server, labeling, project_id)
    server.close()


@pytest.fixture
def twice(labeling: Labeling) -> Iterator[Twice]:
    yield from made(labeling, labeling.url)


@pytest.fixture
def behind(labeling: Labeling, faulty: FaultyServer) -> Iterator[Twice]:
    """The same, asked through a server that goes wrong on demand."""
    yield from made(labeling, faulty.url)


def test_a_duplicate_of_ours_goes_and_the_older_one_stays(twice: Twice, caplog: pytest.LogCaptureFixture) -> None:
    """One line tells which task was deleted, and for which; what is stored once is left alone."""
    older, younger = twice.store_twice("a")
    (single,) = twice.store(task_of("b", OLDER))
    assert twice.recheck("a", "b") == [Rechecked("a", 2, deleted_tasks=(younger,)), Rechecked("b", 1)]
    assert twice.task_ids() == [older, single]
    (line,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert line.getMessage() == (
        f"Deleted task {younger} of project {twice.project_id}: its call is already stored as task {older}."
    )


def test_what_is_gone_is_told_without_an_error(twice: Twice) -> None:
    """Somebody deleted the call's task, or moved it to another project: it is not found, and nothing is done."""
    deleted, moved = twice.store(task_of("deleted", OLDER), task_of("moved", OLDER))
    other = twice.labeling.make_project(fresh_title("Other"), default_label_config(Mode.CHAT))
    twice.person.delete(deleted)
    twice.person.move(moved, other)
    assert twice.recheck("deleted", "moved") == [Rechecked("deleted", 0), Rechecked("moved", 0)]
    assert [task["id"] for task in twice.labeling.tasks(other)] == [moved]


Act = Callable[[Person, int], object]
ACTS: dict[str, Act] = {
    "annotation": Person.annotate,
    "skip": Person.skip,
    "draft": Person.draft,
    "draft of a colleague": lambda person, task_id: Colleague.of(person.labeling).draft(person.project_id, task_id),
    "annotation that was deleted": Person.annotate_and_delete_that,
    "edited data": Person.edit_data,
    "edited meta": Person.edit_meta,
}


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
def test_what_a_person_touched_stays(twice: Twice, act: Act, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever was done to the younger one: both are kept, and it is said which and why."""
    older, younger = twice.store_twice("a")
    act(twice.person, younger)
    (done,) = twice.recheck("a")
    assert twice.task_ids() == [older, younger]
    (kept,) = done.kept
    assert kept.task_id == younger
    assert kept.reason in (KeptReason.TOUCHED, KeptReason.DIFFERENT)
    assert caplog.records == []


@pytest.mark.parametrize("act", [Person.annotate, Person.skip, Person.draft], ids=lambda act: act.__name__)
def test_a_duplicate_goes_when_the_older_one_is_worked_on(twice: Twice, act: Act) -> None:
    """That one stays anyway."""
    older, younger = twice.store_twice("a")
    act(twice.person, older)
    assert twice.recheck("a") == [Rechecked("a", 2, deleted_tasks=(younger,))]


def test_copies_that_a_person_made_stay(twice: Twice) -> None:
    """Of both, with their meta and without, posted and uploaded: our own duplicate goes, and nothing else."""
    older, younger = twice.store_twice("a")
    copies = [twice.person.copy(task_id, with_meta=meta) for task_id in (older, younger) for meta in (True, False)]
    copies += twice.person.upload_copies(older, younger)
    (done,) = twice.recheck("a")
    assert done.deleted_tasks == (younger,)
    assert twice.task_ids() == [older, *copies]
    assert {kept.task_id for kept in done.kept} == set(copies)
    assert {kept.reason for kept in done.kept} == {KeptReason.NOT_OURS}


def test_copies_of_a_call_that_is_stored_once_stay(twice: Twice) -> None:
    """With drafts and skips, as a person left them, and without."""
    (ours,) = twice.store(task_of("a", OLDER))
    copies = [twice.person.copy(ours) for _ in range(3)]
    twice.person.draft(copies[0])
    twice.person.skip(copies[1])
    (done,) = twice.recheck("a")
    assert twice.task_ids() == [ours, *copies]
    assert done.deleted_tasks == ()


def test_an_uploaded_copy_of_a_duplicate_stays_though_its_original_is_gone(twice: Twice) -> None:
    """It is the only one of its import then; that it came from a file tells that it is somebody's."""
    older, younger = twice.store_twice("a")
    (copy,) = twice.person.upload_copies(younger)
    twice.person.delete(younger)
    assert twice.recheck("a") == [Rechecked("a", 2, kept=(Kept(copy, KeptReason.NOT_OURS),))]
    assert twice.task_ids() == [older, copy]


def test_ours_stays_beside_an_uploaded_copy_of_what_is_gone(twice: Twice) -> None:
    """The older one is somebody's: the younger one is the only one of ours."""
    (older,) = twice.store(task_of("a", OLDER))
    (copy,) = twice.person.upload_copies(older)
    twice.person.delete(older)
    (younger,) = twice.store(task_of("a", YOUNGER))
    assert twice.recheck("a") == [Rechecked("a", 2, kept=(Kept(copy, KeptReason.NOT_OURS),))]
    assert twice.task_ids() == [copy, younger]


def test_tasks_of_earlier_versions_stay(twice: Twice) -> None:
    """They do not tell by which request they came: nothing is certain."""
    older, younger = twice.store(task_of("a", None))[0], twice.store(task_of("a", None))[0]
    assert twice.recheck("a") == [Rechecked("a", 2, kept=(Kept(younger, KeptReason.NOT_OURS),))]
    assert twice.task_ids() == [older, younger]


def test_requests_that_are_not_ours_are_left_alone(twice: Twice) -> None:
    """Another exporter stores the same call in the same project: it has import ids of its own."""
    older = twice.store(task_of("a", OLDER))[0]
    other = twice.store(task_of("a", "3c" * 16))[0]
    assert twice.recheck("a") == [Rechecked("a", 2, kept=(Kept(other, KeptReason.NOT_OURS),))]
    assert twice.task_ids() == [older, other]


def test_deletion_can_be_turned_off(twice: Twice) -> None:
    """What would be deleted is told."""
    older, younger = twice.store_twice("a")
    assert twice.recheck("a", delete_duplicates=False) == [
        Rechecked("a", 2, kept=(Kept(younger, KeptReason.DELETION_OFF),))
    ]
    assert twice.task_ids() == [older, younger]


def test_many_copies_are_not_all_looked_at(twice: Twice) -> None:
    """A person copied the task 30 times: the recheck is bounded, and deletes none of them."""
    (ours,) = twice.store(task_of("a", OLDER))
    twice.store(*[task_of("a", OLDER) for _ in range(30)])
    (done,) = twice.recheck("a")
    assert len(twice.task_ids()) == 31
    assert len(done.kept) == 30
    assert ours not in {kept.task_id for kept in done.kept}


# -- what happens meanwhile ---------------------------------------------------------------------------------------

# The requests of one recheck: a search, a look at each, a last look at each, the deletion
_LAST_LOOK_AT_OLDER, _LAST_LOOK_AT_YOUNGER, _DELETION = 3, 4, 5


def meanwhile(faulty: FaultyServer, number: int, act: Callable[[], object]) -> None:
    """Something happens immediately before a request is answered."""

    def act_and_forward(exchange: Exchange) -> None:
        act()
        forwarded(exchange)

    faulty.plan(forwarded, "tasks", times=number)
    faulty.plan(act_and_forward, "tasks")


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
def test_somebody_begins_before_the_last_look(behind: Twice, faulty: FaultyServer, act: Act) -> None:
    """The last look sees it, though the first did not."""
    older, younger = behind.store_twice("a")
    meanwhile(faulty, _LAST_LOOK_AT_YOUNGER, lambda: act(behind.person, younger))
    (done,) = behind.recheck("a")
    assert behind.task_ids() == [older, younger]
    assert [kept.task_id for kept in done.kept] == [younger]


def test_the_older_one_is_deleted_before_the_last_look(behind: Twice, faulty: FaultyServer) -> None:
    """A person saw two and removed one: the other stays."""
    older, younger = behind.store_twice("a")
    meanwhile(faulty, _LAST_LOOK_AT_OLDER, lambda: behind.person.delete(older))
    assert behind.recheck("a") == [Rechecked("a", 2, kept=(Kept(younger, KeptReason.CHANGED_MEANWHILE),))]
    assert behind.task_ids() == [younger]


@pytest.mark.parametrize("which", ["older", "younger"])
def test_one_is_moved_before_the_last_look(behind: Twice, faulty: FaultyServer, which: str) -> None:
    """In another project it is no duplicate."""
    ids = dict(zip(("older", "younger"), behind.store_twice("a"), strict=True))
    other = behind.labeling.make_project(fresh_title("Other"), default_label_config(Mode.CHAT))
    meanwhile(faulty, _LAST_LOOK_AT_OLDER, lambda: behind.person.move(ids[which], other))
    (done,) = behind.recheck("a")
    assert done.kept == (Kept(ids["younger"], KeptReason.CHANGED_MEANWHILE),)
    assert len(behind.task_ids()) == len(behind.labeling.tasks(other)) == 1


def test_the_id_of_the_duplicate_is_given_to_another_task(behind: Twice, faulty: FaultyServer) -> None:
    """Label Studio on SQLite does so when the newest task is deleted: a copy of just that task, too, is another."""
    older, younger = behind.store_twice("a")
    given: list[int] = []

    def replace() -> None:
        (task,) = [task for task in behind.labeling.tasks(behind.project_id) if task["id"] == younger]
        behind.person.delete(younger)
        given.extend(behind.store({"data": task["data"], "meta": task["meta"], "predictions": task["predictions"]}))

    meanwhile(faulty, _LAST_LOOK_AT_YOUNGER, replace)
    (done,) = behind.recheck("a")
    assert done.kept == (Kept(younger, KeptReason.CHANGED_MEANWHILE),)
    assert behind.task_ids() == [older, *given]


@pytest.mark.parametrize("fault", [answers(500), answers(403), reset], ids=["500", "403", "reset"])
@pytest.mark.parametrize("number", range(1, 6))
def test_a_look_that_fails_keeps_both(behind: Twice, faulty: FaultyServer, number: int, fault: Fault) -> None:
    """At each request of a recheck in turn."""
    older, younger = behind.store_twice("a")
    faulty.plan(forwarded, "tasks", times=number)
    faulty.plan(fault, "tasks")
    (done,) = behind.recheck("a")
    assert behind.task_ids() == [older, younger]
    assert done.error
    assert {kept.reason for kept in done.kept} == {KeptReason.NOT_LOOKED_AT}
    assert behind.recheck("a") == [Rechecked("a", 2, deleted_tasks=(younger,))]


def test_a_deletion_whose_answer_is_lost_is_looked_at(behind: Twice, faulty: FaultyServer) -> None:
    """It happened: it is counted as such."""
    older, younger = behind.store_twice("a")
    faulty.plan(forwarded, "tasks", times=_DELETION)
    faulty.plan(after_forwarding(reset), "tasks")
    assert behind.recheck("a") == [Rechecked("a", 2, deleted_tasks=(younger,))]
    assert behind.task_ids() == [older]


NEEDED = (
    *("id", "project", "data", "meta", "annotations", "predictions", "total_annotations", "cancelled_annotations"),
    *("drafts", "draft_exists", "comment_count", "created_at", "updated_at", "updated_by", "file_upload"),
    "storage_filename",
)


def test_a_look_that_does_not_tell_all_keeps_both(behind: Twice, faulty: FaultyServer) -> None:
    """Another version of the server leaves a field out: what is not known is not taken for untouched."""
    older, younger = behind.store_twice("a")
    for name in NEEDED:
        faulty.plan(forwarded, "tasks", times=_LAST_LOOK_AT_YOUNGER)
        faulty.plan(without(name), "tasks")
        (done,) = behind.recheck("a")
        assert (name, done.kept) == (name, (Kept(younger, KeptReason.NOT_LOOKED_AT),))
        assert "does not answer as Label Studio does" in done.error
    assert behind.task_ids() == [older, younger]


def without(name: str) -> Fault:
    def leave_out(exchange: Exchange) -> None:
        status, headers, body = exchange.forward()
        task = json.loads(body)
        del task[name]
        exchange.answer(status, headers, json.dumps(task).encode())

    return leave_out


# -- predictions --------------------------------------------------------------------------------------------------


def test_the_one_that_stays_has_its_prediction(twice: Twice) -> None:
    """Label Studio lost the prediction of the older one: it gets that of the younger one before that goes."""
    (older,) = twice.store(task_of("a", OLDER, with_prediction=False))
    (younger,) = twice.store(task_of("a", YOUNGER))
    assert twice.recheck("a") == [Rechecked("a", 2, deleted_tasks=(younger,))]
    assert twice.task_ids() == [older]
    assert twice.labeling.texts(twice.project_id) == [["to a"]]


def test_a_prediction_that_does_not_fit_any_more_keeps_both(twice: Twice) -> None:
    """The labeling interface was edited: Label Studio takes no prediction for it, and says nothing."""
    (older,) = twice.store(task_of("a", OLDER, with_prediction=False))
    (younger,) = twice.store(task_of("a", YOUNGER))
    renamed = default_label_config(Mode.CHAT).replace('"response"', '"reply"')
    twice.labeling.change_project(twice.project_id, label_config=renamed)
    assert twice.recheck("a") == [Rechecked("a", 2, kept=(Kept(younger, KeptReason.DIFFERENT),))]
    assert twice.task_ids() == [older, younger]


def test_duplicates_whose_predictions_were_lost_go(twice: Twice) -> None:
    """Label Studio on SQLite loses the predictions of a whole import: its tasks stand one after another."""
    names = ["a", "b", "c"]
    older = twice.store(*[task_of(name, OLDER) for name in names])
    younger = twice.store(*[task_of(name, YOUNGER, with_prediction=False) for name in names])
    assert [done.deleted_tasks for done in twice.recheck(*names)] == [(task_id,) for task_id in younger]
    assert twice.task_ids() == older


def test_a_copy_without_its_prediction_stays_though_its_original_is_gone(twice: Twice) -> None:
    """An export does not have predictions, and a single one may be somebody's: it is the only one of its import."""
    older, younger = twice.store_twice("a")
    copy = twice.person.copy(younger)
    twice.person.delete(younger)
    assert twice.recheck("a") == [Rechecked("a", 2, kept=(Kept(copy, KeptReason.NOT_OURS),))]
    assert twice.task_ids() == [older, copy]


def test_copies_of_neighbours_stay_though_their_originals_are_gone(twice: Twice) -> None:
    """Somebody copies two calls of one import, one request after the other: the copies stand side by side."""
    twice.store(task_of("a", OLDER), task_of("b", OLDER))
    younger = twice.store(task_of("a", YOUNGER), task_of("b", YOUNGER))
    copies = [twice.person.copy(task_id) for task_id in younger]
    for task_id in younger:
        twice.person.delete(task_id)
    assert [done.deleted_tasks for done in twice.recheck("a", "b")] == [(), ()]
    assert set(copies) <= set(twice.task_ids())


def test_a_duplicate_of_a_failed_call_goes_where_it_came_with_an_answered_one(twice: Twice) -> None:
    """It never had a prediction; the task beside it has the one that only our request sent. None is added to it."""
    older = twice.store(task_of("a", OLDER), failed_task_of("failed", OLDER))
    younger = twice.store(task_of("a", YOUNGER), failed_task_of("failed", YOUNGER))
    assert [done.deleted_tasks for done in twice.recheck("a", "failed")] == [(task_id,) for task_id in younger]
    assert twice.task_ids() == older
    assert twice.labeling.texts(twice.project_id) == [["to a"], []]


def test_a_failed_call_that_was_sent_alone_keeps_both_tasks(twice: Twice) -> None:
    """One of them may be somebody's copy out of an export, which looks the same."""
    (older,) = twice.store(failed_task_of("failed", OLDER))
    (younger,) = twice.store(failed_task_of("failed", YOUNGER))
    assert twice.recheck("failed") == [Rechecked("failed", 2, kept=(Kept(younger, KeptReason.NOT_OURS),))]
    assert twice.task_ids() == [older, younger]


def test_an_export_of_failed_calls_that_is_imported_again_stays(twice: Twice) -> None:
    """Side by side as our requests had stored them, but for the predictions of those that had an answer."""
    imports = [(task_of("a", ours), failed_task_of("failed", ours)) for ours in (OLDER, YOUNGER)]
    originals = [task_id for tasks in imports for task_id in twice.store(*tasks)]
    copies = twice.store(*twice.person.exported())
    for task_id in originals:
        twice.person.delete(task_id)
    assert [done.deleted_tasks for done in twice.recheck("a", "failed")] == [(), ()]
    assert twice.task_ids() == copies


def test_a_failed_call_that_somebody_had_a_model_answer_stays(twice: Twice) -> None:
    """We sent no prediction: the one that is there is somebody's work."""
    twice.store(task_of("a", OLDER), failed_task_of("failed", OLDER))
    _, younger = twice.store(task_of("a", YOUNGER), failed_task_of("failed", YOUNGER))
    add_predictions(twice, younger, "of a model")
    assert twice.recheck("failed") == [Rechecked("failed", 2, kept=(Kept(younger, KeptReason.TOUCHED),))]


def test_an_export_that_is_imported_again_stays(twice: Twice) -> None:
    """All of it, in one request, and the originals are deleted: none of our tasks is left."""
    originals = [task_id for name in ("a", "b") for task_id in twice.store_twice(name)]
    copies = twice.store(*twice.person.exported())
    for task_id in originals:
        twice.person.delete(task_id)
    assert [done.deleted_tasks for done in twice.recheck("a", "b")] == [(), ()]
    assert twice.task_ids() == copies


def test_a_prediction_that_only_the_younger_one_has_keeps_both(twice: Twice) -> None:
    """Somebody has a model answer, and it did so for one of the two."""
    older, younger = twice.store_twice("a")
    add_predictions(twice, younger, "of another model")
    assert twice.recheck("a") == [Rechecked("a", 2, kept=(Kept(younger, KeptReason.DIFFERENT),))]
    assert twice.task_ids() == [older, younger]


def add_predictions(twice: Twice, task_id: int, *texts: str) -> None:
    (prediction,) = task_of("a", OLDER)["predictions"]
    (region,) = prediction["result"]
    said = [{**prediction, "result": [{**region, "value": {"text": [text]}}]} for text in texts]
    assert twice.server.import_predictions(twice.project_id, [{"task": task_id, **p} for p in said]) == len(texts)


def test_equal_predictions_of_one_task_are_removed(twice: Twice, caplog: pytest.LogCaptureFixture) -> None:
    """A repair that was carried out late, and twice; what says something else stays."""
    (ours,) = twice.store(task_of("a", OLDER))
    add_predictions(twice, ours, "to a", "something else", "to a")
    (done,) = twice.recheck("a")
    assert len(done.deleted_predictions) == 2
    assert twice.labeling.texts(twice.project_id) == [["to a", "something else"]]
    assert [str(i) in caplog.text for i in done.deleted_predictions] == [True, True]
    assert twice.recheck("a") == [Rechecked("a", 1)]


@pytest.mark.parametrize("act", [Person.annotate, Person.skip, Person.draft], ids=lambda act: act.__name__)
def test_equal_predictions_stay_where_somebody_works(twice: Twice, act: Act) -> None:
    """His work may be based on either."""
    (ours,) = twice.store(task_of("a", OLDER))
    add_predictions(twice, ours, "to a")
    act(twice.person, ours)
    (done,) = twice.recheck("a")
    assert [(kept.task_id, kept.reason) for kept in done.kept] == [(ours, KeptReason.TOUCHED)]
    assert twice.labeling.texts(twice.project_id) == [["to a", "to a"]]


def test_equal_predictions_of_somebody_elses_task_stay(twice: Twice) -> None:
    """Only what came by a request of ours is ours to clear up."""
    (theirs,) = twice.store(task_of("a", None))
    add_predictions(twice, theirs, "to a")
    (done,) = twice.recheck("a")
    assert done.deleted_predictions == ()
    assert twice.labeling.texts(twice.project_id) == [["to a", "to a"]]


# -- several calls ------------------------------------------------------------------------------------------------


def test_a_call_that_cannot_be_found_does_not_hold_up_the_rest(behind: Twice, faulty: FaultyServer) -> None:
    """The server fails to list one task, as Label Studio on SQLite does for half a surrogate pair."""
    names = [f"call-{number}" for number in range(8)]
    pairs = {name: behind.store_twice(name) for name in names}

    def fail_for_one(exchange: Exchange) -> None:
        (answers(500) if "call-3" in exchange.path else forwarded)(exchange)

    faulty.plan(fail_for_one, "tasks", times=float("inf"))
    done = behind.recheck(*names)
    assert [rechecked.call_id for rechecked in done] == names
    assert [rechecked.call_id for rechecked in done if rechecked.error] == ["call-3"]
    assert behind.task_ids() == sorted([*(older for older, _ in pairs.values()), pairs["call-3"][1]])


def test_a_server_that_fails_for_every_call_is_left_alone(behind: Twice, faulty: FaultyServer) -> None:
    """After a few calls the rest is for later, and what was done is known."""
    names = [f"call-{number}" for number in range(50)]
    faulty.plan(answers(500), "tasks", times=float("inf"))
    done = recheck(behind.server, behind.project_id, [SentCall(name, BOTH) for name in names])
    assert all(rechecked.error for rechecked in islice(done, 3))
    with pytest.raises(RetryableDeliveryError, match="several calls"):
        next(done)
    assert len(faulty.seen) < 20


def test_people_at_work_lose_nothing(twice: Twice) -> None:
    """While calls are rechecked one after another, people annotate, skip, draft, edit, copy, move and delete at
    random: nothing that they touched is deleted, and of the rest each call is there once."""
    rng = random.Random(random.randrange(10**6))
    names = [f"call-{number}" for number in range(15)]
    tasks = [task_id for name in names for task_id in twice.store_twice(name)]
    twice.store_twice("kept")  # on SQLite, the id of the newest task is given again once that is deleted
    other = twice.labeling.make_project(fresh_title("Other"), default_label_config(Mode.CHAT))
    touched: set[int] = set()
    gone: set[int] = set()
    deleted: set[int] = set()

    def act() -> None:
        task_id = rng.choice([task_id for task_id in tasks if task_id not in gone | deleted])
        kind = rng.choice(["annotate", "skip", "draft", "edit_data", "copy", "upload_copies", "move", "delete"])
        if kind in ("move", "delete"):
            twice.person.delete(task_id) if kind == "delete" else twice.person.move(task_id, other)
            gone.add(task_id)
        elif kind in ("copy", "upload_copies"):
            copied = getattr(twice.person, kind)(task_id)
            touched.update(copied if isinstance(copied, list) else [copied])
        else:
            getattr(twice.person, kind)(task_id)
            touched.add(task_id)

    for _ in range(8):
        act()
    for done in recheck(twice.server, twice.project_id, [SentCall(name, BOTH) for name in names]):
        assert not done.error
        deleted.update(done.deleted_tasks)
        act()
    there = set(twice.task_ids())
    assert touched - gone <= there
    assert deleted.isdisjoint(touched | gone)
    assert set(tasks) - there == deleted | gone

"""The project of a title: not created for want of an answer, followed when it is renamed, remembered by its id."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from otel_labelstudio.background import FOREVER
from otel_labelstudio.delivery.label_studio import project_titles, projects
from otel_labelstudio.pipeline import Pipeline
from otel_labelstudio.tasks.binding import Mode, default_label_config
from tests.delivery.faults import (
    HTML,
    Exchange,
    Fault,
    FaultyServer,
    after_forwarding,
    answers,
    forwarded,
    reset,
    without_predictions,
)
from tests.delivery.labeling import Labeling, fresh_title
from tests.delivery.pipelines import HOUR_S, Pipelines, SettableClock, until
from tests.delivery.telemetry import chat
from tests.delivery.test_projects import WITHOUT_TEXT_AREA, messages

CHAT = default_label_config(Mode.CHAT)
_PAGE = {"next": None, "previous": None}
GARBAGE: dict[str, Any] = {
    "no object": [],
    "null": None,
    "a text": "ok",
    "an empty object": {},
    "a page of HTML": HTML,
    "no records": {"count": 0, **_PAGE},
    "no count": {"results": [], **_PAGE},
    "records that are no list": {"count": 0, "results": {}, **_PAGE},
    "records that are a text": {"count": 0, "results": "", **_PAGE},
    "records that are null": {"count": 0, "results": None, **_PAGE},
    "a count below zero": {"count": -1, "results": [], **_PAGE},
    "a count that is none": {"count": "0", "results": [], **_PAGE},
    "fewer than were counted": {"count": 1, "results": [], **_PAGE},
    "another server's list": {"count": 0, "results": []},
    "a record without a title": {"count": 1, "results": [{"id": 7}], **_PAGE},
    "a title that is no text": {"count": 1, "results": [{"id": 7, "title": 7}], **_PAGE},
    "an id that is no number": {"count": 1, "results": [{"id": "7", "title": "x"}], **_PAGE},
}

REJECTED = {"id": "1", "status_code": 400, "version": "1.23.2", "detail": "Validation error"}


class Listings:
    """A fault for listings of projects alone: other requests about projects are forwarded. ``bad`` is how many."""

    def __init__(self, body: Any, bad: int) -> None:
        self._body, self._left = body, bad

    def __call__(self, exchange: Exchange) -> None:
        if exchange.method == "GET" and "title=" in exchange.path and self._left:
            self._left -= 1
            content = self._body if isinstance(self._body, bytes) else json.dumps(self._body).encode()
            exchange.answer(200, {"Content-Type": "application/json"}, content)
        else:
            exchange.answer(*exchange.forward())


class Creations:
    """A fault for creations of projects alone."""

    def __init__(self, fault: Any, bad: int = 1) -> None:
        self._fault, self._left, self.seen = fault, bad, 0

    def __call__(self, exchange: Exchange) -> None:
        is_creation = exchange.method == "POST"
        self.seen += is_creation
        if is_creation and self._left:
            self._left -= 1
            self._fault(exchange)
        else:
            exchange.answer(*exchange.forward())


@pytest.mark.parametrize("body", GARBAGE.values(), ids=GARBAGE)
def test_a_listing_that_is_not_understood_creates_nothing(
    pipelines: Pipelines, labeling: Labeling, faulty: FaultyServer, body: Any
) -> None:
    """The project is there, and the first listings are garbage: they are repeated, and no other project is made."""
    title = fresh_title("Garbled")
    project_id = labeling.make_project(title, CHAT)
    faulty.plan(Listings(body, bad=3), "projects", times=float("inf"))
    pipeline = pipelines(url=faulty.url, project_name=title)
    pipeline.accept_calls([chat(answer="Paris.")])
    assert pipeline.flush(240)
    assert labeling.project_ids(title) == [project_id]
    assert labeling.texts(project_id) == [["Paris."]]
    assert pipeline.telemetry.counts()["deliveries.failed[RetryableDeliveryError]"] == 3


@pytest.mark.parametrize(
    "fault",
    [
        after_forwarding(reset),
        after_forwarding(answers(500)),
        after_forwarding(answers(200, {})),
        after_forwarding(answers(502, HTML)),
    ],
    ids=["reset", "500", "garbage", "a proxy's page"],
)
def test_a_creation_without_an_answer_is_looked_for_and_not_repeated(
    pipelines: Pipelines, labeling: Labeling, faulty: FaultyServer, fault: Any
) -> None:
    """Label Studio has made the project, and its answer is lost: one request, one project."""
    title = fresh_title("Unanswered")
    creations = Creations(fault)
    faulty.plan(creations, "projects", times=float("inf"))
    pipeline = pipelines(url=faulty.url, project_name=title, resend_wait_s=600)
    pipeline.accept_calls([chat()])
    assert pipeline.flush(240)
    assert creations.seen == 1
    assert len(labeling.project_ids(title)) == 1
    assert_made(pipeline, labeling, title)


def test_a_creation_that_is_carried_out_several_times(
    pipelines: Pipelines, labeling: Labeling, faulty: FaultyServer
) -> None:
    """Label Studio on SQLite repeats a request while the database is locked, and names the last project: calls go to
    the first, which is as a new one should be."""
    title = fresh_title("Repeated")
    faulty.plan(Creations(after_forwarding(forwarded)), "projects", times=float("inf"))
    pipeline = pipelines(url=faulty.url, project_name=title)
    pipeline.accept_calls([chat()])
    assert pipeline.flush(240)
    assert len(labeling.project_ids(title)) == 2
    assert_made(pipeline, labeling, title)


def assert_made(pipeline: Pipeline, labeling: Labeling, title: str) -> None:
    """Its project has the call, the list of calls and the instructions, and counts as one that was created."""
    project_id = labeling.project_of(title)
    assert len(labeling.tasks(project_id)) == 1
    assert len(labeling.request("GET", f"/api/dm/views/?project={project_id}")) == 1
    assert labeling.project(project_id)["expert_instruction"]
    assert pipeline._outbox.queue.in_use_and_created(HOUR_S, HOUR_S) == (0, 1)


def test_a_creation_that_comes_late_is_waited_for(
    pipelines: Pipelines, labeling: Labeling, faulty: FaultyServer
) -> None:
    """The server hangs up and makes the project a while later: meanwhile no other is made."""
    title = fresh_title("Late")
    late: list[Exchange] = []

    def keep(exchange: Exchange) -> None:
        late.append(exchange)
        exchange.reset()

    creations = Creations(keep)
    faulty.plan(creations, "projects", times=float("inf"))
    pipeline = pipelines(url=faulty.url, project_name=title, resend_wait_s=600)
    pipeline.accept_calls([chat()])
    failed = "deliveries.failed[RetryableDeliveryError]"
    until(lambda: pipeline.telemetry.counts().get(failed, 0) >= 3)
    assert labeling.project_ids(title) == []
    late[0].forward()
    assert pipeline.flush(240)
    assert creations.seen == 1
    assert len(labeling.project_ids(title)) == 1


def test_a_creation_that_never_happened_is_repeated_in_the_end(
    pipelines: Pipelines, labeling: Labeling, faulty: FaultyServer
) -> None:
    """What was lost on the way is sent again once it cannot come any more."""
    title = fresh_title("Lost")
    faulty.plan(Creations(reset), "projects", times=float("inf"))
    pipeline = pipelines(url=faulty.url, project_name=title, resend_wait_s=0.5)
    pipeline.accept_calls([chat()])
    assert pipeline.flush(240)
    assert len(labeling.tasks(title)) == 1


def test_a_project_that_is_never_listed_is_created_once(
    pipelines: Pipelines, labeling: Labeling, faulty: FaultyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The creation was answered with its id: calls go there, whatever the list says, and it counts as created."""
    monkeypatch.setattr(project_titles, "_FIRST_LOOK_S", 0.0)
    title = fresh_title("Unlisted")
    faulty.plan(Listings({"count": 0, "results": [], **_PAGE}, bad=1000), "projects", times=float("inf"))
    pipeline = pipelines(url=faulty.url, project_name=title)
    for answer in ("first", "second"):
        pipeline.accept_calls([chat(answer=answer)])
        assert pipeline.flush(240)
    assert labeling.texts(title) == [["first"], ["second"]]
    assert pipeline._outbox.queue.in_use_and_created(HOUR_S, HOUR_S) == (0, 1)


def test_a_surplus_project_is_said_once_and_left(
    pipelines: Pipelines, labeling: Labeling, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever is in it: the line names all of them, and the one that is used."""
    title = fresh_title("Surplus")
    first, second = labeling.make_project(title, CHAT), labeling.make_project(title, CHAT)
    for _ in range(2):
        pipeline = pipelines(project_name=title)
        for _ in range(2):
            pipeline.accept_calls([chat()])
            assert pipeline.flush(240)
    said = [text for text in messages(caplog, logging.WARNING) if "Several projects" in text]
    assert len(said) == 2  # one for each of the two exporters
    assert f"({first}, {second}): calls go to project {first}" in said[0]
    assert labeling.project_ids(title) == [first, second]
    assert (len(labeling.tasks(first)), len(labeling.tasks(second))) == (4, 0)


def test_a_lower_id_that_is_listed_later_is_followed(
    pipelines: Pipelines, labeling: Labeling, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process created its project before ours, and the server lists it after ours: further calls go there."""
    monkeypatch.setattr(project_titles, "_FIRST_LOOK_S", 0.0)
    title = fresh_title("Listed later")
    lower, higher = labeling.make_project(fresh_title("x"), CHAT), labeling.make_project(title, CHAT)
    pipeline = pipelines(project_name=title)
    pipeline.accept_calls([chat(answer="before")])
    assert pipeline.flush(240)
    labeling.change_project(lower, title=title)
    pipeline.accept_calls([chat(answer="after")])
    assert pipeline.flush(240)
    assert (labeling.texts(higher), labeling.texts(lower)) == ([["before"]], [["after"]])


def test_new_calls_follow_the_title_after_the_project_was_renamed(
    pipelines: Pipelines, labeling: Labeling, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a process that goes on, as in one that begins: a new project of the title takes them."""
    monkeypatch.setattr(project_titles, "_FIRST_LOOK_S", 0.0)
    title = fresh_title("Renamed")
    pipeline = pipelines(project_name=title)
    pipeline.accept_calls([chat(answer="before")])
    assert pipeline.flush(240)
    (renamed,) = labeling.project_ids(title)
    labeling.change_project(renamed, title=fresh_title("Archive"))
    pipeline.accept_calls([chat(answer="after")])
    assert pipeline.flush(240)
    assert labeling.texts(renamed) == [["before"]]
    assert labeling.texts(title) == [["after"]]


@pytest.mark.parametrize("then", [forwarded, without_predictions, answers(400, REJECTED)], ids=["", "lost", "rejected"])
def test_a_rename_during_an_import_costs_nothing(
    pipelines: Pipelines, labeling: Labeling, faulty: FaultyServer, then: Fault
) -> None:
    """The project is read again after the import, and once more where predictions are lost or the import is rejected,
    and has another title: the batch is done there, and no empty project of the title is made."""
    title = fresh_title("Meanwhile")
    project_id = labeling.make_project(title, CHAT)

    def rename(exchange: Exchange) -> None:
        labeling.change_project(project_id, title=fresh_title("Archive"))
        then(exchange)

    faulty.plan(rename)
    pipeline = pipelines(url=faulty.url, project_name=title)
    pipeline.accept_calls([chat(answer="moved")])
    assert pipeline.flush(240)
    assert labeling.texts(project_id) == [["moved"]]
    assert labeling.project_ids(title) == []
    pipeline.accept_calls([chat(answer="next")])
    assert pipeline.flush(240)
    assert labeling.texts(title) == [["next"]]


def test_an_import_without_an_answer_is_looked_up_in_the_renamed_project(
    pipelines: Pipelines, labeling: Labeling, faulty: FaultyServer, tmp_path: Path
) -> None:
    """The answer is lost, the process ends, somebody renames the project: the next process finds the call there by the
    project's id, which the outbox remembers, and makes no second one; what was never sent goes to the title."""
    title, path = fresh_title("Unknown"), str(tmp_path / "calls.outbox")
    project_id = labeling.make_project(title, CHAT)
    faulty.plan(after_forwarding(reset))
    pipeline = pipelines(url=faulty.url, project_name=title, outbox=path, resend_wait_s=600)
    pipeline.accept_calls([chat(answer="stored")])
    until(lambda: faulty.count("projects/import"))
    until(lambda: pipeline.telemetry.counts().get("deliveries.failed[UnknownOutcomeError]"))
    pipeline.close(0)
    labeling.change_project(project_id, title=fresh_title("Archive"))
    again = pipelines(project_name=title, outbox=path)
    again.accept_calls([chat(answer="new")])
    assert again.flush(240)
    assert labeling.texts(project_id) == [["stored"]]
    assert labeling.texts(title) == [["new"]]


def test_a_recheck_looks_into_the_renamed_project(
    pipelines: Pipelines, labeling: Labeling, faulty: FaultyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call that was stored twice there is found by the project's id, and the second task is deleted."""
    title = fresh_title("Twice")
    project_id = labeling.make_project(title, CHAT)
    clock = SettableClock()
    pipeline = pipelines(clock, url=faulty.url, project_name=title, resend_wait_s=0.2, recheck_wait_s=HOUR_S)
    late: list[Exchange] = []

    def keep(exchange: Exchange) -> None:
        late.append(exchange)
        exchange.reset()

    faulty.plan(keep)
    pipeline.accept_calls([chat()])
    assert pipeline.flush(240)
    late[0].forward()
    assert len(labeling.tasks(project_id)) == 2
    labeling.change_project(project_id, title=fresh_title("Archive"))
    clock.set_forward(HOUR_S)
    until(lambda: len(labeling.tasks(project_id)) == 1)
    assert labeling.project_ids(title) == []


@pytest.mark.parametrize("is_by_title", [True, False])
def test_a_recheck_in_a_project_that_is_deleted_is_over(
    pipelines: Pipelines, labeling: Labeling, faulty: FaultyServer, is_by_title: bool, tmp_path: Path
) -> None:
    """With it both tasks are gone, if there were two: the next process does not look again and again."""
    title, path = fresh_title("Gone"), str(tmp_path / "calls.outbox")
    project_id = labeling.make_project(title, CHAT)
    faulty.plan(after_forwarding(reset))
    named = {"project_name": title} if is_by_title else {"project_id": project_id}
    pipeline = pipelines(url=faulty.url, outbox=path, recheck_wait_s=HOUR_S, **named)
    pipeline.accept_calls([chat()])
    assert pipeline.flush(60)
    pipeline.close(30)
    labeling.delete_project(project_id)
    clock = SettableClock()
    again = pipelines(clock, outbox=path, **named)
    queue = again._outbox.queue
    assert queue.next_recheck_in_s() < FOREVER
    again.take_up_what_was_left()
    clock.set_forward(HOUR_S)
    until(lambda: queue.next_recheck_in_s() == FOREVER)


def test_a_renamed_project_that_is_broken_holds_up_no_new_calls(
    pipelines: Pipelines, labeling: Labeling, faulty: FaultyServer, tmp_path: Path
) -> None:
    """What may be in it waits until somebody mends it; what was never sent goes to the title meanwhile."""
    title, path = fresh_title("Broken"), str(tmp_path / "calls.outbox")
    project_id = labeling.make_project(title, CHAT)
    faulty.plan(after_forwarding(reset))
    pipeline = pipelines(url=faulty.url, project_name=title, outbox=path, resend_wait_s=600)
    pipeline.accept_calls([chat(answer="stored")])
    until(lambda: pipeline.telemetry.counts().get("deliveries.failed[UnknownOutcomeError]"))
    pipeline.close(0)
    labeling.change_project(project_id, title=fresh_title("Archive"), label_config=WITHOUT_TEXT_AREA)
    again = pipelines(project_name=title, outbox=path)
    again.accept_calls([chat(answer="new")])
    until(lambda: labeling.project_ids(title) and labeling.texts(title) == [["new"]])
    assert len(labeling.tasks(project_id)) == 1
    labeling.change_project(project_id, label_config=CHAT)
    assert again.flush(240)
    assert labeling.texts(project_id) == [["stored"]]
    assert labeling.texts(title) == [["new"]]


@pytest.mark.parametrize("lifetime_s", [0.0, 180.0])
def test_a_renamed_project_that_is_deleted_holds_up_nothing(
    pipelines: Pipelines,
    labeling: Labeling,
    faulty: FaultyServer,
    monkeypatch: pytest.MonkeyPatch,
    lifetime_s: float,
) -> None:
    """It was looked into before, and is known: what may have been in it is gone with it, and goes to the title."""
    monkeypatch.setattr(project_titles, "_FIRST_LOOK_S", 0.0)
    monkeypatch.setattr(projects, "_PROJECT_LIFETIME_S", lifetime_s)
    title = fresh_title("Deleted")
    project_id = labeling.make_project(title, CHAT)

    def rename(exchange: Exchange) -> None:
        labeling.change_project(project_id, title=fresh_title("Archive"))
        exchange.reset()

    def delete(exchange: Exchange) -> None:
        labeling.delete_project(project_id)
        exchange.reset()

    for fault in (rename, reset, delete):  # by the third, the renamed one was looked into
        faulty.plan(fault)
    pipeline = pipelines(url=faulty.url, project_name=title)
    pipeline.accept_calls([chat(answer="kept")])
    assert pipeline.flush(240)
    assert labeling.texts(title) == [["kept"]]

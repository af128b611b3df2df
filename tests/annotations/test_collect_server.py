"""From a real Label Studio: everything once, then what changed, and what is gone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from otel_labelstudio.annotations.collecting import Batch, LabelStudioSource, Since, collect
from otel_labelstudio.annotations.judging import judge
from otel_labelstudio.annotations.records import Act, AnnotatedTask, JudgedCall
from otel_labelstudio.delivery.label_studio.annotated import AnnotatedTasks
from otel_labelstudio.delivery.label_studio.server import LabelStudioServer
from otel_labelstudio.demo.label_studio import EmbeddedLabelStudio
from otel_labelstudio.errors import ConfigError, RetryableDeliveryError
from tests.browser.delivered_calls import deliver
from tests.browser.traced_calls import Sent
from tests.delivery.faults import Exchange, FaultyServer, answers, forwarded
from tests.delivery.labeling import Labeling, fresh_title
from tests.delivery.telemetry import chat

NAMES = [f"call {n}" for n in range(6)]


@dataclass
class People:
    """A project with tasks, and people's programs at work in it."""

    labeling: Labeling
    sent: Sent

    def annotate(self, name: str, text: str, **fields: Any) -> int:
        region = {"from_name": "response", "to_name": "dialogue", "type": "textarea", "value": {"text": [text]}}
        path = f"/api/tasks/{self.sent.task_ids[name]}/annotations/"
        return int(self.labeling.request("POST", path, {"result": [region], **fields})["id"])


@pytest.fixture
def people(label_studio: EmbeddedLabelStudio, labeling: Labeling) -> People:
    calls = {name: chat(f"{name}?", f"Answer of {name}.") for name in NAMES}
    return People(labeling, deliver(label_studio, calls, title=fresh_title("collect"), mode="chat"))


@pytest.fixture
def server(label_studio: EmbeddedLabelStudio) -> Iterator[LabelStudioServer]:
    opened = LabelStudioServer(label_studio.url, label_studio.api_key, 60, 60)
    yield opened
    opened.close()


def batches(server: LabelStudioServer, project_id: int, since: Since = None) -> list[Batch]:
    return list(collect(LabelStudioSource(server, [project_id]), since=since))


def tasks(found: list[Batch]) -> dict[int, AnnotatedTask]:
    return {task.id: task for batch in found for task in batch.tasks}


def test_everything_and_then_what_changed(people: People, server: LabelStudioServer) -> None:
    """Tasks with annotations whole, the others by id; afterwards, a changed annotation anew, and of what was deleted
    that it is gone."""
    project_id, ids = people.sent.project_id, people.sent.task_ids
    kept, deleted = (people.annotate(NAMES[n], "An answer.") for n in (0, 1))
    people.annotate(NAMES[2], "Half an ed", was_cancelled=True)
    found = batches(server, project_id)
    assert tasks(found).keys() == {ids[name] for name in NAMES[:3]}
    assert found[0].without_annotations == {ids[name] for name in NAMES[3:]}
    assert found[0].tasks[0].project.title.startswith("collect")
    assert list(found[-1].all_ids or ()) == sorted(ids.values())

    people.labeling.request("PATCH", f"/api/annotations/{kept}/", {"ground_truth": True})
    people.labeling.request("DELETE", f"/api/annotations/{deleted}/")
    people.labeling.request("DELETE", f"/api/tasks/{ids[NAMES[5]]}/")
    watermark = found[-1].watermark
    assert watermark is not None
    again = batches(server, project_id, {project_id: watermark})
    assert tasks(again)[ids[NAMES[0]]].annotations[0].is_ground_truth
    assert ids[NAMES[1]] in again[0].without_annotations
    assert ids[NAMES[5]] not in (again[-1].all_ids or ())
    assert again[-1].watermark is not None
    assert again[-1].watermark > watermark


def test_a_task_is_read_whole(people: People, server: LabelStudioServer, label_studio: EmbeddedLabelStudio) -> None:
    """Its call, how it was built, the prediction and the people."""
    people.annotate(NAMES[0], "Another answer.")
    [task] = tasks(batches(server, people.sent.project_id)).values()
    assert task.call is not None
    assert task.call_id == f"{task.call.trace_id}-{task.call.span_id}-0"
    assert task.origin is not None
    assert (task.origin.from_name, task.origin.to_name) == ("response", "dialogue")
    [annotation] = task.annotations
    assert annotation.by is not None
    assert annotation.by.email == label_studio.username
    assert [control.tag for control in task.project.controls] == ["TextArea", "Rating"]
    judged = judge(task)
    assert isinstance(judged, JudgedCall)
    assert [answer.base for answer in judged.judgements[0].answers] == [f"Answer of {NAMES[0]}."]


def test_another_models_prediction_is_asked_for(people: People, server: LabelStudioServer) -> None:
    """The export has its id alone: what a person began with is the rejected text."""
    task_id = people.sent.task_ids[NAMES[0]]
    region = {"from_name": "response", "to_name": "dialogue", "type": "textarea", "value": {"text": ["A rival's."]}}
    rival = {"task": task_id, "model_version": "rival", "result": [region]}
    made = people.labeling.request("POST", "/api/predictions/", rival)
    people.annotate(NAMES[0], "A rival's, mended.", parent_prediction=made["id"])
    [task] = tasks(batches(server, people.sent.project_id)).values()
    judged = judge(task)
    assert isinstance(judged, JudgedCall)
    assert (judged.judgements[0].imported_base, judged.judgements[0].imported_model) == ("A rival's.", "rival")


def test_projects_by_title(people: People, server: LabelStudioServer) -> None:
    """All that have it, each once; none is an error that names it."""
    title = people.labeling.project(people.sent.project_id)["title"]
    second = people.labeling.make_project(title)
    found = LabelStudioSource(server, [second], [title]).projects()
    assert [project.id for project in found] == [second, people.sent.project_id]
    with pytest.raises(ConfigError, match="no such title"):
        list(collect(LabelStudioSource(server, (), ["no such title"])))


def test_a_connection_of_its_own(
    people: People, label_studio: EmbeddedLabelStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the environment's address and key, as a notebook does it."""
    monkeypatch.setenv("LABEL_STUDIO_URL", label_studio.url)
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", label_studio.api_key)
    people.annotate(NAMES[0], "An answer.")
    with LabelStudioSource.connected(project_ids=[people.sent.project_id]) as source:
        assert [len(batch.tasks) for batch in collect(source)] == [1, 0]


def test_projects_of_all_days(labeling: Labeling, server: LabelStudioServer) -> None:
    """By the very title that the exporter was given; not one that only begins like it."""
    name = fresh_title("100% of")
    ids = [labeling.make_project(f"{name} {rest}") for rest in ("2026-11-25 shop", "2026-11-26 cart", "2026-11 shop")]
    template = f"{name.replace('%', '%%')} %Y-%m-%d {{service.name}}"
    assert [project.id for project in LabelStudioSource(server, (), [template]).projects()] == ids[:2]


class TestFaults:
    """Of the server, or of what stands before it."""

    @pytest.fixture
    def behind(self, faulty: FaultyServer, label_studio: EmbeddedLabelStudio) -> Iterator[LabelStudioServer]:
        opened = LabelStudioServer(faulty.url, label_studio.api_key, 60, 60)
        yield opened
        opened.close()

    def collected(self, server: LabelStudioServer, people: People) -> tuple[dict[int, AnnotatedTask], list[float]]:
        waits: list[float] = []
        source = LabelStudioSource(
            server, [people.sent.project_id], annotated=AnnotatedTasks(server, lambda wait_s: waits.append(wait_s))
        )
        return tasks(list(collect(source))), waits

    def test_what_fails_for_now_is_tried_again(
        self, people: People, faulty: FaultyServer, behind: LabelStudioServer
    ) -> None:
        """A list and an export, each by itself."""
        people.annotate(NAMES[0], "An answer.")
        faulty.plan(answers(503), "tasks", times=2)
        faulty.plan(answers(502, b"<html>"), "projects/export")
        found, waits = self.collected(behind, people)
        assert (len(found), len(waits)) == (1, 3)
        faulty.plan(answers(503), "projects/export", times=4)
        with pytest.raises(RetryableDeliveryError):
            self.collected(behind, people)

    def test_what_is_too_much_at_once_is_asked_for_in_parts(
        self, people: People, faulty: FaultyServer, behind: LabelStudioServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Down to one task, which is then named, and keeps no other from being read."""
        people.annotate(NAMES[0], "x" * 400_000)
        people.annotate(NAMES[1], "An answer.")
        monkeypatch.setattr("otel_labelstudio.delivery.label_studio.limits.MAX_RECEIVED_BYTES", 300_000)
        found, waits = self.collected(behind, people)
        large, small = (found[people.sent.task_ids[name]] for name in NAMES[:2])
        assert (large.why_no_call, large.call, waits) == ("unreadable_task", None, [])
        judged = judge(small)
        assert isinstance(judged, JudgedCall)
        assert judged.judgements[0].answers[0].act is Act.EDITED

    def test_a_task_that_is_nested_too_deep_keeps_no_other_from_being_read(
        self, people: People, faulty: FaultyServer, behind: LabelStudioServer
    ) -> None:
        """A server may hold what Python's parser refuses: it is looked for in halves, and named."""
        deep = answers(200, b"[" * 100_000 + b"]" * 100_000)
        poison = f"ids%5B%5D={people.sent.task_ids[NAMES[0]]}"
        people.annotate(NAMES[0], "An answer.")
        people.annotate(NAMES[1], "An answer.")
        faulty.plan(
            lambda exchange: (deep if poison in exchange.path else forwarded)(exchange),
            "projects/export",
            times=float("inf"),
        )
        found, waits = self.collected(behind, people)
        poisoned, other = (found[people.sent.task_ids[name]] for name in NAMES[:2])
        assert (poisoned.why_no_call, other.why_no_call, waits) == ("unreadable_task", None, [])

    def test_a_task_that_the_server_fails_at_keeps_no_other_from_being_read(
        self, people: People, faulty: FaultyServer, behind: LabelStudioServer
    ) -> None:
        """It is looked for in halves, asked for several times by itself, and then named."""
        poison = f"ids%5B%5D={people.sent.task_ids[NAMES[0]]}"

        def fail_at_it(exchange: Exchange) -> None:
            answer = answers(500) if poison in exchange.path else forwarded
            answer(exchange)

        people.annotate(NAMES[0], "An answer.")
        people.annotate(NAMES[1], "An answer.")
        faulty.plan(fail_at_it, "projects/export", times=float("inf"))
        found, waits = self.collected(behind, people)
        poisoned, other = (found[people.sent.task_ids[name]] for name in NAMES[:2])
        assert (poisoned.why_no_call, other.why_no_call, len(waits)) == ("unreadable_task", None, 3)

    def test_a_task_is_not_set_aside_for_a_server_that_answers_later(
        self, people: People, faulty: FaultyServer, behind: LabelStudioServer
    ) -> None:
        """Though it is the only one that is asked for: the next run reads it."""
        faulty.plan(answers(503), "projects/export", times=4)
        annotated = AnnotatedTasks(behind, lambda _: None)
        with pytest.raises(RetryableDeliveryError):
            annotated.exported(people.sent.project_id, [people.sent.task_ids[NAMES[0]]])

    def test_users_that_may_not_be_listed_have_no_address(
        self, people: People, faulty: FaultyServer, behind: LabelStudioServer
    ) -> None:
        """And are told apart by their ids."""
        people.annotate(NAMES[0], "An answer.")
        faulty.plan(answers(403, {"detail": "no"}), "users")
        [task] = self.collected(behind, people)[0].values()
        assert task.annotations[0].by is not None
        assert task.annotations[0].by.email is None

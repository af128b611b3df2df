"""What the client asks of a real Label Studio, and what it makes of the answers."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from otel_labelstudio.delivery.label_studio import limits
from otel_labelstudio.delivery.label_studio.records import StoredTask
from otel_labelstudio.delivery.label_studio.server import LabelStudioServer
from otel_labelstudio.demo.label_studio import EmbeddedLabelStudio
from otel_labelstudio.errors import PausedDeliveryError, RejectedTasksError, RetryableDeliveryError
from otel_labelstudio.tasks.binding import Mode, default_label_config
from tests.delivery.faults import FaultyServer, answers
from tests.delivery.label_studio.people import Person
from tests.delivery.labeling import Labeling, fresh_title


@pytest.fixture(params=["legacy token", "personal access token"])
def server(request: pytest.FixtureRequest, label_studio: EmbeddedLabelStudio) -> Iterator[LabelStudioServer]:
    is_legacy = request.param == "legacy token"
    key = label_studio.api_key if is_legacy else label_studio.personal_access_token()
    made = LabelStudioServer(label_studio.url, key, 60, 60)
    yield made
    made.close()


@pytest.fixture
def project_id(labeling: Labeling) -> int:
    return labeling.make_project(fresh_title("Client"), default_label_config(Mode.CHAT))


def prediction(text: str, from_name: str = "response") -> dict[str, Any]:
    region = {"from_name": from_name, "to_name": "dialogue", "type": "textarea", "value": {"text": [text]}}
    return {"model_version": "gpt", "result": [region]}


def task(call_id: str, content: str = "Hi", **meta: object) -> dict[str, Any]:
    return {
        "data": {"prompt": [{"role": "user", "content": content}], "call_id": call_id},
        "meta": meta,
        "predictions": [prediction(f"to {call_id}")],
    }


def test_a_project_from_its_creation_to_its_tasks(server: LabelStudioServer) -> None:
    """With a key of either kind: all that a delivery asks."""
    title = fresh_title("Whole")
    assert server.project_ids(title) == []
    server.create_project(title, default_label_config(Mode.CHAT))
    server.create_project(title, default_label_config(Mode.CHAT))
    server.create_project(f"{title} 2", default_label_config(Mode.CHAT))
    first, second = server.project_ids(title)
    assert first < second
    assert server.project(first).title == title
    assert server.newest_task_id(first) == 0
    imported = server.import_tasks(first, [task("a"), task("b")])
    assert imported.predictions == 2
    assert server.newest_task_id(first) == imported.task_ids[1]
    assert server.stored_tasks(first, "call_id", ["a", "b", "c"]) == {
        name: [StoredTask(task_id, 1, 0)] for name, task_id in zip("ab", imported.task_ids, strict=True)
    }
    assert server.stored_tasks(first, "call_id", ["a", "b"], imported.task_ids[0]).keys() == {"b"}
    assert server.stored_tasks(second, "call_id", ["a"]) == {}


def test_a_trial_import_stores_nothing(
    server: LabelStudioServer, labeling: Labeling, project_id: int, faulty: FaultyServer
) -> None:
    """It tells whether imports are taken at all: in a project that asks for other data, in none, by a broken server."""
    before = labeling.project(project_id)
    server.probe_import(project_id)
    assert labeling.tasks(project_id) == []
    assert labeling.project(project_id) == before
    assert labeling.request("GET", f"/api/projects/{project_id}/file-uploads") == []
    with pytest.raises(PausedDeliveryError, match="check url and project_id"):
        server.probe_import(999_999)
    broken = LabelStudioServer(faulty.url, labeling.api_key, 60, 60)
    faulty.plan(answers(500), "projects/import/trial")
    with pytest.raises(RetryableDeliveryError):
        broken.probe_import(project_id)
    broken.close()


def test_predictions_that_do_not_fit_are_left_out(server: LabelStudioServer, project_id: int) -> None:
    """Label Studio says so in a number only; for a task that is gone it refuses all."""
    (task_id,) = server.import_tasks(project_id, [task("a")]).task_ids
    fits, does_not = prediction("fits"), prediction("does not", from_name="renamed")
    assert server.import_predictions(project_id, [{"task": task_id, **fits}, {"task": task_id, **does_not}]) == 1
    found = server.task(task_id)
    assert found is not None
    assert [said.result[0]["value"]["text"] for said in found.predictions] == [["to a"], ["fits"]]
    with pytest.raises(RejectedTasksError):
        server.import_predictions(project_id, [{"task": task_id, **fits}, {"task": task_id + 1000, **fits}])


def test_what_is_gone_is_none_and_can_be_deleted(server: LabelStudioServer, project_id: int) -> None:
    """Somebody was faster: that is no error."""
    (task_id,) = server.import_tasks(project_id, [task("a")]).task_ids
    found = server.task(task_id)
    assert found is not None
    (said,) = found.predictions
    for _ in range(2):
        server.delete_prediction(said.id)
    for _ in range(2):
        server.delete_task(task_id)
    assert server.task(task_id) is None


def test_a_task_tells_what_people_did(server: LabelStudioServer, labeling: Labeling, project_id: int) -> None:
    """As it came it is untouched, with a prediction added too; annotations, skips, drafts and edits show."""
    person = Person(labeling, project_id)
    names = ["untouched", "annotated", "skipped", "drafted", "undone", "edited"]
    ids = dict(zip(names, server.import_tasks(project_id, [task(name) for name in names]).task_ids, strict=True))
    server.import_predictions(project_id, [{"task": ids["untouched"], **prediction("again")}])
    person.annotate(ids["annotated"])
    person.skip(ids["skipped"])
    person.draft(ids["drafted"])
    person.annotate_and_delete_that(ids["undone"])
    person.edit_data(ids["edited"])
    (uploaded,) = person.upload_copies(ids["untouched"])
    found = {name: server.task(task_id) for name, task_id in {**ids, "uploaded": uploaded}.items()}
    tasks = {name: details for name, details in found.items() if details is not None}
    assert tasks.keys() == found.keys()
    assert {name for name, details in tasks.items() if details.annotations} == {"annotated", "skipped"}
    assert {name for name, details in tasks.items() if details.has_draft} == {"drafted"}
    assert {name for name, details in tasks.items() if details.has_work} == {"annotated", "skipped", "drafted"}
    assert {name for name, details in tasks.items() if details.is_from_file} == {"uploaded"}
    changed = {name for name, details in tasks.items() if details.was_changed}
    assert changed >= {"undone", "annotated", "skipped"}
    assert changed.isdisjoint({"untouched", "drafted", "uploaded"})


def test_calls_whose_data_is_too_large_for_one_answer_are_found(
    server: LabelStudioServer, project_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Together they exceed the limit, one of them by itself: each is found, and none is taken for missing."""
    sizes = {"a": 400_000, "b": 100, "c": 700_000, "d": 2_000_000, "e": 100}
    server.import_tasks(project_id, [task(name, "x" * size) for name, size in sizes.items()])
    monkeypatch.setattr(limits, "MAX_RECEIVED_BYTES", 1_000_000)
    found = server.stored_tasks(project_id, "call_id", [*sizes, "f"])
    assert {name: len(tasks) for name, tasks in found.items()} == dict.fromkeys(sizes, 1)


def test_ids_of_a_project_are_read_over_several_pages(
    server: LabelStudioServer, project_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More tasks than a page holds, however many values were asked for."""
    monkeypatch.setattr("otel_labelstudio.delivery.label_studio.listing._PAGE_SIZE", 2)
    ids = server.import_tasks(project_id, [task("many") for _ in range(5)]).task_ids
    assert [found.id for found in server.stored_tasks(project_id, "call_id", ["many"])["many"]] == list(ids)


def test_neither_key_nor_task_stands_in_its_repr(server: LabelStudioServer, project_id: int) -> None:
    """Of the client, and of the records."""
    (task_id,) = server.import_tasks(project_id, [task("CANARY", "CANARY", note="CANARY")]).task_ids
    assert "CANARY" not in repr(server.task(task_id))
    assert repr(server) == f"LabelStudioServer({server.url!r})"


def test_nothing_is_imported_while_a_request_is_under_way(label_studio: EmbeddedLabelStudio) -> None:
    """A process that forks in the middle of an import could never import that in the child."""
    script = """
import sys
from otel_labelstudio.delivery.label_studio.server import LabelStudioServer

server = LabelStudioServer(sys.argv[1], sys.argv[2], 60, 60)
server._api._connected()
before = set(sys.modules)
server.version(), server.user(), server.project_ids("calls"), server.task(10**6)
print(sorted(set(sys.modules) - before))
"""
    command = [sys.executable, "-c", script, label_studio.url, label_studio.personal_access_token()]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip() == "[]"

"""What programs and the Data Manager's actions leave in a real Label Studio, and what is made of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from otel_labelstudio.annotations.collecting import LabelStudioSource, collect
from otel_labelstudio.annotations.judging import judge
from otel_labelstudio.annotations.records import JudgedCall
from otel_labelstudio.delivery.label_studio.server import LabelStudioServer
from otel_labelstudio.demo.label_studio import EmbeddedLabelStudio
from tests.annotations.outcomes import Outcome, outcome
from tests.browser.delivered_calls import deliver
from tests.browser.traced_calls import Sent
from tests.delivery.labeling import Labeling, fresh_title
from tests.delivery.telemetry import chat

BASE = "The poplar grows fast."
ACTS = (
    *("accepted", "edited", "rated", "skipped", "starred", "of two", "copied", "updated", "deleted", "orphaned"),
    "made in bulk",
)


@dataclass
class Programs:
    """At work in a project, by the API."""

    labeling: Labeling
    sent: Sent

    def annotate(self, name: str, *texts: str, rating: int | None = None, box: str = "response", **fields: Any) -> int:
        result = [_region("textarea", box, {"text": list(texts)})] if texts else []
        result += [_region("rating", "rating", {"rating": rating})] if rating else []
        path = f"/api/tasks/{self.sent.task_ids[name]}/annotations/"
        return int(self.labeling.request("POST", path, {"result": result, **fields})["id"])

    def prediction(self, name: str) -> int:
        return int(self.sent.task(name)["predictions"][0]["id"])

    def change_interface(self, old: str, new: str) -> None:
        config = self.labeling.project(self.sent.project_id)["label_config"]
        self.labeling.change_project(self.sent.project_id, label_config=config.replace(old, new))


def _region(kind: str, name: str, value: Any) -> dict[str, Any]:
    return {"from_name": name, "to_name": "dialogue", "type": kind, "value": value}


@pytest.fixture
def programs(label_studio: EmbeddedLabelStudio, labeling: Labeling) -> Programs:
    calls = {name: chat(f"{name}?", BASE) for name in ACTS}
    return Programs(labeling, deliver(label_studio, calls, title=fresh_title("API acts"), mode="chat"))


@pytest.fixture
def server(label_studio: EmbeddedLabelStudio) -> Iterator[LabelStudioServer]:
    opened = LabelStudioServer(label_studio.url, label_studio.api_key, 60, 60)
    yield opened
    opened.close()


def judged(server: LabelStudioServer, sent: Sent) -> dict[str, JudgedCall]:
    names = {task_id: name for name, task_id in sent.task_ids.items()}
    listed = [task for batch in collect(LabelStudioSource(server, [sent.project_id])) for task in batch.tasks]
    return {names[task.id]: call for task in listed if isinstance(call := judge(task), JudgedCall)}


def test_what_programs_leave(programs: Programs, server: LabelStudioServer) -> None:
    """Without origins, and with a parent only where they sent one; each is judged by its text."""
    request, task_ids = programs.labeling.request, programs.sent.task_ids
    name = fresh_title("ben").replace(" ", "-")
    other = request("POST", "/api/users/", {"username": name, "email": f"{name}@example.com"})
    programs.annotate("accepted", BASE)
    programs.annotate("edited", "The poplar grows very fast.")
    programs.annotate("rated", rating=2)
    programs.annotate("skipped", was_cancelled=True)
    programs.annotate("starred", "The poplar grows fast, they say.", ground_truth=True)
    programs.annotate("starred", BASE, completed_by=other["id"])
    programs.annotate("of two", BASE, rating=5)
    programs.annotate("of two", "The poplar grows slowly.", rating=1, completed_by=other["id"])
    original = programs.annotate("copied", BASE, parent_prediction=programs.prediction("copied"))
    programs.annotate("copied", "The poplar grows too fast.", parent_annotation=original)
    updated = programs.annotate("updated", BASE)
    request("PATCH", f"/api/annotations/{updated}/", {"result": [_region("rating", "rating", {"rating": 3})]})
    request("DELETE", f"/api/annotations/{programs.annotate('deleted', BASE)}/")
    prediction = programs.prediction("orphaned")
    programs.annotate("orphaned", BASE, parent_prediction=prediction)
    request("DELETE", f"/api/predictions/{prediction}/")
    chosen = {"all": False, "included": [task_ids["made in bulk"]]}
    path = f"/api/dm/actions?id=predictions_to_annotations&project={programs.sent.project_id}"
    request("POST", path, {"selectedItems": chosen, "ordering": [], "filters": {"conjunction": "and", "items": []}})

    found = judged(server, programs.sent)
    expected: dict[str, Outcome] = {
        "accepted": [f"accepted: {BASE!r}"],
        "edited": ["edited: 'The poplar grows very fast.'"],
        "rated": [f"untouched: {BASE!r}", "rating rating: 2 of 5"],
        "skipped": ["not counted: skipped"],
        "starred": ["edited: 'The poplar grows fast, they say.'", f"accepted: {BASE!r}"],
        "of two": [
            *(f"accepted: {BASE!r}", "rating rating: 5 of 5"),
            *("edited: 'The poplar grows slowly.'", "rating rating: 1 of 5"),
        ],
        "copied": ["edited: 'The poplar grows too fast.'", "not counted: superseded"],
        "updated": [f"untouched: {BASE!r}", "rating rating: 3 of 5"],
        "orphaned": [f"accepted: {BASE!r}"],
        "made in bulk": ["not counted: bulk"],
    }
    assert {name: outcome(call) for name, call in found.items()} == expected
    assert [j.annotation.is_ground_truth for j in found["starred"].judgements] == [True, False]
    who = [j.annotator.id for j in found["of two"].judgements if j.annotator]
    assert who[1] == other["id"] != who[0]
    bulk = judge(found["made in bulk"].task, keep_bulk=True)
    assert isinstance(bulk, JudgedCall)
    assert outcome(bulk) == [f"accepted: {BASE!r}"]


def test_an_interface_that_was_changed_since(programs: Programs, server: LabelStudioServer) -> None:
    """Label Studio lets a TextArea be renamed though annotations use it, and a rating's scale be changed."""
    programs.annotate("accepted", BASE, rating=4)
    programs.change_interface('name="response"', 'name="answer"')
    programs.change_interface('<Rating name="rating"', '<Rating maxRating="10" name="rating"')
    programs.annotate("edited", "The poplar grows very fast.", box="answer")
    assert {name: outcome(call) for name, call in judged(server, programs.sent).items()} == {
        "accepted": [f"accepted: {BASE!r}", "rating rating: 4 of 10"],
        "edited": ["edited: 'The poplar grows very fast.'"],
    }

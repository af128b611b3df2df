"""A scripted labeler, who works through the demo's tasks as a person does in the page, by Label Studio's API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from otel_labelstudio.demo.api import answer_of
from otel_labelstudio.demo.label_studio import EmbeddedLabelStudio
from otel_labelstudio.demo.scripted_labels import choice_of, review_of

_LEAD_TIME_S = 20.0
_DIALOGUE = "dialogue"


def label_project(server: EmbeddedLabelStudio, project_id: int) -> int:
    """An annotation for each task of a project with the layout review or compare; how many were made. None where
    somebody has annotated a task of it: that project is theirs."""
    url = f"{server.url}/api/tasks?project={project_id}&page_size=1000&fields=all"
    tasks = answer_of(url, server.api_key)["tasks"]
    if any(task["annotations"] for task in tasks):
        return 0
    for task in tasks:
        answer_of(f"{server.url}/api/tasks/{task['id']}/annotations/", server.api_key, _annotation(task))
    return len(tasks)


def _annotation(task: dict[str, Any]) -> dict[str, Any]:
    (prediction,) = task["predictions"]
    (answer,) = prediction["result"]
    texts = answer["value"]["text"]
    made = _comparison(answer, texts) if "choice_numbers" in task["data"] else _review(answer, texts)
    return {"parent_prediction": prediction["id"], "lead_time": _LEAD_TIME_S, **made}


def _review(answer: dict[str, Any], texts: Sequence[str]) -> dict[str, Any]:
    review = review_of(texts[0])
    if review.is_skipped:
        return {"was_cancelled": True, "result": [answer]}
    said = [
        _choices("verdict", review.verdict),
        *([_choices("reasons", *review.reasons)] if review.reasons else ()),
        _with_texts(answer, [review.corrected(texts[0]), *texts[1:]]),
        _said("rating", "rating", rating=review.rating),
        *([_said("textarea", "comment", text=[review.comment])] if review.comment else ()),
    ]
    return {"result": said}


def _comparison(answer: dict[str, Any], texts: Sequence[str]) -> dict[str, Any]:
    choice = choice_of(texts[0])
    left = [choice.corrected(text) if place == choice.best else text for place, text in enumerate(texts)]
    return {"result": [_choices("best", str(choice.best + 1)), _with_texts(answer, left)]}


def _with_texts(answer: dict[str, Any], texts: list[str]) -> dict[str, Any]:
    origin = "prediction" if texts == answer["value"]["text"] else "prediction-changed"
    return {**answer, "value": {"text": texts}, "origin": origin}


def _choices(name: str, *values: str) -> dict[str, Any]:
    return _said("choices", name, choices=list(values))


def _said(kind: str, name: str, **value: Any) -> dict[str, Any]:
    """What one control says, as the page writes it."""
    return {"id": name, "type": kind, "from_name": name, "to_name": _DIALOGUE, "value": value, "origin": "manual"}

"""What delivery reads of a project and of its tasks, out of Label Studio's JSON (measured with 1.23.2)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from otel_labelstudio.tasks.build import IMPORT_ID, META_KEY, NO_PREDICTION

# A task's times of creation and of its last update are taken some microseconds apart
_CREATION_S = 1.0


@dataclass(frozen=True, slots=True)
class Project:
    """A project's record: what delivery reads of it."""

    id: int
    title: str
    label_config: str
    model_version: str


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import stored: the ids of the tasks in the order of the request, and how many predictions."""

    task_ids: tuple[int, ...]
    predictions: int


@dataclass(frozen=True, slots=True)
class StoredTask:
    """A task that is in Label Studio, and how many predictions and annotations it has, skipped ones aside; its data
    where they were asked for."""

    id: int
    predictions: int
    annotations: int
    data: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class StoredPrediction:
    """A prediction of a task. ``is_from_model``: a machine learning backend of Label Studio's made it."""

    id: int
    result: tuple[Mapping[str, Any], ...] = field(repr=False)
    model_version: str
    score: float | None
    is_from_model: bool

    @property
    def content(self) -> str:
        """What it says, without the ids that its regions were given."""
        regions = [{name: value for name, value in region.items() if name != "id"} for region in self.result]
        return json.dumps([self.model_version, self.score, regions], sort_keys=True, default=str)

    def to_dict(self) -> dict[str, Any]:
        """As an import takes it."""
        score = {} if self.score is None else {"score": self.score}
        return {"model_version": self.model_version, "result": list(self.result), **score}


@dataclass(frozen=True, slots=True)
class TaskDetails:
    """A task as it stands at one look, with all that tells whether a person has had to do with it.

    ``annotations`` counts skipped ones too, ``has_draft`` tells of drafts of every user (a task's list of drafts holds
    our own user's only). ``was_changed``: it was written to after its creation, as by an annotation that is deleted
    again, or by an edit of its data. Predictions that are added by an import do not show there, nor that somebody has
    the page open. ``created_at``: seconds since 1970.
    """

    id: int
    project_id: int
    created_at: float
    data: Mapping[str, Any] = field(repr=False)
    meta: Mapping[str, Any] = field(repr=False)
    predictions: tuple[StoredPrediction, ...]
    annotations: int
    has_draft: bool
    comments: int
    was_changed: bool
    is_from_file: bool

    @property
    def import_id(self) -> str | None:
        """The import request of ours that it came by; None for a task of somebody else, or of an earlier version.

        One that came as a file is somebody's copy: our requests are JSON.
        """
        import_id = None if self.is_from_file else self._ours.get(IMPORT_ID)
        return import_id if isinstance(import_id, str) else None

    @property
    def has_own_prediction(self) -> bool:
        """Whether we sent it with a prediction, which Label Studio may have lost since."""
        return self._ours.get(NO_PREDICTION) is not True

    @property
    def _ours(self) -> Mapping[str, Any]:
        """What the meta says of how we made it."""
        ours = self.meta.get(META_KEY)
        return ours if isinstance(ours, Mapping) else {}

    def is_same_as(self, later: TaskDetails) -> bool:
        """Whether a later look found this task: Label Studio on SQLite gives the id of a deleted one again."""
        return (self.id, self.import_id, self.created_at) == (later.id, later.import_id, later.created_at)

    @property
    def has_work(self) -> bool:
        """Whether it holds somebody's work."""
        return bool(self.annotations or self.has_draft or self.comments)


def project_of(record: Mapping[str, Any]) -> Project:
    """A project's record; a server may leave out what is empty. Raises LookupError or TypeError for another one."""
    return Project(
        number(record["id"]),
        record.get("title") or "",
        record.get("label_config") or "",
        record.get("model_version") or "",
    )


def imported_of(record: Mapping[str, Any], tasks: int) -> Imported:
    """The answer to an import of so many tasks. Raises LookupError, TypeError or ValueError for anything else."""
    task_ids = tuple(number(task_id) for task_id in record["task_ids"])
    if len(task_ids) != tasks:
        raise ValueError("ids of more or fewer tasks")
    return Imported(task_ids, number(record["prediction_count"]))


def stored_task_of(record: Mapping[str, Any]) -> StoredTask:
    """A task's record in a list. Raises LookupError or TypeError where a part is missing."""
    counts = number(record["total_predictions"]), number(record["total_annotations"])
    return StoredTask(number(record["id"]), *counts, record.get("data", {}))


def details_of(record: Mapping[str, Any]) -> TaskDetails:
    """A task's record. Raises LookupError, TypeError or ValueError where a part is missing: nothing is guessed."""
    annotations = len(record["annotations"]) + number(record["total_annotations"])
    created_at = _seconds(record["created_at"])
    return TaskDetails(
        id=number(record["id"]),
        project_id=number(record["project"]),
        created_at=created_at,
        data=_object(record["data"]),
        meta=_object(record["meta"] or {}),
        predictions=tuple(_prediction_of(prediction) for prediction in record["predictions"]),
        annotations=max(annotations, number(record["cancelled_annotations"])),
        has_draft=len(record["drafts"]) > 0 or _flag(record["draft_exists"]),
        comments=number(record["comment_count"]),
        was_changed=len(record["updated_by"]) > 0 or _seconds(record["updated_at"]) - created_at > _CREATION_S,
        is_from_file=bool(record["file_upload"] or record["storage_filename"]),
    )


def _prediction_of(record: Mapping[str, Any]) -> StoredPrediction:
    return StoredPrediction(
        id=number(record["id"]),
        result=tuple(_object(region) for region in record["result"]),
        model_version=str(record["model_version"] or ""),
        score=record["score"],
        is_from_model=record["model"] is not None or record["model_run"] is not None,
    )


def number(value: Any) -> int:
    """A whole number of an answer; raises TypeError."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("no number")
    return value


def text(value: Any) -> str:
    """A text of an answer; raises TypeError."""
    if not isinstance(value, str):
        raise TypeError("no text")
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError("neither true nor false")
    return value


def _object(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError("no object")
    return value


def moment(value: Any) -> datetime:
    """A time of an answer; raises TypeError or ValueError."""
    at = datetime.fromisoformat(text(value).replace("Z", "+00:00"))
    return at if at.tzinfo else at.replace(tzinfo=timezone.utc)


def _seconds(value: Any) -> float:
    return moment(value).timestamp()

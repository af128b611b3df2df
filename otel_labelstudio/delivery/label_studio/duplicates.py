"""Which of a call's tasks are duplicates that we stored and nobody has touched: pure, from looks at the tasks.

A request whose outcome is unknown may be carried out after it was given up, and its calls sent again. Each request has
an id of its own, which stands in the meta of its tasks (`records.IMPORT_ID`), and holds a call once. So:

- Two tasks with different import ids, both of requests that we sent for this call, are duplicates of each other.
- A second task with the same import id was not stored by us: somebody copied it. Nor was one without an import id, or
  one that came as a file.
- The oldest of ours stays. A younger one may go if its content is the same, it has no annotation, skipped or not, no
  draft of any user and no comment, and nobody has ever written to it.

Somebody may copy a task and delete the original; then the copy is the only one of its import. From an export it comes
without the prediction that we send with every task. Label Studio on SQLite loses predictions too, but of all tasks of
an import: one that lacks its own must have a neighbour that came with it. What is left are copies that are posted as
JSON, whose originals are gone: one with its prediction, and neighbours of one import that were posted together. They
are taken for the originals.

A call that failed before any answer is sent without a prediction, so that its task looks as an export of it does. Of
two tasks of such a call the younger one must have a neighbour that came with it and has its prediction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from otel_labelstudio.delivery.label_studio.records import StoredPrediction, TaskDetails
from otel_labelstudio.tasks.build import META_KEY

# The tasks of one import are made some microseconds after one another; requests take longer
_IMPORT_S = 0.02


class KeptReason(Enum):
    """Why a second task of a call, or an equal prediction of a task, is not deleted."""

    DELETION_OFF = "deletion is turned off"
    NOT_OURS = "it is not certain that it was stored by us"
    DIFFERENT = "its content is not that of the older one"
    TOUCHED = "somebody has worked on it"
    CHANGED_MEANWHILE = "one of both was moved, deleted or replaced meanwhile"
    NOT_LOOKED_AT = "the server could not be asked about it"


@dataclass(frozen=True, slots=True)
class SentCall:
    """A call whose tasks are looked up, the import id of each request that held it, and the keys of its other
    readings."""

    call_id: str
    import_ids: frozenset[str]
    other_keys: tuple[str, ...] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        """All that its tasks may be found by."""
        return (self.call_id, *self.other_keys)


def ours_of(call: SentCall, tasks: Sequence[TaskDetails]) -> list[TaskDetails]:
    """Of the tasks of one call the oldest of each import of ours, oldest first; a later one is somebody's copy."""
    first: dict[str | None, TaskDetails] = {}
    for task in sorted(tasks, key=lambda task: task.id):
        if task.import_id in call.import_ids:
            first.setdefault(task.import_id, task)
    return list(first.values())


def why_kept(older: TaskDetails, younger: TaskDetails) -> KeptReason | None:
    """Why the younger one of two tasks of ours must be kept; None if it is a duplicate that nobody has touched."""
    # Of two tasks of ours one has been counted, and its prediction added where it was lost
    if younger.has_own_prediction and not (younger.predictions or older.predictions):
        return KeptReason.NOT_OURS
    if younger.data != older.data or _call_meta(younger) != _call_meta(older):
        return KeptReason.DIFFERENT
    if older.predictions and not _said(younger) <= _said(older):
        return KeptReason.DIFFERENT
    has_foreign_prediction = younger.predictions and not younger.has_own_prediction
    if younger.has_work or younger.was_changed or has_foreign_prediction:
        return KeptReason.TOUCHED
    return None


def came_together(task: TaskDetails, other: TaskDetails) -> bool:
    """Whether two tasks of different calls, one stored after the other, came by one import, and by no export of it."""
    if not (task.has_own_prediction or other.predictions):
        return False
    is_near = abs(task.id - other.id) == 1 and abs(task.created_at - other.created_at) < _IMPORT_S
    return is_near and task.import_id == other.import_id and task.data != other.data


def equal_predictions(task: TaskDetails) -> list[StoredPrediction]:
    """Those that say what an older one of the same task says, but for what a model within Label Studio says."""
    known: set[str] = set()
    equal = []
    for prediction in sorted(task.predictions, key=lambda prediction: prediction.id):
        if prediction.is_from_model:
            continue
        if prediction.content in known:
            equal.append(prediction)
        known.add(prediction.content)
    return equal


def _said(task: TaskDetails) -> set[str]:
    return {prediction.content for prediction in task.predictions}


def _call_meta(task: TaskDetails) -> Mapping[str, Any]:
    """What the meta says of the call; the rest of ours, such as the import id, differs between duplicates."""
    return {key: value for key, value in task.meta.items() if key != META_KEY}

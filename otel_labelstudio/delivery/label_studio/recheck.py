"""Looking calls up again that may be stored twice, and deleting the duplicates (`duplicates` says what one is).

What counts is a look at both tasks immediately before the deletion, since people work meanwhile, and since Label Studio
on SQLite gives the id of a deleted task to the next one. Where a look fails, or does not tell, both are kept. It cannot
tell who has the page open without a draft yet; nor is anything known of what happens between look and deletion. Tasks
are deleted one by one, and each deletion is logged.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from otel_labelstudio.delivery.label_studio.duplicates import (
    KeptReason,
    SentCall,
    came_together,
    equal_predictions,
    ours_of,
    why_kept,
)
from otel_labelstudio.delivery.label_studio.records import StoredTask, TaskDetails
from otel_labelstudio.delivery.label_studio.server import LabelStudioServer
from otel_labelstudio.errors import DeliveryError, FailingCallsError
from otel_labelstudio.printable import logger
from otel_labelstudio.tasks.build import CALL_ID

_logger = logger(__name__)

_SEARCHED_AT_ONCE = 100
# Of the tasks of one call, or predictions of one task: a person may have copied it a thousand times
_LOOKED_AT = 20
# A server that cannot be asked about so many calls one after another is left alone for now
_FAILURES_IN_A_ROW = 3


@dataclass(frozen=True, slots=True)
class Kept:
    """A second task of a call, or an equal prediction of a task, that was kept."""

    task_id: int
    reason: KeptReason
    prediction_id: int | None = None


@dataclass(frozen=True, slots=True)
class Rechecked:
    """What became of one call.

    ``tasks_found`` is how many tasks it had in the project before: 0 where somebody has deleted its task or moved it to
    another project. ``error`` says what failed where not all could be looked at.
    """

    call_id: str
    tasks_found: int = 0
    deleted_tasks: tuple[int, ...] = ()
    deleted_predictions: tuple[int, ...] = ()
    kept: tuple[Kept, ...] = ()
    error: str = ""


def recheck(
    server: LabelStudioServer, project_id: int, calls: Sequence[SentCall], *, delete_duplicates: bool = True
) -> Iterator[Rechecked]:
    """Look calls up in a project and delete duplicates: what became of each call, in their order, as it is done.

    Nothing is done for a call before what became of the one before it has been taken. Raises `FailingCallsError` where
    the server fails for several calls in a row, and another `DeliveryError` where it fails altogether: those of which
    nothing was said remain to be rechecked.
    """
    failures = 0
    deleted: dict[int, TaskDetails] = {}
    for start in range(0, len(calls), _SEARCHED_AT_ONCE):
        for call, stored in _searched(server, project_id, calls[start : start + _SEARCHED_AT_ONCE]):
            if isinstance(stored, DeliveryError):
                done = Rechecked(call.call_id, error=str(stored))
            else:
                done = _CallRecheck(server, project_id, call, deleted, delete_duplicates).run(stored)
            yield done
            failures = failures + 1 if done.error else 0
            if failures == _FAILURES_IN_A_ROW:
                raise FailingCallsError(f"the recheck of several calls failed: {done.error}")


def _searched(
    server: LabelStudioServer, project_id: int, calls: Sequence[SentCall]
) -> Iterator[tuple[SentCall, Sequence[StoredTask] | DeliveryError]]:
    """The tasks of each call. Label Studio fails to list many where it cannot show one: halves find that one."""
    try:
        keys = list(dict.fromkeys(key for call in calls for key in call.keys))
        stored = server.stored_tasks(project_id, CALL_ID, keys)
    except DeliveryError as error:
        if error.is_whole_server:  # which does not answer, or refuses all
            raise
        if len(calls) == 1:
            yield calls[0], error
            return
        half = len(calls) // 2
        yield from _searched(server, project_id, calls[:half])
        yield from _searched(server, project_id, calls[half:])
    else:
        for call in calls:
            tasks = [task for key in call.keys for task in stored.get(key, ())]
            yield call, sorted(tasks, key=lambda task: task.id)


class _CallRecheck:
    """The recheck of one call; ``deleted`` are the tasks that went in those before."""

    def __init__(
        self,
        server: LabelStudioServer,
        project_id: int,
        call: SentCall,
        deleted: dict[int, TaskDetails],
        delete_duplicates: bool,
    ) -> None:
        self._server, self._project_id, self._call, self._deleted = server, project_id, call, deleted
        self._unwanted = None if delete_duplicates else KeptReason.DELETION_OFF
        self._deleted_tasks: list[int] = []
        self._deleted_predictions: list[int] = []
        self._kept: list[Kept] = []
        self._error = ""

    def run(self, stored: Sequence[StoredTask]) -> Rechecked:
        if len(stored) > 1 or any(task.predictions > 1 for task in stored):
            self._kept += [Kept(task.id, KeptReason.NOT_LOOKED_AT) for task in stored[_LOOKED_AT:]]
            self._recheck([task for task in map(self._first_look, stored[:_LOOKED_AT]) if task])
        return Rechecked(
            self._call.call_id,
            len(stored),
            tuple(self._deleted_tasks),
            tuple(self._deleted_predictions),
            tuple(self._kept),
            self._error,
        )

    def _recheck(self, tasks: Sequence[TaskDetails]) -> None:
        ours = ours_of(self._call, tasks)
        theirs = [task for task in tasks if task not in ours]
        self._kept += [Kept(task.id, KeptReason.NOT_OURS) for task in (theirs if ours else theirs[1:])]
        for younger in ours[1:]:
            with self._keeping_on_failure(younger.id):
                self._delete_unless_kept(ours[0], younger)
        for task in ours:
            if len(task.predictions) > 1 and task.id not in self._deleted_tasks:
                with self._keeping_on_failure(task.id):
                    self._delete_equal_predictions(task)

    def _first_look(self, task: StoredTask) -> TaskDetails | None:
        with self._keeping_on_failure(task.id):
            return self._look(task.id)
        return None

    def _delete_unless_kept(self, older: TaskDetails, younger: TaskDetails) -> None:
        reason = why_kept(older, younger) or self._unwanted
        if reason is None:
            self._give_predictions(older, younger)
            reason = self._why_kept_now(older, younger)
        if reason is not None:
            self._kept.append(Kept(younger.id, reason))
            return
        self._delete_task(younger.id)
        self._deleted_tasks.append(younger.id)
        self._deleted[younger.id] = younger
        ids = (younger.id, self._project_id, older.id)
        _logger.warning("Deleted task %d of project %d: its call is already stored as task %d.", *ids)

    def _has_neighbour(self, task: TaskDetails) -> bool:
        """Whether a task before or after it came by the same import."""
        for task_id in (task.id - 1, task.id + 1):
            other = self._deleted.get(task_id) or self._server.task(task_id)
            if other is not None and came_together(task, other):
                return True
        return False

    def _give_predictions(self, older: TaskDetails, younger: TaskDetails) -> None:
        """Label Studio may have lost those of the one that stays, and only those."""
        if not older.predictions and younger.predictions:
            given = [{"task": older.id, **prediction.to_dict()} for prediction in younger.predictions]
            self._server.import_predictions(self._project_id, given)

    def _why_kept_now(self, older: TaskDetails, younger: TaskDetails) -> KeptReason | None:
        """By a last look at both; the one that may go is looked at last."""
        is_certain = bool(younger.predictions) or self._has_neighbour(younger)
        older_now, younger_now = self._look_again(older), self._look_again(younger)
        if older_now is None or younger_now is None:
            return KeptReason.CHANGED_MEANWHILE
        if not older_now.predictions and younger.has_own_prediction:
            return KeptReason.DIFFERENT
        return why_kept(older_now, younger_now) if is_certain else KeptReason.NOT_OURS

    def _delete_task(self, task_id: int) -> None:
        try:
            self._server.delete_task(task_id)
        except DeliveryError:
            # It may have happened all the same
            if self._look(task_id) is not None:
                raise

    def _delete_equal_predictions(self, task: TaskDetails) -> None:
        for _ in range(_LOOKED_AT):
            now = self._look_again(task)
            equal = equal_predictions(now) if now else []
            if now is None or not equal:
                return
            reason = KeptReason.TOUCHED if now.has_work else self._unwanted
            if reason is not None:
                self._kept += [Kept(task.id, reason, prediction.id) for prediction in equal]
                return
            self._server.delete_prediction(equal[0].id)
            self._deleted_predictions.append(equal[0].id)
            ids = (equal[0].id, task.id, self._project_id)
            _logger.warning("Deleted prediction %d of task %d in project %d: it repeated an older one.", *ids)

    def _look(self, task_id: int) -> TaskDetails | None:
        """The task as it stands now; None if it is gone, or is not this call's in this project."""
        task = self._server.task(task_id)
        is_same = task and task.project_id == self._project_id and task.data.get(CALL_ID) in self._call.keys
        return task if is_same else None

    def _look_again(self, task: TaskDetails) -> TaskDetails | None:
        now = self._look(task.id)
        return now if now and task.is_same_as(now) else None

    @contextmanager
    def _keeping_on_failure(self, task_id: int) -> Iterator[None]:
        try:
            yield
        except DeliveryError as error:
            self._kept.append(Kept(task_id, KeptReason.NOT_LOOKED_AT))
            self._error = str(error)

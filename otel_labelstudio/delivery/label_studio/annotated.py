"""What people did, as a server tells it: which tasks there are, tasks with their annotations, who the people are.

Measured against label-studio 1.23.2. Ids first, then the export of some at a time: the export of a whole project is
built in the server's memory, pages of whole tasks cost twice as much, and each request here is a point to resume from.
An export without ``download_all_tasks`` leaves out tasks without annotations, and those that are gone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from otel_labelstudio.delivery.label_studio.answers import Operation, RefusedError
from otel_labelstudio.delivery.label_studio.limits import TooMuchReceivedError
from otel_labelstudio.delivery.label_studio.listing import condition, task_params
from otel_labelstudio.delivery.label_studio.records import moment, number, text
from otel_labelstudio.delivery.label_studio.server import LabelStudioServer
from otel_labelstudio.errors import DeliveryError, RetryableDeliveryError
from otel_labelstudio.printable import counted

if TYPE_CHECKING:
    from otel_labelstudio.delivery.label_studio.connection import Connection

_IDS_AT_ONCE = 5_000
# Half a billion tasks: more than any project has
_MOST_PAGES = 100_000
# After a second, two and four, or as long as the server asks for
_TRIES, _LONGEST_WAIT_S = 4, 60.0

_T = TypeVar("_T")
Wait = Callable[[float], object]


@dataclass(frozen=True, slots=True)
class Exported:
    """Tasks as Label Studio exports them, and the ids of those that it cannot, or that are too large or nested too deep
    to be read."""

    tasks: tuple[Any, ...] = field(repr=False)
    unreadable: tuple[int, ...] = ()


class _TooMuchAtOnceError(RetryableDeliveryError):
    """Fewer tasks may be answered: this answer is too large, or one of them is what the server fails at."""


class _FailsAtTaskError(RetryableDeliveryError):
    """The server has an error of its own at a single task: a passing one, or one that this task causes each time."""


class AnnotatedTasks:
    """Of one server. What fails for now is tried again a few times; every failure is a `DeliveryError`. ``wait`` waits
    so many seconds."""

    def __init__(self, server: LabelStudioServer, wait: Wait | None = None) -> None:
        self._server, self._wait = server, wait or threading.Event().wait

    def ids(self, project_id: int) -> Iterator[tuple[int, datetime]]:
        """The id of each task of a project, and when it changed last, by id. No page is asked for by its number: tasks
        that are deleted meanwhile would shift others out of sight."""
        after = 0
        for _ in range(_MOST_PAGES):
            page, total = self._page_of_ids(project_id, after)
            yield from page
            if total <= len(page):
                return
            after = max(task_id for task_id, _ in page)
        raise RetryableDeliveryError(f"the list of tasks of project {project_id} has no end")

    def exported(self, project_id: int, task_ids: Sequence[int]) -> Exported:
        """Those of the tasks that have annotations, in fewer at a time where all are too much at once."""
        found = self._exported(project_id, task_ids)
        if len(found.unreadable) == len(task_ids) > 1:
            raise RetryableDeliveryError(f"{self._server.url} cannot export any of {counted(len(task_ids), 'task')}")
        return found

    def prediction(self, prediction_id: int) -> Any:
        """A prediction as Label Studio tells it; None if it is not there (any more)."""

        def read(connection: Connection) -> Any:
            try:
                return connection.request("GET", f"predictions/{prediction_id}/")
            except RefusedError as error:
                if error.answer.status != 404:
                    raise
                return None

        return self._patiently(Operation(f"prediction {prediction_id}"), read)

    def emails(self) -> dict[int, str]:
        """Of the users, by id; empty where the server does not tell them."""

        def read(connection: Connection) -> dict[int, str]:
            return {number(user["id"]): text(user["email"]) for user in connection.request("GET", "users/")}

        try:
            return self._server.ask(Operation("the users"), read)
        except DeliveryError:
            return {}

    def _page_of_ids(self, project_id: int, after: int) -> tuple[list[tuple[int, datetime]], int]:
        """Tasks with ids above ``after``, and how many there are of these."""
        params = task_params(project_id, [condition("id", "greater", "Number", after)], "tasks:id", "id,updated_at")

        def read(connection: Connection) -> tuple[list[tuple[int, datetime]], int]:
            answer = connection.request("GET", "tasks", {**params, "page": 1, "page_size": _IDS_AT_ONCE})
            total = number(answer["total"])
            page = [(number(task["id"]), moment(task["updated_at"])) for task in answer["tasks"]]
            if len(page) < min(total, _IDS_AT_ONCE) or any(task_id <= after for task_id, _ in page):
                raise ValueError("no such page")
            return page, total

        return self._patiently(Operation(f"the tasks of project {project_id}"), read)

    def _exported(self, project_id: int, task_ids: Sequence[int]) -> Exported:
        try:
            return Exported(tuple(self._export(project_id, task_ids)))
        except _TooMuchAtOnceError:
            if len(task_ids) == 1:
                return Exported((), tuple(task_ids))
        except _FailsAtTaskError:
            return Exported((), tuple(task_ids))  # the server was asked for this one several times
        half = len(task_ids) // 2
        first, second = (self._exported(project_id, ids) for ids in (task_ids[:half], task_ids[half:]))
        return Exported(first.tasks + second.tasks, first.unreadable + second.unreadable)

    def _export(self, project_id: int, task_ids: Sequence[int]) -> list[Any]:
        params: dict[str, str | Sequence[int]] = {"exportType": "JSON", "ids[]": list(task_ids)}
        what = f"an export of {counted(len(task_ids), 'task')} of project {project_id}"

        def read(connection: Connection) -> list[Any]:
            try:
                tasks = connection.request("GET", f"projects/{project_id}/export", params)
            except TooMuchReceivedError:
                raise _TooMuchAtOnceError(f"{what} is too large") from None
            except RecursionError:  # of Python's parser
                raise _TooMuchAtOnceError(f"{what} is nested too deep") from None
            except RefusedError as error:
                raise _export_error(error, what, len(task_ids)) from None
            if not isinstance(tasks, list):
                raise TypeError("no list of tasks")
            return tasks

        return self._patiently(Operation(what), read)

    def _patiently(self, operation: Operation, read: Callable[[Connection], _T], tries: int = _TRIES) -> _T:
        try:
            return self._server.ask(operation, read)
        except RetryableDeliveryError as error:
            if tries == 1 or isinstance(error, _TooMuchAtOnceError):
                raise
            self._wait(min(max(error.retry_after_s or 0.0, 2.0 ** (_TRIES - tries)), _LONGEST_WAIT_S))
        return self._patiently(operation, read, tries - 1)


def _export_error(error: RefusedError, what: str, tasks: int) -> Exception:
    """Only these two are about the tasks; any other refusal is that of a server that may answer later."""
    why = f"{what} failed with HTTP status {error.answer.status}"
    if error.answer.is_too_large or (error.answer.status == 500 and tasks > 1):
        return _TooMuchAtOnceError(why)
    return _FailsAtTaskError(why) if error.answer.status == 500 else error

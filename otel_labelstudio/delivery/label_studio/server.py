"""Requests to one Label Studio server: what delivery asks of it, and what comes back.

Measured against label-studio 1.23.2. Its import is not idempotent, and may be carried out long after its client gave
up: hence the distinction between what was refused and what may have happened. What all requests share stands elsewhere:
`api` (from a failure to an error), `connection` (HTTP and keys), `limits` (how much is read, and for how long).
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from otel_labelstudio.delivery.label_studio.access import Access
from otel_labelstudio.delivery.label_studio.answers import WHOAMI, Operation, RefusedError
from otel_labelstudio.delivery.label_studio.api import Api, whoami
from otel_labelstudio.delivery.label_studio.limits import TooMuchReceivedError
from otel_labelstudio.delivery.label_studio.listing import condition, pages, task_params
from otel_labelstudio.delivery.label_studio.records import (
    Imported,
    Project,
    StoredTask,
    TaskDetails,
    details_of,
    imported_of,
    number,
    project_of,
    stored_task_of,
    text,
)
from otel_labelstudio.errors import RetryableDeliveryError
from otel_labelstudio.printable import counted

if TYPE_CHECKING:
    from otel_labelstudio.delivery.label_studio.connection import Connection

_T = TypeVar("_T")

# Tasks wait for what makes a new project easier to work in, so it must not take long
_DECORATION_S = 5.0

# An address of some 8 KB
_VALUES_AT_ONCE = 100
# What is read of a project: the rest would be counted for each answer
_OF_PROJECT = {"include": "id,title,label_config,model_version"}


# Beside the records and their number: by it an empty list is told from what is none of Label Studio's
_OF_PAGE = frozenset({"next", "previous"})


class _TooMuchAtOnceError(RetryableDeliveryError):
    """A search for so many values is too large, in its address or in its answer."""


class _ThreadsOwn(threading.local):
    """What each thread has for itself: its requests do not wait for those of another, which may hang."""

    api: Api | None = None


class LabelStudioServer:
    """Calls to one server; thread-safe, each thread having connections of its own. Every failure is a `DeliveryError`,
    whose message holds no task and no key."""

    def __init__(
        self, url: str, api_key: str, timeout_s: float, import_timeout_s: float, access: Access | None = None
    ) -> None:
        self.url = url
        self._api_key, self._access = api_key, access or Access()
        self._timeout_s, self._import_timeout_s = timeout_s, import_timeout_s
        self._deadline = float("inf")
        self._own = _ThreadsOwn()
        self._apis: list[Api] = []

    @property
    def address(self) -> dict[str, str | int]:
        """The server's name and port, as the conventions' attributes name them."""
        parts = urlsplit(self.url)
        return {
            "server.address": parts.hostname or "",
            "server.port": parts.port or (443 if parts.scheme == "https" else 80),
        }

    def __repr__(self) -> str:
        return f"LabelStudioServer({self.url!r})"

    def hurry(self, deadline: float) -> None:
        """Have no request wait for an answer beyond this time (of `time.monotonic`)."""
        self._deadline = deadline
        for api in list(self._apis):
            api.hurry(deadline)

    def close(self) -> None:
        """Close the connections; the next request opens one again."""
        for api in list(self._apis):
            api.close()

    @property
    def _api(self) -> Api:
        if self._own.api is None:
            self._own.api = Api(self.url, self._api_key, self._timeout_s, self._access)
            self._own.api.hurry(self._deadline)
            self._apis.append(self._own.api)
        return self._own.api

    def ask(self, operation: Operation, run: Callable[[Connection], _T]) -> _T:
        """What ``run`` makes of its requests: for what is asked elsewhere than here. Raises `DeliveryError`."""
        return self._api.call(operation, run)

    def version(self) -> str:
        """The server's version; needs no valid key."""
        operation = Operation("the version", is_open=True)
        return self._api.call(operation, lambda connection: text(connection.request("GET", "version")["release"]))

    def user(self) -> str:
        """The address of the user whose key this is."""
        return self._api.call(WHOAMI, whoami)

    def project(self, project_id: int) -> Project:
        """The project with this id."""
        operation = Operation(f"project {project_id}")
        return self._api.call(
            operation, lambda connection: project_of(connection.request("GET", f"projects/{project_id}/", _OF_PROJECT))
        )

    def has_project(self, project_id: int) -> bool:
        """Whether there is a project with this id (still)."""

        def look(connection: Connection) -> bool:
            try:
                return project_of(connection.request("GET", f"projects/{project_id}/", _OF_PROJECT)).id == project_id
            except RefusedError as error:
                _raise_unless_missing(error)
                return False

        return self._api.call(Operation(f"project {project_id}"), look)

    def project_ids(self, title: str) -> list[int]:
        """The ids of the projects of exactly this title, lowest first (the server's filter matches substrings)."""
        return self._project_ids({"title": title}, lambda found: found == title)

    def project_ids_like(self, pattern: re.Pattern[str]) -> list[int]:
        """The ids of the projects whose whole titles match, lowest first."""
        return self._project_ids({}, lambda found: pattern.fullmatch(found) is not None)

    def _project_ids(self, condition: Mapping[str, str], is_wanted: Callable[[str], bool]) -> list[int]:
        def read(connection: Connection) -> list[int]:
            params = {**condition, "include": "id,title", "ordering": "id"}
            listed = pages(connection, "projects/", params, items="results", total="count", others=_OF_PAGE)
            return sorted(number(project["id"]) for project in listed if is_wanted(text(project["title"] or "")))

        return self._api.call(Operation("the projects"), read)

    def create_project(self, title: str, label_config: str) -> int:
        """Make a project, and give back its id; `UnknownOutcomeError` where it cannot be told. Ask `project_ids`
        afterwards which one counts, since titles are not unique."""
        body = {"title": title, "label_config": label_config}
        operation = Operation(f"the creation of project {title!r}", is_import=True)
        return self._api.call(
            operation, lambda connection: number(connection.request("POST", "projects/", body=body)["id"])
        )

    def add_view(self, project_id: int, view: Mapping[str, Any]) -> None:
        """Make a view of the Data Manager, unless the project has one."""

        def add(connection: Connection) -> None:
            if not connection.request("GET", "dm/views/", {"project": str(project_id)}):
                connection.request("POST", "dm/views/", body={"project": project_id, "data": view})

        self._api.call(Operation(f"the view of project {project_id}"), add, _DECORATION_S)

    def set_instructions(self, project_id: int, instructions: str) -> None:
        """Tell labelers what to do, in HTML."""
        body = {"expert_instruction": instructions}
        self._api.call(
            Operation(f"the instructions of project {project_id}"),
            lambda connection: connection.request("PATCH", f"projects/{project_id}/", body=body),
            _DECORATION_S,
        )

    def import_tasks(self, project_id: int, tasks: Sequence[Mapping[str, Any]]) -> Imported:
        """Import all of the tasks or, raising, none; `UnknownOutcomeError` where it cannot be told."""
        what = f"an import of {counted(len(tasks), 'task')} into project {project_id}"
        path, params = f"projects/{project_id}/import", {"return_task_ids": "true"}
        return self._api.call(
            Operation(what, has_content=True, is_import=True),
            lambda connection: imported_of(connection.request("POST", path, params, body=tasks), len(tasks)),
            self._import_timeout_s,
        )

    def probe_import(self, project_id: int) -> None:
        """Find out whether the server takes imports into a project at all; stores nothing.

        Raises what stands in the way of every import. Where nothing does, and an import fails all the same, the cause
        is in what is imported: a call that is too large for a server that answers 500, for example.
        """
        path, params = f"projects/{project_id}/import", {"commit_to_project": "false"}
        self._api.call(
            Operation(f"a trial import into project {project_id}"),
            lambda connection: number(connection.request("POST", path, params, body=[{"data": {}}])["task_count"]),
        )

    def import_predictions(self, project_id: int, predictions: Sequence[Mapping[str, Any]]) -> int:
        """Add predictions to tasks, each of which names its ``task``; how many the server stored.

        Those that do not fit the labeling configuration it leaves out without a word. For a task that is gone it
        refuses all (`RejectedTasksError`).
        """
        what = f"an import of {counted(len(predictions), 'prediction')} into project {project_id}"
        path = f"projects/{project_id}/import/predictions"
        return self._api.call(
            Operation(what, has_content=True),
            lambda connection: number(connection.request("POST", path, body=predictions)["created"]),
        )

    def stored_tasks(
        self, project_id: int, key: str, values: Sequence[str], after_task_id: int = 0
    ) -> dict[str, list[StoredTask]]:
        """The tasks of a project whose ``data[key]`` is one of ``values``, by that value.

        Oldest first, and only those with an id above ``after_task_id``: the server's search is linear. Where an answer
        for all values would be too large, or the address, it is asked for fewer at a time, and for one without the
        data, which hold whole prompts.
        """
        if len(values) <= _VALUES_AT_ONCE:
            try:
                return self._search(project_id, key, values, after_task_id)
            except _TooMuchAtOnceError:
                if len(values) == 1:
                    return self._search(project_id, key, values, after_task_id, has_data=False)
        half = len(values) // 2
        found = self.stored_tasks(project_id, key, values[:half], after_task_id)
        return found | self.stored_tasks(project_id, key, values[half:], after_task_id)

    def newest_task_id(self, project_id: int) -> int:
        """The id of the project's newest task, 0 where it has none."""
        params = {**task_params(project_id, [], "-tasks:id", "id"), "page_size": 1}

        def read(connection: Connection) -> int:
            return max((number(task["id"]) for task in connection.request("GET", "tasks", params)["tasks"]), default=0)

        return self._api.call(Operation("the newest task"), read)

    def task(self, task_id: int) -> TaskDetails | None:
        """A task as it stands now, in whichever project; None if there is none of this id (any more).

        `RetryableDeliveryError` if the answer lacks a part of `TaskDetails`.
        """

        def read(connection: Connection) -> TaskDetails | None:
            try:
                return details_of(connection.request("GET", f"tasks/{task_id}/", {"resolve_uri": "false"}))
            except RefusedError as error:
                _raise_unless_missing(error)
                return None

        return self._api.call(Operation(f"task {task_id}"), read)

    def delete_prediction(self, prediction_id: int) -> None:
        """Remove one prediction from its task, if it is still there."""
        self._delete(f"prediction {prediction_id}", f"predictions/{prediction_id}/")

    def delete_task(self, task_id: int) -> None:
        """Remove a task with its predictions, if it is still there."""
        self._delete(f"task {task_id}", f"tasks/{task_id}/")

    def _delete(self, name: str, path: str) -> None:
        def delete(connection: Connection) -> None:
            try:
                connection.request("DELETE", path)
            except RefusedError as error:
                _raise_unless_missing(error)

        self._api.call(Operation(f"the removal of {name}"), delete)

    def _search(
        self, project_id: int, key: str, values: Sequence[str], after_task_id: int, *, has_data: bool = True
    ) -> dict[str, list[StoredTask]]:
        conditions = [condition(f"data.{key}", "in_list", "String", list(values))]
        if after_task_id > 0:
            conditions.insert(0, condition("id", "greater", "Number", after_task_id))
        include = "id,total_predictions,total_annotations" + (",data" if has_data else "")
        params = task_params(project_id, conditions, "tasks:id", include)

        def read(connection: Connection) -> dict[str, list[StoredTask]]:
            found: dict[str, list[StoredTask]] = {}
            for task in self._pages_of_tasks(connection, params):
                value = str(task["data"].get(key)) if has_data else values[0]
                found.setdefault(value, []).append(stored_task_of(task))
            return found

        return self._api.call(Operation("a search for tasks"), read)

    def _pages_of_tasks(self, connection: Connection, params: Mapping[str, str | int]) -> list[Mapping[str, Any]]:
        try:
            return pages(connection, "tasks", params, items="tasks", total="total")
        except TooMuchReceivedError:
            why = "its answer is too large"
        except RefusedError as error:
            if not error.answer.is_too_large:
                raise
            why = f"its address is too long, says HTTP status {error.answer.status}"
        raise _TooMuchAtOnceError(f"a search for tasks at {self.url} failed: {why}")


def _raise_unless_missing(error: RefusedError) -> None:
    if error.answer.status != 404 or not error.answer.is_label_studios:
        raise error

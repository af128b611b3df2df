"""Requests to one Label Studio server: what delivery asks of it, and what comes back.

Measured against label-studio 1.23.2. Its import is not idempotent, and may be carried out long after its client gave
up: hence the distinction between what was refused and what may have happened. What all requests share stands elsewhere:
`connection` (HTTP and keys), `limits` (how much is read, and for how long), `answers` (from an answer to an error).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from otel_labelstudio.delivery.label_studio.answers import (
    WHOAMI,
    Answer,
    Operation,
    RefusedError,
    blocked,
    failure,
    refusal,
    shut_out,
)
from otel_labelstudio.delivery.label_studio.limits import Allowance, TooMuchReceivedError
from otel_labelstudio.delivery.label_studio.listing import condition, pages, task_params
from otel_labelstudio.delivery.label_studio.records import (
    Imported,
    Project,
    StoredTask,
    TaskDetails,
    details_of,
    number,
    project_of,
    stored_task_of,
    text,
)
from otel_labelstudio.errors import DeliveryError, RetryableDeliveryError, UnknownOutcomeError

if TYPE_CHECKING:
    from otel_labelstudio.delivery.label_studio.connection import Connection

_T = TypeVar("_T")

# A process that is copied while a module is imported could never import it in the child
_importing = threading.RLock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_importing.acquire, after_in_parent=_importing.release, after_in_child=_importing.release
    )


class _TooMuchAtOnceError(RetryableDeliveryError):
    """A search for so many values is too large, in its address or in its answer."""


class LabelStudioServer:
    """Calls to one server, one at a time. Every failure is a `DeliveryError`; its message holds no task and no key."""

    def __init__(self, url: str, api_key: str, timeout_s: float, import_timeout_s: float) -> None:
        self.url = url
        self._api_key = api_key
        self._timeout_s, self._import_timeout_s = timeout_s, import_timeout_s
        self._allowance = Allowance()
        self._connection: Connection | None = None

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
        self._allowance.hurry(deadline)

    def close(self) -> None:
        """Close the connection; the next request opens one again."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def version(self) -> str:
        """The server's version; needs no valid key."""
        operation = Operation("the version", is_open=True)
        return self._call(operation, lambda api: text(api.request("GET", "version")["release"]))

    def user(self) -> str:
        """The address of the user whose key this is."""
        return self._call(WHOAMI, _whoami)

    def project(self, project_id: int) -> Project:
        """The project with this id."""
        operation = Operation(f"project {project_id}")
        return self._call(operation, lambda api: project_of(api.request("GET", f"projects/{project_id}/")))

    def project_ids(self, title: str) -> list[int]:
        """The ids of the projects of exactly this title, lowest first (the server's filter matches substrings)."""

        def read(api: Connection) -> list[int]:
            params = {"title": title, "include": "id,title", "ordering": "id"}
            listed = pages(api, "projects/", params, items="results", total="count")
            return sorted(number(project["id"]) for project in listed if project["title"] == title)

        return self._call(Operation("the projects"), read)

    def create_project(self, title: str, label_config: str) -> None:
        """Make a project; ask `project_ids` afterwards which one counts, since titles are not unique."""
        body = {"title": title, "label_config": label_config}
        operation = Operation(f"the creation of project {title!r}")
        self._call(operation, lambda api: api.request("POST", "projects/", body=body))

    def import_tasks(self, project_id: int, tasks: Sequence[Mapping[str, Any]]) -> Imported:
        """Import all of the tasks or, raising, none; `UnknownOutcomeError` where it cannot be told."""
        what = f"an import of {len(tasks)} tasks into project {project_id}"
        path, params = f"projects/{project_id}/import", {"return_task_ids": "true"}
        answer = self._call(
            Operation(what, has_content=True, is_import=True),
            lambda api: api.request("POST", path, params, body=tasks),
            self._import_timeout_s,
        )
        said = answer if isinstance(answer, dict) else {}
        task_ids, predictions = said.get("task_ids"), said.get("prediction_count")
        if not isinstance(task_ids, list) or len(task_ids) != len(tasks) or not isinstance(predictions, int):
            raise UnknownOutcomeError(f"{self.url} did not say what became of {what}")
        return Imported(tuple(task_ids), predictions)

    def probe_import(self, project_id: int) -> None:
        """Find out whether the server takes imports into a project at all; stores nothing.

        Raises what stands in the way of every import. Where nothing does, and an import fails all the same, the cause
        is in what is imported: a call that is too large for a server that answers 500, for example.
        """
        path, params = f"projects/{project_id}/import", {"commit_to_project": "false"}
        operation = Operation(f"a trial import into project {project_id}")
        self._call(operation, lambda api: number(api.request("POST", path, params, body=[{"data": {}}])["task_count"]))

    def import_predictions(self, project_id: int, predictions: Sequence[Mapping[str, Any]]) -> int:
        """Add predictions to tasks, each of which names its ``task``; how many the server stored.

        Those that do not fit the labeling configuration it leaves out without a word. For a task that is gone it
        refuses all (`RejectedTasksError`).
        """
        what = f"an import of {len(predictions)} predictions into project {project_id}"
        path = f"projects/{project_id}/import/predictions"
        return self._call(
            Operation(what, has_content=True),
            lambda api: number(api.request("POST", path, body=predictions)["created"]),
        )

    def stored_tasks(
        self, project_id: int, key: str, values: Sequence[str], after_task_id: int = 0
    ) -> dict[str, list[StoredTask]]:
        """The tasks of a project whose ``data[key]`` is one of ``values`` (100 at the most), by that value.

        Oldest first, and only those with an id above ``after_task_id``: the server's search is linear. Where an answer
        for all values would be too large, or the address, it is asked for fewer at a time.
        """
        try:
            return self._search(project_id, key, values, after_task_id)
        except _TooMuchAtOnceError:
            if len(values) == 1:
                raise
        half = len(values) // 2
        found = self.stored_tasks(project_id, key, values[:half], after_task_id)
        return found | self.stored_tasks(project_id, key, values[half:], after_task_id)

    def newest_task_id(self, project_id: int) -> int:
        """The id of the project's newest task, 0 where it has none."""
        params = {**task_params(project_id, [], "-tasks:id", "id"), "page_size": 1}

        def read(api: Connection) -> int:
            return max((number(task["id"]) for task in api.request("GET", "tasks", params)["tasks"]), default=0)

        return self._call(Operation("the newest task"), read)

    def task(self, task_id: int) -> TaskDetails | None:
        """A task as it stands now, in whichever project; None if there is none of this id (any more).

        `RetryableDeliveryError` if the answer lacks a part of `TaskDetails`.
        """

        def read(api: Connection) -> TaskDetails | None:
            try:
                return details_of(api.request("GET", f"tasks/{task_id}/", {"resolve_uri": "false"}))
            except RefusedError as error:
                _raise_unless_missing(error)
                return None

        return self._call(Operation(f"task {task_id}"), read)

    def predictions(self, task_id: int) -> dict[int, str]:
        """The predictions of a task by id: what each says."""
        task = self.task(task_id)
        return {prediction.id: prediction.content for prediction in (task.predictions if task else ())}

    def delete_prediction(self, prediction_id: int) -> None:
        """Remove one prediction from its task, if it is still there."""
        self._delete(f"prediction {prediction_id}", f"predictions/{prediction_id}/")

    def delete_task(self, task_id: int) -> None:
        """Remove a task with its predictions, if it is still there."""
        self._delete(f"task {task_id}", f"tasks/{task_id}/")

    def _delete(self, name: str, path: str) -> None:
        def delete(api: Connection) -> None:
            try:
                api.request("DELETE", path)
            except RefusedError as error:
                _raise_unless_missing(error)

        self._call(Operation(f"the removal of {name}"), delete)

    def _search(
        self, project_id: int, key: str, values: Sequence[str], after_task_id: int
    ) -> dict[str, list[StoredTask]]:
        conditions = [condition(f"data.{key}", "in_list", "String", list(values))]
        if after_task_id > 0:
            conditions.insert(0, condition("id", "greater", "Number", after_task_id))
        # The data holds whole prompts, and of a single value nothing that we do not know
        include = "id,total_predictions,total_annotations" + (",data" if len(values) > 1 else "")
        params = task_params(project_id, conditions, "tasks:id", include)

        def read(api: Connection) -> dict[str, list[StoredTask]]:
            found: dict[str, list[StoredTask]] = {}
            for task in self._pages_of_tasks(api, params):
                value = str(task["data"].get(key)) if len(values) > 1 else values[0]
                found.setdefault(value, []).append(stored_task_of(task))
            return found

        return self._call(Operation("a search for tasks"), read)

    def _pages_of_tasks(self, api: Connection, params: Mapping[str, str | int]) -> list[Mapping[str, Any]]:
        try:
            return pages(api, "tasks", params, items="tasks", total="total")
        except TooMuchReceivedError:
            why = "its answer is too large"
        except RefusedError as error:
            if not error.answer.is_too_large:
                raise
            why = f"its address is too long, says HTTP status {error.answer.status}"
        raise _TooMuchAtOnceError(f"a search for tasks at {self.url} failed: {why}")

    def _call(self, operation: Operation, run: Callable[[Connection], _T], timeout_s: float | None = None) -> _T:
        self._allowance.renew(timeout_s or self._timeout_s)
        try:
            return run(self._connected())
        except DeliveryError:
            raise
        except RefusedError as error:
            failed = self._refusal(operation, error.answer)
        except Exception as error:  # of the network, of the HTTP library, of an answer that is not Label Studio's
            failed = failure(operation, error, self.url, self._timeout_s)
        raise failed

    def _connected(self) -> Connection:
        if self._connection is None:
            with _importing:
                from otel_labelstudio.delivery.label_studio.connection import Connection

                self._connection = Connection(self.url, self._api_key, self._timeout_s, self._allowance)
        return self._connection

    def _refusal(self, operation: Operation, answer: Answer) -> DeliveryError:
        """Where an answer does not tell whose it is, a look at who we are does: no key mends what a firewall broke."""
        if not answer.may_be_a_proxys:
            return refusal(operation, answer, self.url)
        if operation.is_open or answer.asks_for_another_login:
            return shut_out(operation, answer, self.url)
        self._allowance.renew(self._timeout_s)
        try:
            _whoami(self._connected())
        except RefusedError as error:
            look = error.answer
            if look.may_be_a_proxys and not look.detail:
                return shut_out(operation, look, self.url)
            return refusal(Operation(operation.what), look, self.url)  # nothing happened: it was refused
        except Exception as error:
            return failure(WHOAMI, error, self.url, self._timeout_s)
        return blocked(operation, answer, self.url)


def _whoami(api: Connection) -> str:
    return text(api.request("GET", "current-user/whoami")["email"])


def _raise_unless_missing(error: RefusedError) -> None:
    if error.answer.status != 404 or not error.answer.is_label_studios:
        raise error

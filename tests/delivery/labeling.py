"""Label Studio as a person's tools see it: what stands in its projects, and changes that somebody makes to them."""

from __future__ import annotations

import itertools
import json
import os
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

_TRIES = 10
_numbers = itertools.count()
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def fresh_title(name: str = "calls") -> str:
    """A project title that no other test has."""
    return f"{name} {os.getpid()}-{next(_numbers)}"


@dataclass(frozen=True)
class Labeling:
    """A server's address and a legacy token for it."""

    url: str
    api_key: str = field(repr=False)

    def request(self, method: str, path: str, body: Any = None, tries: int = _TRIES) -> Any:
        """The JSON of an answer; raises `urllib.error.HTTPError`.

        Label Studio answers 500 where it removes something that it is reading: what is only read is asked for again.
        """
        request = urllib.request.Request(
            f"{self.url}{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"Token {self.api_key}",
                "Content-Type": "application/json",
                "Connection": "close",
            },
            method=method,
        )
        try:
            with _opener.open(request, timeout=240) as response:
                content = response.read()
        except urllib.error.HTTPError as error:
            if error.code != 500 or method != "GET" or tries == 1:
                raise
            error.close()
            time.sleep(0.2)
            return self.request(method, path, body, tries - 1)
        return json.loads(content) if content else None

    def make_project(self, title: str, label_config: str | None = None) -> int:
        fields = {"title": title} if label_config is None else {"title": title, "label_config": label_config}
        return int(self.request("POST", "/api/projects/", fields)["id"])

    def change_project(self, project_id: int, **fields: Any) -> None:
        self.request("PATCH", f"/api/projects/{project_id}/", fields)

    def delete_project(self, project_id: int) -> None:
        self.request("DELETE", f"/api/projects/{project_id}/")

    def delete_tasks(self, project_id: int) -> None:
        chosen = {"selectedItems": {"all": True, "excluded": []}}
        self.request("POST", f"/api/dm/actions?id=delete_tasks&project={project_id}", chosen)

    def project(self, project_id: int) -> dict[str, Any]:
        record: dict[str, Any] = self.request("GET", f"/api/projects/{project_id}/")
        return record

    def project_ids(self, title: str) -> list[int]:
        """Of exactly this title, the lowest first."""
        found = self.request("GET", f"/api/projects/?title={quote(title)}&page_size=1000")["results"]
        return sorted(project["id"] for project in found if project["title"] == title)

    def project_of(self, title: str) -> int:
        """The project of a title: the lowest id, all others being empty.

        There may be others, since Label Studio on SQLite carries out one creation several times where something else
        writes meanwhile: it repeats the whole request each time that the database is locked at its end.
        """
        project_id = self._found(title)
        assert project_id is not None, f"no project is called {title}"
        return project_id

    def tasks(self, project: int | str) -> list[dict[str, Any]]:
        """All tasks of a project (an id, or a title, as `project_of` finds it), whole, with their predictions.

        Label Studio reads a list's tasks first, and then their predictions. A task that is removed between the two
        looks as if it had lost its prediction, so that a list with such tasks is believed when the next one agrees.
        """
        project_id = project if isinstance(project, int) else self._found(project)
        if project_id is None:
            return []
        bare = None
        for _ in range(_TRIES):
            found = self.request("GET", f"/api/tasks?project={project_id}&fields=all&page_size=10000")["tasks"]
            before, bare = bare, {task["id"] for task in found if not task["predictions"]}
            if not bare or bare == before:
                break
        return sorted(found, key=lambda task: task["id"])

    def texts(self, project: int | str) -> list[list[str]]:
        """The answers of each task, as its prediction has them."""
        return [
            [text for p in task["predictions"] for region in p["result"] for text in region["value"]["text"]]
            for task in self.tasks(project)
        ]

    def _found(self, title: str) -> int | None:
        ids = self.project_ids(title)
        filled = [project_id for project_id in ids[1:] if self.tasks(project_id)]
        assert not filled, f"calls went to other projects than the first that is called {title}: {filled}"
        return ids[0] if ids else None

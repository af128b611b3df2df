"""People in a Label Studio project, who do what people do: annotate, skip, draft, edit, copy, move and delete."""

from __future__ import annotations

import http.cookiejar
import itertools
import json
import os
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from typing import Any

from tests.delivery.labeling import Labeling

_numbers = itertools.count()
_PASSWORD = "of-the-colleague"
_RESULT = [
    {"from_name": "response", "to_name": "dialogue", "type": "textarea", "value": {"text": ["better"]}},
]


@dataclass(frozen=True)
class Person:
    """Whoever has the key of ``labeling``, in a project. Every act names its task."""

    labeling: Labeling
    project_id: int

    def annotate(self, task_id: int) -> int:
        return self._annotation(task_id, {"result": _RESULT})

    def skip(self, task_id: int) -> int:
        return self._annotation(task_id, {"result": [], "was_cancelled": True})

    def annotate_and_delete_that(self, task_id: int) -> None:
        self.labeling.request("DELETE", f"/api/annotations/{self.annotate(task_id)}/")

    def draft(self, task_id: int) -> int:
        path = f"/api/tasks/{task_id}/drafts?project={self.project_id}"
        return int(self.labeling.request("POST", path, {"result": _RESULT})["id"])

    def edit_data(self, task_id: int) -> None:
        data = self.labeling.request("GET", f"/api/tasks/{task_id}/")["data"]
        self.labeling.request("PATCH", f"/api/tasks/{task_id}/", {"data": {**data, "note": "odd"}})

    def edit_meta(self, task_id: int) -> None:
        meta = self.labeling.request("GET", f"/api/tasks/{task_id}/")["meta"]
        self.labeling.request("PATCH", f"/api/tasks/{task_id}/", {"meta": {**meta, "note": "odd"}})

    def delete(self, task_id: int) -> None:
        self.labeling.request("DELETE", f"/api/tasks/{task_id}/")

    def move(self, task_id: int, project_id: int) -> None:
        # Without the parameter, Label Studio looks for the task in the project where it is to go
        path = f"/api/tasks/{task_id}/?project={self.project_id}"
        self.labeling.request("PATCH", path, {"project": project_id})

    def copy(self, task_id: int, *, with_meta: bool = True) -> int:
        """From an export of the project, posted as JSON."""
        (task,) = [task for task in self.exported() if task["id"] == task_id]
        if not with_meta:
            del task["meta"]
        path = f"/api/projects/{self.project_id}/import?return_task_ids=true"
        return int(self.labeling.request("POST", path, [task])["task_ids"][0])

    def upload_copies(self, *task_ids: int) -> list[int]:
        """From an export of the project, as a file, as the import page does."""
        content = json.dumps([task for task in self.exported() if task["id"] in task_ids]).encode()
        boundary = b"----copies"
        head = b'Content-Disposition: form-data; name="file"; filename="copies.json"\r\nContent-Type: application/json'
        body = b"--" + boundary + b"\r\n" + head + b"\r\n\r\n" + content + b"\r\n--" + boundary + b"--\r\n"
        request = urllib.request.Request(
            f"{self.labeling.url}/api/projects/{self.project_id}/import?return_task_ids=true",
            data=body,
            headers={
                "Authorization": f"Token {self.labeling.api_key}",
                "Content-Type": f"multipart/form-data; boundary={boundary.decode()}",
            },
        )
        with _opener().open(request, timeout=240) as response:
            return [int(task_id) for task_id in json.load(response)["task_ids"]]

    def exported(self) -> list[dict[str, Any]]:
        """All tasks; without the ids of their predictions, with which Label Studio imports none."""
        path = f"/api/projects/{self.project_id}/export?exportType=JSON&download_all_tasks=true"
        tasks: list[dict[str, Any]] = self.labeling.request("GET", path)
        return [{name: value for name, value in task.items() if name != "predictions"} for task in tasks]

    def _annotation(self, task_id: int, body: dict[str, Any]) -> int:
        return int(self.labeling.request("POST", f"/api/tasks/{task_id}/annotations/", body)["id"])


@dataclass(frozen=True)
class Colleague:
    """Another user, signed in with a browser."""

    url: str
    opener: urllib.request.OpenerDirector = field(repr=False)
    cookies: http.cookiejar.CookieJar = field(repr=False)

    @classmethod
    def of(cls, labeling: Labeling) -> Colleague:
        """Signed up by the organization's invitation."""
        email = f"colleague-{os.getpid()}-{next(_numbers)}@example.com"
        invitation = labeling.request("GET", "/api/invite")["invite_url"]
        cookies = http.cookiejar.CookieJar()
        made = cls(labeling.url, _opener(urllib.request.HTTPCookieProcessor(cookies)), cookies)
        made.opener.open(f"{labeling.url}{invitation}", timeout=240).close()
        form = {"email": email, "password": _PASSWORD, "how_find_us": "", "elaborate": "", "allow_newsletters": "false"}
        made._post(invitation, urllib.parse.urlencode(form).encode())
        return made

    def draft(self, project_id: int, task_id: int) -> None:
        body = json.dumps({"result": _RESULT}).encode()
        self._post(f"/api/tasks/{task_id}/drafts?project={project_id}", body, {"Content-Type": "application/json"})

    def _post(self, path: str, body: bytes, headers: dict[str, str] | None = None) -> None:
        (token,) = [cookie.value for cookie in self.cookies if cookie.name == "csrftoken"]
        headers = {"X-CSRFToken": token or "", "Referer": self.url, **(headers or {})}
        self.opener.open(urllib.request.Request(f"{self.url}{path}", body, headers), timeout=240).close()


def _opener(*handlers: urllib.request.BaseHandler) -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(urllib.request.ProxyHandler({}), *handlers)

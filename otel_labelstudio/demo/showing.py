"""One page of the demo: the application runs against the embedded Label Studio, and its tasks are waited for."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from otel_labelstudio.demo.api import answer_of
from otel_labelstudio.demo.errors import DemoError
from otel_labelstudio.demo.label_studio import EmbeddedLabelStudio
from otel_labelstudio.demo.ports import LOOPBACK
from otel_labelstudio.demo.running import stop
from otel_labelstudio.printable import counted

_DELIVERY_TIMEOUT_S = 60.0
_POLL_S = 0.2
# Titles are not unique, and the server's filter finds parts of them too
_MOST_OF_A_TITLE = 100
# Other settings of the user's would change what the demo shows, or send it elsewhere
_OWN_SETTINGS = ("LABEL_STUDIO_", "OTEL_", "TRACELOOP_", "LANGSMITH_", "LANGCHAIN_")
_MODE, _LAYOUT = "OTEL_EXPORTER_LABELSTUDIO_MODE", "OTEL_EXPORTER_LABELSTUDIO_LAYOUT"


@dataclass(frozen=True)
class Page:
    """A project of the demo: which conversations the application holds, and the setting that makes its page."""

    name: str
    conversations: str
    variable: str

    @property
    def has_layout(self) -> bool:
        """Whether it has verdicts and not only the answer."""
        return self.variable == _LAYOUT


# The layouts first: they are pages to work with. The modes' own are those of LangChain's handler
PAGES = (
    Page("review", "chat", _LAYOUT),
    Page("compare", "choices", _LAYOUT),
    Page("chat", "chat", _MODE),
    Page("prompt", "prompt", _MODE),
)


@dataclass(frozen=True)
class Shown:
    """A project with the tasks of one page; ``earlier_count`` of them are of an earlier demo."""

    page: Page
    title: str
    project_id: int
    task_count: int
    earlier_count: int = 0


def show(server: EmbeddedLabelStudio, page: Page) -> Shown:
    """Runs the application for the page; returns once Label Studio holds a task for each of its calls.

    Raises:
        DemoError: the application failed, or not all of its calls became tasks.
    """
    title = f"Demo: {page.name}"
    before = _project(server, page, title)
    earlier = before.task_count if before else 0
    calls = _calls_of_application(server, page, title)
    until_s = time.monotonic() + _DELIVERY_TIMEOUT_S
    while time.monotonic() < until_s:
        shown = _project(server, page, title)
        if shown and shown.task_count >= earlier + calls:
            return replace(shown, earlier_count=earlier)
        time.sleep(_POLL_S)
    raise DemoError(f"The application made {counted(calls, 'call')}, but not all became tasks of the project {title!r}")


def _calls_of_application(server: EmbeddedLabelStudio, page: Page, title: str) -> int:
    """Runs it to its end, shows what it prints, and counts its calls by the lines that it prints for them."""
    answering = "OpenAI's API answers" if os.environ.get("OPENAI_API_KEY") else "a stand-in for OpenAI's API answers"
    print(f"The application runs for the page {page.name}; {answering}:", flush=True)
    command = [sys.executable, "-m", "otel_labelstudio.demo.application", "--conversations", page.conversations]
    environment = _environment(server, page, title)
    calls = 0
    with subprocess.Popen(  # noqa: S603
        command, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            for line in process.stdout or ():
                calls += line.endswith(" ms\n")
                print(f"  {line.rstrip()}", flush=True)
            process.wait()
        finally:
            stop(process)
    if process.returncode != 0:
        raise DemoError(f"The application ended with status {process.returncode}")
    return calls


def settings_of(server: EmbeddedLabelStudio) -> dict[str, str]:
    """The environment of a program that is to know this server, and no other setting of the user's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OWN_SETTINGS)}
    return {
        **kept,
        # A proxy is for the world outside; both servers are on loopback
        "NO_PROXY": ",".join(filter(None, (kept.get("NO_PROXY") or kept.get("no_proxy"), LOOPBACK))),
        "LABEL_STUDIO_URL": server.url,
        "LABEL_STUDIO_API_KEY": server.api_key,
    }


def _environment(server: EmbeddedLabelStudio, page: Page, title: str) -> dict[str, str]:
    return {
        **settings_of(server),
        "OTEL_EXPORTER_LABELSTUDIO_PROJECT_NAME": title,
        page.variable: page.name,
    }


def _project(server: EmbeddedLabelStudio, page: Page, title: str) -> Shown | None:
    """The oldest project of the title, which is the one that the exporter takes."""
    query = urlencode({"title": title, "ordering": "id", "page_size": _MOST_OF_A_TITLE})
    projects = answer_of(f"{server.url}/api/projects?{query}", server.api_key)["results"]
    found = next((project for project in projects if project["title"] == title), None)
    return Shown(page, title, found["id"], found["task_number"]) if found else None

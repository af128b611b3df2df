"""The applications of examples/, each in a folder of its own, and what of their calls stands in Label Studio."""

from __future__ import annotations

import shutil
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.delivery.labeling import Labeling
from tests.delivery.pipelines import until
from tests.last_seconds.processes import REPOSITORY, Application, started
from tests.ports import steady_port

EXAMPLES = REPOSITORY / "examples"
QUESTION, ANSWER = "What is the capital of France?", "Paris."
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def copied(name: str, folder: Path) -> Path:
    """An example as its reader has it, alone."""
    ignored = shutil.ignore_patterns("__pycache__", "node_modules")
    return Path(shutil.copytree(EXAMPLES / name, folder / name, ignore=ignored))


def dialogues(labeling: Labeling, title: str) -> list[tuple[str, list[str]]]:
    """The last turn and the pre-filled answers of each task under a title; workers that start at once may each have
    made a project of it."""
    return [told(task) for project in labeling.project_ids(title) for task in labeling.tasks(project)]


def told(task: dict[str, Any]) -> tuple[str, list[str]]:
    """The last turn of a task's dialogue, and its pre-filled answers."""
    texts = [text for one in task["predictions"] for region in one["result"] for text in region["value"]["text"]]
    return task["data"]["prompt"][-1]["content"], texts


def ask_and_end(command: Sequence[str], folder: Path, variables: dict[str, str], answered: str) -> Application:
    """Run a web server, ask it the question as soon as it is up, and end it by SIGTERM. ``{port}`` in the command."""
    port = steady_port()
    url = f"http://127.0.0.1:{port}/ask?{urllib.parse.urlencode({'question': QUESTION})}"
    with started([part.format(port=port) for part in command], folder, variables) as application:
        until(lambda: _answer(application, url) == answered)
        application.end()
        return application


def _answer(application: Application, url: str) -> str | None:
    assert application.process.poll() is None, application.log
    try:
        with _opener.open(url, timeout=240) as answer:
            return str(answer.read().decode())
    except urllib.error.HTTPError as error:
        raise AssertionError(f"{error}: {application.log}") from error
    except OSError:
        return None

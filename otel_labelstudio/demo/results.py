"""What comes of the labels: a dataset and a report, made by the commands that make them for everybody."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from otel_labelstudio.demo.errors import DemoError
from otel_labelstudio.demo.label_studio import EmbeddedLabelStudio
from otel_labelstudio.demo.showing import Shown, settings_of

DATASET, REPORT = "dataset", "report.html"


def new_directory(parent: Path) -> Path:
    """A new directory in which the results stay when the demo ends, named for the time."""
    directory = parent / time.strftime("demo-labels-%Y%m%d-%H%M%S")
    directory.mkdir(parents=True)
    return directory


def write_results(server: EmbeddedLabelStudio, projects: Sequence[Shown], directory: Path) -> None:
    """Writes both of what people, or the scripted labeler, said in these projects.

    Raises:
        DemoError: a command failed; the message holds what it said.
    """
    ids = [word for project in projects for word in ("--project-id", str(project.project_id))]
    _run(server, "dataset", str(directory / DATASET), *ids)
    _run(server, "report", str(directory / REPORT), *ids, "--title", "Human feedback on the demo's answers")


def _run(server: EmbeddedLabelStudio, *arguments: str) -> None:
    command = [sys.executable, "-m", "otel_labelstudio", *arguments]
    run = subprocess.run(  # noqa: S603
        command, env=settings_of(server), capture_output=True, text=True, check=False
    )
    if run.returncode != 0:
        raise DemoError(f"otel-labelstudio {arguments[0]} failed with status {run.returncode}:\n{run.stderr.strip()}")

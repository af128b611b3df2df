"""Processes that trace LLM calls and end, in the ways in which processes end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from otel_labelstudio.demo.label_studio import EmbeddedLabelStudio

REPOSITORY = Path(__file__).parents[2]
DEADLINE_S = 240.0
TITLE = "OTEL_EXPORTER_LABELSTUDIO_PROJECT_NAME"


def environment(server: EmbeddedLabelStudio, **variables: str) -> dict[str, str]:
    """Variables of an application that exports to a Label Studio in chat mode; nothing of it is delivered before the
    end, for which each call waits."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "LABEL_STUDIO_"))}
    return {
        **inherited,
        "PYTHONPATH": str(REPOSITORY),
        "PYTHONUNBUFFERED": "1",
        "LABEL_STUDIO_URL": server.url,
        "LABEL_STUDIO_API_KEY": server.api_key,
        "OTEL_EXPORTER_LABELSTUDIO_SETTLE_S": "3600",
        **variables,
    }


@dataclass(frozen=True)
class Application:
    """A process of an application, the folder it runs in, and what it logs."""

    process: subprocess.Popen[str]
    folder: Path
    log_file: Path

    @property
    def log(self) -> str:
        """What it has written to its standard error so far."""
        return self.log_file.read_text(encoding="utf-8")

    @property
    def answers(self) -> IO[str]:
        """Its standard output."""
        assert self.process.stdout is not None
        return self.process.stdout

    def tell(self, line: str) -> str:
        """Write a line to its standard input; the line that it answers with."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        return self.answers.readline().strip()

    def end(self, signal_number: int = signal.SIGTERM) -> int:
        """Send it a signal and wait for its end; the exit code."""
        self.process.send_signal(signal_number)
        return self.process.wait(DEADLINE_S)


@contextmanager
def started(command: Sequence[str], folder: Path, variables: Mapping[str, str]) -> Iterator[Application]:
    """Run a Python module, or ``-c`` and a script, in a folder; it is killed with all its children in the end."""
    log_file = folder / "log.txt"
    with log_file.open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=folder,
            env=dict(variables),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
        )
    try:
        yield Application(process, folder, log_file)
    finally:
        _kill_group(process)


def _kill_group(process: subprocess.Popen[str]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=DEADLINE_S)


def until_exit_s(application: Application) -> float:
    """How long a process takes to end after the time that its last line prints."""
    last_line_at = float(application.answers.readline())
    assert application.process.wait(DEADLINE_S) == 0
    return time.time() - last_line_at

"""Calls of a real LangChain application that fail: one task each, by every door, wherever the content is written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from otel_labelstudio.cli import main
from otel_labelstudio.demo.label_studio import EmbeddedLabelStudio
from otel_labelstudio.recordings import read_calls
from tests.delivery.labeling import Labeling, fresh_title
from tests.receiver.serving import Receiver

ROOT = Path(__file__).parents[2]
# What was asked, the error's type, and the answer, call by call
EXPECTED = [
    ("system: Be brief. | user: QUESTION that fails", "TimeoutError", []),
    ("user: QUESTION that is asked twice", "TimeoutError", []),
    ("user: QUESTION that is asked twice", None, ["Second try."]),
    ("user: QUESTION whose answer nobody waits for", "GeneratorExit", []),
    ("user: PROMPT that fails", "TimeoutError", []),
]


@dataclass(frozen=True)
class Ran:
    """The application has run, and delivered: the files that it left, and its counts and log."""

    folder: Path
    title: str
    counts: dict[str, int]
    log: str

    @property
    def files(self) -> list[str]:
        return [str(self.folder / name) for name in ("traces.pb", "logs.pb")]


@pytest.fixture(scope="module", params=["attributes", "log_records"])
def ran(
    request: pytest.FixtureRequest, label_studio: EmbeddedLabelStudio, tmp_path_factory: pytest.TempPathFactory
) -> Ran:
    folder, title = tmp_path_factory.mktemp("application"), fresh_title("Failing")
    inherited = {n: v for n, v in os.environ.items() if not n.startswith(("OTEL_", "LABEL_STUDIO_"))}
    settings = {
        "PYTHONPATH": str(ROOT),
        "LABEL_STUDIO_URL": label_studio.url,
        "LABEL_STUDIO_API_KEY": label_studio.api_key,
        "OTEL_EXPORTER_LABELSTUDIO_MODE": "auto",
        "OTEL_EXPORTER_LABELSTUDIO_PROJECT_NAME": title,
        "OTEL_EXPORTER_LABELSTUDIO_SETTLE_S": "3600",
        "OTEL_EXPORTER_LABELSTUDIO_FAILED_CALLS": "true",
    }
    command = [sys.executable, str(Path(__file__).with_name("application.py")), request.param, str(folder)]
    done = subprocess.run(
        command, env={**inherited, **settings}, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr
    return Ran(folder, title, json.loads(done.stdout), done.stderr)


@pytest.fixture
def send(label_studio: EmbeddedLabelStudio, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Has the command send files; the title of the project where they are then."""
    monkeypatch.setenv("LABEL_STUDIO_URL", label_studio.url)
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", label_studio.api_key)

    def run(*arguments: str) -> str:
        title = fresh_title("Sent")
        assert main(["send", "--mode", "auto", "--project-name", title, *arguments]) == 0
        return title

    return run


def shown(task: dict[str, Any]) -> tuple[str, str | None, list[str]]:
    dialogue = " | ".join(f"{turn['role']}: {turn['content']}" for turn in task["data"]["prompt"])
    answers = [text for p in task["predictions"] for region in p["result"] for text in region["value"]["text"]]
    return dialogue, task["data"].get("error_type"), answers


def in_order(labeling: Labeling, title: str) -> list[dict[str, Any]]:
    return sorted(labeling.tasks(title), key=lambda task: str(task["data"]["started_at"]))


def test_each_is_a_task_live(ran: Ran, labeling: Labeling) -> None:
    """With what was asked and the error's type, and without the error's message; only answers are predictions."""
    tasks = in_order(labeling, ran.title)
    assert sorted(map(shown, tasks), key=str) == sorted(EXPECTED, key=str)
    assert "SECRET" not in json.dumps(tasks)
    failed = [task for task in tasks if "error_type" in task["data"]]
    assert all(task["data"]["preview"].startswith("[incomplete] ") for task in failed)
    assert ran.counts["tasks.delivered"] == len(EXPECTED)
    assert "spans.skipped[failed]" not in ran.counts


def test_nothing_of_them_is_in_the_log(ran: Ran) -> None:
    """Neither what was asked nor what the error says, at level DEBUG."""
    assert "First delivery" in ran.log
    assert not any(word in ran.log for word in ("SECRET", "QUESTION", "PROMPT"))


def test_files_give_the_same_tasks(ran: Ran, labeling: Labeling, send: Callable[..., str]) -> None:
    """As the application delivered them, to the last column."""
    sent, live = in_order(labeling, send("--failed-calls", *ran.files)), in_order(labeling, ran.title)
    assert [task["data"] for task in sent] == [task["data"] for task in live]
    assert list(map(shown, sent)) == list(map(shown, live))


def test_a_file_is_converted_to_the_same_tasks(
    ran: Ran, labeling: Labeling, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a server; those that failed have an empty list of predictions."""
    assert main(["convert", "--mode", "auto", "--failed-calls", *ran.files]) == 0
    tasks = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [task["data"] for task in tasks] == [task["data"] for task in in_order(labeling, ran.title)]
    assert sorted(len(task["predictions"]) for task in tasks) == [0, 0, 0, 0, 1]


def test_the_receiver_reads_the_same_calls(ran: Ran, tmp_path: Path) -> None:
    """What an application sends to it is settled as it is in the application."""
    with Receiver(tmp_path / "outbox.db", pipeline={"failed_calls": True, "settle_s": 3600}) as receiver:
        for signal in ("logs", "traces"):
            body = (ran.folder / f"{signal}.pb").read_bytes()
            headers = {"Content-Type": "application/x-protobuf"}
            urllib.request.urlopen(urllib.request.Request(f"{receiver.http}/v1/{signal}", body, headers)).close()
        assert receiver.flush(240)
        calls = sorted(receiver.sink.calls, key=lambda call: call.start_time_unix_nano)
    assert calls == read_calls(ran.files, failed_calls=True)
    assert len(calls) == len(EXPECTED)


def test_by_default_only_the_answered_one_is_a_task(
    ran: Ran, labeling: Labeling, send: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The others are counted, with the reason."""
    assert list(map(shown, labeling.tasks(send(*ran.files)))) == [EXPECTED[2]]
    assert "spans skipped: failed  4" in capsys.readouterr().err

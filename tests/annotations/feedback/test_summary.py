"""What comes of a run, as one line of JSON for programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from otel_labelstudio.cli import main
from tests.annotations.feedback.back_end import BackEndServer, Said
from tests.annotations.feedback.test_langfuse import KEYS, Contract

RECORDED = json.loads((Path(__file__).parents[1] / "recorded" / "chat.json").read_text())["tasks"]
NOTHING = {
    "tasks_read": 0,
    "sent": 0,
    "deleted": 0,
    "unchanged": 0,
    "not_deleted": 0,
    "without_valid_ids": 0,
    "tasks_left_out": {},
    "refused": {},
}


@pytest.fixture
def export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An edited answer, and a task that is not ours."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    path = tmp_path / "export.json"
    path.write_text(json.dumps([RECORDED["edited"], {**RECORDED["rated"], "meta": None}]))
    return path


def test_it_stands_on_standard_output(export: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of what was sent, what was there already, what was refused and why, and what nothing can be said of. All names
    are there each time."""

    def summary(*options: str, status: int = 0) -> dict[str, Any]:
        command = ["feedback", "--to=langfuse", f"--endpoint={server.url}", f"--state={tmp_path / 'feedback.db'}"]
        assert main([*command, f"--input={export}", "--json", *options]) == status
        said = capsys.readouterr()
        assert said.err == ""
        [line] = said.out.splitlines()
        return dict(json.loads(line))

    read = {**NOTHING, "tasks_read": 2, "tasks_left_out": {"not_ours": 1}}
    with BackEndServer(Said(400), otherwise=Contract()) as server:
        assert summary(status=1) == {**read, "refused": {"HTTP status 400": 1}}
        assert summary("--retry-refused") == {**read, "sent": 1}
        assert summary() == {**read, "unchanged": 1}
        export.write_text(json.dumps([RECORDED["rated"]]))
        assert summary() == {**NOTHING, "tasks_read": 1, "sent": 1, "deleted": 1}


def test_json_lines_keep_standard_output_to_themselves(export: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The summary stands on standard error, as that of ``convert`` does."""
    assert main(["feedback", "--to=jsonl", f"--input={export}", "--json"]) == 0
    said = capsys.readouterr()
    [evaluation] = said.out.splitlines()
    assert json.loads(evaluation)["label"] == "edited"
    assert json.loads(said.err) == {**NOTHING, "tasks_read": 2, "tasks_left_out": {"not_ours": 1}, "sent": 1}


def test_people_get_no_line_of_what_there_is_none_of(export: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On standard error, whatever the back end."""
    assert main(["feedback", "--to=jsonl", f"--input={export}"]) == 0
    lines = [line.rsplit(maxsplit=1) for line in capsys.readouterr().err.splitlines()]
    assert {name.strip(): count for name, count in lines} == {
        "tasks read": "2",
        "tasks left out: not_ours": "1",
        "sent": "1",
    }

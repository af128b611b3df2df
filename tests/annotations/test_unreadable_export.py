"""An export with a task that cannot be parsed: the commands end with status 0, and tell of all but that task."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from otel_labelstudio.cli import main

RECORDED = json.loads((Path(__file__).parent / "recorded" / "chat.json").read_text())["tasks"]
JUDGED = [RECORDED[name] for name in ("edited", "written anew", "rated")]
UNREADABLE = "1" * 5_000


@pytest.fixture
def export(tmp_path: Path) -> Path:
    return tmp_path / "export.json"


def write(export: Path, *, odd: str) -> None:
    """Three tasks, the second of which has this value among its data."""
    tasks: list[Any] = [{**task, "id": number, "project": 1} for number, task in enumerate(JUDGED, start=1)]
    tasks[1]["data"] = {**tasks[1]["data"], "odd": "placeholder"}
    export.write_text(json.dumps(tasks).replace('"placeholder"', odd))


def told_by_feedback(export: Path, capsys: pytest.CaptureFixture[str]) -> tuple[set[int], str]:
    assert main(["feedback", "--to=jsonl", f"--input={export}"]) == 0
    said = capsys.readouterr()
    return {json.loads(line)["task_id"] for line in said.out.splitlines()}, said.err


def test_feedback_tells_of_the_others(export: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And counts the one."""
    write(export, odd="0")
    assert told_by_feedback(export, capsys)[0] == {1, 2, 3}
    write(export, odd=UNREADABLE)
    told, summary = told_by_feedback(export, capsys)
    assert told == {1, 3}
    assert "tasks left out: unreadable_task  1" in summary


def test_a_dataset_has_the_others(export: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And counts the one; what was learned of it earlier stays."""

    def rows(directory: str) -> tuple[set[int], list[Any]]:
        out = tmp_path / directory
        assert main(["dataset", str(out), "--kind=eval", f"--input={export}", "--json"]) == 0
        provenance = (out / "provenance.jsonl").read_text().splitlines()
        left_out = json.loads(capsys.readouterr().out)["left_out"]
        return {json.loads(line)["task"] for line in provenance}, left_out

    write(export, odd="0")
    assert rows("earlier") == ({1, 2, 3}, [])
    write(export, odd=UNREADABLE)
    assert rows("new") == ({1, 3}, [{"kind": None, "reason": "unreadable", "count": 1}])
    assert rows("earlier") == ({1, 2, 3}, [])


def test_a_report_is_of_the_others(export: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And counts the one."""
    write(export, odd=UNREADABLE)
    assert main(["report", "--format=json", f"--input={export}"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["total"]["calls"] == 2
    assert "task unreadable task" in json.dumps(report["disregarded"])

"""What docs/feedback.md says is so."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from otel_labelstudio.cli import parser
from tests.annotations.feedback.test_command import LINE

PAGE = (Path(__file__).parents[3] / "docs" / "feedback.md").read_text(encoding="utf-8")


def test_its_commands_are_taken() -> None:
    """Every line of the page that runs the command parses, and each flag that it names is there."""
    commands = re.findall(r"^otel-labelstudio (feedback .*)$", PAGE, re.MULTILINE)
    assert commands
    for command in commands:
        parser().parse_args(re.findall(r"'[^']*'|\S+", command))
    known = parser()._subparsers._group_actions[0].choices["feedback"]._option_string_actions  # type: ignore[union-attr,index]
    assert set(re.findall(r"`(--[a-z-]+)", PAGE)) <= set(known)


def test_the_keys_of_a_line_are_those_it_lists() -> None:
    """In their order."""
    listed = PAGE.split("lines have exactly ")[1].split(".\n")[0]
    assert tuple(re.findall(r"`(\w+)`", listed)) == LINE


def test_its_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """With an export of one task that is not ours, of which there is nothing to say."""
    monkeypatch.chdir(tmp_path)
    task = {"id": 1, "project": 1, "data": {}, "annotations": [], "predictions": []}
    (tmp_path / "export.json").write_text(json.dumps([task]))
    (code,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    exec(compile(code, "docs/feedback.md", "exec"), {})
    assert capsys.readouterr().out == "{} {}\n"

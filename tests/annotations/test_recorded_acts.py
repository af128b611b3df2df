"""The acts of tests/browser/test_acts.py, on what a real Label Studio (1.23.2) told after them: without a browser."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from otel_labelstudio.annotations.collecting import ExportFile, collect
from otel_labelstudio.annotations.collecting.controls import controls_of
from otel_labelstudio.annotations.collecting.tasks import task_of
from otel_labelstudio.annotations.judging import judge
from otel_labelstudio.annotations.records import AnnotatedProject, JudgedCall
from tests.annotations.outcomes import OUTCOMES, outcome

ACTS = [(interface, name) for interface, named in OUTCOMES.items() for name in named]


def recorded(interface: str) -> Any:
    path = Path(__file__).parent / "recorded" / f"{interface}.json"
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(("interface", "name"), ACTS)
def test_what_an_act_comes_to(interface: str, name: str) -> None:
    """As the table of docs/annotations.md has it."""
    found = recorded(interface)
    project = AnnotatedProject(1, controls=controls_of(found["label_config"]))
    task = task_of(found["tasks"][name], project, {})
    assert task is not None
    judged = judge(task)
    assert isinstance(judged, JudgedCall)
    assert outcome(judged) == OUTCOMES[interface][name]


@pytest.mark.parametrize("interface", OUTCOMES)
def test_a_file_says_the_same_but_for_what_the_configuration_tells(interface: str, tmp_path: Path) -> None:
    """The scale of a rating, which answers a comparison shows, and what the buckets of a Ranker mean."""
    found = recorded(interface)
    path = tmp_path / "export.json"
    path.write_text(json.dumps(list(found["tasks"].values())), encoding="utf-8")
    names = {task["id"]: name for name, task in found["tasks"].items()}
    judged = {names[task.id]: judge(task) for batch in collect(ExportFile(path)) for task in batch.tasks}
    expected = {name: _told_by_a_file(lines, interface) for name, lines in OUTCOMES[interface].items()}
    drafts = {"draft": ["not counted: draft"]} if interface == "chat" else {}  # which only a whole export has
    assert {name: outcome(call) for name, call in judged.items() if isinstance(call, JudgedCall)} == expected | drafts


def _told_by_a_file(lines: list[str], interface: str) -> list[str]:
    if interface == "custom":
        lines = [line for line in lines if not line.endswith((" by better", " by sort")) and "liked" not in line]
    if interface == "conditional":  # a box that was hidden, or one that was cleared
        lines = ["removed: None" if line.startswith("untouched") else line for line in lines]
    return [line.removesuffix(" of 5") for line in lines]

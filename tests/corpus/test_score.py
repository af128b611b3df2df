"""The readers against what was really sent and answered."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent

# What each figure must reach, in per cent. README.md says what of the recordings cannot be reached, and why
INSTRUMENTATIONS = {
    "recall": 99.75,
    "tool_only": 96.92,
    "precision": 99.54,
    "texts": 99.98,
    "clean": 99.84,
    **dict.fromkeys(("answers", "model", "tools", "usage", "reasoning"), 100.0),
}
GATEWAYS = {
    **dict.fromkeys(("recall", "answers", "usage", "reasoning"), 100.0),
    "tool_only": 97.67,
    "precision": 99.63,
    "texts": 99.64,
    "clean": 99.64,
    "model": 99.8,
    "tools": 97.59,
}
REPEATED = dict.fromkeys(INSTRUMENTATIONS, 100.0)


def score(corpus: str, *options: str) -> tuple[dict[str, Any], str]:
    """The figures of the scorer in a process of its own, and all that it printed."""
    command = [sys.executable, str(HERE / "score.py"), str(HERE / corpus), *options]
    run = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False, cwd=HERE.parents[1])
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout.splitlines()[-1]), run.stdout


@pytest.mark.parametrize(
    ("corpus", "producers", "least"),
    [
        ("corpus.tar.xz", "*", INSTRUMENTATIONS),
        ("corpus.tar.xz", "repeat-*", REPEATED),
        ("corpus-2.tar.xz", "*", GATEWAYS),
    ],
    ids=["instrumentations", "repeated calls", "gateways and frameworks"],
)
def test_every_figure_is_reached(corpus: str, producers: str, least: dict[str, float]) -> None:
    """No reader raises, and what comes out of each recording is what went over the wire; a repeated call is two."""
    figures, printed = score(corpus, "--only", producers, "--worst", "40")
    assert figures.pop("crashes") == 0, printed
    assert figures.pop("calls") > 0
    missed = {name: share for name, share in figures.items() if share is not None and share < least[name]}
    assert not missed, printed

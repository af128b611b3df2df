"""One small input of each form that gateways, broadcasters and frameworks write, in the shape of what was reported."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from otel_labelstudio import read_calls
from tests.cases.telling import differences

INPUTS = Path(__file__).parent / "inputs"
NAMES = sorted(file.name.removesuffix(".expected.json") for file in INPUTS.glob("*.expected.json"))


@pytest.mark.parametrize("name", NAMES)
def test_an_input_gives_what_it_tells(name: str) -> None:
    """Spans and log records of a form give the calls, turns, tools and facts that a person reads in them."""
    expected = json.loads((INPUTS / f"{name}.expected.json").read_text(encoding="utf-8"))["calls"]
    paths = [path for path in (INPUTS / f"{name}.json", INPUTS / f"{name}.logs.json") if path.exists()]
    assert differences(read_calls(paths), expected) == []


def test_every_form_is_here() -> None:
    """No input is without its expectation, and none has been lost."""
    inputs = {file.name.split(".")[0] for file in INPUTS.iterdir()}
    assert inputs == set(NAMES)
    assert len(NAMES) == 24

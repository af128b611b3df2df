"""Calls that failed on the wire, as 64 configurations recorded them: what can be read of each is one call."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from otel_labelstudio.calls import LLMCall
from otel_labelstudio.recordings import decode_files, read_calls
from tests.corpus.score import facts, same
from tests.corpus.test_settling import as_text, settled_calls

# How many recordings in which a call failed have what was sent; the others' instrumentations leave it out then
WITH_INPUT = {"corpus": 62, "gateways": 27}


def failing(folder: Path) -> dict[Path, list[Any]]:
    """The recordings in which calls failed, each with those of the truth's calls that did."""
    truths = {path.parent: json.loads(path.read_text())["expect"] for path in sorted(folder.glob("*/*/truth.json"))}
    failed = {scenario: [call for call in truth if call["error"]] for scenario, truth in truths.items()}
    return {scenario: calls for scenario, calls in failed.items() if calls}


def was_sent(call: LLMCall, truth: Any) -> bool:
    told = facts(call.to_dict())  # type: ignore[no-untyped-call]
    return all(any(same(sent, fact) for fact in told) for sent in truth["wire"])  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("recorded", WITH_INPUT)
def test_a_failed_call_is_one_call_with_what_was_sent(recorded: str, request: pytest.FixtureRequest) -> None:
    """Though framework, client and retries may each have written a span; the outbox delivers the same."""
    found = 0
    for scenario, failed in failing(request.getfixturevalue(recorded)).items():
        files = sorted(scenario.glob("*.pb"))
        calls = read_calls(files, failed_calls=True)
        unanswered = [call for call in calls if call.is_unanswered]
        assert len(unanswered) <= 1, scenario
        assert all(any(was_sent(call, truth) for truth in failed) for call in unanswered), scenario
        assert settled_calls([decode_files(path) for path in files], failed_calls=True) == as_text(calls), scenario
        found += len(unanswered)
    assert found == WITH_INPUT[recorded]

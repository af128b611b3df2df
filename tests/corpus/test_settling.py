"""Readings that settle in the outbox become the same calls as a recording that is read at once."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from otel_labelstudio.calls import LLMCall
from otel_labelstudio.pipeline import Pipeline
from otel_labelstudio.recordings import Recording, decode_files, read_calls
from otel_labelstudio.settings import Settings
from otel_labelstudio.testing import RecordingSink


def scenarios(corpus: Path) -> Iterator[Path]:
    return (truth.parent for truth in sorted(corpus.glob("*/*/truth.json")))


def settled_calls(requests: list[Recording], **chosen: Any) -> list[str]:
    """The calls of requests that arrive in this order, before any of them settles."""
    settings = Settings.resolve({"settle_s": 3600, "project_name": "Settling", **chosen}, needs_server=False)
    sink = RecordingSink()
    pipeline = Pipeline(settings, sink=sink)
    pipeline.joins_log_records = True
    for request in requests:
        pipeline.accept_spans(request.spans)
        pipeline.accept_log_records(request.log_records)
    assert pipeline.close(30)
    return as_text(sink.calls)


def as_text(calls: list[LLMCall]) -> list[str]:
    return sorted(json.dumps(call.to_dict(), sort_keys=True) for call in calls)


@pytest.mark.parametrize("recorded", ["corpus", "gateways"])
@pytest.mark.parametrize("seed", [None, 1])
def test_settling_is_reading(recorded: str, seed: int | None, request: pytest.FixtureRequest) -> None:
    """Whatever the order of the requests, the outbox delivers the calls that `read_calls` finds, each once."""
    corpus: Path = request.getfixturevalue(recorded)
    order = random.Random(seed)
    different = []
    for folder in scenarios(corpus):
        paths = sorted(folder.glob("*.pb"))
        requests = [decode_files(path) for path in paths]
        if seed is not None:
            order.shuffle(requests)
        if settled_calls(requests) != as_text(read_calls(paths)):
            different.append(f"{folder.parent.name}/{folder.name}")
    assert different == []


def test_turns_come_from_a_call_that_was_delivered_before(corpus: Path) -> None:
    """A request that goes on from an answer finds it as long as the outbox still has it."""
    folder = corpus / "oi-openai-0.1.66" / "r_responses_previous_id"
    paths = sorted(folder.glob("*.pb"))
    spans = sorted(decode_files(paths).spans, key=lambda span: span.start_time_unix_nano)
    settings = Settings.resolve({"settle_s": 0.01, "project_name": "Turns"}, needs_server=False)
    sink = RecordingSink()
    pipeline = Pipeline(settings, sink=sink)
    for span in spans:
        pipeline.accept_spans([span])
        assert pipeline.flush(240)
    assert pipeline.close(30)
    assert as_text(sink.calls) == as_text(read_calls(paths))
    assert [len(call.input_messages) for call in sorted(sink.calls, key=lambda c: c.start_time_unix_nano)] == [1, 3]

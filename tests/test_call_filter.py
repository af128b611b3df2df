"""The user's filter, in the pipeline that every door shares."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from otel_labelstudio.calls import LLMCall
from otel_labelstudio.config import Settings
from otel_labelstudio.dialects.shared.spanless import INCOMPLETE_WITHOUT_SPAN
from otel_labelstudio.filters import with_span
from otel_labelstudio.pipeline import Pipeline
from otel_labelstudio.recordings import decode_files
from otel_labelstudio.testing import RecordingSink

RECORDING = Path(__file__).parent / "data" / "langchain-chat.pb"


def without_model(call: LLMCall) -> LLMCall:
    return replace(call, request_model=None)


def delivered(call_filter: Any, tmp_path: Path, accept: Callable[[Pipeline], object]) -> tuple[list[LLMCall], Pipeline]:
    """What arrives, and the pipeline; the outbox is a file, so that what was written can be searched."""
    settings = {"settle_s": 3600, "call_filter": call_filter, "outbox": str(tmp_path / "calls.db")}
    sink = RecordingSink()
    pipeline = Pipeline(Settings.resolve(settings, needs_server=False), sink=sink)
    accept(pipeline)
    assert pipeline.close(10)
    return sink.calls, pipeline


def accept_spans(pipeline: Pipeline) -> None:
    pipeline.accept_spans(decode_files(RECORDING).spans)


def test_what_it_returns_is_delivered(tmp_path: Path) -> None:
    """It may redact: what it takes out is not in the outbox's file either."""
    (call,), _ = delivered(None, tmp_path, accept_spans)
    assert call.request_model
    (tmp_path / "other").mkdir()
    (redacted,), _ = delivered(without_model, tmp_path / "other", accept_spans)
    assert redacted == without_model(call)
    written = b"".join(file.read_bytes() for file in (tmp_path / "other").glob("calls.db*"))
    assert b'"request_model"' not in written


def test_it_may_be_named(tmp_path: Path) -> None:
    """In the environment it is a module and a name in it."""
    (call,), _ = delivered(f"{__name__}:without_model", tmp_path, accept_spans)
    assert call.request_model is None


def test_none_leaves_a_call_out(tmp_path: Path) -> None:
    """It may select, and what it leaves out is counted."""
    calls, pipeline = delivered(lambda _: None, tmp_path, accept_spans)
    assert calls == []
    assert pipeline.telemetry.counts()["calls.dropped[filtered]"] == 1


@pytest.mark.parametrize("returned", ["CANARY", ValueError("CANARY")])
def test_a_broken_filter_lets_nothing_through(
    returned: object, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It may be there to keep a secret: one warning, without what the error says, and the application goes on."""

    def broken(_: LLMCall) -> object:
        if isinstance(returned, Exception):
            raise returned
        return returned

    def accept_twice(pipeline: Pipeline) -> None:
        accept_spans(pipeline)
        accept_spans(pipeline)

    calls, pipeline = delivered(broken, tmp_path, accept_twice)
    assert calls == []
    assert pipeline.telemetry.counts()["calls.dropped[filter_failed]"] == 2
    assert len([r for r in caplog.records if r.levelno >= logging.WARNING]) == 1
    assert "CANARY" not in caplog.text


def test_calls_from_files_are_filtered_too(tmp_path: Path) -> None:
    """Every door has it."""
    (call,), _ = delivered(None, tmp_path, accept_spans)
    (tmp_path / "other").mkdir()
    (filtered,), _ = delivered(without_model, tmp_path / "other", lambda p: p.accept_calls([call]))
    assert filtered.request_model is None


def test_what_came_without_its_span_can_be_left_out(tmp_path: Path) -> None:
    """By a filter that is there already; all else passes as it is."""
    (call,), _ = delivered("otel_labelstudio.filters:with_span", tmp_path, accept_spans)
    assert with_span(call) is call
    assert with_span(replace(call, incomplete=("cut", INCOMPLETE_WITHOUT_SPAN))) is None

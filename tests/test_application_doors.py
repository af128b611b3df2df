"""What an application hands over may be anything: it costs itself alone, and nothing raises into the application."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otel_labelstudio import LabelStudioLogRecordExporter, LabelStudioSpanExporter, LLMCall
from otel_labelstudio.testing import RecordingSink
from tests.delivery.telemetry import trace_chat, tracer_with

SETTINGS: dict[str, Any] = {"api_key": "k", "url": "http://127.0.0.1:9", "mode": "chat", "settle_s": 3600}


@pytest.fixture
def exporter() -> Iterator[LabelStudioSpanExporter]:
    made = LabelStudioSpanExporter(**SETTINGS)
    yield made
    made.shutdown(timeout_millis=0)


def delivered(exporter: LabelStudioSpanExporter) -> RecordingSink:
    """What an exporter delivers when it is shut down."""
    sink = RecordingSink()
    assert exporter._pipeline is not None
    exporter._pipeline._worker._deliveries._sink = sink
    exporter.shutdown()
    return sink


def finished(*questions: str) -> list[ReadableSpan]:
    """The spans of calls, as the SDK hands them to an exporter."""
    memory = InMemorySpanExporter()
    tracer = tracer_with(memory)
    for question in questions:
        trace_chat(tracer, question)
    return list(memory.get_finished_spans())


def test_a_span_that_cannot_be_decoded_costs_itself_alone(
    exporter: LabelStudioSpanExporter, caplog: pytest.LogCaptureFixture
) -> None:
    """It is counted, and said once without what it held; the others of its batch are delivered."""
    first, second = finished("one", "two")
    odd: Any = ReadableSpan("odd", start_time="CANARY")  # type: ignore[arg-type]
    assert exporter.export([first, odd, second, odd]) is SpanExportResult.SUCCESS
    assert exporter.counts["spans.received"] == 4
    assert exporter.counts["spans.skipped[fault]"] == 2
    assert caplog.text.count("Cannot decode a span (TypeError)") == 1
    assert "CANARY" not in caplog.text
    assert len(delivered(exporter).calls) == 2


class Reviewed:
    """A filter that cannot be hashed."""

    __hash__ = None  # type: ignore[assignment]

    def __call__(self, call: LLMCall) -> LLMCall | None:
        return call if "first" in str(call.input_messages) else None


def test_a_filter_may_be_any_callable(caplog: pytest.LogCaptureFixture) -> None:
    """The exporters that name it share a pipeline, as with a function."""
    call_filter = Reviewed()
    spans = LabelStudioSpanExporter(**SETTINGS, call_filter=call_filter)
    records = LabelStudioLogRecordExporter(**SETTINGS, call_filter=call_filter)
    assert spans._pipeline is records._pipeline
    assert spans.export(finished("first", "second")) is SpanExportResult.SUCCESS
    records.shutdown()
    (call,) = delivered(spans).calls
    assert "first" in str(call.input_messages)
    assert caplog.messages == []


def test_an_odd_result_of_a_filter_does_not_raise_out_of_export(caplog: pytest.LogCaptureFixture) -> None:
    """The SDK would log the exception with its text, and the batch would be lost."""

    def odd(call: LLMCall) -> LLMCall:
        messages: Any = ({"role": "user", "content": "CANARY"},)
        return replace(call, input_messages=messages) if "two" in str(call.input_messages) else call

    exporter = LabelStudioSpanExporter(**SETTINGS, call_filter=odd)
    assert exporter.export(finished("one", "two", "three")) is SpanExportResult.SUCCESS
    assert exporter.counts["calls.dropped[filter_failed]"] == 1
    assert len(delivered(exporter).calls) == 2
    assert "CANARY" not in caplog.text

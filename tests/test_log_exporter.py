"""Content in log records, with the SDK's tracer and logger providers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import LogRecordExportResult, SimpleLogRecordProcessor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from otel_labelstudio import ConfigError, LabelStudioLogRecordExporter, LabelStudioSpanExporter
from otel_labelstudio.log_exporter import AutoConfiguredLabelStudioLogRecordExporter
from otel_labelstudio.testing import RecordingSink

SETTINGS: dict[str, Any] = {"api_key": "k", "url": "http://127.0.0.1:9", "mode": "chat", "settle_s": 3600}


@dataclass
class Application:
    """An application whose instrumentation writes an event a message, as the conventions 1.28 to 1.36 have it."""

    traces: TracerProvider
    logs: LoggerProvider
    sink: RecordingSink

    def ask(self, question: str, answer: str) -> None:
        tracer = self.traces.get_tracer("instrumentation", "1")
        logger = self.logs.get_logger("instrumentation", "1")
        attributes = {"gen_ai.operation.name": "chat", "gen_ai.system": "openai", "gen_ai.request.model": "m"}
        with tracer.start_as_current_span("chat m", attributes=attributes):
            logger.emit(event_name="gen_ai.user.message", body={"content": question})
            logger.emit(
                event_name="gen_ai.choice",
                body={"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": answer}},
            )
            logger.emit(body="an application's own line")

    def shut_down(self) -> None:
        self.traces.shutdown()
        self.logs.shutdown()


@pytest.fixture
def application() -> Iterator[Application]:
    sink = RecordingSink()
    spans, records = LabelStudioSpanExporter(**SETTINGS), LabelStudioLogRecordExporter(**SETTINGS)
    assert spans._pipeline is records._pipeline
    spans._pipeline._worker._deliveries._sink = sink
    traces, logs = TracerProvider(), LoggerProvider()
    traces.add_span_processor(SimpleSpanProcessor(spans))
    logs.add_log_record_processor(SimpleLogRecordProcessor(records))
    made = Application(traces, logs, sink)
    yield made
    made.shut_down()


def test_content_finds_its_span(application: Application) -> None:
    """What the span says and what its events say is one call; other log lines are left alone."""
    application.ask("Capital of France?", "Paris.")
    application.ask("Capital of Italy?", "Rome.")
    application.shut_down()
    calls = application.sink.calls
    said = [(c.request_model, c.input_messages[0].parts[0], c.output_messages[0].parts[0]) for c in calls]
    assert [(model, q.content, a.content) for model, q, a in said] == [  # type: ignore[union-attr]
        ("m", "Capital of France?", "Paris."),
        ("m", "Capital of Italy?", "Rome."),
    ]
    assert [call.incomplete for call in calls] == [(), ()]


def test_the_last_door_delivers(application: Application) -> None:
    """Whichever provider is shut down first, nothing is given up while the other may still bring content."""
    application.ask("Q", "A")
    application.traces.shutdown()
    assert application.sink.calls == []
    application.logs.shutdown()
    assert len(application.sink.calls) == 1


def test_nothing_is_accepted_after_shutdown() -> None:
    """A record that comes too late is refused."""
    exporter = LabelStudioLogRecordExporter(**SETTINGS)
    exporter.shutdown()
    assert exporter.export([]) is LogRecordExportResult.FAILURE


def test_a_wrong_configuration_raises_in_code() -> None:
    """The same settings, the same checks."""
    with pytest.raises(ConfigError, match="mode"):
        LabelStudioLogRecordExporter(**{**SETTINGS, "mode": "dialog"})
    with pytest.raises(ConfigError, match="no setting 'mod'"):
        LabelStudioLogRecordExporter(mod="chat")


def test_a_wrong_configuration_is_one_line_in_auto_instrumentation(caplog: pytest.LogCaptureFixture) -> None:
    """The user's other exporters must start."""
    exporter = AutoConfiguredLabelStudioLogRecordExporter(mode="dialog")
    assert exporter.export([]) is LogRecordExportResult.FAILURE
    assert exporter.force_flush()
    assert ["is off" in record.message for record in caplog.records] == [True]
    exporter.shutdown()


def test_an_exporter_that_cannot_start_is_one_line_in_auto_instrumentation(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever it is, the user's other exporters must start."""

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("CANARY")

    monkeypatch.setattr("otel_labelstudio.pipeline.Pipeline.open", broken)
    exporter = AutoConfiguredLabelStudioLogRecordExporter(api_key="k")
    assert exporter.export([]) is LogRecordExportResult.FAILURE
    exporter.shutdown()
    assert "is off: it cannot start (RuntimeError)" in caplog.text
    assert "CANARY" not in caplog.text


def test_a_record_that_cannot_be_decoded_costs_itself_alone(
    application: Application, caplog: pytest.LogCaptureFixture
) -> None:
    """It is counted, and said once; the others of its batch are delivered."""
    exporter = LabelStudioLogRecordExporter(**SETTINGS)
    odd: Any = object()
    application.ask("Q", "A")
    assert exporter.export([odd, odd]) is LogRecordExportResult.SUCCESS
    assert exporter._pipeline.telemetry.counts()["log_records.unmatched[fault]"] == 2
    assert caplog.text.count("Cannot decode a log record (AttributeError)") == 1
    exporter.shutdown()
    application.shut_down()
    assert len(application.sink.calls) == 1

"""What an application calls in its last seconds, or after each unit of its work."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor

import otel_labelstudio
from otel_labelstudio import LabelStudioLogRecordExporter, LabelStudioSpanExporter, LabelStudioSpanProcessor
from otel_labelstudio.errors import RetryableDeliveryError
from otel_labelstudio.testing import RecordingSink
from tests.delivery.telemetry import trace_chat

# When delivery would be tried again: nobody who has less time waits for that
TRY_AGAIN_S = 600
SETTINGS: dict[str, Any] = {"api_key": "k", "url": "http://127.0.0.1:9", "mode": "chat", "settle_s": 3600}


@dataclass
class Application:
    """An application's providers, and what is delivered of them."""

    traces: TracerProvider
    sink: RecordingSink
    exporter: LabelStudioSpanExporter

    def register(self, processor: SpanProcessor) -> None:
        self.traces.add_span_processor(processor)

    def trace_number(self, number: int) -> None:
        trace_chat(self.traces.get_tracer("application"), answers=[str(number)])


@pytest.fixture
def application(monkeypatch: pytest.MonkeyPatch) -> Iterator[Application]:
    """Its tracer provider is the global one; nothing is exported or delivered unless somebody asks for it."""
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "3600000")
    monkeypatch.setenv("OTEL_BLRP_SCHEDULE_DELAY", "3600000")
    made = make_application(SETTINGS)
    monkeypatch.setattr("otel_labelstudio.process_end.get_tracer_provider", lambda: made.traces)
    yield made
    made.traces.shutdown()


def make_application(settings: dict[str, Any]) -> Application:
    exporter, sink = LabelStudioSpanExporter(**settings), RecordingSink()
    assert exporter._pipeline is not None
    exporter._pipeline._worker._deliveries._sink = sink
    return Application(TracerProvider(shutdown_on_exit=False), sink, exporter)


class FaultyProvider:
    """One with a processor that raises whatever it is asked."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        raise ValueError("The user's question")

    def shutdown(self) -> None:
        raise ValueError("The user's question")


def test_the_processor_flushes_through(application: Application) -> None:
    """``force_flush`` of the provider is True, and the calls are delivered; the next ones are as well."""
    application.register(LabelStudioSpanProcessor(application.exporter))
    for number in (1, 2):
        application.trace_number(number)
        assert application.traces.force_flush()
        assert len(application.sink.calls) == number


def test_the_processor_says_what_is_not_delivered(application: Application) -> None:
    """``force_flush`` is False where the time was not enough, and takes no longer."""
    application.register(LabelStudioSpanProcessor(application.exporter))
    application.sink._failures = [RetryableDeliveryError("busy", retry_after_s=TRY_AGAIN_S)]
    application.trace_number(1)
    began = time.monotonic()
    assert not application.traces.force_flush(500)
    assert time.monotonic() - began < TRY_AGAIN_S / 2
    assert application.sink.calls == []


def test_the_processor_is_the_sdks_in_all_else(application: Application) -> None:
    """It takes the same parameters, flushes nothing after `shutdown`, and `shutdown` delivers."""
    processor = LabelStudioSpanProcessor(application.exporter, 1000, schedule_delay_millis=1000.0)
    application.register(processor)
    application.trace_number(1)
    application.traces.shutdown()
    assert len(application.sink.calls) == 1
    assert not processor.force_flush()
    with pytest.raises(ValueError, match="max_queue_size"):
        LabelStudioSpanProcessor(application.exporter, max_queue_size=0)


@pytest.mark.parametrize("processor", [BatchSpanProcessor, SimpleSpanProcessor, LabelStudioSpanProcessor])
def test_force_flush_delivers_whatever_the_processor(application: Application, processor: Any) -> None:
    """Under ``opentelemetry-instrument`` the SDK makes its own, which do not ask the exporter."""
    application.register(processor(application.exporter))
    application.trace_number(1)
    assert otel_labelstudio.force_flush()
    assert len(application.sink.calls) == 1
    application.trace_number(2)
    assert otel_labelstudio.force_flush(application.traces)
    assert len(application.sink.calls) == 2


def test_force_flush_says_what_is_not_delivered(application: Application) -> None:
    """False where the time was not enough, and no longer than that."""
    application.register(BatchSpanProcessor(application.exporter))
    application.sink._failures = [RetryableDeliveryError("busy", retry_after_s=TRY_AGAIN_S)]
    application.trace_number(1)
    began = time.monotonic()
    assert not otel_labelstudio.force_flush(timeout_millis=500)
    assert time.monotonic() - began < TRY_AGAIN_S / 2


class SlowProcessor(SpanProcessor):
    """Its exporter hangs: it uses up the time that it has."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        time.sleep((timeout_millis + 1) / 1000)
        return False


def test_force_flush_says_what_is_not_exported(application: Application) -> None:
    """False where a processor in front took all the time, after which the SDK asks no further ones."""
    application.register(SlowProcessor())
    application.register(BatchSpanProcessor(application.exporter))
    application.trace_number(1)
    assert not otel_labelstudio.force_flush(timeout_millis=100)
    assert application.sink.calls == []


def test_force_flush_of_a_provider_that_raises_holds_up_no_other(
    application: Application, caplog: pytest.LogCaptureFixture
) -> None:
    """The next one's calls are delivered; False and the log say that not all was."""
    application.register(BatchSpanProcessor(application.exporter))
    application.trace_number(1)
    assert not otel_labelstudio.force_flush(FaultyProvider(), application.traces)
    assert len(application.sink.calls) == 1
    assert "A FaultyProvider could not be flushed: unexpected ValueError" in caplog.text
    assert "question" not in caplog.text


def test_force_flush_brings_log_records_to_their_spans(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both wait in the queues of batch processors: the span is not taken for one without content."""
    application.register(BatchSpanProcessor(application.exporter))
    logs = LoggerProvider(shutdown_on_exit=False)
    logs.add_log_record_processor(BatchLogRecordProcessor(LabelStudioLogRecordExporter(**SETTINGS)))
    monkeypatch.setattr("otel_labelstudio.process_end.get_logger_provider", lambda: logs)
    attributes = {"gen_ai.operation.name": "chat", "gen_ai.system": "openai", "gen_ai.request.model": "m"}
    with application.traces.get_tracer("application").start_as_current_span("chat m", attributes=attributes):
        logger = logs.get_logger("application")
        logger.emit(event_name="gen_ai.user.message", body={"content": "Question?"})
        logger.emit(
            event_name="gen_ai.choice",
            body={"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Answer."}},
        )
    assert otel_labelstudio.force_flush()
    (call,) = application.sink.calls
    assert "Question?" in str(call.input_messages)
    assert call.incomplete == ()
    logs.shutdown()


def test_shutdown_delivers_and_accepts_no_more(application: Application) -> None:
    """Once and for all; again is no matter."""
    application.register(BatchSpanProcessor(application.exporter))
    application.trace_number(1)
    otel_labelstudio.shutdown()
    application.trace_number(2)
    otel_labelstudio.shutdown()
    assert len(application.sink.calls) == 1


def test_shutdown_keeps_to_its_time(application: Application, caplog: pytest.LogCaptureFixture) -> None:
    """What the SDK gives an exporter is 30 seconds; whoever kills the process may have less patience."""
    application.register(BatchSpanProcessor(application.exporter))
    application.sink._failures = [RetryableDeliveryError("busy")] * 1000
    application.trace_number(1)
    began = time.monotonic()
    otel_labelstudio.shutdown(timeout_millis=1000)
    assert time.monotonic() - began < 25
    assert "Lost at the shutdown: 1 call " in caplog.text


@pytest.mark.parametrize("settle_s", [3600, 7200], ids=["one pipeline for both", "one for each"])
def test_a_provider_that_is_not_shut_down_keeps_its_time(application: Application, settle_s: int) -> None:
    """It goes on after the others' shutdown, whose time is over when its own comes: its calls are delivered then."""
    application.register(BatchSpanProcessor(application.exporter))
    other = make_application(SETTINGS | {"settle_s": settle_s})
    other.register(BatchSpanProcessor(other.exporter))
    otel_labelstudio.shutdown(timeout_millis=0)
    other.trace_number(1)
    other.traces.shutdown()
    assert len(other.sink.calls) == 1


def test_a_provider_that_cannot_be_shut_down_holds_up_no_other(
    application: Application, caplog: pytest.LogCaptureFixture
) -> None:
    """The next one delivers; what was raised is said by its type, since its text may hold content."""
    application.register(BatchSpanProcessor(application.exporter))
    application.trace_number(1)
    otel_labelstudio.shutdown(FaultyProvider(), application.traces)
    assert len(application.sink.calls) == 1
    assert "A FaultyProvider could not be shut down: unexpected ValueError" in caplog.text
    assert "question" not in caplog.text


def test_a_lifespan_delivers_at_its_end(application: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the application fails; the event loop goes on meanwhile."""
    application.register(BatchSpanProcessor(application.exporter))
    deliver, has_turned = application.sink.deliver, threading.Event()

    def deliver_after_a_turn(*arguments: Any) -> Any:
        has_turned.wait(240)
        return deliver(*arguments)

    async def turn() -> None:
        while True:
            has_turned.set()
            await asyncio.sleep(0.001)

    async def serve() -> None:
        turning = asyncio.create_task(turn())
        try:
            async with otel_labelstudio.lifespan():
                has_turned.clear()
                application.trace_number(1)
                raise KeyError
        finally:
            turning.cancel()

    monkeypatch.setattr(application.sink, "deliver", deliver_after_a_turn)
    with pytest.raises(KeyError):
        asyncio.run(serve())
    assert len(application.sink.calls) == 1
    assert has_turned.is_set()


def test_without_a_provider_there_is_nothing_to_do() -> None:
    """As where OpenTelemetry is turned off: the API's own providers stand there."""
    assert not isinstance(trace.get_tracer_provider(), TracerProvider)
    assert otel_labelstudio.force_flush()
    otel_labelstudio.shutdown()

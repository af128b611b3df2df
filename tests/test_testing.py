"""`otel_labelstudio.testing`: what an application's tests put in the place of the exporter."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from otel_labelstudio import LLMCall
from otel_labelstudio.testing import InMemoryLabelStudioExporter
from tests.delivery.telemetry import trace_chat


def ask(exporter: InMemoryLabelStudioExporter, answer: str) -> None:
    """Trace a call, with a provider of its own."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace_chat(provider.get_tracer("application"), answers=[answer])


def answers(exporter: InMemoryLabelStudioExporter) -> list[str]:
    return [part.content for call in exporter.calls for m in call.output_messages for part in m.parts]  # type: ignore[union-attr]


@pytest.fixture
def exporter() -> Iterator[InMemoryLabelStudioExporter]:
    made = InMemoryLabelStudioExporter()
    yield made
    made.shutdown()


def test_calls_and_tasks_are_there_at_once(exporter: InMemoryLabelStudioExporter) -> None:
    """Without a server, a key, a mode, or a wait for other readings; as Label Studio would have them."""
    ask(exporter, "Paris.")
    assert answers(exporter) == ["Paris."]
    (task,) = exporter.tasks
    assert [region["value"]["text"] for one in task["predictions"] for region in one["result"]] == [["Paris."]]
    assert task["data"]["prompt"][-1]["role"] == "user"
    assert exporter.counts["calls.accepted"] == 1


def test_clear_forgets(exporter: InMemoryLabelStudioExporter) -> None:
    """Each test begins with nothing, also where the application is instrumented once for all of them."""
    ask(exporter, "one")
    exporter.clear()
    assert (exporter.calls, exporter.tasks) == ([], [])
    ask(exporter, "two")
    assert answers(exporter) == ["two"]


def test_two_of_them_share_nothing() -> None:
    """Unlike exporters of equal settings, which have one pipeline."""
    one, other = InMemoryLabelStudioExporter(), InMemoryLabelStudioExporter()
    ask(one, "one")
    assert (answers(one), answers(other)) == (["one"], [])
    one.shutdown()
    other.shutdown()


def test_settings_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the application, such as its filter and its mode; but no file of it is touched."""

    def unanswered(call: LLMCall) -> LLMCall | None:
        return None if call.output_messages else call

    monkeypatch.setenv("OTEL_EXPORTER_LABELSTUDIO_OUTBOX", str(tmp_path / "calls.db"))
    filtering, refusing = (
        InMemoryLabelStudioExporter(call_filter=unanswered),
        InMemoryLabelStudioExporter(mode="prompt"),
    )
    ask(filtering, "one")
    ask(refusing, "one")
    assert filtering.calls == []
    assert filtering.counts["calls.dropped[filtered]"] == 1
    assert (answers(refusing), refusing.tasks) == (["one"], [])
    filtering.shutdown()
    refusing.shutdown()
    assert list(tmp_path.iterdir()) == []


def test_no_thread_is_left() -> None:
    """After `shutdown`."""
    before = set(threading.enumerate())
    exporter = InMemoryLabelStudioExporter()
    ask(exporter, "one")
    exporter.shutdown()
    assert set(threading.enumerate()) <= before

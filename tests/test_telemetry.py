"""The pipeline's own metrics, read by a real metrics SDK."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

import otel_labelstudio
from otel_labelstudio import telemetry
from otel_labelstudio.dialects import SkipReason
from otel_labelstudio.settings import Settings

PACKAGE = Path(otel_labelstudio.__file__).parent
GAUGES = {
    "otel.sdk.exporter.span.inflight",
    "otel_labelstudio.outbox.queue.size",
    "otel_labelstudio.outbox.queue.capacity",
    "otel_labelstudio.outbox.oldest.age",
    "otel_labelstudio.outbox.dead_letters",
    "otel_labelstudio.outbox.held",
}

SCRIPT = textwrap.dedent(
    """
    import json
    from opentelemetry import metrics
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader
    from otel_labelstudio.calls import LLMCall
    from otel_labelstudio.settings import Settings
    from otel_labelstudio.pipeline import Pipeline
    from otel_labelstudio.spans.model import Span
    from otel_labelstudio.testing import RecordingSink

    settings = Settings.resolve({"settle_s": 3600, "outbox_max_calls": 2}, needs_server=False)
    Pipeline(settings, sink=RecordingSink())  # one that is gone: its gauges must not stand for the next one's
    pipeline = Pipeline(settings, sink=RecordingSink())
    pipeline._outbox.figures = None  # how this one stands is told below

    class Delivery:  # as the middle of the house tells how it stands
        def oldest_age_s(self): return 12.5
        def dead_letter_count(self): return 3
        def held_count(self): return 4
        def last_delivery_at(self): return None
        def paused_destination_count(self): raise OSError("not now")

    delivery = Delivery()
    pipeline.telemetry.observe(delivery)
    reader = InMemoryMetricReader()  # after the pipeline, as in an application that sets up its metrics last
    metrics.set_meter_provider(MeterProvider([reader]))

    def call(number):
        return LLMCall(trace_id="0" * 31 + "1", span_id=f"{number:016x}", start_time_unix_nano=1, end_time_unix_nano=2,
                       dialect="test", operation="chat")

    def points():
        return {
            f"{m.name} {p.attributes.get('reason', p.attributes.get('error.type', ''))}".strip(): p.value
            for r in reader.get_metrics_data().resource_metrics for s in r.scope_metrics for m in s.metrics
            for p in m.data.data_points if hasattr(p, "value")
        }

    start = points()
    pipeline.accept_spans([Span(trace_id="1", span_id="2")])
    pipeline.accept_calls([call(1), call(2), call(3)])
    before = points()
    pipeline.close(240)
    pipeline.telemetry.record_import(0.2, {"server.address": "localhost"})
    (bounds,) = {
        p.explicit_bounds for r in reader.get_metrics_data().resource_metrics for s in r.scope_metrics
        for m in s.metrics for p in m.data.data_points if m.name == "otel.sdk.exporter.operation.duration"
    }
    print(json.dumps([start, before, points(), bounds]))
    """
)


@pytest.fixture(scope="module")
def points() -> list[Any]:
    """All points at the start, before and after delivery, and the histogram's boundaries; in its own process, since
    a meter provider is set once."""
    run = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=600, check=False)
    assert run.returncode == 0, run.stderr
    read: list[Any] = json.loads(run.stdout)
    return read


def test_counters_are_there_from_the_start(points: list[Any]) -> None:
    """Each at 0, for each reason that is known beforehand, though the metrics were set up after the exporter."""
    start = points[0]
    counters = {name: value for name, value in start.items() if name.split()[0] not in GAUGES}
    assert set(counters.values()) == {0}
    assert {name for name in counters if " " not in name} >= {
        "otel_labelstudio.spans.received",
        "otel_labelstudio.tasks.delivered",
        "otel.sdk.exporter.span.exported",
    }
    for reason in SkipReason:
        assert f"otel_labelstudio.spans.skipped {reason.value}" in counters


def test_every_reason_is_known_beforehand() -> None:
    """What the code counts with a reason that it names is in the table."""
    found = set()
    for module in PACKAGE.rglob("*.py"):
        found |= set(re.findall(r'count\(\s*"([a-z_.]+)",[^()]*reason="([a-z_]+)"', module.read_text(encoding="utf-8")))
    assert ("calls.dropped", "outbox_full") in found
    assert [(name, reason) for name, reason in found if reason not in telemetry._REASONS[name]] == []
    assert set(telemetry._REASONS["spans.skipped"]) == {reason.value for reason in SkipReason}


def test_how_delivery_stands_is_shown(points: list[Any]) -> None:
    """What can be told; what there is none of, or cannot be told now, is left out, and costs nothing else."""
    start = points[0]
    assert start["otel_labelstudio.outbox.oldest.age"] == 12.5
    assert start["otel_labelstudio.outbox.dead_letters"] == 3
    assert start["otel_labelstudio.outbox.held"] == 4
    assert "otel_labelstudio.delivery.last.timestamp" not in start
    assert "otel_labelstudio.delivery.paused" not in start


def test_durations_have_buckets_of_seconds(points: list[Any]) -> None:
    """From a quick import to the longest that is waited for."""
    bounds = points[3]
    assert bounds[0] < 0.1
    assert bounds[-1] == Settings.resolve({}, needs_server=False).import_timeout_s


def test_the_queue_is_shown(points: list[Any]) -> None:
    """Size and capacity of the outbox, while it fills and when it is empty."""
    _, before, after, _ = points
    assert before["otel_labelstudio.outbox.queue.size"] == before["otel.sdk.exporter.span.inflight"] == 2
    assert before["otel_labelstudio.outbox.queue.capacity"] == 2
    assert after["otel_labelstudio.outbox.queue.size"] == 0


def test_every_end_of_a_call_is_counted(points: list[Any]) -> None:
    """What was delivered and what was not, by reason; the SDK's name for both."""
    after = points[2]
    assert after["otel_labelstudio.spans.skipped not_genai"] == 1
    assert after["otel_labelstudio.calls.accepted"] == 2
    assert after["otel_labelstudio.calls.dropped outbox_full"] == 1
    assert after["otel.sdk.exporter.span.exported outbox_full"] == 1


FORKING_SCRIPT = textwrap.dedent(
    """
    import json, os
    from opentelemetry import metrics
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader
    from otel_labelstudio.pipeline import Pipeline
    from otel_labelstudio.settings import Settings
    from otel_labelstudio.testing import RecordingSink
    from tests.outbox.calls import numbered

    reader = InMemoryMetricReader()
    metrics.set_meter_provider(MeterProvider([reader]))
    pipeline = Pipeline(Settings.resolve({"settle_s": 3600}, needs_server=False), sink=RecordingSink())
    pipeline.accept_calls([numbered(1), numbered(2)])
    pipeline.telemetry._lock.acquire()  # as by a thread that counts
    child = os.fork()
    if child:
        raise SystemExit(os.waitpid(child, 0)[1])
    pipeline.accept_calls([numbered(3)])
    names = ("otel_labelstudio.calls.accepted", "otel_labelstudio.outbox.queue.size")
    print(json.dumps({
        m.name: [p.value for p in m.data.data_points]
        for r in reader.get_metrics_data().resource_metrics for s in r.scope_metrics for m in s.metrics
        if m.name in names
    }), flush=True)
    os._exit(0)
    """
)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_child_of_a_fork_tells_of_its_own_calls_alone() -> None:
    """Those of before are the parent's, which may have been counting one at that moment."""
    script = [sys.executable, "-c", FORKING_SCRIPT]
    run = subprocess.run(script, capture_output=True, text=True, timeout=60, check=True)
    read = json.loads(run.stdout)
    assert read == {"otel_labelstudio.calls.accepted": [1], "otel_labelstudio.outbox.queue.size": [1]}

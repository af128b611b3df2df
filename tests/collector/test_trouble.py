"""What the sidecar does when it cannot take more, and when it is refused; and that its alerts see it."""

from __future__ import annotations

import re
import time
from collections import Counter
from pathlib import Path

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.collector.backend import PATIENT, Backend
from tests.collector.collector import CONFIGURATIONS, Collector
from tests.receiver.requests_made import events, ids, traces
from tests.receiver.serving import Receiver, post

NOBODY = "http://127.0.0.1:9"
LABELSTUDIO = "otlp_http/labelstudio"
# The metrics that tell, and that the README has operators watch
FULL = {
    "otelcol_exporter_queue_size",
    "otelcol_exporter_queue_capacity",
    "otelcol_exporter_enqueue_failed_spans",
    "otelcol_exporter_enqueue_failed_log_records",
}
REFUSED = {"otelcol_exporter_send_failed_spans", "otelcol_exporter_send_failed_log_records"}


def sidecar(otelcol: Path, directory: Path, backend: Backend, **environment: str) -> Collector:
    return Collector(
        otelcol,
        directory / "collector",
        ["sidecar.yaml", PATIENT],
        {"BACKEND_OTLP_ENDPOINT": backend.endpoint, **environment},
    )


def send(collector: Collector, request: ExportTraceServiceRequest) -> int:
    return post(f"{collector.http}/v1/traces", request.SerializeToString())[0]


def names(collector: Collector) -> set[str]:
    """The metrics that are on its page."""
    return set(re.findall(r"^(otelcol_\w+){", collector.metrics(), re.MULTILINE))


def test_the_readme_names_the_metrics_that_tell() -> None:
    """Those that the other tests here see on the page, and no others."""
    readme = (CONFIGURATIONS / "README.md").read_text(encoding="utf-8")
    section = readme.split("\n## Sidecar\n")[1].split("\n## ")[0]
    assert set(re.findall(r"otelcol_\w+", section)) == FULL | REFUSED


def test_a_full_queue_costs_the_backend_nothing_but_is_told_to_applications(
    otelcol: Path, tmp_path: Path, backend: Backend
) -> None:
    """Once the queue is full, requests with LLM spans are answered with 503, so that they come again; the back-end has
    what was refused nevertheless, and requests without LLM spans go on as ever."""
    with sidecar(
        otelcol, tmp_path, backend, OTEL_LABELSTUDIO_ENDPOINT=NOBODY, OTEL_LABELSTUDIO_QUEUE_BYTES="20000"
    ) as collector:
        sent: list[str] = []
        status = 200
        while status == 200:
            assert len(sent) < 200, "the queue has no bound"
            request = traces("Question?" * 50)
            status = send(collector, request)
            sent += ids(request)
        assert status == 503
        assert send(collector, traces(others=5)) == 200
        assert collector.metric("otelcol_exporter_enqueue_failed_spans", exporter=LABELSTUDIO) == 1
        queued = collector.metric("otelcol_exporter_queue_size", exporter=LABELSTUDIO, data_type="traces")
        assert 15_000 < queued <= 20_000
        records = events("Question?" * 50, b"t" * 16, b"s" * 8).SerializeToString()
        assert any(post(f"{collector.http}/v1/logs", records)[0] == 503 for _ in range(200))
        assert names(collector) >= FULL
        collector.stop()  # it brings the back-end what is in that queue
    assert Counter({span_id: backend.span_ids[span_id] for span_id in sent}) == Counter(sent)


def test_a_backend_that_refuses_makes_no_call_twice(otelcol: Path, tmp_path: Path, backend: Backend) -> None:
    """While the other back-end is away and its queue is full, applications are told to send again; what comes again is
    one task."""
    backend_away = (
        f"yaml:exporters::otlp_grpc/backend: {{endpoint: '{NOBODY.removeprefix('http://')}',"
        " sending_queue: {queue_size: 1, num_consumers: 1}}"
    )
    with Receiver(tmp_path / "outbox.db") as receiver:
        environment = {"OTEL_LABELSTUDIO_ENDPOINT": receiver.http}
        with Collector(otelcol, tmp_path / "collector", ["sidecar.yaml", backend_away], environment) as collector:
            request = traces("Again?")
            answers = [send(collector, request) for _ in range(6)]
            assert answers.count(503) >= 3
            end = time.monotonic() + 240
            while collector.metric("otelcol_exporter_sent_spans", exporter=LABELSTUDIO) < len(answers):
                assert time.monotonic() < end, "not all of it was passed on"
                time.sleep(0.05)
        assert receiver.flush(240)
        assert [call.span_id for call in receiver.sink.calls] == ids(request)


def test_what_is_refused_for_good_is_counted(otelcol: Path, tmp_path: Path, backend: Backend) -> None:
    """With a token that the receiver does not know, calls are dropped, which a metric tells; with the right one they
    are delivered."""
    (tmp_path / "tokens").write_text("right\n", encoding="utf-8")
    with Receiver(tmp_path / "outbox.db", bearer_tokens=str(tmp_path / "tokens")) as receiver:
        for token, directory in (("wrong", "a"), ("right", "b")):
            request = traces("Who?")
            environment = {"OTEL_LABELSTUDIO_ENDPOINT": receiver.http, "OTEL_LABELSTUDIO_TOKEN": token}
            with sidecar(otelcol, tmp_path / directory, backend, **environment) as collector:
                span = request.resource_spans[0].scope_spans[0].spans[0]
                records = events("Who?", span.trace_id, span.span_id).SerializeToString()
                assert send(collector, request) == 200
                assert post(f"{collector.http}/v1/logs", records)[0] == 200
                collector.wait_until_idle()
                failed = int(token == "wrong")
                assert collector.metric("otelcol_exporter_send_failed_spans", exporter=LABELSTUDIO) == failed
                assert collector.metric("otelcol_exporter_send_failed_log_records", exporter=LABELSTUDIO) == failed
                if token == "wrong":
                    assert names(collector) >= REFUSED
        assert receiver.delivered(ids(request))
        assert len(receiver.sink.calls) == 1

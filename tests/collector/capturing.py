"""What leaves a Collector for Label Studio, and when it has arrived."""

from __future__ import annotations

import time
from collections.abc import Callable

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otel_labelstudio.calls import LLMCall
from tests.collector.backend import Backend
from tests.receiver.serving import Receiver

WAIT_S = 240.0


def captured_by(backend: Backend) -> str:
    """A ``--config`` on top of a configuration: what goes to Label Studio there goes to this back-end."""
    exporter = (
        f"{{endpoint: '{backend.endpoint}', tls: {{insecure: true}}, timeout: 240s,"
        " sending_queue: {queue_size: 100000}}"
    )
    pipelines = (
        "{traces/labelstudio: {exporters: [otlp_grpc/capture]}, logs/labelstudio: {exporters: [otlp_grpc/capture]}}"
    )
    return f"yaml:{{exporters: {{otlp_grpc/capture: {exporter}}}, service: {{pipelines: {pipelines}}}}}"


def spans_at(backend: Backend) -> list[Span]:
    """All spans that it has."""
    return [span for rs in backend.traces.resource_spans for ss in rs.scope_spans for span in ss.spans]


def wait_until(is_so: Callable[[], bool], what: str) -> None:
    """Until it is so; where that takes too long, ``what`` was not."""
    end = time.monotonic() + WAIT_S
    while not is_so():
        assert time.monotonic() < end, f"not in time: {what}"
        time.sleep(0.05)


def settled(receiver: Receiver, **counts: int) -> list[LLMCall]:
    """The calls of a receiver that settles late, once this many ``spans`` and ``log_records`` have come."""
    wanted = {f"{name}.received": count for name, count in counts.items()}
    telemetry = receiver.pipeline.telemetry
    wait_until(lambda: wanted.items() <= telemetry.counts().items(), f"{wanted}")
    assert receiver.pipeline.flush(WAIT_S)
    return receiver.sink.calls

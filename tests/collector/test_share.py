"""A share of the traces, chosen by the Collector beside the application."""

from __future__ import annotations

from pathlib import Path

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.collector.backend import Backend
from tests.collector.collector import Collector
from tests.collector.numbered import Request, call_in_a_log_event, numbered_calls
from tests.receiver.serving import Receiver, post

_PERCENT = 37.5


def test_a_share_of_the_traces_goes_on_each_whole(otelcol: Path, tmp_path: Path, backend: Backend) -> None:
    """Calls with their content in spans, two a trace, and calls with it in log events: what goes on is what the trace
    ids say, spans and log events alike, and the other back-end has every span."""
    requests = [numbered_calls(range(400)), *(part for number in range(100) for part in call_in_a_log_event(number))]
    ids = {span for request in requests for span in _ids(request)}
    chosen = {span_id for trace_id, span_id in ids if int(trace_id[-8:], 16) / 2**32 < _PERCENT / 100}
    with Receiver(tmp_path / "outbox.db", pipeline={"settle_s": 3600}) as receiver:
        environment = {
            "BACKEND_OTLP_ENDPOINT": backend.endpoint,
            "OTEL_LABELSTUDIO_ENDPOINT": receiver.http,
            "OTEL_LABELSTUDIO_SHARE_PERCENT": str(_PERCENT),
        }
        with Collector(otelcol, tmp_path / "collector", ["sidecar.yaml", "share.yaml"], environment) as collector:
            for path, body in requests:
                assert post(f"{collector.http}{path}", body)[0] == 200
            collector.wait_until_idle()
            assert receiver.flush(240)
        calls = [(call.span_id, bool(call.output_messages)) for call in receiver.sink.calls]
    assert 120 < len(chosen) < 260
    assert sorted(calls) == sorted((span_id, True) for span_id in chosen)
    assert set(backend.span_ids) == {span_id for _, span_id in ids}


def _ids(request: Request) -> list[tuple[str, str]]:
    """Trace and span ids of a request's spans."""
    path, body = request
    if path != "/v1/traces":
        return []
    (resource_spans,) = ExportTraceServiceRequest.FromString(body).resource_spans
    return [(span.trace_id.hex(), span.span_id.hex()) for sc in resource_spans.scope_spans for span in sc.spans]

"""The other back-end of a pipeline: an OTLP/gRPC server that answers and keeps what it gets."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import grpc
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

# On top of a configuration: a busy machine's back-end that is slow to answer is not sent the same again
PATIENT = "yaml:exporters::otlp_grpc/backend::timeout: 240s"
_SERVICES = {
    "traces": "opentelemetry.proto.collector.trace.v1.TraceService",
    "logs": "opentelemetry.proto.collector.logs.v1.LogsService",
    "metrics": "opentelemetry.proto.collector.metrics.v1.MetricsService",
}


class Backend:
    """Knows nothing of what it gets. A context manager."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bodies: dict[str, list[bytes]] = {signal: [] for signal in _SERVICES}
        self._server = grpc.server(ThreadPoolExecutor(4), options=[("grpc.max_receive_message_length", 64 * 2**20)])
        for signal, service in _SERVICES.items():
            method: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(self._keeper(signal))
            self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {"Export": method}),))
        self.endpoint = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"

    @property
    def traces(self) -> ExportTraceServiceRequest:
        """All spans so far: requests of OTLP joined are one request."""
        return ExportTraceServiceRequest.FromString(self._body("traces"))

    @property
    def logs(self) -> ExportLogsServiceRequest:
        """All log records so far."""
        return ExportLogsServiceRequest.FromString(self._body("logs"))

    @property
    def metrics(self) -> ExportMetricsServiceRequest:
        """All metrics so far."""
        return ExportMetricsServiceRequest.FromString(self._body("metrics"))

    @property
    def span_ids(self) -> Counter[str]:
        """How often each span came."""
        return Counter(
            span.span_id.hex()
            for resource_spans in self.traces.resource_spans
            for scope_spans in resource_spans.scope_spans
            for span in scope_spans.spans
        )

    def __enter__(self) -> Backend:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop(None).wait(240)

    def _body(self, signal: str) -> bytes:
        with self._lock:
            return b"".join(self._bodies[signal])

    def _keeper(self, signal: str) -> Callable[[bytes, grpc.ServicerContext], bytes]:
        def keep(body: bytes, _: grpc.ServicerContext) -> bytes:
            with self._lock:
                self._bodies[signal].append(body)
            return b""

        return keep

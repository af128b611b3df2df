"""Applications under load that send until they are told that all was accepted, as an SDK says it."""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from collections.abc import Sequence
from typing import Any

from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExportResult

from tests.delivery.telemetry import trace_chat
from tests.exactly_once.application import Collected

_CALLS, _OTHERS = 2, 6
_PAUSE_S = 0.2
_TIMEOUT_S = 60  # what takes longer is sent again, and is there twice
_numbers = itertools.count()


class Sender(threading.Thread):
    """Numbered LLM calls and other spans, a few at a time. An SDK gives a batch up after ten seconds; this gives it to
    the SDK again, so that every call is to arrive."""

    def __init__(self, exporter: GrpcExporter | HttpExporter) -> None:
        super().__init__(daemon=True)
        self._exporter = exporter
        self._is_over = threading.Event()
        self.numbers: list[int] = []
        self.accepted: Counter[str] = Counter()

    def run(self) -> None:
        while not self._is_over.wait(_PAUSE_S):
            numbers = [next(_numbers) for _ in range(_CALLS)]
            spans = _traced(numbers)
            while self._exporter.export(spans) is not SpanExportResult.SUCCESS:
                pass
            self.numbers += numbers
            self.accepted.update(f"{_context(span).span_id:016x}" for span in spans)

    def end(self) -> None:
        """Returns when all that it has begun to send was accepted."""
        self._is_over.set()
        self.join(240)
        assert not self.is_alive()
        self._exporter.shutdown()


def senders(grpc: str, http: str) -> list[Sender]:
    """Two over gRPC and one over HTTP, sending."""
    exporters: list[GrpcExporter | HttpExporter] = [
        GrpcExporter(endpoint=f"http://{grpc}", timeout=_TIMEOUT_S),
        GrpcExporter(endpoint=f"http://{grpc}", timeout=_TIMEOUT_S),
        HttpExporter(endpoint=f"{http}/v1/traces", timeout=_TIMEOUT_S),
    ]
    made = [Sender(exporter) for exporter in exporters]
    for sender in made:
        sender.start()
    return made


def _traced(numbers: Sequence[int]) -> list[ReadableSpan]:
    collected = Collected()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(collected)
    tracer = provider.get_tracer("shop")
    for number in numbers:
        trace_chat(tracer, f"Question {number}.", [str(number)])
    for _ in range(_OTHERS):
        tracer.start_span("GET /", attributes={"http.request.method": "GET"}).end()
    return collected.spans


def _context(span: ReadableSpan) -> Any:
    return span.context

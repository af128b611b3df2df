"""The demo's LangChain conversations, traced to an OTLP/gRPC endpoint: ``python langchain_chats.py ENDPOINT``.

Beside them a request, a log line and a metric, which tell of no model. Prints the ids of all spans in JSON: ``llm`` are
those of calls of a model, ``others`` those of agents, of tools and of the request.
"""

from __future__ import annotations

import json
import logging
import os
import sys

from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.langchain import LangchainInstrumentor
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from otel_labelstudio.demo.conversations import have_chats
from otel_labelstudio.demo.openai_stand_in import OpenAIStandIn


class Ids(SpanProcessor):
    """What the application has traced."""

    def __init__(self) -> None:
        self.of: dict[str, list[str]] = {"llm": [], "others": []}

    def on_end(self, span: ReadableSpan) -> None:
        assert span.context is not None
        self.of["llm" if span.name.endswith(".chat") else "others"].append(f"{span.context.span_id:016x}")


endpoint = sys.argv[1]
resource = Resource({SERVICE_NAME: "harbor-bikes"})
ids = Ids()
tracing = TracerProvider(resource=resource)
tracing.add_span_processor(ids)
tracing.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
logs = LoggerProvider(resource=resource)
logs.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(endpoint=endpoint)))
metrics = MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter(endpoint=endpoint))], resource)
LangchainInstrumentor().instrument(tracer_provider=tracing)
with OpenAIStandIn(latency_s=0) as stand_in:
    os.environ.update(OPENAI_API_KEY="stand-in", OPENAI_BASE_URL=stand_in.url)
    with tracing.get_tracer("shop").start_as_current_span("GET /", attributes={"http.request.method": "GET"}):
        have_chats()
logger = logging.getLogger("shop")
logger.addHandler(LoggingHandler(logger_provider=logs))
logger.warning("A customer asked for gen_ai.choice")
metrics.get_meter("shop").create_counter("orders").add(1)
tracing.shutdown()
logs.shutdown()
metrics.shutdown()
print(json.dumps(ids.of))

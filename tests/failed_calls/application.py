"""An application whose models fail, traced by LangChain's instrumentation: ``application.py FORM FOLDER``.

FORM is where the instrumentation writes content: ``attributes`` of the span, or ``log_records``. Delivers as the
environment says, leaves the same telemetry in FOLDER as OTLP files, and prints what was counted, in JSON.
"""

from __future__ import annotations

import json
import logging
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from langchain_core.language_models import FakeListChatModel, FakeListLLM
from langchain_core.messages import HumanMessage, SystemMessage
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.instrumentation.langchain import LangchainInstrumentor
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otel_labelstudio import LabelStudioLogRecordExporter, LabelStudioSpanExporter

ERROR = TimeoutError("SECRET-MESSAGE of the provider's")


class FailingModel(FakeListChatModel):
    """Fails the first time that it is asked, or always."""

    fails_once: bool = False
    tries: int = 0

    def _call(self, *arguments: Any, **keywords: Any) -> str:
        self.tries += 1
        if self.fails_once and self.tries > 1:
            return super()._call(*arguments, **keywords)
        raise ERROR


class FailingCompletion(FakeListLLM):
    """Always fails."""

    def _call(self, *_: Any, **__: Any) -> str:
        raise ERROR


def fail() -> None:
    """A chat that fails, one that is tried again, a stream that the user stops, and a completion that fails."""
    with suppress(TimeoutError):
        FailingModel(responses=[""]).invoke([SystemMessage("Be brief."), HumanMessage("QUESTION that fails")])
    tried_again = FailingModel(responses=["Second try."], fails_once=True)
    with suppress(TimeoutError):
        tried_again.invoke("QUESTION that is asked twice")
    tried_again.invoke("QUESTION that is asked twice")
    stream = FakeListChatModel(responses=["An answer"]).stream("QUESTION whose answer nobody waits for")
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    with suppress(TimeoutError):
        FailingCompletion(responses=[""]).invoke("PROMPT that fails")


form, folder = sys.argv[1], Path(sys.argv[2])
logging.basicConfig(level=logging.DEBUG)
logging.getLogger("opentelemetry").setLevel(logging.ERROR)
resource = Resource({SERVICE_NAME: "harbor-bikes"})
tracing, logs = TracerProvider(resource=resource), LoggerProvider(resource=resource)
spans, records = InMemorySpanExporter(), InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
exporter = LabelStudioSpanExporter()
for span_exporter in (spans, exporter):
    tracing.add_span_processor(SimpleSpanProcessor(span_exporter))
for log_exporter in (records, LabelStudioLogRecordExporter()):
    logs.add_log_record_processor(SimpleLogRecordProcessor(log_exporter))
LangchainInstrumentor(use_attributes=form == "attributes").instrument(tracer_provider=tracing, logger_provider=logs)
fail()
exporter.force_flush(240_000)
tracing.shutdown()
logs.shutdown()
(folder / "traces.pb").write_bytes(encode_spans(spans.get_finished_spans()).SerializeToString())
(folder / "logs.pb").write_bytes(encode_logs(records.get_finished_logs()).SerializeToString())
print(json.dumps(exporter.counts))

"""OTLP requests as senders make them, built with opentelemetry-proto."""

from __future__ import annotations

import base64
import json
import os
import sys
import time
from collections.abc import Mapping
from typing import Any

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def traces(
    *questions: str,
    service: str = "shop",
    others: int = 0,
    padding: int = 0,
    attributes: Mapping[str, str] | None = None,
) -> ExportTraceServiceRequest:
    """A request with an LLM span a question, and ``others`` that tell of no model. Ids are its own."""
    request = ExportTraceServiceRequest()
    resource_spans = request.resource_spans.add()
    _set(resource_spans.resource, "service.name", service)
    scope_spans = resource_spans.scope_spans.add()
    scope_spans.scope.name = "opentelemetry.instrumentation.openai_v2"
    for question in questions:
        span = _add_span(scope_spans, "chat gpt-4o-mini")
        answer = "An answer." + "x" * padding
        for key, value in {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "gpt-4o-mini",
            "gen_ai.input.messages": json.dumps([_message("user", question)]),
            "gen_ai.output.messages": json.dumps([{**_message("assistant", answer), "finish_reason": "stop"}]),
            **(attributes or {}),
        }.items():
            _set(span, key, value)
    for _ in range(others):
        _set(_add_span(scope_spans, "GET"), "http.request.method", "GET")
    return request


def events(question: str, trace_id: bytes, span_id: bytes) -> ExportLogsServiceRequest:
    """A request with the event that holds the content of a span which has none."""
    request = ExportLogsServiceRequest()
    resource_logs = request.resource_logs.add()
    _set(resource_logs.resource, "service.name", "shop")
    record = resource_logs.scope_logs.add().log_records.add()
    record.trace_id, record.span_id = trace_id, span_id
    record.time_unix_nano = time.time_ns()
    record.event_name = "gen_ai.client.inference.operation.details"
    for key, value in {
        "gen_ai.input.messages": json.dumps([_message("user", question)]),
        "gen_ai.output.messages": json.dumps([{**_message("assistant", "An answer."), "finish_reason": "stop"}]),
    }.items():
        _set(record, key, value)
    return request


def as_json(request: ExportTraceServiceRequest | ExportLogsServiceRequest) -> dict[str, Any]:
    """The request in OTLP JSON: ids in hexadecimal, numbers for enums."""
    record: dict[str, Any] = MessageToDict(request, use_integers_for_enums=True)
    _mend_ids(record)
    return record


def zstd_compressed(body: bytes, window_log: int = 20) -> bytes:
    """One frame, for which a decoder has to keep 2 to the ``window_log`` bytes."""
    stream = zstd.ZstdCompressor(options={int(zstd.CompressionParameter.window_log): window_log})
    return bytes(stream.compress(body) + stream.flush())


def ids(request: ExportTraceServiceRequest) -> list[str]:
    """The span ids of the LLM spans."""
    spans = (span for rs in request.resource_spans for ss in rs.scope_spans for span in ss.spans)
    return [span.span_id.hex() for span in spans if span.name.startswith("chat")]


def _add_span(scope_spans: Any, name: str) -> Any:
    span = scope_spans.spans.add()
    span.trace_id, span.span_id, span.name = os.urandom(16), os.urandom(8), name
    span.end_time_unix_nano = time.time_ns()
    span.start_time_unix_nano = span.end_time_unix_nano - 1_000_000_000
    return span


def _message(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "parts": [{"type": "text", "content": text}]}


def _set(owner: Any, key: str, value: str) -> None:
    attribute = owner.attributes.add()
    attribute.key, attribute.value.string_value = key, value


def _mend_ids(record: Any) -> None:
    for key, value in record.items() if isinstance(record, dict) else enumerate(record):
        if key in ("traceId", "spanId", "parentSpanId"):
            record[key] = base64.b64decode(value).hex()
        elif isinstance(value, dict | list):
            _mend_ids(value)

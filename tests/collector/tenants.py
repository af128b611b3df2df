"""Applications of several tenants, as a gateway meets them: LLM calls in traces, with headers."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.collector.collector import Collector
from tests.receiver.requests_made import events
from tests.receiver.serving import post

Request = ExportTraceServiceRequest | ExportLogsServiceRequest

# Of a trace that no share below 100 % takes, and of one that every share takes
_LAST, _FIRST = b"\xff" * 4, b"\x00" * 4


def unshared_id() -> bytes:
    return os.urandom(12) + _LAST


def shared_id() -> bytes:
    return os.urandom(12) + _FIRST


def span_of(trace_id: bytes, question: str = "Why?", *, has_content: bool = True, **attributes: Any) -> Span:
    """An LLM call's span; in the names of further attributes, two underscores stand for a dot."""
    end = time.time_ns()
    span = Span(trace_id=trace_id, span_id=os.urandom(8), name="chat gpt-4o-mini", end_time_unix_nano=end)
    span.start_time_unix_nano = end - 10**9
    held = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o-mini"}
    if has_content:
        held["gen_ai.input.messages"] = json.dumps([_message("user", question)])
        held["gen_ai.output.messages"] = json.dumps([{**_message("assistant", "So."), "finish_reason": "stop"}])
    for key, value in held.items():
        span.attributes.add(key=key).value.string_value = value
    for key, value in attributes.items():
        _set(span, key.replace("__", "."), value)
    return span


def request_of(spans: Iterable[Span], **resource: str) -> ExportTraceServiceRequest:
    """A request of one service; its resource's attributes are written as those of `span_of`."""
    request = ExportTraceServiceRequest()
    resource_spans = request.resource_spans.add()
    for key, value in {"service__name": "shop", **resource}.items():
        _set(resource_spans.resource, key.replace("__", "."), value)
    scope_spans = resource_spans.scope_spans.add()
    scope_spans.scope.name = "opentelemetry.instrumentation.openai_v2"
    scope_spans.spans.extend(spans)
    return request


def event_of(span: Span, question: str = "Why?") -> ExportLogsServiceRequest:
    """The log event with the content of a call."""
    return events(question, span.trace_id, span.span_id)


def send(collector: Collector, *requests: Request, **headers: str) -> None:
    """Over HTTP; a name of a header is written with underscores."""
    for request in requests:
        signal = "logs" if isinstance(request, ExportLogsServiceRequest) else "traces"
        status, _, answer = post(f"{collector.http}/v1/{signal}", request.SerializeToString(), **headers)
        assert status == 200, answer


def _message(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "parts": [{"type": "text", "content": text}]}


def _set(owner: Any, key: str, value: Any) -> None:
    held = owner.attributes.add(key=key).value
    if isinstance(value, float):
        held.double_value = value
    elif isinstance(value, list):
        for item in value:
            held.array_value.values.add(string_value=item)
    else:
        held.string_value = value

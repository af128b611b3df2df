"""Numbered LLM calls as a sender's OTLP requests, and a sender that sends each until it is answered."""

from __future__ import annotations

import http.client
import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.receiver.serving import post

Request = tuple[str, bytes]
"""A path, and the body that is posted there."""


def numbered_calls(numbers: Sequence[int], padding: str = "", trace_id: bytes | None = None) -> Request:
    """A request with a span for each call, "Question N." answered by "N"; two and two of one trace, or all."""
    request = ExportTraceServiceRequest()
    scope_spans = request.resource_spans.add().scope_spans.add()
    trace_ids = [os.urandom(16) for _ in range((len(numbers) + 1) // 2)]
    for position, number in enumerate(numbers):
        span = _span(trace_id or trace_ids[position // 2])
        span.attributes.extend(_content(number, padding))
        scope_spans.spans.append(span)
    return "/v1/traces", request.SerializeToString()


def call_in_a_log_event(number: int) -> tuple[Request, Request]:
    """The two requests of a call whose content stands in a log event."""
    traces, logs = ExportTraceServiceRequest(), ExportLogsServiceRequest()
    span = _span(os.urandom(16))
    traces.resource_spans.add().scope_spans.add().spans.append(span)
    logs.resource_logs.add().scope_logs.add().log_records.append(
        LogRecord(
            trace_id=span.trace_id,
            span_id=span.span_id,
            time_unix_nano=span.end_time_unix_nano,
            event_name="gen_ai.client.inference.operation.details",
            attributes=_content(number, ""),
        )
    )
    return ("/v1/traces", traces.SerializeToString()), ("/v1/logs", logs.SerializeToString())


class Sender(threading.Thread):
    """Sends calls numbered from ``first`` to a Collector, as an SDK does that never gives up, until it is stopped.

    Every fifth call has its content in a log event. ``sent`` are the numbers that were answered with success; a context
    manager.
    """

    def __init__(self, url: Callable[[], str], first: int, pause_s: float = 0.1) -> None:
        super().__init__(daemon=True)
        self.sent: list[int] = []
        self._url, self._first, self._pause_s = url, first, pause_s
        self._is_over = threading.Event()

    def run(self) -> None:
        for requests, numbers in _batches(self._first):
            for request in requests:
                send(self._url, request)
            self.sent += numbers
            if self._is_over.wait(self._pause_s):
                return

    def stop(self) -> None:
        self._is_over.set()
        self.join(240)
        assert not self.is_alive(), "it cannot get rid of its last request"

    def __enter__(self) -> Sender:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()


def send(url: Callable[[], str], request: Request, timeout_s: float = 240.0) -> None:
    """Until it is answered with success."""
    path, body = request
    end = time.monotonic() + timeout_s
    while True:
        try:
            status, _, answer = post(f"{url()}{path}", body)
        except (OSError, http.client.HTTPException):
            status, answer = 0, b"no answer"
        if status == 200:
            return
        assert status in (0, 429, 502, 503, 504), f"{status}: {answer!r}"
        assert time.monotonic() < end, f"{status}: {answer!r}"
        time.sleep(0.2)


def _batches(first: int) -> Iterator[tuple[Sequence[Request], Sequence[int]]]:
    while True:
        yield [numbered_calls(range(first, first + 4)), *call_in_a_log_event(first + 4)], range(first, first + 5)
        first += 5


def _span(trace_id: bytes) -> Span:
    now = time.time_ns()
    span = Span(trace_id=trace_id, span_id=os.urandom(8), name="chat gpt-4o-mini")
    span.start_time_unix_nano, span.end_time_unix_nano = now - 10**9, now
    span.attributes.extend(
        _attributes(
            {
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": "openai",
                "gen_ai.request.model": "gpt-4o-mini",
            }
        )
    )
    return span


def _content(number: int, padding: str) -> list[KeyValue]:
    question = {"role": "user", "parts": [{"type": "text", "content": f"Question {number}.{padding}"}]}
    answer = {"role": "assistant", "parts": [{"type": "text", "content": str(number)}], "finish_reason": "stop"}
    return _attributes(
        {"gen_ai.input.messages": json.dumps([question]), "gen_ai.output.messages": json.dumps([answer])}
    )


def _attributes(values: dict[str, str]) -> list[KeyValue]:
    made = []
    for key, value in values.items():
        attribute = KeyValue(key=key)
        attribute.value.string_value = value
        made.append(attribute)
    return made

"""OTLP, protobuf or JSON, to `Span` and `LogRecord`.

JSON is read by hand: OTLP JSON writes ids in hexadecimal where ``google.protobuf.json_format`` reads base64, and 64-bit
integers come as text or as numbers (opentelemetry-proto, docs/specification.md, "JSON Protobuf Encoding").
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

from google.protobuf.message import DecodeError as ProtobufDecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_labelstudio.bounds import (
    bounded_count,
    bounded_float,
    bounded_id,
    bounded_int,
    bounded_status_code,
    bounded_time,
)
from otel_labelstudio.errors import DecodeError
from otel_labelstudio.spans.attributes import bounded
from otel_labelstudio.spans.damaged_json import without_lone_surrogates
from otel_labelstudio.spans.model import Attributes, LogRecord, Scope, Span, SpanEvent, SpanIds

# As deep as the protobuf library reads values in values
_MAX_DEPTH = 48
_JSON_KINDS = frozenset(
    ("stringValue", "boolValue", "intValue", "doubleValue", "arrayValue", "kvlistValue", "bytesValue")
)


def count_spans(body: bytes) -> int:
    """How many spans an ``ExportTraceServiceRequest`` holds; raises `DecodeError` where the bytes are none."""
    request = ExportTraceServiceRequest()
    _parse(request, body)
    return sum(len(scope_spans.spans) for resource in request.resource_spans for scope_spans in resource.scope_spans)


def count_log_records(body: bytes) -> int:
    """How many records an ``ExportLogsServiceRequest`` holds; raises `DecodeError` where the bytes are none."""
    request = ExportLogsServiceRequest()
    _parse(request, body)
    return sum(len(scope_logs.log_records) for resource in request.resource_logs for scope_logs in resource.scope_logs)


def spans_from_protobuf(body: bytes) -> list[Span]:
    """The spans of an ``ExportTraceServiceRequest``; raises `DecodeError` where the bytes are none."""
    request = ExportTraceServiceRequest()
    _parse(request, body)
    return [
        _span(span, scope, resource)
        for resource_spans in request.resource_spans
        for resource in (_attributes(resource_spans.resource.attributes),)
        for scope_spans in resource_spans.scope_spans
        for scope in (Scope(scope_spans.scope.name, scope_spans.scope.version),)
        for span in scope_spans.spans
    ]


def spans_with_names_from_protobuf(body: bytes, prefixes: tuple[str, ...]) -> tuple[list[Span], list[SpanIds]]:
    """The spans that have an attribute or event whose name starts with one of ``prefixes``; the ids of the others.

    Most spans are thus spared their decoding; those of an instrumentation in whose bytes no prefix occurs are not even
    looked at. Raises `DecodeError`.
    """
    request = ExportTraceServiceRequest()
    _parse(request, body)
    beginnings = _shortest(prefixes)
    spans: list[Span] = []
    passed_over: list[SpanIds] = []
    for resource_spans in request.resource_spans:
        resource: Attributes | None = None
        for scope_spans in resource_spans.scope_spans:
            named, others = _parted(scope_spans, prefixes, beginnings)
            passed_over += [(_id(span.trace_id), _id(span.span_id)) for span in others]
            if named:
                resource = resource or _attributes(resource_spans.resource.attributes)
                scope = Scope(scope_spans.scope.name, scope_spans.scope.version)
                spans += [_span(span, scope, resource) for span in named]
    return spans, passed_over


def _shortest(prefixes: tuple[str, ...]) -> list[bytes]:
    """The prefixes in whose absence all are absent: ``ai.`` is a part of ``gen_ai.``."""
    return [prefix.encode() for prefix in prefixes if not any(one in prefix for one in prefixes if one != prefix)]


def _parted(scope_spans: Any, prefixes: tuple[str, ...], beginnings: list[bytes]) -> tuple[list[Any], Iterable[Any]]:
    """The spans that have such a name, and the others."""
    if not any(map(scope_spans.SerializeToString().__contains__, beginnings)):
        return [], scope_spans.spans
    named: list[Any] = []
    others: list[Any] = []
    for span in scope_spans.spans:
        (named if _has_name(span, prefixes) else others).append(span)
    return named, others


def _has_name(span: Any, prefixes: tuple[str, ...]) -> bool:
    for key_value in span.attributes:  # any() would take twice as long
        if key_value.key.startswith(prefixes):
            return True
    return any(event.name.startswith(prefixes) for event in span.events) if span.events else False


def _span(span: Any, scope: Scope, resource: Attributes) -> Span:
    return Span(
        trace_id=_id(span.trace_id),
        span_id=_id(span.span_id),
        parent_span_id=_id(span.parent_span_id),
        name=span.name,
        start_time_unix_nano=bounded_time(span.start_time_unix_nano),
        end_time_unix_nano=bounded_time(span.end_time_unix_nano),
        attributes=_attributes(span.attributes),
        events=tuple(SpanEvent(e.name, bounded_time(e.time_unix_nano), _attributes(e.attributes)) for e in span.events),
        # The other numbers are of OTLP's own types
        status_code=bounded_status_code(span.status.code),
        status_message=span.status.message,
        dropped_attributes_count=span.dropped_attributes_count,
        dropped_events_count=span.dropped_events_count,
        scope=scope,
        resource=resource,
    )


def log_records_from_protobuf(body: bytes) -> list[LogRecord]:
    """The records of an ``ExportLogsServiceRequest``; raises `DecodeError` where the bytes are none."""
    request = ExportLogsServiceRequest()
    _parse(request, body)
    return [
        LogRecord(
            trace_id=_id(record.trace_id),
            span_id=_id(record.span_id),
            time_unix_nano=bounded_time(record.time_unix_nano or record.observed_time_unix_nano),
            event_name=record.event_name,
            body=_value(record.body),
            attributes=_attributes(record.attributes),
            dropped_attributes_count=record.dropped_attributes_count,
            scope=scope,
            resource=resource,
        )
        for resource_logs in request.resource_logs
        for resource in (_attributes(resource_logs.resource.attributes),)
        for scope_logs in resource_logs.scope_logs
        for scope in (Scope(scope_logs.scope.name, scope_logs.scope.version),)
        for record in scope_logs.log_records
    ]


def from_json(text: str | bytes) -> tuple[list[Span], list[LogRecord]]:
    """Spans and log records of one OTLP JSON object: a traces request, a logs request, or both in one.

    Raises `DecodeError`, which names the path of the value that is not OTLP.
    """
    request = _json_request(text)
    if request and not request.keys() & {"resourceSpans", "resourceLogs"}:
        raise DecodeError("an object without resourceSpans or resourceLogs is not OTLP JSON")
    with _json_errors():
        return list(_json_spans(request)), list(_json_log_records(request))


def spans_from_json(text: str | bytes, at_most: int | None = None) -> list[Span]:
    """The spans of an ``ExportTraceServiceRequest`` in JSON, or the first of them; unknown fields are ignored. Raises
    `DecodeError`."""
    request = _json_request(text)
    with _json_errors():
        return list(islice(_json_spans(request), at_most))


def log_records_from_json(text: str | bytes, at_most: int | None = None) -> list[LogRecord]:
    """The records of an ``ExportLogsServiceRequest`` in JSON, or the first of them; unknown fields are ignored. Raises
    `DecodeError`."""
    request = _json_request(text)
    with _json_errors():
        return list(islice(_json_log_records(request), at_most))


def _json_request(text: str | bytes) -> Mapping[str, Any]:
    try:
        request = json.loads(text)
        # JSON can write half of a surrogate pair, which no encoder takes afterwards
        request = without_lone_surrogates(request) if _holds_surrogates(text) else request
    except (ValueError, RecursionError) as error:
        raise DecodeError(f"not JSON: {type(error).__name__}") from None
    if not isinstance(request, Mapping):
        raise DecodeError("OTLP JSON is an object with resourceSpans or resourceLogs")
    return request


@contextmanager
def _json_errors() -> Iterator[None]:
    try:
        yield
    except (TypeError, ValueError, AttributeError, KeyError, RecursionError, OverflowError) as error:
        raise DecodeError(f"not OTLP JSON: {type(error).__name__}") from None


def _holds_surrogates(text: str | bytes) -> bool:
    if isinstance(text, bytes):
        return b"\\ud" in text or b"\\uD" in text
    return "\\ud" in text or "\\uD" in text


def _parse(request: ExportTraceServiceRequest | ExportLogsServiceRequest, body: bytes) -> None:
    try:
        request.ParseFromString(body)
    except ProtobufDecodeError:
        raise DecodeError(f"not a protobuf {type(request).__name__}") from None


def _id(span_or_trace: bytes) -> str:
    return bounded_id(span_or_trace.hex())


def _attributes(key_values: Iterable[Any]) -> dict[str, Any]:
    return {kv.key: _value(kv.value) for kv in key_values}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "string_value":
        return value.string_value
    if kind is None:
        return None
    if kind == "double_value":
        return bounded_float(value.double_value)
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return _attributes(value.kvlist_value.values)
    if kind == "bytes_value":
        return base64.b64encode(value.bytes_value).decode()
    return getattr(value, kind)


def _json_spans(request: Mapping[str, Any]) -> Iterator[Span]:
    for resource_spans in _list(request, "resourceSpans"):
        resource = _json_attributes((resource_spans.get("resource") or {}).get("attributes"))
        for scope_spans in _list(resource_spans, "scopeSpans"):
            scope = _json_scope(scope_spans)
            for span in _list(scope_spans, "spans"):
                status = span.get("status") or {}
                yield Span(
                    trace_id=_hex(span, "traceId"),
                    span_id=_hex(span, "spanId"),
                    parent_span_id=_hex(span, "parentSpanId"),
                    name=str(span.get("name") or ""),
                    start_time_unix_nano=_json_time(span, "startTimeUnixNano"),
                    end_time_unix_nano=_json_time(span, "endTimeUnixNano"),
                    attributes=_json_attributes(span.get("attributes")),
                    events=tuple(
                        SpanEvent(
                            str(event.get("name") or ""),
                            _json_time(event, "timeUnixNano"),
                            _json_attributes(event.get("attributes")),
                        )
                        for event in _list(span, "events")
                    ),
                    status_code=bounded_status_code(int(status.get("code") or 0)),
                    status_message=str(status.get("message") or ""),
                    dropped_attributes_count=_json_count(span, "droppedAttributesCount"),
                    dropped_events_count=_json_count(span, "droppedEventsCount"),
                    scope=scope,
                    resource=resource,
                )


def _json_log_records(request: Mapping[str, Any]) -> Iterator[LogRecord]:
    for resource_logs in _list(request, "resourceLogs"):
        resource = _json_attributes((resource_logs.get("resource") or {}).get("attributes"))
        for scope_logs in _list(resource_logs, "scopeLogs"):
            scope = _json_scope(scope_logs)
            for record in _list(scope_logs, "logRecords"):
                yield LogRecord(
                    trace_id=_hex(record, "traceId"),
                    span_id=_hex(record, "spanId"),
                    time_unix_nano=_json_time(record, "timeUnixNano") or _json_time(record, "observedTimeUnixNano"),
                    event_name=str(record.get("eventName") or ""),
                    body=_json_value(record.get("body")),
                    attributes=_json_attributes(record.get("attributes")),
                    dropped_attributes_count=_json_count(record, "droppedAttributesCount"),
                    scope=scope,
                    resource=resource,
                )


def _list(parent: Mapping[str, Any], name: str) -> Sequence[Mapping[str, Any]]:
    items = parent.get(name) or ()
    if not isinstance(items, list | tuple):
        raise TypeError(name)
    return items


def _hex(parent: Mapping[str, Any], name: str) -> str:
    return _id(bytes.fromhex(parent.get(name) or ""))


def _json_time(parent: Mapping[str, Any], name: str) -> int:
    return bounded_time(int(parent.get(name) or 0))


def _json_count(parent: Mapping[str, Any], name: str) -> int:
    return bounded_count(int(parent.get(name) or 0))


def _json_scope(parent: Mapping[str, Any]) -> Scope:
    scope = parent.get("scope") or {}
    return Scope(str(scope.get("name") or ""), str(scope.get("version") or ""))


def _json_attributes(key_values: Any, depth: int = 0) -> Attributes:
    return {str(kv["key"]): _json_value(kv.get("value"), depth) for kv in key_values or ()}


def _json_value(value: Any, depth: int = 0) -> Any:
    if not value:
        return None
    if depth > _MAX_DEPTH:
        raise ValueError("nested too deeply")
    # A kind that a newer version has added is no value, as in protobuf
    known: tuple[str, Any] = next((item for item in value.items() if item[0] in _JSON_KINDS), ("", None))
    kind, held = known
    if kind == "arrayValue":
        return [_json_value(item, depth + 1) for item in (held or {}).get("values") or ()]
    if kind == "kvlistValue":
        return _json_attributes((held or {}).get("values"), depth + 1)
    if kind == "intValue":
        return bounded_int(int(held))
    if kind == "doubleValue":
        return bounded_float(float(held))
    return held if isinstance(held, str | bool) else bounded(held, _MAX_DEPTH - depth)

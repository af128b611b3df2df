"""An SDK ``ReadableSpan`` to `Span`, equal to what the same span gives after a way over OTLP.

The SDK checks little: ids and times may be any integers, texts may hold halves of surrogate pairs, values may be nested
without end. None of these is worth the span.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from otel_labelstudio.bounds import (
    bounded_count,
    bounded_float,
    bounded_id,
    bounded_int,
    bounded_status_code,
    bounded_time,
)
from otel_labelstudio.spans.attributes import bounded
from otel_labelstudio.spans.damaged_json import without_lone_surrogates
from otel_labelstudio.spans.model import Attributes, LogRecord, Scope, Span, SpanEvent

if TYPE_CHECKING:
    from opentelemetry.sdk._logs import ReadableLogRecord

_Given = TypeVar("_Given")
_Decoded = TypeVar("_Decoded")

_TRACE_ID_DIGITS, _SPAN_ID_DIGITS = 32, 16
# As deep as OTLP carries values in values
_MAX_DEPTH = 47


def decoded_each(
    items: Iterable[_Given], decode: Callable[[_Given], _Decoded], on_fault: Callable[[Exception], None]
) -> Iterator[_Decoded]:
    """What can be decoded of a batch. ``on_fault`` is told of each item that cannot: objects of somebody's own."""
    for item in items:
        try:
            decoded = decode(item)
        except Exception as error:  # noqa: PERF203 - each by itself
            on_fault(error)
        else:
            yield decoded


def span_from_sdk(span: ReadableSpan) -> Span:
    """The finished span as a `Span`; nothing of the SDK's is kept, so that the application may go on using it."""
    context = span.get_span_context()
    return Span(
        trace_id=_id(context.trace_id, _TRACE_ID_DIGITS) if context else "",
        span_id=_id(context.span_id, _SPAN_ID_DIGITS) if context else "",
        parent_span_id=_id(span.parent.span_id, _SPAN_ID_DIGITS) if span.parent else "",
        name=_text(span.name),
        start_time_unix_nano=bounded_time(span.start_time or 0),
        end_time_unix_nano=bounded_time(span.end_time or 0),
        attributes=_attributes(span.attributes),
        events=tuple(
            SpanEvent(_text(e.name), bounded_time(e.timestamp or 0), _attributes(e.attributes)) for e in span.events
        ),
        # The SDK's StatusCode has OTLP's numbers
        status_code=bounded_status_code(span.status.status_code.value),
        status_message=_text(span.status.description),
        dropped_attributes_count=bounded_count(span.dropped_attributes),
        dropped_events_count=bounded_count(span.dropped_events),
        scope=_scope(span.instrumentation_scope),
        resource=_attributes(span.resource.attributes),
    )


def log_record_from_sdk(readable: ReadableLogRecord) -> LogRecord:
    """The log record as a `LogRecord`."""
    record = readable.log_record
    return LogRecord(
        trace_id=_id(record.trace_id, _TRACE_ID_DIGITS) if record.trace_id else "",
        span_id=_id(record.span_id, _SPAN_ID_DIGITS) if record.span_id else "",
        time_unix_nano=bounded_time(record.timestamp or 0) or bounded_time(record.observed_timestamp or 0),
        event_name=_text(record.event_name),
        body=_value(record.body),
        attributes=_attributes(record.attributes),
        dropped_attributes_count=bounded_count(readable.dropped_attributes),
        scope=_scope(readable.instrumentation_scope),
        resource=_attributes(readable.resource.attributes),
    )


def _id(number: int, digits: int) -> str:
    """A negative one cannot be written in hexadecimal: there is none then."""
    return bounded_id(f"{number:0{digits}x}") if number >= 0 else ""


def _scope(scope: InstrumentationScope | None) -> Scope:
    return Scope(_text(scope.name), _text(scope.version)) if scope else Scope()


def _attributes(attributes: Mapping[str, Any] | None) -> Attributes:
    return {_text(key): _value(value) for key, value in (attributes or {}).items()}


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else "" if value is None else str(value)
    return text if text.isascii() else str(without_lone_surrogates(text))


def _value(value: Any, depth: int = 0) -> Any:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return bounded_int(value)
    if isinstance(value, float):
        return bounded_float(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Mapping | Sequence):
        return _inside(value, depth + 1) if depth < _MAX_DEPTH else bounded(value, 0)
    return _text(value)  # as newer SDKs do when the attribute is set


def _inside(values: Mapping[Any, Any] | Sequence[Any], depth: int) -> Any:
    if isinstance(values, Mapping):
        return {_text(key): _value(item, depth) for key, item in values.items()}
    return [_value(item, depth) for item in values]

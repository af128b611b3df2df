"""Spans and log records as this package sees them, whichever door they came through.

An SDK ``ReadableSpan``, OTLP protobuf and OTLP JSON of the same telemetry give equal records. Attribute values are JSON
values: text, bool, int, float, None, lists and dicts; bytes are base64 text, as in OTLP JSON.

Every number and id is in a range that later stages can hold (`bounds` says what becomes of others): times are 0, which
is unknown, to the end of 2261; counts have 32 bits, integers in attributes 64; floats are finite; ids have 64 digits at
the most. Ids are not promised to be valid: they may be empty, all zeros, or of another length than 32 and 16 digits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Attributes: TypeAlias = Mapping[str, Any]
# Trace id and span id
SpanIds: TypeAlias = tuple[str, str]

# opentelemetry/proto/trace/v1/trace.proto, Status.StatusCode
STATUS_CODE_UNSET, STATUS_CODE_OK, STATUS_CODE_ERROR = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Scope:
    """The instrumentation scope: the library that wrote the span or record."""

    name: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class SpanEvent:
    """Something that happened during a span, at ``time_unix_nano``."""

    name: str
    time_unix_nano: int = 0
    attributes: Attributes = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A finished span; ids are lower-case hexadecimal, ``parent_span_id`` is empty for a root."""

    trace_id: str
    span_id: str
    parent_span_id: str = ""
    name: str = ""
    start_time_unix_nano: int = 0
    end_time_unix_nano: int = 0
    attributes: Attributes = field(default_factory=dict)
    events: tuple[SpanEvent, ...] = ()
    status_code: int = STATUS_CODE_UNSET
    status_message: str = ""
    dropped_attributes_count: int = 0
    dropped_events_count: int = 0
    scope: Scope = Scope()
    resource: Attributes = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRecord:
    """A log record; an event is one with an ``event_name``. The ids are empty where it belongs to no span."""

    trace_id: str = ""
    span_id: str = ""
    time_unix_nano: int = 0
    event_name: str = ""
    body: Any = None
    attributes: Attributes = field(default_factory=dict)
    dropped_attributes_count: int = 0
    scope: Scope = Scope()
    resource: Attributes = field(default_factory=dict)


def service_of(telemetry: Span | LogRecord) -> str:
    """The name of the service that it is from; empty where its resource names none."""
    return str(telemetry.resource.get("service.name") or "")

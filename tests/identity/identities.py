"""A generator of calls with all kinds of trace and span ids, as spans and as log records, for every door."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from opentelemetry._logs import LogRecord
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext

from otel_labelstudio.calls import LLMCall
from otel_labelstudio.spans import model as spans
from tests.hostile import otlp_json
from tests.hostile.oddities import NOW_NS

_SECOND_NS = 10**9
_WHOLE_CALL = "gen_ai.client.inference.operation.details"
_MARKER = re.compile(r"Call-(\d+)")


class Form(Enum):
    """How a call is told of."""

    SPAN = "span"
    WHOLE_RECORD = "a record of the whole call"
    DIALOGUE = "a record a message"


class Ids(Enum):
    """What ids it has."""

    OWN = "valid, of its own"
    EMPTY = "empty"
    ZERO = "all zero"
    NO_SPAN = "a trace, but no span"
    SHORT = "too short"
    LONG = "too long"
    HUGE = "of 60,000 digits"
    SHORT_SHARED = "too short, of all calls"
    SHARED = "valid, of all calls"


@dataclass(frozen=True, slots=True)
class Told:
    """A call, numbered, which begins ``number`` times two seconds after a fixed time, and lasts for one."""

    number: int
    form: Form
    ids: Ids
    trace_id: str
    span_id: str

    @property
    def marker(self) -> str:
        return f"Call-{self.number}"

    @property
    def start_time_unix_nano(self) -> int:
        return NOW_NS + 2 * self.number * _SECOND_NS


def generated(seed: int, rounds: int, ids: Sequence[Ids] = tuple(Ids)) -> list[list[Told]]:
    """In each round one call of each form with each kind of ids, in a random order."""
    chance = random.Random(seed)
    numbers = iter(range(1, 10**6))
    shared = {form: (f"{chance.getrandbits(128):032x}", f"{chance.getrandbits(64):016x}") for form in Form}
    made = []
    for _ in range(rounds):
        told = [Told(next(numbers), form, kind, *_ids(kind, chance, shared[form])) for form in Form for kind in ids]
        chance.shuffle(told)
        made.append(told)
    return made


def _ids(kind: Ids, chance: random.Random, shared: tuple[str, str]) -> tuple[str, str]:
    def digits(count: int) -> str:
        return f"{chance.getrandbits(4 * count) | 1 << 4 * count - 1:0{count}x}"

    return {
        Ids.OWN: (digits(32), digits(16)),
        Ids.EMPTY: ("", ""),
        Ids.ZERO: ("0" * 32, "0" * 16),
        Ids.NO_SPAN: (shared[0], ""),
        Ids.SHORT: (digits(16), digits(4)),
        Ids.LONG: (digits(48), digits(32)),
        Ids.HUGE: (digits(60_000), digits(60_000)),
        Ids.SHORT_SHARED: (shared[0][:8], shared[1][:4]),
        Ids.SHARED: shared,
    }[kind]


def number_of(call: LLMCall) -> int:
    """The one number that a call speaks of."""
    (number,) = set(_MARKER.findall(json.dumps(call.to_dict())))
    return int(number)


def otlp(told: Told) -> tuple[str, dict[str, Any]]:
    """The signal and its request in OTLP JSON."""
    ids: dict[str, Any] = {"traceId": told.trace_id, "spanId": told.span_id}
    if told.form is Form.SPAN:
        start = told.start_time_unix_nano
        times: dict[str, Any] = {"startTimeUnixNano": str(start), "endTimeUnixNano": str(start + _SECOND_NS)}
        return "traces", otlp_json.traces(otlp_json.chat(told.marker, **ids, **times))
    records = [
        otlp_json.record(told.marker, event, attributes, **ids, timeUnixNano=str(at), body=otlp_json.any_value(body))
        for event, attributes, body, at in _records(told)
    ]
    return "logs", otlp_json.logs(*records)


def otlp_request(telemetry: spans.Span | spans.LogRecord) -> dict[str, Any]:
    """A span or log record as a request in OTLP JSON."""
    one: dict[str, Any] = {
        "traceId": telemetry.trace_id,
        "spanId": telemetry.span_id,
        "attributes": otlp_json.key_values(dict(telemetry.attributes)),
    }
    owner = {
        "resource": {"attributes": otlp_json.key_values(dict(telemetry.resource))},
        "scope": {"name": telemetry.scope.name, "version": telemetry.scope.version},
    }
    if isinstance(telemetry, spans.Span):
        times = {"startTimeUnixNano": telemetry.start_time_unix_nano, "endTimeUnixNano": telemetry.end_time_unix_nano}
        scope = {"scope": owner["scope"], "spans": [{**one, **times, "name": telemetry.name}]}
        return {"resourceSpans": [{"resource": owner["resource"], "scopeSpans": [scope]}]}
    written = {"timeUnixNano": telemetry.time_unix_nano, "eventName": telemetry.event_name}
    scope = {"scope": owner["scope"], "logRecords": [{**one, **written, "body": otlp_json.any_value(telemetry.body)}]}
    return {"resourceLogs": [{"resource": owner["resource"], "scopeLogs": [scope]}]}


def sdk_span(told: Told) -> ReadableSpan:
    """As a tracer hands it to an exporter; the SDK's ids are numbers, and none is no context."""
    start = told.start_time_unix_nano
    context = SpanContext(int(told.trace_id or "0", 16), int(told.span_id or "0", 16), is_remote=False)
    return ReadableSpan(
        "chat gpt-4o",
        context=context if told.trace_id else None,
        attributes=otlp_json.chat_attributes(told.marker),
        resource=_resource(),
        instrumentation_scope=_scope(),
        start_time=start,
        end_time=start + _SECOND_NS,
    )


def sdk_records(told: Told) -> list[ReadableLogRecord]:
    made = []
    for event, attributes, body, at in _records(told):
        record = LogRecord(timestamp=at, event_name=event, body=body, attributes=attributes)
        record.trace_id, record.span_id = int(told.trace_id or "0", 16), int(told.span_id or "0", 16)
        made.append(ReadableLogRecord(record, _resource(), _scope()))
    return made


def _records(told: Told) -> Iterator[tuple[str, dict[str, Any], Any, int]]:
    """Event, attributes, body and time."""
    at = told.start_time_unix_nano
    if told.form is Form.WHOLE_RECORD:
        yield _WHOLE_CALL, otlp_json.chat_attributes(told.marker), None, at
    else:
        message = {"role": "assistant", "content": told.marker}
        yield "gen_ai.user.message", {}, {"content": f"{told.marker}?"}, at
        yield "gen_ai.choice", {}, {"index": 0, "finish_reason": "stop", "message": message}, at + _SECOND_NS


def _resource() -> Resource:
    return Resource({"service.name": "shop"})


def _scope() -> InstrumentationScope:
    return InstrumentationScope(otlp_json.SCOPE, "1")

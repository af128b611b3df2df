"""Numbers and ids beyond what later stages can hold, through every door that can carry them."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry._logs import LogRecord as SdkLogRecord
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext

from otel_labelstudio.bounds import (
    MAX_COUNT,
    MAX_ID_LENGTH,
    MAX_INT,
    MAX_TIME_UNIX_NANO,
    bounded_count,
    bounded_float,
    bounded_id,
    bounded_int,
    bounded_time,
)
from otel_labelstudio.spans.from_otlp import from_json, spans_from_protobuf, spans_with_names_from_protobuf
from otel_labelstudio.spans.from_sdk import decoded_each, log_record_from_sdk, span_from_sdk
from otel_labelstudio.spans.model import Span
from tests.spans.doors import log_records_through_json, log_records_through_protobuf, through_json, through_protobuf

NAN, INFINITY = float("nan"), float("inf")
# On both sides of each limit, and far beyond
INTEGERS = (0, 1, -1, 2**31, 2**32, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1, 10**400)
UINT64S = tuple(number for number in INTEGERS if 0 <= number < 2**64)


def sdk_span(start: Any = 1, end: Any = 2, dropped: int = 0, **attributes: Any) -> ReadableSpan:
    held = BoundedAttributes(attributes=None, immutable=False)
    held._dict.update(attributes)  # what an instrumentation has put there past the SDK's checks
    held.dropped = dropped
    return ReadableSpan(
        name="chat",
        context=SpanContext(1, 2, is_remote=False),
        parent=SpanContext(1, 3, is_remote=False),
        resource=Resource({"service.name": "shop"}),
        attributes=held,
        events=[Event("gen_ai.choice", {"index": 0}, end)],
        start_time=start,
        end_time=end,
        instrumentation_scope=InstrumentationScope("scope", "1"),
    )


def json_span(**fields: Any) -> Span:
    ((span,), _) = from_json(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [fields]}]}]}))
    return span


def json_value(value: Any) -> Any:
    return json_span(attributes=[{"key": "v", "value": value}]).attributes["v"]


@given(st.integers() | st.floats())
def test_times_and_counts_have_a_nearest_bound(number: float) -> None:
    """Whatever it is, the result is in the range, and what is in the range already stays what it is."""
    for bounded, maximum in ((bounded_time, MAX_TIME_UNIX_NANO), (bounded_count, MAX_COUNT)):
        found = bounded(number)
        assert type(found) is int
        assert 0 <= found <= maximum
        if isinstance(number, int) and 0 <= number <= maximum:
            assert found == number
        elif not math.isnan(number):
            assert found == (maximum if number > maximum else int(max(0, number)))


def test_what_is_done_with_times_later_can_be_done_with_the_last_one() -> None:
    """It is a date, it has room for slack, and SQLite stores the sum."""
    assert datetime.fromtimestamp(MAX_TIME_UNIX_NANO / 1e9, timezone.utc) == datetime(2262, 1, 1, tzinfo=timezone.utc)
    hundred_days_ns = 100 * 86_400 * 10**9
    with closing(sqlite3.connect(":memory:")) as db:
        (stored,) = db.execute("SELECT ?", (MAX_TIME_UNIX_NANO + hundred_days_ns,)).fetchone()
    assert stored == MAX_TIME_UNIX_NANO + hundred_days_ns


@given(st.integers())
def test_an_integer_that_is_too_large_keeps_its_digits(number: int) -> None:
    """Of two large ids, each stays its own; both can be written as JSON."""
    bounded = bounded_int(number)
    assert int(bounded) == number
    assert (type(bounded) is int) == (-(2**63) <= number <= MAX_INT)


def test_the_largest_integers_are_text_too() -> None:
    """Python writes no decimal of more than 4,300 digits, and raises where JSON is to be written."""
    assert bounded_int(10**6000) == hex(10**6000)
    assert bounded_int(-(10**6000)) == hex(-(10**6000))


@pytest.mark.parametrize(("number", "text"), [(NAN, "NaN"), (INFINITY, "Infinity"), (-INFINITY, "-Infinity")])
def test_what_is_no_number_in_json_is_otlp_jsons_text(number: float, text: str) -> None:
    """So that a call that holds it can be compared with itself, and stored."""
    assert bounded_float(number) == text
    assert json_value({"doubleValue": text}) == text
    assert json_value({"doubleValue": 0.5}) == 0.5


def test_long_ids_become_short_ones_and_stay_different() -> None:
    """An id of the wrong length is still its sender's id; one of 60,000 digits cannot become a key."""
    assert [bounded_id(digits) for digits in ("", "0" * 16, "ab" * 16, "ab" * 32)] == [
        *("", "0" * 16, "ab" * 16, "ab" * 32),
    ]
    long = [bounded_id("ab" * length) for length in (33, 34, 30_000)]
    assert len(set(long)) == 3
    assert {len(digits) for digits in long} == {MAX_ID_LENGTH}
    for door in (spans_from_protobuf, lambda body: spans_with_names_from_protobuf(body, ("gen_ai.",))[1]):
        (found,) = door(request_with_long_ids())
        ids = (found.trace_id, found.span_id) if isinstance(found, Span) else found
        assert ids == (bounded_id("ab" * 30_000), bounded_id("cd" * 100))
    span = json_span(traceId="AB" * 30_000, spanId="CD" * 100)
    assert (span.trace_id, span.span_id) == ids


def request_with_long_ids() -> bytes:
    request = ExportTraceServiceRequest()
    request.resource_spans.add().scope_spans.add().spans.add(trace_id=b"\xab" * 30_000, span_id=b"\xcd" * 100)
    return request.SerializeToString()


@pytest.mark.parametrize("start", UINT64S)
@pytest.mark.parametrize("end", UINT64S)
def test_the_doors_agree_on_times_that_otlp_can_carry(start: int, end: int) -> None:
    """SDK, protobuf and JSON: of spans, of events and of log records."""
    spans = [sdk_span(start, end)]
    (span,) = map(span_from_sdk, spans)
    assert through_protobuf(spans) == through_json(spans) == [span]
    assert (span.start_time_unix_nano, span.end_time_unix_nano) == (bounded_time(start), bounded_time(end))
    assert span.events[0].time_unix_nano == bounded_time(end)
    records = [ReadableLogRecord(SdkLogRecord(timestamp=start, observed_timestamp=end, body="b"), Resource({}))]
    (record,) = map(log_record_from_sdk, records)
    assert log_records_through_protobuf(records) == log_records_through_json(records) == [record]
    assert record.time_unix_nano == bounded_time(start or end)


@pytest.mark.parametrize("number", INTEGERS)
def test_sdk_and_json_agree_on_what_protobuf_cannot_carry(number: int) -> None:
    """Negative times, and integers of any size: as times, as counts, in attributes and below them."""
    from_sdk = span_from_sdk(sdk_span(number, number, number, v=number, deep=[{"v": [number]}]))
    integer = {"intValue": str(number)}
    from_otlp = json_span(
        startTimeUnixNano=str(number), endTimeUnixNano=number, droppedAttributesCount=number, droppedEventsCount=number
    )
    assert from_sdk.start_time_unix_nano == from_otlp.start_time_unix_nano == bounded_time(number)
    assert from_sdk.end_time_unix_nano == from_otlp.end_time_unix_nano == bounded_time(number)
    assert from_sdk.dropped_attributes_count == from_otlp.dropped_attributes_count == bounded_count(number)
    assert from_otlp.dropped_events_count == bounded_count(number)
    assert from_sdk.attributes["v"] == json_value(integer) == bounded_int(number)
    assert from_sdk.attributes["deep"] == [{"v": [bounded_int(number)]}]


def test_the_doors_agree_on_values_that_otlp_can_carry() -> None:
    """The ends of 64 bits, doubles that are no numbers, NUL, control characters, and 47 lists within each other."""
    deep: Any = 1
    for _ in range(47):
        deep = [deep]
    spans = [
        sdk_span(
            ints=[2**63 - 1, -(2**63)],
            doubles=[NAN, INFINITY, -INFINITY, 1e308, 5e-324],
            text="\x00\x1b[31m\x7f\x9b\u202e",
            deep=deep,
        )
    ]
    decoded = [span_from_sdk(span) for span in spans]
    assert through_protobuf(spans) == through_json(spans) == decoded
    assert decoded[0].attributes["doubles"] == ["NaN", "Infinity", "-Infinity", 1e308, 5e-324]
    assert json.dumps(decoded[0].attributes["deep"]).count("[") == 47


def test_deeper_values_are_text_below() -> None:
    """The OTLP doors refuse them; in an application, values nested without end must not cost the span."""
    deep: list[Any] = []
    deep.append(deep)
    span = span_from_sdk(sdk_span(deep=deep))
    assert len(json.dumps(span.attributes)) < 1000


@pytest.mark.parametrize("code", [-1, 3, 2**31 - 1, 2**70])
def test_status_codes_that_otlp_does_not_have_are_unset(code: int) -> None:
    """A newer version's, or garbage."""
    assert json_span(status={"code": code}).status_code == 0
    assert [json_span(status={"code": known}).status_code for known in (0, 1, 2)] == [0, 1, 2]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"stringValue": 10**400}, str(10**400)),
        ({"stringValue": {"a": [10**400, float("inf")]}}, {"a": [str(10**400), "Infinity"]}),
        ({"boolValue": "true"}, "true"),
        ({"stringValueOfTheFuture": [[[]]]}, None),
        ({"comment": 1, "intValue": "7"}, 7),
    ],
)
def test_values_of_the_wrong_kind_are_in_range_too(value: Any, said: Any) -> None:
    """What stands under another kind is what it is; a kind that a newer version added is no value, as in protobuf."""
    assert json_value(value) == said


def test_sdk_ids_that_are_no_ids() -> None:
    """The SDK does not check them: too large, negative, zero."""

    def ids(trace_id: int, span_id: int) -> tuple[str, str]:
        span = span_from_sdk(ReadableSpan("s", context=SpanContext(trace_id, span_id, is_remote=False)))
        return span.trace_id, span.span_id

    assert ids(0, 0) == ("0" * 32, "0" * 16)
    assert ids(-1, -(2**64)) == ("", "")
    assert ids(16**60_000, 16**16) == (bounded_id("1" + "0" * 60_000), "1" + "0" * 16)


def test_names_hold_no_halves_of_surrogate_pairs() -> None:
    """Wherever text stands, not in values alone."""
    span = span_from_sdk(
        ReadableSpan(
            "\ud800",
            attributes={"\ud800": "v"},
            events=[Event("\ud800", {"\ud800": 1})],
            instrumentation_scope=InstrumentationScope("\ud800", "\ud800"),
        )
    )
    for name in (span.name, *span.attributes, span.events[0].name, *span.events[0].attributes, span.scope.name):
        assert name == "\ufffd"


@pytest.mark.parametrize(
    "broken", [sdk_span(start="yesterday"), sdk_span(v=type("Odd", (), {"__str__": None})()), None]
)
def test_what_cannot_be_decoded_costs_itself_alone(broken: Any) -> None:
    """Objects of somebody's own, which raise when they are looked at."""
    good: Callable[[int], ReadableSpan] = lambda number: sdk_span(number, v="good")  # noqa: E731
    faults: list[Exception] = []
    decoded = list(decoded_each([good(1), broken, good(2)], span_from_sdk, faults.append))
    assert [span.start_time_unix_nano for span in decoded] == [1, 2]
    assert len(faults) == 1

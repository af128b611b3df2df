"""A span through the SDK, through OTLP protobuf and through OTLP JSON is one and the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.util import BoundedList
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, Status, StatusCode

from otel_labelstudio.dialects import NAME_PREFIXES, Skip, SkipReason, read
from otel_labelstudio.spans.from_otlp import from_json, spans_from_protobuf, spans_with_names_from_protobuf
from otel_labelstudio.spans.from_sdk import span_from_sdk
from otel_labelstudio.spans.model import Span
from tests.spans.doors import through_json, through_protobuf

MESSAGES = [
    {"role": "user", "parts": [{"type": "text", "content": "Grüße, 東京 \U0001f600 <b>&amp;\n\ttab"}]},
    {"role": "assistant", "parts": [{"type": "tool_call", "name": "f", "arguments": {"n": 1, "x": 0.5, "deep": [[]]}}]},
]


def with_node_numbers(value: Any) -> Any:
    """OTLP JSON as Node writes it: 64-bit integers as numbers, not as text."""
    if isinstance(value, dict):
        return {k: int(v) if k == "intValue" else with_node_numbers(v) for k, v in value.items()}
    return [with_node_numbers(item) for item in value] if isinstance(value, list) else value


@pytest.fixture
def recorded() -> list[ReadableSpan]:
    """Finished spans that use all that a span can hold."""
    memory = InMemorySpanExporter()
    provider = TracerProvider(
        resource=Resource({"service.name": "shop", "process.command_args": ["python", "-m", "shop"], "n": 7}),
        span_limits=SpanLimits(max_attributes=12, max_events=2),
    )
    provider.add_span_processor(SimpleSpanProcessor(memory))
    tracer = provider.get_tracer("my.instrumentation", "1.2.3")
    with tracer.start_as_current_span("chat gpt-4o") as parent:
        parent.set_attributes(
            {
                "gen_ai.operation.name": "chat",
                "gen_ai.request.model": "gpt-4o",
                "gen_ai.input.messages": json.dumps(MESSAGES),
                "gen_ai.output.messages": json.dumps(
                    [{"role": "assistant", "parts": [{"type": "text", "content": "Hi"}]}]
                ),
                "gen_ai.usage.input_tokens": 2**53 + 1,
                "gen_ai.request.temperature": 0.1,
                "gen_ai.request.stream": True,
                "gen_ai.response.finish_reasons": ["stop", "length"],
                "flags": [True, False],
                "shares": [0.5, 1.0],
                "nothing": [],
                "empty": "",
            }
        )
        parent.add_event("gen_ai.choice", {"index": 0, "message": '{"content": "Hi"}'})
        parent.set_status(Status(StatusCode.ERROR, "it broke"))
        with tracer.start_as_current_span("inner", kind=trace.SpanKind.CLIENT) as inner:
            for number in range(20):
                inner.set_attribute(f"many.{number}", number)
                inner.add_event(f"event {number}")
            inner.set_status(StatusCode.OK)
    provider.get_tracer("").start_span("no scope").end()
    structured = _structured(memory.get_finished_spans()[-1])
    return [*memory.get_finished_spans(), structured]


def _structured(like: ReadableSpan) -> ReadableSpan:
    """Values that only newer SDKs let in: maps, maps in lists, null, bytes."""
    return ReadableSpan(
        name="structured",
        context=like.get_span_context(),
        resource=like.resource,
        attributes={
            "gen_ai.operation.name": "chat",
            "gen_ai.input.messages": MESSAGES,  # type: ignore[dict-item]
            "gen_ai.output.messages": [{"role": "assistant", "parts": [{"type": "text", "content": "Hi", "x": None}]}],
            "bytes": b"\x00\xff",
            "mixed": [1, "two", None, 3.5, True, {"deep": [b"\x01"]}],
        },
        instrumentation_scope=InstrumentationScope("structured", None),
        start_time=1,
        end_time=2,
    )


def test_the_doors_agree_on_all_that_a_span_can_hold(recorded: list[ReadableSpan]) -> None:
    """Ids, times, names, status, scope, resource, attributes of every type, events, what was dropped."""
    through_sdk = [span_from_sdk(span) for span in recorded]
    assert len(through_sdk) == 4
    assert {span.dropped_attributes_count for span in through_sdk} == {0, 8}
    assert sorted(through_protobuf(recorded), key=repr) == sorted(through_sdk, key=repr)
    assert sorted(through_json(recorded), key=repr) == sorted(through_sdk, key=repr)
    types = [{key: type(value) for key, value in span.attributes.items()} for span in through_sdk]
    for door in (through_protobuf, through_json):
        by_name = {span.name: span for span in door(recorded)}
        assert [{k: type(v) for k, v in by_name[span.name].attributes.items()} for span in through_sdk] == types


def test_what_no_encoder_takes_is_mended_at_the_door() -> None:
    """Half of a surrogate pair, from a text that was cut within a character, and values of foreign types."""
    span = ReadableSpan(
        name="cut",
        context=SpanContext(1, 2, is_remote=False),
        attributes={"text": "cut \ud83d", "nested": ["\ude00"], "path": Path("/srv")},  # type: ignore[dict-item]
    )
    attributes = span_from_sdk(span).attributes
    assert attributes == {"text": "cut \ufffd", "nested": ["\ufffd"], "path": "/srv"}
    key_values = '[{"key": "text", "value": {"stringValue": "cut \\ud83d"}}]'
    (from_otlp,) = from_json(
        f'{{"resourceSpans": [{{"scopeSpans": [{{"spans": [{{"attributes": {key_values}}}]}}]}}]}}'
    )[0]
    assert from_otlp.attributes == {"text": "cut \ufffd"}


def test_json_with_numbers_for_integers_is_the_same() -> None:
    """Node's exporter writes intValue as a number and times as text."""
    key_values = [{"key": "n", "value": {"intValue": "7"}}, {"key": "l", "value": {"arrayValue": {"values": []}}}]
    record = {
        "resourceSpans": [
            {
                "scopeSpans": [
                    {"spans": [{"traceId": "AB" * 16, "spanId": "CD" * 8, "name": "a", "attributes": key_values}]}
                ]
            }
        ]
    }
    assert from_json(json.dumps(with_node_numbers(record))) == from_json(json.dumps(record))
    (span,) = from_json(json.dumps(record))[0]
    assert (span.trace_id, span.attributes) == ("ab" * 16, {"n": 7, "l": []})


def test_the_doors_agree_on_recorded_spans_and_their_calls(corpus: Path, gateways: Path) -> None:
    """Every span that the recorded instrumentations wrote, put back into the SDK's form and sent through each door."""
    count = calls = 0
    for path in sorted((*corpus.glob("*/*/traces*.pb"), *gateways.glob("*/*/traces*.pb"))):
        spans = spans_from_protobuf(path.read_bytes())
        sdk_spans = [as_sdk_span(span) for span in spans]
        doors = [[span_from_sdk(span) for span in sdk_spans], through_protobuf(sdk_spans), through_json(sdk_spans)]
        by_id = [{span.span_id: span for span in door} for door in doors]
        assert by_id[0] == by_id[1] == by_id[2] == {span.span_id: span for span in spans}, path
        readings = [[read(door[span.span_id]) for span in spans] for door in by_id]
        assert readings[0] == readings[1] == readings[2]
        count += len(spans)
        calls += sum(isinstance(reading, tuple) for reading in readings[0])
    assert count > 1000
    assert calls > 500


def test_spans_that_tell_of_no_model_can_be_passed_over(corpus: Path, gateways: Path) -> None:
    """What is passed over gives no call, what is not is as it always was, and every span is counted."""
    passed_over = 0
    for path in sorted((*corpus.glob("*/*/traces*.pb"), *gateways.glob("*/*/traces*.pb"))):
        body = path.read_bytes()
        spans = spans_from_protobuf(body)
        chosen, others = spans_with_names_from_protobuf(body, NAME_PREFIXES)
        assert {(s.trace_id, s.span_id) for s in chosen}.isdisjoint(others)
        assert len(chosen) + len(others) == len(spans)
        left = [span for span in spans if span not in chosen]
        assert all(read(span) == Skip(SkipReason.NOT_GENAI) for span in left)
        passed_over += len(others)
    assert passed_over > 50


def as_sdk_span(span: Span) -> ReadableSpan:
    """The span as the SDK would have handed it to an exporter in the process that recorded it."""
    attributes = BoundedAttributes(attributes=span.attributes)
    attributes.dropped = span.dropped_attributes_count
    events: Any = BoundedList(None)
    events.extend([Event(event.name, event.attributes, event.time_unix_nano) for event in span.events])
    events.dropped = span.dropped_events_count
    return ReadableSpan(
        name=span.name,
        context=_context(span.trace_id, span.span_id),
        parent=_context(span.trace_id, span.parent_span_id) if span.parent_span_id else None,
        resource=Resource(span.resource),
        attributes=attributes,
        events=events,
        status=Status(StatusCode(span.status_code), span.status_message or None),
        start_time=span.start_time_unix_nano,
        end_time=span.end_time_unix_nano,
        instrumentation_scope=InstrumentationScope(span.scope.name, span.scope.version),
    )


def _context(trace_id: str, span_id: str) -> SpanContext:
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=False)

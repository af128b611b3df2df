"""Readers and damaged spans: nothing raises, nothing runs on. README.md says how to try a million."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otel_labelstudio.bounds import bounded_time
from otel_labelstudio.calls import LLMCall
from otel_labelstudio.dialects import Skip, read
from otel_labelstudio.recordings import decode_files
from otel_labelstudio.settle.fold import fold
from otel_labelstudio.settle.recorded import RecordedTelemetry
from otel_labelstudio.settle.same_call import fingerprints
from otel_labelstudio.spans.model import LogRecord, Span

Recorded: TypeAlias = tuple[Span, tuple[LogRecord, ...]]

ODD_TEXTS = (
    "",
    " ",
    "\x00",
    "null",
    "NaN",
    "[]",
    "{}",
    '""',
    "__REDACTED__",
    "\\ud83d",
    '"\\ud83d',
    '["\\u0000"]',
    "1e999",
    "9" * 5000,
    "[" * 3000,
    '{"a":' * 3000,
    "[" * 3000 + "]" * 3000,
    "(" * 300 + ")" * 300,
    "{'role': 'user', 'content': [",
    "data:image/png;base64,",
    "https://[",
    "x" * 100_000,
    "[1," * 20_000,
    '[{"role":"user","parts":[{"type":"text","content":"' * 1000,
)


def _deep(depth: int, leaf: Any) -> Any:
    value = leaf
    for level in range(depth):
        value = [value] if level % 2 else {"content": value}
    return value


# No lone surrogates: the decoders have replaced them before a span is read
_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_odd_values: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from(ODD_TEXTS),
    _texts,
    st.none() | st.booleans() | st.integers() | st.floats(),
    st.builds(_deep, st.integers(1, 90), st.sampled_from(("deep", None, 0))),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | _texts,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ("role", "content", "parts", "type", "text", "message", "tool_calls", "function", "name")
                )
                | _texts,
                inner,
                max_size=4,
            )
        ),
        max_leaves=8,
    ),
)
# A thing to do to a value; the number picks where
_Change: TypeAlias = Callable[[Any, int], Any]


def _cut(value: Any, at: int) -> Any:
    return value[: at % (len(value) + 1)] if isinstance(value, str | list) else value


def _twice(value: Any, at: int) -> Any:
    return json.dumps(value, default=str) if at % 2 else [value, value]


def _decoded(value: Any, _: int) -> Any:
    try:
        return json.loads(value)
    except (TypeError, ValueError, RecursionError):
        return value


def _as_repr(value: Any, at: int) -> Any:
    return repr(_decoded(value, at))


def _number_as_text(value: Any, _: int) -> Any:
    return str(value)


def _within(value: Any, at: int, new: Any) -> Any:
    """The JSON value with one of the values inside of it replaced."""
    if isinstance(value, str):
        inner = _decoded(value, at)
        return json.dumps(_within(inner, at, new)) if isinstance(inner, dict | list) else new
    if isinstance(value, dict) and value:
        key = sorted(value, key=str)[at % len(value)]
        return {**value, key: _within(value[key], at // len(value), new)}
    if isinstance(value, list) and value:
        spot = at % len(value)
        return [*value[:spot], _within(value[spot], at // len(value), new), *value[spot + 1 :]]
    return new


_changes: st.SearchStrategy[_Change] = st.one_of(
    st.sampled_from((_cut, _twice, _decoded, _as_repr, _number_as_text)),
    st.builds(lambda new: lambda _value, _at: new, _odd_values),
    st.builds(lambda new: lambda value, at: _within(value, at, new), _odd_values),
)
# A key's number becomes this one: gaps, absurd indices, none
_numbers = st.sampled_from(("0", "1", "7", "-1", "999999999999", "", "x", "00", "1.0", "٣"))


def _changed(values: Mapping[str, Any], key_at: int, change: _Change, at: int) -> dict[str, Any]:
    if not values:
        return {}
    key = list(values)[key_at % len(values)]
    try:
        return {**values, key: change(values[key], at)}
    except RecursionError:  # too deep to be changed in this way
        return dict(values)


def _dropped(values: Mapping[str, Any], key_at: int) -> dict[str, Any]:
    kept = list(values)
    del kept[key_at % (len(kept) or 1) : key_at % (len(kept) or 1) + 1 + key_at % 5]
    return {key: values[key] for key in kept}


def _renumbered(values: Mapping[str, Any], key_at: int, number: str) -> dict[str, Any]:
    if not values:
        return {}
    chosen = list(values)[key_at % len(values)]
    parts = chosen.split(".")
    new = ".".join(number if part.isdigit() else part for part in parts)
    return {new if key == chosen else key: value for key, value in values.items()}


@st.composite
def damaged(draw: st.DrawFn, recorded: list[Recorded]) -> Recorded:
    """One of the recorded spans, with its log records, after one to four damages."""
    span, records = draw(st.sampled_from(recorded))
    for _ in range(draw(st.integers(1, 4))):
        harm = _harm(draw)
        where = draw(st.sampled_from(("span", "span", "event", "record", "body", "scope", "status", "times")))
        if where == "event" and span.events:
            spot = draw(st.integers(0, len(span.events) - 1))
            event = replace(span.events[spot], attributes=harm(span.events[spot].attributes))
            span = replace(span, events=(*span.events[:spot], event, *span.events[spot + 1 :]))
        elif where in ("record", "body") and records:
            spot = draw(st.integers(0, len(records) - 1))
            record = records[spot]
            if where == "body":
                record = replace(record, body=harm({"body": record.body}).get("body"))
            else:
                record = replace(record, attributes=harm(record.attributes))
            records = (*records[:spot], record, *records[spot + 1 :])
        elif where == "status":
            span = replace(span, status_code=draw(st.integers(0, 3)), dropped_attributes_count=draw(st.integers(0, 9)))
        elif where == "times":
            end = bounded_time(draw(st.integers(0, 2**64 - 1)))  # as the decoders do
            span = replace(span, start_time_unix_nano=0, end_time_unix_nano=end)
        elif where == "scope":
            span = replace(span, scope=draw(st.sampled_from(recorded))[0].scope, resource=harm(span.resource))
        else:
            span = replace(span, attributes=harm(span.attributes))
    return span, records


def _harm(draw: st.DrawFn) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """A damage to one of a span's, an event's or a record's attributes."""
    key_at = draw(st.integers(0, 200))
    kind = draw(st.sampled_from(("change", "change", "change", "drop", "renumber")))
    if kind == "drop":
        return lambda values: _dropped(values, key_at)
    if kind == "renumber":
        number = draw(_numbers)
        return lambda values: _renumbered(values, key_at, number)
    change, at = draw(_changes), draw(st.integers(0, 2**16))
    return lambda values: _changed(values, key_at, change, at)


EXAMPLES = int(os.environ.get("DAMAGED_SPANS", "0"))
RUN = (
    settings(max_examples=EXAMPLES, print_blob=True)
    if EXAMPLES
    else settings(max_examples=400, derandomize=True, database=None)
)
LONGEST_S = 5.0  # with a collection of all garbage in it, which takes a second after many examples


@pytest.fixture(scope="module")
def recorded(corpus: Path, gateways: Path) -> list[Recorded]:
    """A span and its log records of every kind that each producer wrote; the rest differ in their texts only."""
    found: dict[tuple[str, ...], Recorded] = {}
    for scenario in sorted((*corpus.glob("*/*"), *gateways.glob("*/*"))):
        recording = decode_files(sorted(scenario.glob("*.pb")))
        readings = RecordedTelemetry(recording.spans, recording.log_records).readings
        joined = [(reading.joined.span, reading.joined.log_records) for reading in readings]
        for span, log_records in (*joined, *((span, ()) for span in recording.spans)):
            kind = (scenario.parent.name, span.scope.name, *sorted(span.attributes))
            found.setdefault(kind, (span, log_records))
    return list(found.values())


@given(data=st.data())
@settings(
    RUN,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
def test_no_damage_makes_a_reader_raise_or_run_on(recorded: list[Recorded], data: st.DataObject) -> None:
    """A call or a reason, soon, of a size in proportion, and in a form that can be stored and sent."""
    span, records = data.draw(damaged(recorded))
    began = time.thread_time()
    reading = read(span, records, [span])  # which, where it lends content, may be another call's
    assert time.thread_time() - began < LONGEST_S
    if isinstance(reading, Skip):
        return
    size = len(repr(span)) + len(repr(records))
    for call in reading:
        stored = json.dumps(call.to_dict(), ensure_ascii=False, allow_nan=False)
        assert len(stored.encode()) < 20 * size + 10_000
        assert LLMCall.from_dict(json.loads(stored)).to_dict() == call.to_dict()
        assert fingerprints(call)
    assert len(fold(reading)) == len(reading)


def test_the_damage_spans_all_producers(recorded: list[Recorded]) -> None:
    """What is damaged are hundreds of kinds of spans, most of which give calls as long as they are whole."""
    assert len(recorded) > 300
    assert sum(not isinstance(read(span, records), Skip) for span, records in recorded) > 150

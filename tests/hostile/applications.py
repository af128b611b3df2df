"""Spans and log records of an application, as its code may hand them to an exporter past the SDK's checks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from pathlib import PurePosixPath
from typing import Any

from opentelemetry._logs import LogRecord
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, Status, StatusCode

from tests.hostile import oddities
from tests.hostile.items import Door, Item, sdk_item
from tests.hostile.otlp_json import SCOPE, chat_attributes, number_of


class Color(str, Enum):
    """A text that is an enumeration's."""

    RED = "red"


class Unspeakable:
    """An object that cannot be looked at."""

    def __str__(self) -> str:
        raise RuntimeError("it cannot be looked at")


@dataclass
class Answer:
    """An object of the application's."""

    text: str


_ENDLESS: list[Any] = []
_ENDLESS.append(_ENDLESS)
_VALUES: tuple[Any, ...] = (
    *oddities.INTEGERS,
    *oddities.MORE_INTEGERS,
    10**6000,
    *oddities.DOUBLES,
    *oddities.TEXTS,
    *("\ud800", "\udfff tail", b"\x00\xff", bytearray(b"x"), None, Color.RED, Decimal("1.5"), PurePosixPath("/srv")),
    *({1, 2}, range(3), Answer("x"), object, {1: 2, None: 3, (1, 2): 4}, [None, [b"x"]], ("a", 1)),
    oddities.deep(200),
    _ENDLESS,
)
_TIMES: tuple[Any, ...] = (*oddities.TIMES, *oddities.MORE_TIMES, None, 1.8e18, float("nan"), float("inf"))
_UNDECODABLE: tuple[Any, ...] = (None, object(), 5, "span")


def odd_sdk_items(markers: Iterator[str]) -> Iterator[Item]:
    """Valid calls beside odd things, each in a batch with what nobody can decode."""
    yield from _odd_spans(markers)
    yield from _odd_log_records(markers)


def span(marker: str, attributes: dict[Any, Any] | None = None, **fields: Any) -> ReadableSpan:
    """The finished span of a chat."""
    number = number_of(marker)
    own: dict[str, Any] = {
        "context": SpanContext(number, number, is_remote=False),
        "resource": Resource({"service.name": "shop"}),
        "instrumentation_scope": InstrumentationScope(SCOPE, "1"),
        "start_time": oddities.NOW_NS + number,
        "end_time": oddities.NOW_NS + number + 10**9,
    }
    name = fields.pop("name", "chat gpt-4o")
    return ReadableSpan(name, attributes={**chat_attributes(marker), **(attributes or {})}, **{**own, **fields})


def _odd_spans(markers: Iterator[str]) -> Iterator[Item]:
    for value in _VALUES:
        marker = next(markers)
        yield _spans(f"value {type(value).__name__}", span(marker, {"app.value": value, "user.id": value}), marker)
    for at in _TIMES:
        marker = next(markers)
        event = Event("gen_ai.choice", {"index": 0}, 1)
        event._timestamp = at
        yield _spans(f"time {at}", span(marker, start_time=at, end_time=at, events=[event]), marker)
    for number in (0, -1, 2**64, 2**128, 16**60_000):
        marker = next(markers)
        context = SpanContext(number_of(marker), number, is_remote=False)
        yield _spans("span id", span(marker, context=context, parent=context), marker)
    for fields in ({"name": None}, {"name": "\ud800"}, {"instrumentation_scope": None}, {"events": ()}):
        marker = next(markers)
        yield _spans(f"{fields}", span(marker, **fields), marker)
    marker = next(markers)
    yield _spans("status", span(marker, status=Status(StatusCode.ERROR, oddities.CONTROLS)), marker)
    for thing in (
        *_UNDECODABLE,
        span(next(markers), {"app.value": Unspeakable()}),
        span(next(markers), start_time="x"),
    ):
        marker = next(markers)
        yield sdk_item("undecodable", Door.SPANS, (thing, span(marker), thing), marker)


def _odd_log_records(markers: Iterator[str]) -> Iterator[Item]:
    for value in _VALUES:
        marker = next(markers)
        yield _records(f"value {type(value).__name__}", _record(marker, body=value), marker)
    for at in _TIMES:
        marker = next(markers)
        yield _records(f"time {at}", _record(marker, timestamp=at, observed_timestamp=at), marker)
    for number in (0, -1, 2**64, 16**60_000):
        marker = next(markers)
        yield _records("ids", _record(marker, span_id=number), marker)
    for thing in _UNDECODABLE:
        marker = next(markers)
        yield sdk_item("undecodable", Door.LOG_RECORDS, (thing, _record(marker), thing), marker)


def _record(marker: str, **fields: Any) -> ReadableLogRecord:
    number = number_of(marker)
    record = LogRecord(
        timestamp=oddities.NOW_NS + number,
        event_name="gen_ai.client.inference.operation.details",
        attributes=chat_attributes(marker),
    )
    for name, value in {"trace_id": number, "span_id": number, **fields}.items():
        setattr(record, name, value)
    return ReadableLogRecord(record, Resource({"service.name": "shop"}), InstrumentationScope(SCOPE, "1"))


def _spans(name: str, one: ReadableSpan, marker: str) -> Item:
    return sdk_item(name, Door.SPANS, (one,), marker)


def _records(name: str, one: ReadableLogRecord, marker: str) -> Item:
    return sdk_item(name, Door.LOG_RECORDS, (one,), marker)

"""What is sent: bytes over OTLP, or objects of the SDK's, with the markers of the valid calls in it."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeAlias

from google.protobuf.json_format import ParseDict, ParseError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

_IDS = frozenset(("traceId", "spanId", "parentSpanId"))


class Door(Enum):
    """Where an item is handed in."""

    TRACES_PROTOBUF = "traces, protobuf"
    TRACES_JSON = "traces, JSON"
    LOGS_PROTOBUF = "logs, protobuf"
    LOGS_JSON = "logs, JSON"
    SPANS = "spans of an application"
    LOG_RECORDS = "log records of an application"


@dataclass(frozen=True, slots=True)
class Item:
    """``content`` is a body for the doors of OTLP, a sequence of spans or log records for those of the SDK.

    ``content_encoding`` is a header as a client might write it; `wire` is the body under it.
    """

    name: str
    door: Door
    content: Any = field(repr=False)
    markers: tuple[str, ...] = ()
    content_encoding: str = ""

    @property
    def wire(self) -> bytes:
        body: bytes = self.content
        encoding = self.content_encoding.strip().lower()
        return gzip.compress(body) if "gzip" in encoding else zlib.compress(body) if "deflate" in encoding else body


# From a marker to a request in OTLP JSON
Builder: TypeAlias = Callable[[str], dict[str, Any]]


def traces_items(name: str, build: Builder, markers: Iterator[str], *, is_valid: bool = True) -> Iterator[Item]:
    """The request in JSON and, if protobuf can carry it, in protobuf; each with a marker of its own."""
    yield from _items(name, build, markers, is_valid, Door.TRACES_JSON, Door.TRACES_PROTOBUF)


def logs_items(name: str, build: Builder, markers: Iterator[str], *, is_valid: bool = True) -> Iterator[Item]:
    """The same of log records."""
    yield from _items(name, build, markers, is_valid, Door.LOGS_JSON, Door.LOGS_PROTOBUF)


def sdk_item(name: str, door: Door, objects: Sequence[Any], *markers: str) -> Item:
    return Item(name, door, tuple(objects), markers)


def _items(
    name: str, build: Builder, markers: Iterator[str], is_valid: bool, in_json: Door, in_protobuf: Door
) -> Iterator[Item]:
    marker = next(markers)
    yield Item(name, in_json, json.dumps(build(marker)).encode(), (marker,) if is_valid else ())
    marker = next(markers)
    body = _protobuf(in_protobuf, build(marker))
    if body is not None:
        yield Item(name, in_protobuf, body, (marker,) if is_valid else ())


def _protobuf(door: Door, record: dict[str, Any]) -> bytes | None:
    message = ExportLogsServiceRequest() if door is Door.LOGS_PROTOBUF else ExportTraceServiceRequest()
    try:
        return ParseDict(_with_base64_ids(record), message, ignore_unknown_fields=True).SerializeToString()
    except (ParseError, ValueError, TypeError, AttributeError, RecursionError):
        return None


def _with_base64_ids(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: base64.b64encode(bytes.fromhex(item)).decode() if name in _IDS else _with_base64_ids(item)
            for name, item in value.items()
        }
    return [_with_base64_ids(item) for item in value] if isinstance(value, list) else value

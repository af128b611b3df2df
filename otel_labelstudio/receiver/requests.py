"""From a body to what it holds. Pure: the same bytes give the same telemetry, and nothing is stored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum

from otel_labelstudio.dialects import NAME_PREFIXES
from otel_labelstudio.receiver.expansion import check_expansion, takes_long
from otel_labelstudio.receiver.inflate import ContentEncoding, inflated
from otel_labelstudio.receiver.status import JSON, PROTOBUF, Outcome, RefusedError
from otel_labelstudio.spans.from_otlp import (
    count_log_records,
    count_spans,
    log_records_from_json,
    log_records_from_protobuf,
    spans_from_json,
    spans_with_names_from_protobuf,
)
from otel_labelstudio.spans.model import LogRecord, Span, SpanIds

# Spans or log records of one request. In JSON an empty one takes as long as a hundred bytes of an ordinary one
MAX_ITEMS = 250_000
_QUICK_BYTES = 512 * 1024
LARGE_BYTES = 8 * 2**20


class Signal(str, Enum):
    """What a request carries; the values stand in metrics."""

    TRACES = "traces"
    LOGS = "logs"


@dataclass(frozen=True, slots=True)
class Request:
    """A body as it came. ``content_type`` is `PROTOBUF` or `JSON`."""

    signal: Signal
    content_type: str
    body: bytes = field(repr=False)
    content_encoding: ContentEncoding = ContentEncoding.IDENTITY

    @property
    def is_quickly_counted(self) -> bool:
        """Whether `count_items` takes this body as it is, and less time than handing it to another thread."""
        is_plain = self.content_type == PROTOBUF and self.content_encoding is ContentEncoding.IDENTITY
        return is_plain and len(self.body) <= _QUICK_BYTES

    @property
    def is_large(self) -> bool:
        """Whether this body takes much memory, as it came."""
        return len(self.body) > LARGE_BYTES


@dataclass(frozen=True, slots=True)
class Telemetry:
    """What a request holds. ``other_spans`` are spans that tell of no model and were not decoded."""

    spans: Sequence[Span] = ()
    other_spans: Sequence[SpanIds] = ()
    log_records: Sequence[LogRecord] = ()

    def __len__(self) -> int:
        return len(self.spans) + len(self.other_spans) + len(self.log_records)


def uncompressed(request: Request, max_bytes: int, reserve: Callable[[int], None]) -> bytes:
    """The body without its content encoding. Raises `RefusedError` or `DecodeError`."""
    if len(request.body) > max_bytes:
        raise RefusedError(Outcome.TOO_LARGE, f"the body is larger than {max_bytes} bytes")
    return inflated(request.body, request.content_encoding, max_bytes, reserve)


def is_slowly_counted(content_type: str, body: bytes) -> bool:
    """Whether `count_items` takes long for an uncompressed body, or much memory."""
    return len(body) > LARGE_BYTES or takes_long(content_type, body)


def count_items(signal: Signal, content_type: str, body: bytes) -> int:
    """How many spans or log records an uncompressed body holds, which is then known to be OTLP.

    Raises `RefusedError` or `DecodeError`.
    """
    if content_type == JSON:
        return len(decoded(signal, content_type, body))
    check_expansion(content_type, body)
    return _checked(count_log_records(body) if signal is Signal.LOGS else count_spans(body))


def decoded(signal: Signal, content_type: str, body: bytes) -> Telemetry:
    """The telemetry of an uncompressed body. Raises `RefusedError` or `DecodeError`."""
    check_expansion(content_type, body)
    telemetry = _decoded(signal, content_type, body)
    _checked(len(telemetry))
    return telemetry


def _decoded(signal: Signal, content_type: str, body: bytes) -> Telemetry:
    if content_type == JSON:
        if signal is Signal.LOGS:
            return Telemetry(log_records=log_records_from_json(body, MAX_ITEMS + 1))
        return Telemetry(spans=spans_from_json(body, MAX_ITEMS + 1))
    if signal is Signal.LOGS:
        return Telemetry(log_records=log_records_from_protobuf(body))
    return Telemetry(*spans_with_names_from_protobuf(body, NAME_PREFIXES))


def _checked(items: int) -> int:
    if items > MAX_ITEMS:
        raise RefusedError(
            Outcome.TOO_LARGE, f"the request has more than {MAX_ITEMS} spans or log records; send less at once"
        )
    return items

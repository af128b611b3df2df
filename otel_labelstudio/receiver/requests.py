"""From a body to what it holds. Pure: the same bytes give the same telemetry, and nothing is stored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum

from otel_labelstudio.dialects import NAME_PREFIXES
from otel_labelstudio.receiver.expansion import check_json, check_protobuf
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

_QUICK_BYTES = 512 * 1024


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


def count_items(signal: Signal, content_type: str, body: bytes) -> int:
    """How many spans or log records an uncompressed body holds, which is then known to be OTLP.

    Raises `RefusedError` or `DecodeError`.
    """
    if content_type == JSON:
        return len(decoded(signal, content_type, body))
    check_protobuf(body, are_logs=signal is Signal.LOGS)
    return count_log_records(body) if signal is Signal.LOGS else count_spans(body)


def decoded(signal: Signal, content_type: str, body: bytes) -> Telemetry:
    """The telemetry of an uncompressed body. Raises `RefusedError` or `DecodeError`."""
    if content_type == JSON:
        check_json(body)
        if signal is Signal.LOGS:
            return Telemetry(log_records=log_records_from_json(body))
        return Telemetry(spans=spans_from_json(body))
    check_protobuf(body, are_logs=signal is Signal.LOGS)
    if signal is Signal.LOGS:
        return Telemetry(log_records=log_records_from_protobuf(body))
    return Telemetry(*spans_with_names_from_protobuf(body, NAME_PREFIXES))

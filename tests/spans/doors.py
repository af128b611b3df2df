"""The same telemetry of the SDK's through OTLP protobuf, as the SDK's own encoder writes it, and through OTLP JSON."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.trace import ReadableSpan

from otel_labelstudio.spans.from_otlp import from_json, log_records_from_protobuf, spans_from_protobuf
from otel_labelstudio.spans.model import LogRecord, Span

_IDS = frozenset(("traceId", "spanId", "parentSpanId"))


def through_protobuf(spans: Sequence[ReadableSpan]) -> list[Span]:
    return spans_from_protobuf(encode_spans(spans).SerializeToString())


def through_json(spans: Sequence[ReadableSpan]) -> list[Span]:
    return from_json(json.dumps(otlp_json(encode_spans(spans))))[0]


def log_records_through_protobuf(records: Sequence[ReadableLogRecord]) -> list[LogRecord]:
    return log_records_from_protobuf(encode_logs(records).SerializeToString())


def log_records_through_json(records: Sequence[ReadableLogRecord]) -> list[LogRecord]:
    return from_json(json.dumps(otlp_json(encode_logs(records))))[1]


def otlp_json(request: Message) -> Any:
    """As JSON that protobuf itself writes, but for the ids, which OTLP has in hexadecimal."""
    return _with_hexadecimal_ids(MessageToDict(request, use_integers_for_enums=True))


def _with_hexadecimal_ids(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: base64.b64decode(item).hex() if name in _IDS else _with_hexadecimal_ids(item)
            for name, item in value.items()
        }
    return [_with_hexadecimal_ids(item) for item in value] if isinstance(value, list) else value

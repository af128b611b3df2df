"""How readings, spans and log records are written into the outbox, and read from it."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from otel_labelstudio.calls import CallKey, LLMCall
from otel_labelstudio.spans.model import LogRecord, Scope, Span, SpanEvent
from otel_labelstudio.tasks.mend import mend_text

SPAN, LOG_RECORD = "span", "log_record"


class UnreadableError(Exception):
    """What was written cannot be read: the disk's fault, or another version's. The message says why, without text."""


def key_text(key: CallKey) -> str:
    """A call's key as text."""
    return mend_text(f"{key.trace_id}-{key.span_id}-{key.prompt_index}")


def key_of(reading: LLMCall) -> str:
    """The key of a reading: its span and the prompt's index."""
    return key_text(reading.key)


def call_to_text(reading: LLMCall) -> str:
    """The reading as ASCII text: as many bytes as characters."""
    return json.dumps(reading.to_dict(), separators=(",", ":"), default=str)


def call_from_text(key: str, text: str) -> LLMCall:
    """The call that `call_to_text` wrote. Raises `UnreadableError`."""
    try:
        call = LLMCall.from_dict(json.loads(text))
        is_this_one = key_of(call) == key
    except Exception as error:
        raise UnreadableError(type(error).__name__) from None
    if not is_this_one:
        raise UnreadableError("another call's")
    return call


def telemetry_to_text(telemetry: Span | LogRecord) -> str:
    """A span or log record as ASCII text."""
    return json.dumps(asdict(telemetry), separators=(",", ":"), default=str)


def telemetry_from_text(kind: str, text: str) -> Span | LogRecord:
    """What `telemetry_to_text` wrote. Raises `UnreadableError`."""
    try:
        record = json.loads(text)
        record["scope"] = Scope(**record["scope"])
        return _span(record) if kind == SPAN else LogRecord(**record)
    except Exception as error:
        raise UnreadableError(type(error).__name__) from None


def _span(record: dict[str, Any]) -> Span:
    events = tuple(SpanEvent(**event) for event in record.pop("events"))
    return Span(**record, events=events)

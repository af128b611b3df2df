"""What is written into the outbox comes out as it was, or says why it does not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from otel_labelstudio.calls import (
    GenericPart,
    Message,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolCallResponsePart,
)
from otel_labelstudio.outbox.serialization import (
    LOG_RECORD,
    SPAN,
    UnreadableError,
    call_from_text,
    call_to_text,
    key_of,
    telemetry_from_text,
    telemetry_to_text,
)
from otel_labelstudio.spans.model import LogRecord, Scope, Span, SpanEvent
from tests.outbox.calls import numbered

RICH = numbered(
    1,
    input_messages=(
        Message("user", (TextPart("Frage \u00e9 \U0001f600 \ud800"),)),
        Message("tool", (ToolCallResponsePart(id="c", response={"a": [1, None]}),)),
    ),
    output_messages=(
        Message("assistant", (ReasoningPart("Hm."), ToolCallPart(id="c", name="f", arguments={"x": 1.5}))),
        Message("assistant", (GenericPart("new", {"k": "v"}),), finish_reason="stop"),
    ),
    metadata={"k": {"n": 2**62}},
    tags=("a",),
    incomplete=("cut",),
)
SPAN_OF_ALL = Span(
    trace_id="1",
    span_id="2",
    parent_span_id="3",
    name="chat \ud800",
    start_time_unix_nano=2**62,
    end_time_unix_nano=2**63,
    attributes={"a": [1, "b"], "n": None},
    events=(SpanEvent("e", 5, {"k": "v"}),),
    status_code=2,
    status_message="failed",
    scope=Scope("s", "1"),
    resource={"service.name": "shop"},
)
RECORD_OF_ALL = LogRecord(
    trace_id="1", span_id="2", time_unix_nano=7, event_name="e", body={"b": [1]}, attributes={"a": 1}, scope=Scope("s")
)


def test_a_call_comes_back_as_it_was() -> None:
    """As ASCII: its size in bytes is its length."""
    text = call_to_text(RICH)
    assert call_from_text(key_of(RICH), text) == RICH
    assert text.isascii()


@pytest.mark.parametrize(("kind", "telemetry"), [(SPAN, SPAN_OF_ALL), (LOG_RECORD, RECORD_OF_ALL)])
def test_telemetry_comes_back_as_it_was(kind: str, telemetry: Span | LogRecord) -> None:
    """Spans with their events, records with their bodies."""
    text = telemetry_to_text(telemetry)
    assert telemetry_from_text(kind, text) == telemetry
    assert text.isascii()


DAMAGES: dict[str, Any] = {
    "torn": lambda text: text[:-5],
    "not JSON": lambda _: "\x00\x01",
    "another shape": lambda _: "[]",
    "nothing": lambda _: "null",
    "endless": lambda _: "[" * 100_000,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_what_cannot_be_read_says_so_without_its_text(damage: Any) -> None:
    """Of a call and of what is held."""
    for read, text in (
        (lambda text: call_from_text(key_of(RICH), text), call_to_text(RICH)),
        (lambda text: telemetry_from_text(SPAN, text), telemetry_to_text(SPAN_OF_ALL)),
        (lambda text: telemetry_from_text(LOG_RECORD, text), telemetry_to_text(RECORD_OF_ALL)),
    ):
        with pytest.raises(UnreadableError) as raised:
            read(damage(text))
        assert "Frage" not in str(raised.value)
        assert raised.value.__cause__ is None


def test_what_a_newer_version_wrote_cannot_be_read() -> None:
    """It is kept as it is rather than read by half."""
    newer = {**json.loads(telemetry_to_text(SPAN_OF_ALL)), "links": []}
    with pytest.raises(UnreadableError):
        telemetry_from_text(SPAN, json.dumps(newer))


def test_another_calls_text_is_not_this_ones() -> None:
    """A row whose key and text do not fit together is damaged."""
    with pytest.raises(UnreadableError, match="another call's"):
        call_from_text(key_of(numbered(2)), call_to_text(RICH))


def test_a_key_can_always_be_written() -> None:
    """Whatever an id holds."""
    key_of(numbered(1, trace_id="\ud800\x00")).encode()

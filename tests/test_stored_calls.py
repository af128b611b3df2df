"""Calls as they are read back: what another version wrote, and what is damaged."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from otel_labelstudio.bounds import MAX_TIME_UNIX_NANO
from otel_labelstudio.calls import LLMCall, Message, TextPart, ToolCallPart, Usage
from tests.delivery.telemetry import chat

CALL = chat(
    output_messages=(Message("assistant", (TextPart("Hi"), ToolCallPart("f", {"n": 1}, "id")), "name", "stop"),),
    system_instructions=(TextPart("Be kind."),),
    tool_definitions=({"name": "f"},),
    request_parameters={"temperature": 0.5},
    usage=Usage(1, 2, 3, 4, 5),
    tags=("tag",),
    metadata={"key": "value"},
    incomplete=("cut",),
)


def records(value: Any) -> Iterator[dict[str, Any]]:
    """Every object within a stored call whose names are ours: not what the application said."""
    if isinstance(value, dict):
        yield value
        for name, item in value.items():
            if name not in ("tool_definitions", "request_parameters", "metadata", "arguments"):
                yield from records(item)
    elif isinstance(value, list):
        for item in value:
            yield from records(item)


def test_names_of_a_newer_version_are_ignored() -> None:
    """In the call and in each record within it; a part keeps them, since it keeps whatever it holds."""
    stored = CALL.to_dict()
    found = list(records(stored))
    assert len(found) == 8
    for record in found:
        record["of_the_future"] = [{"x": 1}]
    call = LLMCall.from_dict(stored)
    assert (call.usage, call.metadata, call.tags) == (CALL.usage, CALL.metadata, CALL.tags)
    (message,) = call.output_messages
    assert (message.role, message.name, message.finish_reason) == ("assistant", "name", "stop")
    assert message.parts[0] == TextPart("Hi", {"of_the_future": [{"x": 1}]})


ODD = (None, True, 1, 0.5, "text", ["text"], [1], [["x"]], {"a": 1}, [{"a": 1}])


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_a_value_of_another_type_is_refused_or_read_as_what_it_is(odd: Any) -> None:
    """No field ever holds what is not of its type: what comes later counts on it."""
    refused = 0
    for at, record in enumerate(records(CALL.to_dict())):
        for name in record:
            stored = copy.deepcopy(CALL.to_dict())
            list(records(stored))[at][name] = odd
            try:
                read = LLMCall.from_dict(stored)
            except (TypeError, KeyError, AttributeError):
                refused += 1
            else:
                assert LLMCall.from_dict(read.to_dict()) == read
                assert isinstance(read.usage, Usage)
                assert all(isinstance(m, Message) for m in (*read.input_messages, *read.output_messages))
                assert all(isinstance(tag, str) for tag in (*read.tags, *read.incomplete, read.trace_id))
    assert refused >= 12


def test_times_that_were_stored_out_of_range_are_brought_into_it() -> None:
    """An outbox may hold calls of a version that did not look."""
    stored = CALL.to_dict() | {"start_time_unix_nano": -5, "end_time_unix_nano": 2**64}
    call = LLMCall.from_dict(stored)
    assert (call.start_time_unix_nano, call.end_time_unix_nano) == (0, MAX_TIME_UNIX_NANO)


def test_what_is_refused_is_not_repeated() -> None:
    """The value may be what somebody said."""
    with pytest.raises(TypeError) as raised:
        LLMCall.from_dict(CALL.to_dict() | {"tags": "CANARY"})
    assert str(raised.value) == "str instead of a list"

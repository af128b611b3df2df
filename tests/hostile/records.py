"""Requests with log records: without their spans, of no time that is, with bodies and names of any kind."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from tests.hostile import oddities
from tests.hostile.items import Builder, Item, logs_items
from tests.hostile.otlp_json import any_value, logs, record, whole_call

_MESSAGE_EVENTS = ("gen_ai.system.message", "gen_ai.user.message", "gen_ai.assistant.message", "gen_ai.choice")
_ODD_BODIES: tuple[Any, ...] = (
    None,
    5,
    "text",
    "\x00",
    [],
    [1],
    {},
    {"content": None},
    {"content": oddities.deep(40)},
    {"role": 5, "content": ["\x1b"]},
    {"message": "text", "index": -1},
    {"message": {"role": "assistant", "tool_calls": [None, 5, {"function": None}]}, "index": 10**18},
    {"index": float("nan"), "message": {"content": "x"}},
)


def odd_records(markers: Iterator[str]) -> Iterator[Item]:
    """Records that tell of a whole call whatever else is odd, then records that hold a part of one, or nothing."""
    for name, build in _whole_calls():
        yield from logs_items(name, build, markers)
    for name, build in itertools.chain(_parts_of_calls(), _no_calls()):
        yield from logs_items(name, build, markers, is_valid=False)


def _whole_calls() -> Iterator[tuple[str, Builder]]:
    for at in (*oddities.TIMES, *oddities.MORE_TIMES):
        yield f"a call of the time {at}", _call(timeUnixNano=at, observedTimeUnixNano=str(at))
        yield f"a call observed at {at}", _call(timeUnixNano=0, observedTimeUnixNano=at)
    for digits in oddities.IDS:
        yield f"a call of a trace id of {len(digits)} digits", _call(traceId=digits)
        yield f"a call of a span id of {len(digits)} digits", _call(spanId=digits)
    for body in _ODD_BODIES:
        yield "a call with a body", _call(body=any_value(body))
    for service in (*oddities.TEXTS, None, 5, ["a"]):
        yield (
            f"a call of {str(service)[:20]!a}",
            lambda marker, service=service: logs(whole_call(marker), service=service),  # type: ignore[misc]
        )
    yield "a call with severities of the future", _call(severityNumber=99, severityText="\x00", flags=2**32 - 1)
    yield "a call beside empty records", lambda marker: logs({}, whole_call(marker), {})


def _parts_of_calls() -> Iterator[tuple[str, Builder]]:
    """Messages whose span never comes."""
    for event, at in itertools.product(_MESSAGE_EVENTS, oddities.TIMES):
        yield f"{event} of the time {at}", _event(event, {"content": "Hi"}, timeUnixNano=at)
    for event, body in itertools.product(_MESSAGE_EVENTS, _ODD_BODIES):
        yield f"{event} with {str(body)[:20]!a}", _event(event, body)
    for digits in oddities.IDS:
        yield f"a message of {len(digits)} digits", _event("gen_ai.user.message", {"content": "Hi"}, traceId=digits)
        yield f"a message of a span {len(digits)}", _event("gen_ai.user.message", {"content": "Hi"}, spanId=digits)
    yield "a message without ids", _event("gen_ai.user.message", {"content": "Hi"}, traceId="", spanId="")


def _no_calls() -> Iterator[tuple[str, Builder]]:
    for name in (*oddities.TEXTS, None, 5, ["gen_ai.choice"], {"a": 1}):
        yield f"an event {str(name)[:20]!a}", _event("", {"content": "Hi"}, attributes={"event.name": name})
    yield "an event about a call", _event("gen_ai.evaluation.result", {"score": float("nan")})
    yield "many records", lambda marker: logs(*(record(marker, "gen_ai.user.message") for _ in range(100)))


def _call(**fields: Any) -> Builder:
    return lambda marker: logs(whole_call(marker, **fields))


def _event(event: str, body: Any, **fields: Any) -> Builder:
    return lambda marker: logs(record(marker, event, body=any_value(body), **fields))

"""A little of each kind of telemetry, numbered: what is read, folded, joined, refused, cannot be read, or waits."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from otel_labelstudio.calls import LLMCall
from otel_labelstudio.earlier_turns import Continuation, continuation_facts
from otel_labelstudio.spans.model import LogRecord, Scope, Span
from tests.outbox.calls import numbered

# What a sink makes of these, by the last two digits of their number
REFUSED, UNCERTAIN, PUT_OFF, NOT_STORED, LOOK_UPS_FAIL, STUCK = 2, 3, 4, 5, 33, 31
# A span on which reading fails once it is held
UNREADABLE_WHEN_HELD = 17
POISON = "poison"
# Of what is fed first, some of the telemetry outside of any span becomes dead letters
FIRST = 100
# Those that are calls, if nothing goes wrong
CALLS = (1, 2, 3, 4, 5, 6, 7, 8, 11, 13, 14, 15, 21, 23, 27, 28, 30, 33)

_NOW_NS = 1_763_800_000_000_000_000
_TRACE = re.compile(r'"trace_id": ?"([0-9a-f]{32})"')
_NUMBER = re.compile(r"number (\d+)")
_SCOPE = Scope("opentelemetry.instrumentation.numbered", "1")
# Read without the conventions' scope, so that strays of one do not find the spans of the others
_OPERATION = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o"}


def numbers_of(call: LLMCall | None) -> set[int]:
    """The numbers that a call speaks of."""
    return set(map(int, _NUMBER.findall(json.dumps(call.to_dict())))) if call else set()


def numbers_in(body: str) -> set[int]:
    """The numbers in what an outbox has, readable or not, and that of the span whose trace it names."""
    return {int(number) for number in _NUMBER.findall(body)} | {int(found, 16) for found in _TRACE.findall(body)}


def calls(base: int) -> list[LLMCall]:
    """Read elsewhere: two readings of one, those that the sink has trouble with, one that continues another, and one
    that cannot be compared."""
    goes_on = continuation_facts(Continuation(response_id=f"answer-{base}", has_answer=False))
    return [
        numbered(base + 1),
        numbered(base + 1, "client"),
        *(numbered(base + kind) for kind in (REFUSED, UNCERTAIN, PUT_OFF, NOT_STORED, LOOK_UPS_FAIL)),
        numbered(base + 6, response_id=f"answer-{base}"),
        numbered(base + 7, **goes_on),
        numbered(base + 27, trace_id=f"{base + 6:032x}", **continuation_facts(Continuation(span_id="0" * 16))),
        numbered(base + 8, metadata={"continues": {"of another version": 1}}),
    ]


def spans(base: int) -> list[Span]:
    """Read at once, read with its log records, read with the node around it, skipped, and no inference's."""
    node = span(
        base + 16, {"lk.chat_ctx": json.dumps({"items": []}), "lk.response.text": f"Answer number {base + 15}."}
    )
    return [
        span(base + 11, said(base + 11)),
        span(base + 12, {"gen_ai.operation.name": "execute_tool"}),
        span(base + 13),
        span(base + 14, scope=Scope(f"of strays {base}")),
        node,
        span(base + 15, {**_OPERATION, "lk.llm_metrics": "{}"}, parent_span_id=node.span_id, trace_id=node.trace_id),
        span(base + UNREADABLE_WHEN_HELD, {**_OPERATION, POISON: True}),
        span(base + 18, {"http.method": "POST"}),
        span(base + 19, _OPERATION, span_id=""),
        span(base + 30, scope=Scope(f"of both {base}")),
    ]


def log_records(base: int) -> list[LogRecord]:
    """Of a span that was read, of one that waits for them, of one that never comes, and outside of any span."""
    told = {**said(base + 11), "gen_ai.conversation.id": "of the record"}
    return [
        record(base + 11, "gen_ai.client.inference.operation.details", attributes=told),
        *dialogue(base + 13),
        *dialogue(base + 14, trace_id="", span_id="", scope=Scope(f"of strays {base}")),
        record(base + 21, "gen_ai.client.inference.operation.details", attributes=said(base + 21)),
        record(base + 22, "gen_ai.user.message", body={"content": f"Question number {base + 22}?"}),
        *dialogue(base + 23, trace_id="", span_id="", scope=Scope(f"of nobody {base}")),
        *dialogue(base + 28, trace_id=f"{base + 18:032x}", span_id=f"{base + 18:016x}"),
        *dialogue(base + 30, scope=Scope(f"of both {base}")),
        dialogue(base + 30, trace_id="", span_id="", scope=Scope(f"of both {base}"))[0],
        *([_unreadable_stray(base + 29)] if base == FIRST else ()),
        record(base + 24, "gen_ai.user.message", body={"content": "?"}, trace_id="", span_id=""),
    ]


def _unreadable_stray(number: int) -> LogRecord:
    """Nothing can be said of what stands outside of any span while this is there."""
    nowhere = {"trace_id": "", "span_id": "", "scope": Scope(POISON)}
    return record(number, "gen_ai.choice", body={}, attributes={POISON: True}, **nowhere)


def span(number: int, attributes: Mapping[str, Any] | None = None, **fields: Any) -> Span:
    """A finished span; without attributes of its own, of a chat whose content is elsewhere."""
    return Span(
        **{
            "trace_id": f"{number:032x}",
            "span_id": f"{number:016x}",
            "name": "chat",
            "scope": _SCOPE,
            "start_time_unix_nano": _NOW_NS + number,
            "end_time_unix_nano": _NOW_NS + number + 10**9,
            "attributes": _OPERATION if attributes is None else attributes,
            **fields,
        }
    )


def said(number: int) -> dict[str, Any]:
    """The attributes of a chat."""
    return {
        **_OPERATION,
        "gen_ai.input.messages": _messages("user", f"Question number {number}?"),
        "gen_ai.output.messages": _messages("assistant", f"Answer number {number}."),
    }


def _messages(role: str, text: str) -> str:
    return json.dumps([{"role": role, "parts": [{"type": "text", "content": text}]}])


def dialogue(number: int, **fields: Any) -> list[LogRecord]:
    message = {"role": "assistant", "content": f"Answer number {number}."}
    return [
        record(number, "gen_ai.user.message", body={"content": f"Question number {number}?"}, **fields),
        record(number, "gen_ai.choice", body={"index": 0, "finish_reason": "stop", "message": message}, **fields),
    ]


def record(number: int, event: str, **fields: Any) -> LogRecord:
    own = {"trace_id": f"{number:032x}", "span_id": f"{number:016x}", "time_unix_nano": _NOW_NS + number + 10**6}
    return LogRecord(**{**own, "event_name": event, "scope": _SCOPE, **fields})

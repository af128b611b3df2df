"""Requests with spans, each odd in one way that was seen or thought of."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

from tests.hostile import oddities
from tests.hostile.items import Builder, Item, traces_items
from tests.hostile.otlp_json import Raw, chat, key_values, messages, number_of, traces

# Attributes of several dialects that are read as texts, numbers or lists
_KEYS_OF_FACTS = (
    *("gen_ai.response.id", "gen_ai.response.model", "gen_ai.conversation.id", "gen_ai.usage.input_tokens"),
    *("gen_ai.usage.output_tokens", "gen_ai.response.finish_reasons", "gen_ai.request.temperature"),
    *("gen_ai.request.stop_sequences", "gen_ai.tool.definitions", "gen_ai.system_instructions", "user.id"),
    *("session.id", "tag.tags", "traceloop.association.properties.ls_model_name", "error.type", "llm.is_streaming"),
    *("traceloop.association.properties.metadata", "gen_ai.agent.name", "openinference.span.kind", "ai.operationId"),
    *("langfuse.observation.type", "langsmith.span.kind", "mlflow.spanType", "lmnr.span.type", "logfire.json_schema"),
)
_ODD_FACTS: tuple[Any, ...] = (None, True, -1, 2**63 - 1, 1.5, float("nan"), "", "\x00", "[", [], [1], [None], {"a": 1})
_TOOL_CALLS: tuple[Any, ...] = (
    None,
    5,
    "text",
    [],
    [None, 5, "text", []],
    {"id": 5, "name": None, "arguments": None},
    {"id": "a", "name": "f", "arguments": "{not json"},
    {"id": "a", "name": "f", "arguments": [1, {"b": [float("1e300")]}]},
    {"id": "a", "name": "f", "arguments": oddities.deep(60)},
    {"id": "\x00", "name": "\x1b[2J", "arguments": {"\x00": 10**300}},
    {"function": {"name": "f", "arguments": json.dumps(json.dumps({"a": 1}))}, "type": "function"},
    {"function": None},
)


def odd_spans(markers: Iterator[str]) -> Iterator[Item]:
    """Spans that hold a valid call whatever else is odd, then those whose content itself is."""
    for name, build in itertools.chain(_odd_fields(), _odd_attributes(), _odd_resources(), _odd_requests()):
        yield from traces_items(name, build, markers)
    for name, build in _odd_content():
        yield from traces_items(name, build, markers, is_valid=False)


def _odd_fields() -> Iterator[tuple[str, Builder]]:
    for start, end in itertools.product((*oddities.TIMES, *oddities.MORE_TIMES), repeat=2):
        yield _with("times", startTimeUnixNano=start, endTimeUnixNano=str(end))
    for digits in oddities.IDS:
        yield f"trace id of {len(digits)} digits", _built(traceId=digits)
        yield f"parent of {len(digits)} digits", _built(parentSpanId=digits)
        yield f"span id of {len(digits)} digits", _with_span_id(digits)
    for trace_id, span_id in (("", ""), ("0" * 32, "0" * 16)) * 3:  # calls that differ in nothing but what they say
        yield "no ids", _built(traceId=trace_id, spanId=span_id)
    for code in (-1, 3, 2**31 - 1, -(2**31)):
        yield _with("status", status={"code": code, "message": oddities.CONTROLS})
    for count in (-1, 2**32 - 1, 2**32, 10**30):
        yield _with("dropped", droppedAttributesCount=count, droppedEventsCount=str(count))
    for name in oddities.TEXTS:
        yield _with("name", name=name)
    odd_event = {"name": "\x00", "timeUnixNano": 2**64 - 1}
    no_events: tuple[Any, ...] = (None, [], [{}], [{"name": None}], [odd_event])
    for events in (*no_events, *_odd_events()):
        yield _with("events", events=events)
    yield _with("fields of the future", ofTheFuture={"a": [1]}, flags=2**32 - 1, links=[{"traceId": ""}], kind=77)


def _odd_events() -> Iterator[list[dict[str, Any]]]:
    for value in _ODD_FACTS:
        attributes = key_values({"exception.type": value, "gen_ai.event.content": value, "index": value})
        yield [{"name": name, "attributes": attributes} for name in ("exception", "gen_ai.choice")]


def _odd_attributes() -> Iterator[tuple[str, Builder]]:
    for number in (*oddities.INTEGERS, *oddities.MORE_INTEGERS):
        yield _attribute("integer", "app.number", number)
        yield _attribute("tokens", "gen_ai.usage.input_tokens", number)
    for double in oddities.DOUBLES:
        yield _attribute("double", "gen_ai.request.temperature", double)
    for text in oddities.TEXTS:
        yield _attribute("text", "user.id", text)
        yield f"key {text[:20]!a}", lambda marker, text=text: traces(chat(marker, {text: "value"}))  # type: ignore[misc]
    for key, value in itertools.product(_KEYS_OF_FACTS, _ODD_FACTS):
        yield _attribute("fact", key, value)
    for raw in (None, {}, {"stringValue": None}, {"stringValue": 5}, {"boolValue": "x"}, {"ofTheFuture": [1]}):
        yield _attribute("value", "app.value", Raw(raw))
    yield _attribute("bytes", "app.bytes", bytes(range(256)))
    yield _attribute("depth", "app.deep", oddities.deep(46))
    yield "many attributes", lambda marker: traces(chat(marker, {f"app.{n}": n for n in range(2000)}))
    yield "no attributes but the last", lambda marker: traces(_repeated_keys(marker))


def _odd_resources() -> Iterator[tuple[str, Builder]]:
    for service in (*oddities.TEXTS, None, 7, 1.5, True, ["a", "b"], {"a": 1}, oddities.deep(40)):
        yield (
            f"service {str(service)[:20]!a}",
            lambda marker, service=service: traces(chat(marker), service=service),  # type: ignore[misc]
        )
    for scope in ({}, {"name": "\x00"}, {"name": oddities.CONTROLS, "version": "\x1b"}, {"ofTheFuture": 1}):
        yield "scope", lambda marker, scope=scope: _in_scope(marker, scope)  # type: ignore[misc]
    yield "no resource", lambda marker: {"resourceSpans": [{"scopeSpans": [{"spans": [chat(marker)]}]}]}
    yield "empty neighbours", lambda marker: {"resourceSpans": [{}, *traces(chat(marker))["resourceSpans"], {}]}


def _odd_requests() -> Iterator[tuple[str, Builder]]:
    """Calls beside spans that are nothing, and the same span more than once."""
    yield "empty spans", lambda marker: traces({}, chat(marker), {})
    yield "twice in one request", lambda marker: traces(chat(marker), chat(marker))
    yield "an agent around it", lambda marker: traces(chat(marker), _agent(marker))


def _odd_content() -> Iterator[tuple[str, Builder]]:
    contents = [*oddities.TEXTS, *_ODD_FACTS, oddities.deep(40), [{"role": "user"}], [{"parts": [{"type": None}]}]]
    for key, content in itertools.product(("gen_ai.input.messages", "gen_ai.output.messages"), contents):
        yield _attribute("content", key, content)
    for tool_call in _TOOL_CALLS:
        parts = [{"type": "tool_call", **tool_call}] if isinstance(tool_call, dict) else tool_call
        answer = json.dumps([{"role": "assistant", "parts": parts, "tool_calls": [tool_call]}])
        yield _attribute("tool call", "gen_ai.output.messages", answer)
        yield _attribute("flat tool call", "llm.output_messages.0.message.tool_calls.0.tool_call", tool_call)
    for cut in range(0, len(messages("assistant", "Hello, world")), 7):
        yield _attribute("cut answer", "gen_ai.output.messages", messages("assistant", "Hello, world")[:cut])


def _agent(marker: str) -> dict[str, Any]:
    """A span of another kind, which is counted as one."""
    span = chat(marker, {"gen_ai.operation.name": "invoke_agent"})
    return {**span, "spanId": f"{number_of(marker) + 2**60:016x}"}


def _repeated_keys(marker: str) -> dict[str, Any]:
    """Each key twice, of which the last counts."""
    span = chat(marker)
    odd = [{"key": pair["key"], "value": {"intValue": "5"}} for pair in span["attributes"]]
    return {**span, "attributes": [*odd, *span["attributes"]]}


def _in_scope(marker: str, scope: Any) -> dict[str, Any]:
    request = traces(chat(marker))
    request["resourceSpans"][0]["scopeSpans"][0]["scope"] = scope
    return request


def _with_span_id(digits: str) -> Builder:
    return lambda marker: traces(chat(marker, spanId=digits))


def _built(**fields: Any) -> Builder:
    return lambda marker: traces(chat(marker, **fields))


def _with(what: str, **fields: Any) -> tuple[str, Builder]:
    return f"{what} {str(fields)[:60]!a}", _built(**fields)


def _attribute(what: str, key: str, value: Any) -> tuple[str, Builder]:
    return f"{what} {key[:20]!a} {str(value)[:40]!a}", lambda marker: traces(chat(marker, {key: value}))

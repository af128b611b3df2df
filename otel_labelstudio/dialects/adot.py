"""AWS' distribution of OpenTelemetry (ADOT, ``AGENT_OBSERVABILITY_ENABLED``): content moved from spans to a log record.

Whatever the instrumentation wrote (OpenLLMetry, OpenInference, Strands, CrewAI), its content attributes are taken off
the span and become one record of the same ids, named like the instrumentation's scope, whose body has messages of a
role and a text. The text may be the JSON of more: a list of messages, a message's parts, a provider's whole request or
response. Where such a request or response is among them, it says all that the others repeat.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from otel_labelstudio.calls import Message
from otel_labelstudio.dialects.dialect import Findings, Skip, SkipReason
from otel_labelstudio.dialects.shared.exchange import findings_of_exchange
from otel_labelstudio.dialects.shared.moved_content import is_moved_content
from otel_labelstudio.dialects.shared.operations import is_no_inference, operation_of
from otel_labelstudio.dialects.shared.unknown_role import with_known_role
from otel_labelstudio.providers.messages import message_from, messages_from, output_messages_from
from otel_labelstudio.providers.parts import blocks_or_text
from otel_labelstudio.providers.request import Request, request_from
from otel_labelstudio.providers.response import Response, response_from
from otel_labelstudio.spans.attributes import decoded, nested
from otel_labelstudio.spans.model import LogRecord, Span

NAME = "adot"
PREFIXES: tuple[str, ...] = ()
KEYS: Mapping[str, tuple[str, ...]] = {}
HINTS: Mapping[str, str] = {}

# aws-opentelemetry-distro 0.21, llo_handler.py
_INPUT, _OUTPUT, _MESSAGES = "input", "output", "messages"
# What it leaves on the span: the flat keys of messages but for their texts
_FLAT = ("gen_ai.prompt.", "llm.input_messages.")
_TEXTS = ("content", "contents")
# What stands around a content: {"content": {"content": "[{\"text\": ..}]"}}, {"message": .., "finish_reason": ..}
_WRAPPING = frozenset(("content", "message", "finish_reason"))
_MAX_DEPTH = 3
_NUMBER = re.compile(r"(?:gen_ai\.prompt|llm\.input_messages)\.(\d+)\.")


def recognises(span: Span) -> bool:  # noqa: ARG001
    return True  # what it is asked for stands in the records


def read(span: Span, log_records: Sequence[LogRecord] = ()) -> Findings | Skip:
    bodies = [record.body for record in log_records if is_moved_content(record)]
    if not bodies:
        return Skip(SkipReason.NOT_GENAI)
    if is_no_inference(operation_of(span)):
        return Skip(SkipReason.NOT_INFERENCE)
    asked = [message for body in bodies for message in _messages(body, _INPUT)]
    answered = [message for body in bodies for message in _messages(body, _OUTPUT)]
    return findings_of_exchange(NAME, _request(span, asked), _response(answered), incomplete=_dropped(span))


def _messages(body: Mapping[str, Any], side: str) -> list[Mapping[str, Any]]:
    held = body.get(side)
    messages = held.get(_MESSAGES) if isinstance(held, dict) else None
    return [message for message in messages if isinstance(message, dict)] if isinstance(messages, list) else []


def _content(message: Mapping[str, Any]) -> Any:
    """A message's content as it was written, out of the objects that Strands and others write around it."""
    held = message.get("content")
    for _ in range(_MAX_DEPTH):
        if not isinstance(held, dict) or not held.keys() <= _WRAPPING:
            break
        held = held.get("message", held.get("content"))
    return held


def _request(span: Span, messages: Sequence[Mapping[str, Any]]) -> Request:
    for message in messages:
        whole = decoded(_content(message))
        if isinstance(whole.value, dict) and (request := request_from(whole.value)).messages:
            return replace(request, is_cut=whole.is_cut)
    dialogue = _put_back(span, messages) or _opened(messages, "user")
    return Request((tuple(map(with_known_role, dialogue)),))


def _dropped(span: Span) -> Iterator[str]:
    """What the SDK dropped before, of which the numbers that are left tell."""
    numbers = (_NUMBER.match(key) for key in span.attributes)
    first = min((int(found[1]) for found in numbers if found), default=0)
    if first > 1:
        yield f"the first {first} messages are missing"


def _response(messages: Sequence[Mapping[str, Any]]) -> Response:
    for message in messages:
        whole = decoded(_content(message))
        if isinstance(whole.value, dict) and (response := response_from(whole.value)).outputs:
            return replace(response, is_cut=whole.is_cut)
    return Response(tuple(_opened(messages, "assistant")))


def _put_back(span: Span, messages: Sequence[Mapping[str, Any]]) -> list[Message]:
    """The messages with the roles and tool calls that their flat keys on the span have kept.

    Nothing where there are not as many texts as messages that have lost theirs, so that it is not known which is whose.
    """
    held = _flat(span.attributes)
    lost = [message for message in held if message.keys().isdisjoint(_TEXTS)]
    if len(lost) != len(messages):
        lost = [message for message in lost if "tool_calls" not in message]
    if held and len(lost) == len(messages) - 1:
        messages = messages[1:]  # the SDK dropped the role of the first just before its text
    if not held or len(lost) != len(messages):
        return []
    for message, text in zip(lost, messages, strict=True):
        message["content"] = blocks_or_text(_content(text))
    found = (message_from(message) for message in held)
    return [message for message in found if message is not None]


def _flat(attributes: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The messages below OpenLLMetry's or OpenInference's numbers, without their texts."""
    for prefix in _FLAT:
        found = nested(attributes, prefix)
        if isinstance(found, list):
            inner = [item.get("message", item) for item in found if isinstance(item, dict)]
            return [{**item, **_plain_calls(item)} for item in inner if isinstance(item, dict)]
    return []


def _plain_calls(message: Mapping[str, Any]) -> dict[str, Any]:
    calls = message.get("tool_calls")
    calls = calls if isinstance(calls, list) else []
    plain = [call.get("tool_call", call) for call in calls if isinstance(call, dict)]
    return {"tool_calls": plain} if plain else {}


def _opened(messages: Sequence[Mapping[str, Any]], default_role: str) -> Iterator[Message]:
    for message in messages:
        content = _content(message)
        inner = decoded(content).value
        if isinstance(inner, list) and inner and all(isinstance(item, dict) and "role" in item for item in inner):
            yield from output_messages_from(inner) if default_role == "assistant" else messages_from(inner)
        else:
            role = message.get("role") if message.get("role") != "unknown" else default_role
            yield from messages_from({**message, "role": role, "content": blocks_or_text(content)})

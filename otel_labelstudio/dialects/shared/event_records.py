"""One event a message: what ``gen_ai.user.message``, ``gen_ai.choice`` and their siblings hold, wherever they stand.

The conventions 1.28 to 1.36 write a dialogue as log records, and instrumentations write the same as span events or as a
list in a span's attribute. Bodies differ: an object, its JSON text, a message's own text, attributes in place of a
body, with the message as OpenAI, Bedrock, Gemini or pydantic-ai have it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from otel_labelstudio.calls import JSONObject, Message, Part, TextPart, ToolCallResponsePart
from otel_labelstudio.providers.messages import joined, message_from, role_of
from otel_labelstudio.providers.parts import blocks_or_text
from otel_labelstudio.providers.shapes import is_message
from otel_labelstudio.providers.tools import tool_definitions_from
from otel_labelstudio.spans.attributes import bounded, decoded, first, integer
from otel_labelstudio.spans.model import LogRecord, Span

# gen-ai-events.md, 1.28 to 1.36, with the role of the message that each holds; "unknown" is Logfire's word
_ROLES = {
    "gen_ai.system.message": "system",
    "gen_ai.developer.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
    "gen_ai.unknown": "assistant",
}
_CHOICE = "gen_ai.choice"
# OpenLLMetry 0.62 for Together: gen_ai.MessageRole.ASSISTANT.message
_OTHER_ROLE = re.compile(r"gen_ai\.(?:\w+\.)*(\w+)\.message")
# The attribute of a span event that holds the body (azure-ai-inference)
_CONTENT = "gen_ai.event.content"
# The place of a message in the dialogue: pydantic-ai, Semantic Kernel
_INDEX = ("gen_ai.message.index", "CHAT_MESSAGE_INDEX")

# The conventions 1.38, Langtrace
_TOOLS = ("gen_ai.tool.definitions", "gen_ai.request.tools")
# pydantic-ai
_REQUEST_PARAMETERS = "model_request_parameters"


@dataclass(frozen=True, slots=True)
class MessageEvent:
    """An event's name and its body."""

    name: str
    body: Mapping[str, Any]

    def is_choice(self) -> bool:
        return self.name == _CHOICE


def event_name(record: LogRecord) -> str:
    """The record's event name: a field of its own since OTLP 1.5, an attribute before (``event_name``: LiteLLM)."""
    name = record.event_name or record.attributes.get("event.name") or record.attributes.get("event_name")
    return name if isinstance(name, str) else ""


def object_of(value: Any) -> Mapping[str, Any]:
    """The object that a body or attribute holds, structured or as JSON text; an empty one where it holds none."""
    held = decoded(value).value
    return held if isinstance(held, dict) else {}


def events_of(span: Span, log_records: Iterable[LogRecord] = ()) -> list[MessageEvent]:
    """The message events on a span, or else those among its log records, in the order of the dialogue."""
    on_span = [MessageEvent(e.name, _body(None, e.attributes)) for e in span.events if is_message_event(e.name)]
    if on_span:
        return on_span
    records = [record for record in log_records if is_message_event(event_name(record))]
    records.sort(key=lambda record: (record.time_unix_nano, _index(record)))
    return [MessageEvent(event_name(record), _body(record.body, record.attributes)) for record in records]


def is_message_event(name: str) -> bool:
    return name in _ROLES or name == _CHOICE or _OTHER_ROLE.fullmatch(name) is not None


def dialogue_of(events: Iterable[MessageEvent]) -> tuple[tuple[Message, ...], tuple[Message, ...]]:
    """Input and output messages that the events tell of."""
    inputs, outputs = [], []
    for event in events:
        if event.is_choice():
            outputs.append(_choice(event.body))
        elif message := _message(event.name, event.body):
            inputs.append(message)
    return tuple(_without_repeated_responses(inputs)), tuple(outputs)


def with_last_as_answer(
    inputs: tuple[Message, ...], outputs: tuple[Message, ...]
) -> tuple[tuple[Message, ...], tuple[Message, ...]]:
    """The dialogue where no event is a choice: what the assistant said last is the answer (Logfire, Responses API)."""
    end = len(inputs)
    while end and not outputs and inputs[end - 1].role == "assistant":
        end -= 1
    return inputs[:end], outputs or one_choice(inputs[end:])


def one_choice(messages: Sequence[Message]) -> tuple[Message, ...]:
    """The pieces of one answer as one message, with texts that follow upon each other as one text."""
    if not messages:
        return ()
    parts: list[Part] = []
    for part in joined(messages).parts:
        last = parts[-1] if parts else None
        if isinstance(part, TextPart) and isinstance(last, TextPart) and last.extra == part.extra:
            parts[-1] = replace(last, content=last.content + part.content)
        else:
            parts.append(part)
    return (replace(joined(messages), parts=tuple(parts)),)


def tools_of(span: Span) -> tuple[JSONObject, ...]:
    """The tools that the model could call, which the events do not tell of."""
    held = decoded(first(span.attributes, _TOOLS)).value
    if held is None:
        parameters = object_of(span.attributes.get(_REQUEST_PARAMETERS))
        held = [*_list(parameters, "function_tools"), *_list(parameters, "output_tools")]
    return tool_definitions_from(held)


def _list(parameters: Mapping[str, object], name: str) -> list[object]:
    held = parameters.get(name)
    return held if isinstance(held, list) else []


def _body(body: Any, attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    """The event's body; the attributes stand in for it where there is none (Strands), or hold it (azure)."""
    held = decoded(attributes.get(_CONTENT) if body is None else body).value
    if isinstance(held, dict):
        return held
    return {"content": held} if held is not None else bounded(attributes)


def _index(record: LogRecord) -> int:
    found = (integer(record.attributes.get(key)) for key in _INDEX)
    return next((index for index in found if index is not None), -1)


def _role(name: str) -> str:
    if name in _ROLES:
        return _ROLES[name]
    other = _OTHER_ROLE.fullmatch(name)
    return role_of(other[1]) if other else "user"


def _message(name: str, body: Mapping[str, Any]) -> Message | None:
    default_role = _role(name)
    if isinstance(body.get("data"), dict):  # Logfire: what it has no event for, as it came
        return message_from(body["data"], default_role)
    held = _opened(body)
    if default_role == "tool" and "tool_call_id" not in held:
        held["tool_call_id"] = held.pop("id", None)
    return message_from({**held, "role": held.get("role") or default_role}, default_role)


def _choice(body: Mapping[str, Any]) -> Message:
    message = _opened_message(body.get("message"))
    if not isinstance(message, dict):
        # Strands writes the blocks of the answer, google-genai 0.3 the content of a Gemini candidate
        message = {"content": message} if message is not None else _opened(body)
    beside = {"tool_calls": body["tool_calls"]} if body.get("tool_calls") else {}  # OpenLLMetry
    opened = {"role": "assistant", **_opened(message), **beside}
    reason = body.get("finish_reason")
    return message_from({"message": opened, "finish_reason": reason}) or Message("assistant", ())


def _opened_message(held: Any) -> Any:
    """The answer's message, opened where it is JSON text: a list of blocks, or the message itself (Semantic Kernel)."""
    if not isinstance(held, str) or not held.startswith("{"):
        return blocks_or_text(held) if isinstance(held, str) else held
    message = decoded(held).value
    return message if isinstance(message, dict) and is_message(message) else held


def _opened(body: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of the body with JSON texts opened, and Gemini's content ({"parts", "role"}) as a message's own."""
    content = blocks_or_text(body.get("content"))
    if isinstance(content, dict) and "parts" in content:
        return {"role": content.get("role"), "parts": content["parts"]}
    return {**body, "content": _pydantic_blocks(content)}


def _pydantic_blocks(content: Any) -> Any:
    """Blocks of pydantic-ai's first event version, which have a ``kind`` in place of a ``type``."""
    if not isinstance(content, list) or not any(isinstance(block, dict) and "kind" in block for block in content):
        return content
    return [
        {"type": block["kind"], **{name: value for name, value in block.items() if name != "kind"}}
        if isinstance(block, dict) and "kind" in block
        else block
        for block in content
    ]


def _without_repeated_responses(messages: Iterable[Message]) -> Iterator[Message]:
    """Bedrock's instrumentation tells of a tool's response as a tool's message and again as the user's."""
    seen: list[tuple[str, Any]] = []
    for message in messages:
        kept = []
        for part in message.parts:
            if isinstance(part, ToolCallResponsePart) and part.id:
                if (part.id, part.response) in seen:
                    continue
                seen.append((part.id, part.response))
            kept.append(part)
        if kept:
            yield replace(message, parts=tuple(kept))

"""What a call was, in one form for the wire and for what was read: in the words of the GenAI conventions."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from otel_labelstudio.calls import LLMCall, Message, Part, part_to_dict
from tests.peers.scenarios import Json

PARAMETERS = {
    "temperature": "temperature",
    "top_p": "top_p",
    "max_tokens": "max_tokens",
    "seed": "seed",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
    "stop": "stop_sequences",
}
"""Of a request, and as the conventions name them."""

# What a part's schema names; the rest of it is what a producer added
_OF_PARTS = frozenset(("type", "content", "name", "arguments", "id", "response", "modality", "uri", "mime_type"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """A call. Messages are ``{role, parts}``, those of the output ``{parts, finish_reason}``; a system prompt is the
    first message of the input, wherever it stands."""

    input: list[Json]
    output: list[Json]
    tools: list[Json] = field(default_factory=list)
    request_model: str | None
    response_model: str | None
    response_id: str | None
    usage: dict[str, int]
    parameters: Json = field(default_factory=dict)


def read(call: LLMCall) -> Facts:
    """The facts of a call that was read."""
    system = [Message("system", call.system_instructions)] if call.system_instructions else []
    return Facts(
        input=[{"role": message.role, "parts": _parts(message)} for message in (*system, *call.input_messages)],
        output=[{"parts": _parts(message), "finish_reason": message.finish_reason} for message in call.output_messages],
        tools=[tool_facts(definition) for definition in call.tool_definitions],
        request_model=call.request_model,
        response_model=call.response_model,
        response_id=call.response_id,
        usage={name: count for name, count in call.usage.to_dict().items() if count},
        parameters={
            name: call.request_parameters[name] for name in PARAMETERS.values() if name in call.request_parameters
        },
    )


def tool_facts(definition: Any) -> Json:
    """What is said of a tool to the model."""
    return {name: definition[name] for name in ("name", "description", "parameters") if definition.get(name)}


def text(content: str) -> Json:
    """A part that is text."""
    return {"type": "text", "content": content}


def json_value(value: Any) -> Any:
    """The value of a JSON text: some telemetry holds the one, some the other."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _parts(message: Message) -> list[Json]:
    return [_part(part) for part in message.parts]


def _part(part: Part) -> Json:
    known = {name: value for name, value in part_to_dict(part).items() if name in _OF_PARTS}
    if part.type not in ("tool_call", "tool_call_response"):
        known.pop("id", None)  # of a reasoning item, which is of no use to anybody else
    return known | {name: json_value(known[name]) for name in ("response",) if name in known}

"""What an application sent to a provider: the raw request, as an instrumentation wrote it down."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from otel_labelstudio.calls import JSONObject, Message, Part, TextPart
from otel_labelstudio.providers.messages import messages_from
from otel_labelstudio.providers.parts import first, parts_from
from otel_labelstudio.providers.tools import tool_definitions_from
from otel_labelstudio.providers.usage import request_parameters_from
from otel_labelstudio.quick_init import quick_init
from otel_labelstudio.spans.attributes import REDACTED, decoded, decoded_object

# Where frameworks put the parameters of a request, and where they wrap the whole of it
_CONFIGS = (
    *("config", "generationConfig", "generation_config", "inferenceConfig", "generation_kwargs", "options", "kwargs"),
    *("parameters", "invocation_params"),
)
_WRAPPERS = ("request", "body", "kwargs", "params", "input", "inputs", "prompt")
_CONTENTS = ("messages", "prompts", "prompt", "input", "contents", "chat_history", "message", "inputs")
_SYSTEMS = ("system", "instructions", "system_instruction", "systemInstruction", "system_instructions", "systemPrompt")
_TOOLS = ("tools", "functions", "toolConfig", "tool_config")
_OF_TURN = frozenset(("role", "content", "parts", "kwargs", "type"))
_SETTINGS = frozenset(("role", "model", *_SYSTEMS, *_TOOLS))


@quick_init
@dataclass(frozen=True, slots=True)
class Request:
    """``inputs`` has the messages of each prompt: one dialogue, or as many prompts as a legacy completion holds."""

    inputs: tuple[tuple[Message, ...], ...] = ()
    system_instructions: tuple[Part, ...] = ()
    tool_definitions: tuple[JSONObject, ...] = ()
    parameters: JSONObject = field(default_factory=dict)
    model: str | None = None
    is_text_completion: bool = False
    is_cut: bool = False

    @property
    def messages(self) -> tuple[Message, ...]:
        return tuple(message for prompt in self.inputs for message in prompt)


def request_from(value: Any) -> Request:
    """The request that an attribute holds: JSON in any provider's form, a list of messages, or plain text."""
    held = decoded(value)
    if value == REDACTED:
        return Request()
    if isinstance(held.value, dict) and (body := _body(held.value)) is not None:
        return _of_body(body, held.is_cut)
    if isinstance(held.value, list) and held.value:
        inputs, is_completion = _inputs({"prompt" if _is_texts(held.value) else "messages": held.value})
        return Request(inputs, is_text_completion=is_completion, is_cut=held.is_cut)
    parts = parts_from(value if isinstance(value, str) else held.value)
    return Request(((Message("user", parts),),) if parts else (), is_cut=held.is_cut)


def prompt_inputs(prompts: Any) -> tuple[tuple[Message, ...], ...]:
    """The prompts of a legacy completion, each as one user message; tokens instead of text cannot be read."""
    items = [prompts] if isinstance(prompts, str) else prompts if isinstance(prompts, (list, tuple)) else ()
    return tuple((Message("user", (TextPart(item),)),) for item in items if isinstance(item, str) and item)


def _body(value: JSONObject, depth: int = 0) -> JSONObject | None:
    """The request itself, which frameworks wrap in an object of their own; None where there is none."""
    inner = next((value[name] for name in _WRAPPERS if isinstance(value.get(name), dict)), None)
    if inner is not None and depth < 2 and not any(value.get(name) for name in ("messages", "contents", "prompts")):
        body = _body(inner, depth + 1)
        if body is not None:
            return {**value, **body}
    # A request of which only the settings are left is one still, and no text
    is_request = any(value.get(name) for name in _CONTENTS) or not _SETTINGS.isdisjoint(value)
    return value if is_request else None


def _of_body(body: JSONObject, is_cut: bool) -> Request:
    configs = [held for name in _CONFIGS if name in body and (held := decoded_object(body[name])) is not None]
    inputs, is_completion = _inputs(body)
    system = next((found for item in (body, *configs) if (found := first(item, *_SYSTEMS)) is not None), None)
    tools = next((found for item in (body, *configs) if (found := first(item, *_TOOLS))), None)
    model = first(body, "model", "model_name", "modelId", "model_id")
    return Request(
        inputs,
        system_instructions=_system_parts(system),
        tool_definitions=tool_definitions_from(tools),
        parameters=request_parameters_from(body, *configs),
        model=model if isinstance(model, str) else None,
        is_text_completion=is_completion,
        is_cut=is_cut,
    )


def _system_parts(system: Any) -> tuple[Part, ...]:
    if isinstance(system, dict) and ("parts" in system or "content" in system):  # Gemini: {"parts": [{"text"}]}
        return tuple(part for message in messages_from(system, "system") for part in message.parts)
    return parts_from(system)


def _inputs(body: JSONObject) -> tuple[tuple[tuple[Message, ...], ...], bool]:
    """The prompts of the request, and whether it was a legacy completion."""
    dialogue = first(body, "messages", "contents")
    if isinstance(dialogue, list) and not any(_is_turn(item) for item in dialogue):
        parts = parts_from(dialogue)  # google-genai takes the parts of one message as well, texts among them
        return ((Message("user", parts),),) if parts else (), False
    if dialogue:
        return tuple(prompt for one in _dialogues(dialogue) for prompt in (messages_from(one),) if prompt), False
    prompts = first(body, "prompts", "prompt")
    if isinstance(prompts, str) or _is_texts(prompts):
        return prompt_inputs(prompts), True
    history = messages_from(body.get("chat_history") or ())
    latest = messages_from(first(body, "input", "message", "inputs", "prompt") or (body if "role" in body else ()))
    return ((*history, *latest),) if history or latest else (), False


def _is_turn(item: Any) -> bool:
    """Whether it is a message, or a list of them, as against a message's part."""
    if isinstance(item, dict):
        return not _OF_TURN.isdisjoint(item)
    return isinstance(item, list)


def _dialogues(value: Any) -> Iterator[Any]:
    """LangChain writes a batch: a list of dialogues, nearly always one."""
    if isinstance(value, list) and value and all(isinstance(item, list) for item in value):
        yield from value
    else:
        yield value


def _is_texts(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and bool(value) and all(isinstance(item, str) for item in value)

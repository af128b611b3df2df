"""What a provider answered: the raw response, as an instrumentation wrote it down."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from otel_labelstudio.calls import JSONObject, Message, TextPart, Usage
from otel_labelstudio.providers.messages import message_from, output_messages_from
from otel_labelstudio.providers.parts import first, parts_from
from otel_labelstudio.providers.shapes import FLAT_ANSWERS, Kind, is_told, kind_of
from otel_labelstudio.providers.usage import usage_from
from otel_labelstudio.quick_init import quick_init
from otel_labelstudio.spans.attributes import REDACTED, Decoded, decoded

# OpenAI, Responses, LangChain, Gemini, Haystack; then what frameworks wrap an answer in
_ANSWERS = ("choices", "output", "generations", "candidates", "replies", "message", "messages", "outputs", "response")
_USAGES = ("usage", "usage_metadata", "usageMetadata", "token_usage", "tokenUsage")
_MAX_DEPTH = 6


@quick_init
@dataclass(frozen=True, slots=True)
class Response:
    """``outputs`` has one message a choice; a legacy completion's choices stand prompt by prompt."""

    outputs: tuple[Message, ...] = ()
    id: str | None = None
    model: str | None = None
    usage: Usage = field(default_factory=Usage)
    is_text_completion: bool = False
    is_cut: bool = False


def response_from(value: Any) -> Response:
    """The response that an attribute holds: JSON in any provider's form, messages, or the answer's plain text."""
    if value in (None, "", REDACTED):
        return Response()
    held = decoded(value)
    if held.value in (None, [], {}):
        return Response()
    outputs = _outputs(_without_stump(held), 0)
    if outputs is None:
        text = value if isinstance(value, str) else None
        return Response((Message("assistant", (TextPart(text),)),) if text else (), is_cut=held.is_cut)
    whole = held.value[0] if isinstance(held.value, list) and len(held.value) == 1 else held.value
    if not isinstance(whole, dict) or (whole is not held.value and kind_of(whole) is not Kind.ANSWER):
        return Response(outputs, is_text_completion=_are_completions(held.value), is_cut=held.is_cut)
    layers = list(_layers(whole))
    return Response(
        outputs,
        id=next((found for layer in layers for found in _ids(layer)), None),
        model=next((found for layer in layers for found in _models(layer)), None),
        usage=usage_from(*(first(layer, *_USAGES) for layer in layers)),
        is_text_completion=whole.get("object") == "text_completion"
        or _are_completions(first(whole, "generations", "choices")),
        is_cut=held.is_cut,
    )


def _without_stump(held: Decoded) -> Any:
    """The value without the last item of a list that a limit has left nothing of that would tell what it is."""
    value = held.value
    is_stump = held.is_cut and isinstance(value, list) and len(value) > 1 and not _is_told(value[-1])
    return value[:-1] if is_stump else value


def _outputs(value: Any, depth: int) -> tuple[Message, ...] | None:
    """The choices; None where the value is no provider's answer, but text, or an object that the model wrote."""
    if isinstance(value, (list, tuple)):
        if len(value) == 1 and kind_of(value[0]) is Kind.ANSWER:  # openai-agents' spans, of streams
            return _outputs(value[0], depth + 1)
        return output_messages_from(value) if value and all(_is_told(item) for item in value) else None
    if not isinstance(value, dict) or depth > _MAX_DEPTH:
        return None
    if kind_of(value) is Kind.FLAT_ANSWER:
        message = _flat_answer(value)
        return (message,) if message.parts else ()
    if not _is_told(value):
        name = next((name for name in _ANSWERS if name in value), None)
        return None if name is None else _of_answer(value[name], depth)
    return output_messages_from(value)


def _flat_answer(value: JSONObject) -> Message:
    """An answer whose text, reasoning and tool calls are properties of one object, with no message in it."""
    text = first(value, *FLAT_ANSWERS)
    thoughts = first(value, "reasoning", "reasoningText", "reasoning_content")
    blocks = [{"type": "reasoning", "content": thoughts}] if isinstance(thoughts, str) else thoughts
    parts = (*parts_from(blocks or ()), *parts_from(text if isinstance(text, str) else ()))
    called = message_from({"role": "assistant", "content": (), "tool_calls": first(value, "toolCalls", "tool_calls")})
    reason = first(value, "finishReason", "finish_reason")
    return Message(
        "assistant",
        (*parts, *(called.parts if called else ())),
        finish_reason=reason if isinstance(reason, str) else None,
    )


def _of_answer(answer: Any, depth: int) -> tuple[Message, ...] | None:
    if isinstance(answer, str):
        return (Message("assistant", (TextPart(answer),)),) if answer else ()
    if isinstance(answer, (list, tuple)):
        return output_messages_from(answer)
    if answer is None:
        return ()
    return _outputs(answer, depth + 1)


def _is_told(item: Any) -> bool:
    """Whether it is a message, a choice or a content block, or a list of such."""
    return bool(item) and all(map(_is_told, item)) if isinstance(item, list) else is_told(item)


_INNER_LAYERS = (
    *("llm_output", "response_metadata", "meta", "kwargs", "generations", "replies", "message", "data"),
    *("output", "response"),
)


def _layers(value: Any, depth: int = 0) -> Iterator[JSONObject]:
    """The response and the objects in it that may say its id, model and usage, the outermost first."""
    if isinstance(value, (list, tuple)):
        value = value[0] if value else None
        if isinstance(value, (list, tuple)):
            value = value[0] if value else None
    if not isinstance(value, dict) or depth > _MAX_DEPTH:
        return
    yield value
    for name in _INNER_LAYERS:
        held = value.get(name)
        if isinstance(held, dict) or (isinstance(held, list) and name not in ("output", "response")):
            yield from _layers(held, depth + 1)


def _ids(layer: JSONObject) -> Iterator[str]:
    if layer.get("type") == "message" and "stop_reason" not in layer:
        return  # an item of a Responses answer, not the answer; Anthropic's is
    for name in ("id", "response_id", "responseId", "ResponseMetadata.RequestId"):
        found = layer.get(name)
        # LangChain gives a message the id of its run where the provider gave none
        if isinstance(found, str) and found and not found.startswith(("run-", "lc_run-", "lc_")):
            yield found


def _models(layer: JSONObject) -> Iterator[str]:
    for name in ("model", "model_name", "modelVersion", "model_version", "modelId", "model_id"):
        found = layer.get(name)
        if isinstance(found, str) and found:
            yield found


def _are_completions(choices: Any) -> bool:
    """Whether these are choices of a legacy completion, or generations of LangChain's ``LLM``: text and no message."""
    items = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], list) else choices
    if not isinstance(items, list) or not items:
        return False
    return all(
        isinstance(item, dict) and "message" not in item and {"generation_info", "finish_reason"} & item.keys()
        for item in items
    ) and all(isinstance(item.get("text"), str) for item in items)

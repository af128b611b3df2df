"""The content blocks of the providers' own APIs, and of the frameworks around them, as parts of a message.

Instrumentations write down what the application sent: blocks of OpenAI (Chat Completions, Responses), Anthropic,
Gemini, Bedrock Converse, LangChain, the Vercel AI SDK and the GenAI conventions, often mixed in one message. A block
is known by its ``type``, or, where the provider has none (Gemini, Bedrock), by the one key that says what it holds. A
block that is not known becomes a `GenericPart` with all that it had. Nothing here raises, whatever the JSON value.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Container, Iterable
from typing import Any, TypeAlias

from otel_labelstudio.calls import (
    BlobPart,
    GenericPart,
    JSONObject,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolCallResponsePart,
    UriPart,
    part_from_dict,
)
from otel_labelstudio.providers.media import is_place_holder, media_part
from otel_labelstudio.spans.attributes import decoded

Reader: TypeAlias = Callable[[JSONObject], Part | None]


def parts_from(content: Any) -> tuple[Part, ...]:
    """A message's content, as text, block or list of blocks, in any provider's form; empty text gives no part."""
    if isinstance(content, str):
        return (TextPart(content),) if content else ()
    if content is None:
        return ()
    blocks = content if isinstance(content, (list, tuple)) else (content,)
    return tuple([part for part in map(part_from, blocks) if part is not None])


def part_from(block: Any) -> Part | None:
    """One content block; None where it holds nothing."""
    if isinstance(block, str):
        return TextPart(block) if block else None
    if not isinstance(block, dict):
        return None if block is None else TextPart(json_text(block))
    kind = block.get("type")
    if isinstance(kind, str):
        reader = _BY_TYPE.get(kind) or _BY_TYPE.get(kind.lower().replace("-", "_"))
        return reader(block) if reader else _generic(block, kind)
    for key, read in _BY_KEY.items():
        if block.get(key) is not None:
            return read(block)
    return _untyped(block) if block else None


def _untyped(block: JSONObject) -> Part | None:
    """A part of the conventions that has lost its type, which may be written last, to a limit on length."""
    if "arguments" in block:
        return tool_call(block)
    if "response" in block:
        return tool_response(block)
    if isinstance(block.get("content"), str):
        return media_part(block) if "modality" in block else _text(block)
    return _generic(block, "unknown")


def blocks_or_text(content: Any) -> Any:
    """A message's content, opened where its text is the JSON of content blocks; ``""`` and ``[]`` are empty ones."""
    if not isinstance(content, str) or not content.startswith(("[", '""')):
        return content
    held = decoded(content).value
    if held in ("", []):
        return held
    is_blocks = isinstance(held, list) and held and all(isinstance(block, dict) for block in held)
    return held if is_blocks and not any(isinstance(part, GenericPart) for part in parts_from(held)) else content


def json_text(value: Any) -> str:
    """A JSON value as text, as it is where it is text already."""
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        return str(type(value).__name__)


def json_value(text: Any) -> Any:
    """What a JSON text holds, also one that was cut; anything else as it is."""
    return decoded(text).value if isinstance(text, str) else text


def first(block: JSONObject, *names: str) -> Any:
    """The first of these properties that has a value."""
    for name in names:
        value = block.get(name)
        if value is not None:
            return value
    return None


def rest(block: JSONObject, names: Container[str] = ()) -> dict[str, Any]:
    """The properties beside these that have a value."""
    return {
        str(name): value
        for name, value in block.items()
        if name not in names and name != "type" and value not in (None, "", [], {})
    }


def tool_call(block: JSONObject) -> Part | None:
    """A tool that the model asked for, in any provider's form; arguments held as JSON text become the value."""
    inner = block if _NESTED_CALLS.isdisjoint(block) else _inner(block, _NESTED_CALL)
    name = first(inner, "name", "toolName", "tool_name")
    call_id = first(block, "call_id", "toolCallId", "tool_call_id", "id") or first(inner, "toolUseId", "id", "ref")
    arguments = first(inner, *_ARGUMENTS)
    if not isinstance(name, str):
        # OpenLIT: {"type": "function_call", "content": the call as text}
        held = json_value(block.get("content"))
        return tool_call(held) if _is_object(held) and "name" in held else _generic(block, "tool_call")
    return ToolCallPart(
        name=name,
        arguments={} if arguments in (None, "") else _opened(arguments),
        id=None if call_id is None else str(call_id),
        extra=rest(block, _CALL_PROPERTIES),
    )


def _inner(block: JSONObject, names: Iterable[str]) -> JSONObject:
    """The object below the first of these names that has one, else the block itself."""
    return next((block[name] for name in names if isinstance(block.get(name), dict)), block)


def _opened(arguments: Any) -> Any:
    """The arguments as a value; some frameworks encode the JSON text of them as JSON once more."""
    value = json_value(arguments)
    return json_value(value) if isinstance(value, str) and value.startswith("{") else value


def tool_response(block: JSONObject) -> Part | None:
    """What a tool returned, in any provider's form."""
    inner = _inner(block, _NESTED_RESPONSE)
    origin = inner.get("origin")  # Haystack keeps the whole call beside its result
    response_id = first(inner, *_RESPONSE_IDS) or (origin.get("id") if isinstance(origin, dict) else None)
    return ToolCallResponsePart(
        response=unwrapped(first(inner, *_RESPONSES)),
        id=None if response_id is None else str(response_id),
        extra=rest(inner, _RESPONSE_PROPERTIES),
    )


def unwrapped(response: Any) -> Any:
    """A tool's response without its provider's wrapping: a single text block is its text, a typed value its value."""
    if isinstance(response, (list, tuple)) and len(response) == 1:
        part = part_from(response[0]) if isinstance(response[0], dict) else None
        return part.content if isinstance(part, TextPart) else response
    # Vercel AI SDK 5: {"type": "text" | "json" | "content" | "error-text" | "error-json", "value": ...}
    if isinstance(response, dict) and "value" in response and not response.keys() - {"type", "value"}:
        return response["value"]
    return response


def _text(block: JSONObject) -> Part | None:
    # Vercel AI SDK 4 and LangChain write {"type": "text", "text"}, the conventions and pydantic-ai "content"
    text = first(block, *_TEXTS)
    if isinstance(text, dict):  # OpenAI Assistants: {"text": {"value", "annotations"}}
        text = text.get("value")
    if block.get("thought") is True:  # Gemini
        return ReasoningPart(json_text(text), rest(block, ("text", "thought"))) if text else None
    if text is None:
        return None
    return TextPart(json_text(text), rest(block, _TEXTS)) if text != "" else None


def _refusal(block: JSONObject) -> Part | None:
    # The conventions have no such part; to a reader it is the text that the model answered
    text = first(block, "refusal", "content")
    return TextPart(json_text(text), {"refusal": True}) if text else None


def _reasoning(block: JSONObject) -> Part | None:
    inner = first(block, "reasoningContent", "reasoning_content")
    inner = inner if isinstance(inner, dict) else block
    text = first(inner, *_THOUGHTS)
    extra = rest(inner, _THOUGHTS)
    if isinstance(text, dict):  # Bedrock: {"reasoningText": {"text", "signature"}}; Haystack: reasoning_text
        extra |= rest(text, ("text", "reasoning_text"))
        text = first(text, "text", "reasoning_text")
    if isinstance(text, str) and text.startswith("["):
        text = _written_blocks(text)
    if isinstance(text, (list, tuple)):  # OpenAI Responses: summary and content are lists of blocks
        text = "\n\n".join(t for item in text for t in (_plain(item),) if t)
    if not text and not extra.keys() - {"id", "status"}:
        return None
    return ReasoningPart(json_text(text) if text else "", extra)


def _written_blocks(text: str) -> Any:
    """The list of blocks, where the text is JSON of nothing but such (OpenLLMetry 0.62 on the Responses API)."""
    blocks = decoded(text).value
    is_of_blocks = isinstance(blocks, list) and all(_is_object(b) and b.get("type") in _SUMMARIES for b in blocks)
    return blocks if is_of_blocks else text


def _plain(item: Any) -> str:
    return item if isinstance(item, str) else str(first(item, "text", "content") or "") if _is_object(item) else ""


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _thought(block: JSONObject) -> Part | None:
    return _text(block) if first(block, "text") is not None else _generic(block, "thought")


def _convention(block: JSONObject) -> Part | None:
    part = part_from_dict(block)
    # A data URL is no address, but the media themselves (OpenLLMetry's uri parts); nor is it base64 (redact.yaml)
    held = part.uri if isinstance(part, UriPart) else part.content if isinstance(part, BlobPart) else ""
    is_no_address = held.startswith("data:") or is_place_holder(held)
    return media_part(block) if is_no_address or isinstance(part, GenericPart) else part


def _media(block: JSONObject) -> Part | None:
    return _convention(block) if "modality" in block else media_part(block)


def _generic(block: JSONObject, kind: str) -> Part:
    return GenericPart(kind, {str(name): value for name, value in block.items() if name != "type"})


# OpenAI, Gemini, Bedrock, Haystack, Genkit
_NESTED_CALL = ("function", "functionCall", "function_call", "toolUse", "tool_call", "custom", "toolRequest")
_NESTED_RESPONSE = ("toolResult", "functionResponse", "function_response", "tool_call_result", "toolResponse")
# OpenAI arguments, Anthropic and Vercel AI SDK 5 input, LangChain, Gemini and Vercel AI SDK 4 args, Cohere parameters
_ARGUMENTS = ("arguments", "args", "input", "parameters")
_NESTED_CALLS = frozenset(_NESTED_CALL)
_CALL_PROPERTIES = frozenset(
    (
        *("name", "toolName", "tool_name", "id", "call_id", "toolCallId", "tool_call_id", "index", "ref"),
        *(*_ARGUMENTS, *_NESTED_CALL),
    )
)
_RESPONSE_IDS = ("tool_use_id", "toolUseId", "toolCallId", "tool_call_id", "call_id", "id", "ref")
_RESPONSES = ("response", "output", "result", "content")
_RESPONSE_PROPERTIES = frozenset((*_RESPONSE_IDS, *_RESPONSES, *_NESTED_RESPONSE))
_TEXTS = ("text", "content", "input_text", "output_text")
# The blocks of a reasoning item of the Responses API
_SUMMARIES = frozenset(("summary_text", "reasoning_text"))
_THOUGHTS = ("reasoningText", "thinking", "reasoning", "text", "reasoning_text", "content", "summary")

_BY_TYPE: dict[str, Reader] = {
    **dict.fromkeys(("text", "input_text", "output_text", "summary_text", "reasoning_text"), _text),
    **dict.fromkeys(
        ("reasoning", "thinking", "redacted_thinking", "redacted_reasoning", "reasoning_content"), _reasoning
    ),
    **dict.fromkeys(("tool_call", "tool_use", "function", "function_call", "custom", "custom_tool_call"), tool_call),
    **dict.fromkeys(("tool_result", "tool_call_response", "tool_response", "tool_return"), tool_response),
    **dict.fromkeys(("function_call_output", "custom_tool_call_output", "function_response"), tool_response),
    **dict.fromkeys(("image", "image_url", "input_image", "audio", "input_audio", "video", "video_url"), _media),
    **dict.fromkeys(("audio_url", "document", "document_url", "file", "input_file", "binary", "media"), _media),
    **dict.fromkeys(("blob", "uri"), _convention),
    "refusal": _refusal,
}

# Gemini and Bedrock Converse name a block by the key that holds it; "text" comes last, beside "thought" and the like
_BY_KEY: dict[str, Reader] = {
    **dict.fromkeys(("functionCall", "function_call", "toolUse", "function", "tool_call", "toolRequest"), tool_call),
    **dict.fromkeys(_NESTED_RESPONSE, tool_response),
    **dict.fromkeys(("inlineData", "inline_data", "fileData", "file_data", "image", "document", "video"), media_part),
    **dict.fromkeys(("image_url", "input_audio", "audio", "media"), media_part),
    **dict.fromkeys(("reasoningContent", "thinking", "reasoning"), _reasoning),
    "refusal": _refusal,
    "text": _text,
    "thought": _thought,
}

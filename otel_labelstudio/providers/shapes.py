"""What a JSON object of a provider's is: a message, a choice around one, a whole answer, a piece of a message.

Instrumentations write down what passed through them, and frameworks nest one provider's forms in another's, so that an
object is told by the properties that it has. This is the one place that tells, and the order of the table is the order
of asking: the more particular forms stand before the more general ones. A new form is a row here, and a reader where
its kind is read (`messages`, `response`).
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any, NamedTuple

from otel_labelstudio.calls import JSONObject


class Kind(Enum):
    """What may be read from an object; the last two, where it stands among others of its kind."""

    CONSTRUCTOR = "a message that LangChain serialised"
    ANSWER = "a whole answer, with the choices or items in it"
    FLAT_ANSWER = "an answer whose text, reasoning and tool calls are properties of the object"
    CHOICE = "an object around a message, or around the text of a legacy completion"
    MESSAGE = "a turn of a dialogue"
    PIECE = "an item of the Responses API, a block of a message's content"
    BARE_MESSAGE = "a turn that neither says whose it is nor is it a provider's only form"
    TYPED = "something with a type that nobody knows"


class Shape(NamedTuple):
    """A row: how the form is recognised, what it is, and who writes it."""

    is_of: Callable[[JSONObject], bool]
    kind: Kind
    source: str


def kind_of(value: Any) -> Kind | None:
    """What the object is; None for one of no known form, such as a model's own JSON, and for all that is no object."""
    if isinstance(value, dict):
        for shape in SHAPES:
            if shape.is_of(value):
                return shape.kind
    return None


def is_message(value: Any) -> bool:
    """Whether a message can be read from it, as against a piece of one."""
    return kind_of(value) in _OF_MESSAGES


def is_told(value: Any) -> bool:
    """Whether it is surely a message, a choice or a piece of an answer, and no JSON that a model wrote."""
    return kind_of(value) in _OF_PROVIDERS


def is_item(value: Any) -> bool:
    """Whether it is one of several objects that are a turn together."""
    if not isinstance(value, dict) or "type" not in value:
        return False
    return kind_of(value) in _OF_TURNS or (value["type"] == "message" and "content" in value)


def is_envelope(value: Any) -> bool:
    """Whether an answer's text is the JSON of a provider's answer or message, with the words of it inside."""
    items = value if isinstance(value, list) else [value]
    return bool(items) and all(isinstance(item, dict) and _is_envelope(item) for item in items)


def _is_envelope(value: JSONObject) -> bool:
    kind = kind_of(value)
    if kind in (Kind.CONSTRUCTOR, Kind.FLAT_ANSWER):
        return True
    if kind is Kind.MESSAGE:
        return value.get("role") in _ROLES and not _HELD.isdisjoint(value)
    inner = value.get("message")
    return kind in (Kind.ANSWER, Kind.CHOICE) and ("object" in value or _has_reason(value) or "role" in (inner or ()))


def _type(value: JSONObject) -> str | None:
    kind = value.get("type") if isinstance(value, dict) else None
    return kind if isinstance(kind, str) else None


def _is_plain_turn(value: JSONObject) -> bool:
    is_plain = "role" in value and _OF_OTHERS.isdisjoint(value)
    return is_plain and not isinstance(value.get("content"), dict) and value.get("type") != "constructor"


def _is_constructor(value: JSONObject) -> bool:
    return "lc" in value or value.get("type") == "constructor"


def _is_call_output(value: JSONObject) -> bool:
    return "call_id" in value and _type(value) is not None


def _is_answer(value: JSONObject) -> bool:
    return not _LISTS.isdisjoint(value) and any(isinstance(value.get(name), list) for name in _LISTS)


def _is_flat_answer(value: JSONObject) -> bool:
    if FLAT_ANSWERS.keys().isdisjoint(value):
        return False
    return any(text in value and not beside.isdisjoint(value) for text, beside in FLAT_ANSWERS.items())


def _is_around_message(value: JSONObject) -> bool:
    return isinstance(value.get("message"), dict) or isinstance(value.get("delta"), dict)


def _is_candidate(value: JSONObject) -> bool:
    return "content" in value and isinstance(value["content"], dict) and "parts" in value["content"]


def _is_completion(value: JSONObject) -> bool:
    if "text" not in value or "role" in value or not isinstance(value["text"], str):
        return False
    return "generation_info" in value or _has_reason(value)


def _is_cut_choice(value: JSONObject) -> bool:
    return _has_reason(value) and "role" not in value and value.keys().isdisjoint(("content", "parts", "tool_calls"))


def _is_turn(value: JSONObject) -> bool:
    return not _OF_TURN.isdisjoint(value)


def _is_langchain_message(value: JSONObject) -> bool:
    return _type(value) in _LANGCHAIN_TYPES and ("content" in value or "data" in value)


def _has_reason(value: JSONObject) -> bool:
    return not _REASONS.isdisjoint(value)


# The text of a flat answer, and what stands beside it. A model's own JSON has these together by accident only
FLAT_ANSWERS = {
    "completion": frozenset(("reasoning", "toolCalls", "rawRequest")),
    "text": frozenset(("toolCalls", "sources", "warnings")),
}
_REASONS = frozenset(("finish_reason", "finishReason", "stop_reason", "stopReason"))
_LISTS = frozenset(("choices", "candidates", "replies", "generations", "output"))
# A turn with none of these is of no other form; nearly all turns are such
_OF_OTHERS = frozenset(("lc", "call_id", "message", "delta", *_LISTS, *FLAT_ANSWERS))
_OF_TURN = frozenset(("role", "message", "delta", "kwargs", "generation_info", "tool_calls"))
_LANGCHAIN_TYPES = frozenset(("human", "ai", "system", "tool", "chat", "function", "AIMessageChunk", "remove"))
_ROLES = frozenset(("assistant", "model", "ai", "user", "system", "tool"))
_HELD = frozenset(("content", "parts", "tool_calls", "toolCalls"))
_PIECES = frozenset(
    (
        *("message", "text", "output_text", "reasoning", "thinking", "tool_use", "function_call", "tool-call"),
        *("custom_tool_call", "refusal"),
    )
)

SHAPES: tuple[Shape, ...] = (
    Shape(_is_plain_turn, Kind.MESSAGE, "OpenAI, Anthropic, Gemini, Bedrock, Genkit, the GenAI conventions"),
    Shape(_is_constructor, Kind.CONSTRUCTOR, "LangChain's dumpd, LangSmith"),
    Shape(_is_call_output, Kind.PIECE, "OpenAI Responses: calls, and what they gave"),
    Shape(_is_answer, Kind.ANSWER, "OpenAI, Responses, Gemini, Haystack, LangChain"),
    Shape(_is_flat_answer, Kind.FLAT_ANSWER, "OpenRouter Broadcast; Mastra and other wrappers of the Vercel AI SDK"),
    Shape(_is_around_message, Kind.CHOICE, "OpenAI, Braintrust, LangChain's generations, Genkit"),
    Shape(_is_candidate, Kind.CHOICE, "Gemini"),
    Shape(_is_completion, Kind.CHOICE, "OpenAI's legacy completions, LangChain's LLM"),
    Shape(_is_cut_choice, Kind.CHOICE, "any of these that a limit has cut"),
    Shape(_is_turn, Kind.MESSAGE, "the same with more in it, LangChain's generations that were cut"),
    Shape(_is_langchain_message, Kind.MESSAGE, "LangChain's messages_to_dict, model_dump"),
    Shape(_has_reason, Kind.MESSAGE, "an answer of Anthropic without its role"),
    Shape(lambda value: _type(value) in _PIECES, Kind.PIECE, "Responses' items, blocks of OpenAI, Anthropic, Vercel"),
    Shape(lambda value: isinstance(value.get("parts"), list), Kind.BARE_MESSAGE, "Gemini's system instruction"),
    Shape(
        lambda value: "type" not in value and isinstance(value.get("content"), list),
        Kind.BARE_MESSAGE,
        "Bedrock, Langfuse",
    ),
    Shape(lambda value: _type(value) is not None, Kind.TYPED, "blocks of any other type"),
)

# Tuples, since an enumeration's members are slow to hash
_OF_MESSAGES = (Kind.MESSAGE, Kind.CHOICE, Kind.CONSTRUCTOR, Kind.BARE_MESSAGE)
_OF_PROVIDERS = (Kind.MESSAGE, Kind.CHOICE, Kind.CONSTRUCTOR, Kind.PIECE)
_OF_TURNS = (Kind.PIECE, Kind.TYPED)

"""The record that every reader returns and every later stage works with: one call of a large language model.

The vocabulary is that of the OpenTelemetry GenAI semantic conventions and of nobody else: messages with a role and
parts, named as in the conventions' JSON schemas (``gen-ai-input-messages.json``, ``gen-ai-output-messages.json``,
``gen-ai-system-instructions.json``, ``gen-ai-tool-definitions.json``).

Two rules keep it lossless. A part whose type is not known is a `GenericPart` with all its properties, and a known part
keeps the properties that its schema does not name in ``extra``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, ClassVar, NamedTuple, TypeAlias

from otel_labelstudio.bounds import bounded_time
from otel_labelstudio.json_fields import Reader, json_object, optional, text, tuple_of, whole_number
from otel_labelstudio.quick_init import quick_init

JSONObject: TypeAlias = Mapping[str, Any]
# Nanoseconds since 1970 (UTC), in the range of `bounds`; 0 is unknown
UnixNano: TypeAlias = int
# gen_ai.operation.name of a legacy completion; every other inference is a chat
_COMPLETION = "text_completion"
# In the metadata of a call that was joined from several (`joining`): a record of each, with its ids and its model
JOINED = "otel_labelstudio.joined"


@quick_init
@dataclass(frozen=True, slots=True)
class TextPart:
    """Text that was sent to the model or came from it."""

    type: ClassVar[str] = "text"
    content: str
    extra: JSONObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ReasoningPart:
    """What the model thought before it answered, where the provider discloses it."""

    type: ClassVar[str] = "reasoning"
    content: str
    extra: JSONObject = field(default_factory=dict)


@quick_init
@dataclass(frozen=True, slots=True)
class ToolCallPart:
    """A tool that the model asked for; ``arguments`` is a JSON value, not the text that held it."""

    type: ClassVar[str] = "tool_call"
    name: str
    arguments: Any = None
    id: str | None = None
    extra: JSONObject = field(default_factory=dict)


@quick_init
@dataclass(frozen=True, slots=True)
class ToolCallResponsePart:
    """What a tool returned; ``response`` is a JSON value, ``id`` that of the tool call it answers."""

    type: ClassVar[str] = "tool_call_response"
    response: Any
    id: str | None = None
    extra: JSONObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BlobPart:
    """Media carried inline; ``content`` is base64, ``modality`` is image, audio, video or document."""

    type: ClassVar[str] = "blob"
    modality: str
    content: str
    mime_type: str | None = None
    extra: JSONObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class UriPart:
    """Media that stands at an address."""

    type: ClassVar[str] = "uri"
    modality: str
    uri: str
    mime_type: str | None = None
    extra: JSONObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FilePart:
    """Media that was uploaded to the provider beforehand."""

    type: ClassVar[str] = "file"
    modality: str
    file_id: str
    mime_type: str | None = None
    extra: JSONObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GenericPart:
    """A part of any other type, with its properties as they were."""

    type: str
    extra: JSONObject = field(default_factory=dict)


Part: TypeAlias = (
    TextPart | ReasoningPart | ToolCallPart | ToolCallResponsePart | BlobPart | UriPart | FilePart | GenericPart
)

# type -> (class, names of its required properties that are text, all its properties)
_PARTS: dict[str, tuple[type[Any], tuple[str, ...], tuple[str, ...]]] = {
    cls.type: (cls, text, tuple(f.name for f in fields(cls) if f.name != "extra"))
    for cls, text in (
        (TextPart, ("content",)),
        (ReasoningPart, ("content",)),
        (ToolCallPart, ("name",)),
        (ToolCallResponsePart, ()),
        (BlobPart, ("modality", "content")),
        (UriPart, ("modality", "uri")),
        (FilePart, ("modality", "file_id")),
    )
}


def part_from_dict(part: JSONObject) -> Part:
    """A part as the conventions write it in JSON; what does not fit its schema becomes a `GenericPart`."""
    kind = "unknown" if part.get("type") is None else str(part["type"])
    known = _PARTS.get(kind)
    if known is not None:
        cls, required_text, names = known
        own = {name: part[name] for name in names if name in part}
        if _fits(own, required_text, cls):
            extra = {name: value for name, value in part.items() if name not in names and name != "type"}
            built: Part = cls(**own, extra=extra)
            return built
    return GenericPart(type=kind, extra={name: value for name, value in part.items() if name != "type"})


def _fits(own: JSONObject, required_text: tuple[str, ...], cls: type[Any]) -> bool:
    for name in required_text:
        if not isinstance(own.get(name), str):
            return False
    for name in ("id", "mime_type"):
        if name in own and own[name] is not None and not isinstance(own[name], str):
            return False
    return cls is not ToolCallResponsePart or "response" in own


def part_to_dict(part: Part) -> dict[str, Any]:
    """The JSON form of a part; properties without a value are left out, but for a tool's empty response."""
    if isinstance(part, GenericPart):
        return {"type": part.type, **part.extra}
    own: dict[str, Any] = {"type": part.type}
    for name in _PARTS[part.type][2]:
        value = getattr(part, name)
        if value is not None or name == "response":
            own[name] = value
    return {**part.extra, **own} if part.extra else own


@quick_init
@dataclass(frozen=True, slots=True)
class Message:
    """One turn: ``role`` is system, user, assistant or tool. Only output messages have a ``finish_reason``."""

    role: str
    parts: tuple[Part, ...]
    name: str | None = None
    finish_reason: str | None = None

    def to_dict(self) -> dict[str, Any]:
        record: dict[str, Any] = {"role": self.role, "parts": [part_to_dict(part) for part in self.parts]}
        if self.name is not None:
            record["name"] = self.name
        if self.finish_reason is not None:
            record["finish_reason"] = self.finish_reason
        return record

    @classmethod
    def from_dict(cls, record: JSONObject) -> Message:
        return cls(**_read(_MESSAGE_READERS, record))


@quick_init
@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts, named as the attributes ``gen_ai.usage.*`` are."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_write_input_tokens: int | None = None
    reasoning_output_tokens: int | None = None

    def to_dict(self) -> dict[str, int]:
        return {name: count for name in _USAGE_READERS if (count := getattr(self, name)) is not None}

    @classmethod
    def from_dict(cls, record: JSONObject) -> Usage:
        return cls(**_read(_USAGE_READERS, record))


class CallKey(NamedTuple):
    """What tells readings apart: which span, and which of its prompts."""

    trace_id: str
    span_id: str
    prompt_index: int


@quick_init
@dataclass(frozen=True, slots=True, kw_only=True)
class LLMCall:
    """One inference call as telemetry tells of it.

    Each output message is one choice that the model offered. ``incomplete`` says, for people, what of the call is
    missing and why; it is empty for a call that is whole. ``request_parameters`` has the names of the
    ``gen_ai.request.*`` attributes without that prefix; ``metadata`` is what the application attached to the call.
    Ids are lower-case hexadecimal.
    """

    trace_id: str
    span_id: str
    parent_span_id: str = ""
    prompt_index: int = 0
    start_time_unix_nano: UnixNano
    end_time_unix_nano: UnixNano
    dialect: str
    scope: str = ""
    operation: str
    provider: str | None = None
    request_model: str | None = None
    response_model: str | None = None
    response_id: str | None = None
    system_instructions: tuple[Part, ...] = ()
    input_messages: tuple[Message, ...] = ()
    output_messages: tuple[Message, ...] = ()
    tool_definitions: tuple[JSONObject, ...] = ()
    request_parameters: JSONObject = field(default_factory=dict)
    usage: Usage = Usage()
    conversation_id: str | None = None
    user_id: str | None = None
    tags: tuple[str, ...] = ()
    metadata: JSONObject = field(default_factory=dict)
    run_id: str | None = None
    service_name: str | None = None
    error_type: str | None = None
    incomplete: tuple[str, ...] = ()

    @property
    def key(self) -> CallKey:
        """By which this reading of the call is known."""
        return CallKey(self.trace_id, self.span_id, self.prompt_index)

    @property
    def model(self) -> str | None:
        """The model that was asked for; where only the answering one is known, that one."""
        return self.request_model or self.response_model

    @property
    def is_unanswered(self) -> bool:
        """Whether the call failed before any answer came."""
        return bool(self.error_type) and not self.output_messages

    @property
    def is_chat(self) -> bool:
        """Whether the call is a dialogue; a legacy completion is a prompt."""
        return self.operation != _COMPLETION

    @property
    def finish_reasons(self) -> tuple[str, ...]:
        """The reasons why the choices ended, in their order, as far as they are known."""
        return tuple(m.finish_reason for m in self.output_messages if m.finish_reason)

    @property
    def answer_origins(self) -> tuple[JSONObject, ...]:
        """Of answers to compare, what is known of each one's own call; empty where one call gave them all. Such a call
        names no model, but one that was joined of the calls of a run does."""
        joined = self.metadata.get(JOINED)
        if self.model is not None or not isinstance(joined, Sequence) or len(joined) != len(self.output_messages):
            return ()
        return tuple(origin if isinstance(origin, Mapping) else {} for origin in joined)

    @property
    def answer_models(self) -> tuple[str | None, ...]:
        """The model of each output message: of answers to compare, each has its own."""
        named = [origin.get("model") for origin in self.answer_origins]
        known = tuple(model if isinstance(model, str) else None for model in named)
        return known or (self.model,) * len(self.output_messages)

    def to_dict(self) -> dict[str, Any]:
        """The call as JSON values; `from_dict` is the way back. Fields without a value are left out."""
        record: dict[str, Any] = {}
        for name in _CALL_READERS:
            value = getattr(self, name)
            if name in _WRITERS:
                value = _WRITERS[name](value)
            if value or name in _ALWAYS:
                record[name] = list(value) if isinstance(value, tuple) else value
        return record

    @classmethod
    def from_dict(cls, record: JSONObject) -> LLMCall:
        """The call that `to_dict` wrote. Names that this version does not know are ignored, here and in all that the
        record holds; a value that is not of its field's type is a `TypeError`, a field that is missing another."""
        return cls(**_read(_CALL_READERS, record))


def _messages_to_dicts(messages: Sequence[Message]) -> list[dict[str, Any]]:
    return [message.to_dict() for message in messages]


_WRITERS: dict[str, Any] = {
    "system_instructions": lambda parts: [part_to_dict(part) for part in parts],
    "input_messages": _messages_to_dicts,
    "output_messages": _messages_to_dicts,
    "usage": Usage.to_dict,
}
# What `from_dict` cannot do without, even where it is empty, and the one number that is told where it is zero
_ALWAYS = frozenset(("prompt_index", *(f.name for f in fields(LLMCall) if f.default is f.default_factory is MISSING)))

# Declared type -> what reads it
_READERS: dict[str, Reader[Any]] = {
    "str": text,
    "str | None": optional(text),
    "int": whole_number,
    "int | None": optional(whole_number),
    "UnixNano": lambda value: bounded_time(whole_number(value)),
    "tuple[str, ...]": tuple_of(text),
    "JSONObject": json_object,
    "tuple[JSONObject, ...]": tuple_of(json_object),
    "tuple[Part, ...]": tuple_of(part_from_dict),
    "tuple[Message, ...]": tuple_of(Message.from_dict),
    "Usage": Usage.from_dict,
}


def _readers(record: type[Any]) -> dict[str, Reader[Any]]:
    return {f.name: _READERS[str(f.type)] for f in fields(record)}


def _read(readers: Mapping[str, Reader[Any]], record: JSONObject) -> dict[str, Any]:
    return {name: read(record[name]) for name, read in readers.items() if name in record}


_MESSAGE_READERS, _USAGE_READERS, _CALL_READERS = _readers(Message), _readers(Usage), _readers(LLMCall)

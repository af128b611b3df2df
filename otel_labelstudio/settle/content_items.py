"""What a call says, written so that two dialects' readings of it compare equal.

An item is one text, tool call or tool result: texts without white space, tool calls and results as canonical values.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from otel_labelstudio.calls import CallKey, LLMCall, Message, Part, TextPart, ToolCallPart, ToolCallResponsePart
from otel_labelstudio.outbox.entry import Origin

Items: TypeAlias = Counter[str]

# A text that was cut counts as the beginning of another from this many characters on
SHORTEST_CUT = 32
_UNKNOWN = Origin()
# What names and types a tool's result differs between dialects; what it says does not
_LABELS = frozenset({"type", "id", "name", "status", "tool_call_id", "toolCallId", "tool_use_id", "toolUseId"})


def answer_items(call: LLMCall) -> Items:
    """What the model answered; a choice's text is one item, however many parts it came in."""
    return Counter(item for message in call.output_messages for item in _message_items(message))


def input_items(call: LLMCall) -> Items:
    """What the model was given; all system prompts together are one item, wherever they stand."""
    system = [part for message in call.input_messages if message.role == "system" for part in message.parts]
    # Some producers write the system prompt in both places
    texts = dict.fromkeys(_squeezed(text) for text in _texts([*call.system_instructions, *system]))
    items = Counter(item for m in call.input_messages if m.role != "system" for item in _message_items(m))
    if any(texts):
        items["text " + "".join(texts)] += 1
    return items


class Said:
    """What calls say, worked out once for each: a call is compared with many. It keeps them all, so it is for one turn
    of settling.

    ``origins`` are where calls come from and go to, as far as it is known.
    """

    def __init__(self, origins: Mapping[CallKey, Origin] | None = None) -> None:
        self._origins = origins or {}
        self._answers: dict[int, tuple[LLMCall, Items]] = {}
        self._inputs: dict[int, tuple[LLMCall, Items]] = {}

    def answer(self, call: LLMCall) -> Items:
        """As `answer_items`."""
        return _kept(self._answers, call, answer_items)

    def input(self, call: LLMCall) -> Items:
        """As `input_items`."""
        return _kept(self._inputs, call, input_items)

    def may_be_of_one_application(self, one: LLMCall, other: LLMCall) -> bool:
        """Whether nothing says that two calls are of different ones."""
        origin, its = (self._origins.get(call.key, _UNKNOWN) for call in (one, other))
        pairs = (
            (one.service_name, other.service_name),
            (origin.resource, its.resource),
            (origin.destination, its.destination),
        )
        return all(not here or not there or here == there for here, there in pairs)


def _kept(kept: dict[int, tuple[LLMCall, Items]], call: LLMCall, items_of: Callable[[LLMCall], Items]) -> Items:
    found = kept.get(id(call))
    if found is None:  # the call is kept beside its items, so that no other one has its id
        found = kept[id(call)] = (call, items_of(call))
    return found[1]


def shares_something(one: Items, other: Items) -> bool:
    """Whether the two have an item in common; nothing contradicts what is not there at all."""
    return not one or not other or bool(one.keys() & other.keys()) or bool(_cut_items(one, other))


def is_contained(one: Items, other: Items) -> bool:
    """Whether one of the two says all that the other says, a cut text counting for the whole of it."""
    if one == other:
        return True
    smaller, larger = sorted((one, other), key=Counter.total)
    if not smaller:
        return not larger
    left = smaller - larger
    return not left or left.total() == len(_cut_items(left, larger - smaller))


def _cut_items(one: Items, other: Items) -> list[str]:
    """The items of ``one`` of which ``other`` has the beginning, or which are the beginning of one of ``other``'s."""
    return [item for item in one if any(_is_beginning(item, candidate) for candidate in other)]


def _is_beginning(one: str, other: str) -> bool:
    shorter, longer = sorted((one, other), key=len)
    return len(shorter) >= SHORTEST_CUT and longer.startswith(shorter)


def _message_items(message: Message) -> Iterator[str]:
    if message.role == "tool":
        for text in _texts(message.parts):
            yield "result " + _result(text)
    else:
        text = _squeezed("".join(_texts(message.parts)))
        if text:
            yield "text " + text
    for part in message.parts:
        if isinstance(part, ToolCallPart):
            yield f"call {part.name} {_canonical(part.arguments)}"
        elif isinstance(part, ToolCallResponsePart):
            yield "result " + _result(part.response)


def _texts(parts: Iterable[Part]) -> list[str]:
    return [part.content for part in parts if isinstance(part, TextPart)]


def _squeezed(text: str) -> str:
    return "".join(text.split())


def _canonical(value: Any) -> str:
    value = _value(value)
    if value in (None, "", {}):
        return ""
    try:
        return _squeezed(json.dumps(value, sort_keys=True, ensure_ascii=False, default=str))
    except (ValueError, TypeError, RecursionError):
        return "?"


def _result(value: Any) -> str:
    try:
        return "".join(_leaves(value))
    except RecursionError:
        return "?"


def _leaves(value: Any) -> Iterator[str]:
    value = _value(value)
    if isinstance(value, Mapping):
        for key in sorted(value, key=str):
            if key not in _LABELS:
                yield from _leaves(value[key])
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _leaves(item)
    elif value is not None:
        yield _squeezed(str(value))


def _value(value: Any) -> Any:
    """The value that a JSON text holds, where it holds one."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "[", '"'):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value

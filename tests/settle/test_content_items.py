"""What two readings say is compared by items: what a dialect writes differently is equal, what differs is not."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from otel_labelstudio.calls import (
    LLMCall,
    Message,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolCallResponsePart,
)
from otel_labelstudio.settle.content_items import (
    SHORTEST_CUT,
    answer_items,
    input_items,
    is_contained,
    shares_something,
)
from tests.outbox.calls import numbered

LONG = "a text that is longer than the shortest one which counts as the beginning of another"


def answered(*parts: Part) -> LLMCall:
    return numbered(1, output_messages=(Message("assistant", parts),))


def asked(*messages: Message, **fields: Any) -> LLMCall:
    return numbered(1, input_messages=messages, **fields)


def text(said: str) -> TextPart:
    return TextPart(said)


def call(arguments: Any) -> ToolCallPart:
    return ToolCallPart(id="call_1", name="weather", arguments=arguments)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((text("It is\n\nParis."),), (text("It is "), text("Paris."))),
        ((call({"city": "Paris", "days": 2}),), (call('{"days": 2,  "city": "Paris"}'),)),
        ((call({}),), (call(None),)),
        ((text("Paris."), ReasoningPart("Hm.")), (text("Paris."),)),
    ],
    ids=["pieces and white space", "arguments as text", "no arguments", "reasoning"],
)
def test_an_answer_is_equal_however_it_is_written(one: tuple[Part, ...], other: tuple[Part, ...]) -> None:
    """In pieces, as JSON text, with or without what most dialects lose."""
    assert answer_items(answered(*one)) == answer_items(answered(*other))


def test_choices_are_items_of_their_own() -> None:
    """Two equal choices are not one."""
    two = numbered(1, output_messages=(Message("assistant", (text("Yes."),)),) * 2)
    assert answer_items(two) == Counter({"text Yes.": 2})


def test_system_prompts_are_one_item_wherever_they_stand() -> None:
    """In front of the dialogue, in it, or, as some write it, in both places."""
    user = Message("user", (text("Hi"),))
    system = (text("Be brief."),)
    apart = asked(user, system_instructions=system)
    inside = asked(Message("system", system), user)
    both = asked(Message("system", system), user, system_instructions=system)
    assert input_items(apart) == input_items(inside) == input_items(both)


@pytest.mark.parametrize(
    "result",
    [
        {"type": "text", "text": "18 degrees"},
        '{"text": "18 degrees"}',
        ["18", "degrees"],
        [{"type": "text", "text": "18"}, {"type": "text", "text": "degrees"}],
    ],
)
def test_a_result_is_what_it_says(result: Any) -> None:
    """Not how it is wrapped, nor the role under which it stands."""
    plain = asked(Message("tool", (text("18 degrees"),)))
    wrapped = asked(Message("user", (ToolCallResponsePart(id="call_1", response=result),)))
    assert input_items(plain) == input_items(wrapped)


@pytest.mark.parametrize("depth", [10, 100_000])
def test_what_is_nested_without_end_costs_nobody(depth: int) -> None:
    """It is an item like any other."""
    deep: Any = "end"
    for _ in range(depth):
        deep = [deep]
    items = answer_items(answered(call(deep), ToolCallResponsePart(id="1", response=deep)))
    assert items.total() == 2
    assert answer_items(answered(call("[" * depth))).total() == 1


def test_values_that_no_json_has_are_items() -> None:
    """A tool's arguments may be anything that an application handed over."""
    assert answer_items(answered(call({("a", 1): 2}))) == Counter({"call weather ?": 1})


def items(*texts: str) -> Counter[str]:
    return Counter(texts)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (items(), items(), True),
        (items(), items("a"), False),
        (items("a"), items("a", "b"), True),
        (items("a", "a"), items("a"), True),
        (items("a", "c"), items("a", "b"), False),
        (items(LONG), items(LONG[: SHORTEST_CUT + 1]), True),
        (items(LONG), items(LONG[: SHORTEST_CUT - 1]), False),
        (items(LONG[:-5], "b"), items(LONG, "b", "c"), True),
    ],
)
def test_the_smaller_is_contained_in_the_larger(one: Counter[str], other: Counter[str], expected: bool) -> None:
    """In whatever order they are given; a text that was cut counts for the whole of it."""
    assert is_contained(one, other) is expected
    assert is_contained(other, one) is expected


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (items(), items("a"), True),
        (items("a", "b"), items("b", "c"), True),
        (items("a"), items("b"), False),
        (items("x", LONG), items(LONG[:-9], "y"), True),
    ],
)
def test_one_item_in_common_is_shared(one: Counter[str], other: Counter[str], expected: bool) -> None:
    """Nothing contradicts what is not there at all."""
    assert shares_something(one, other) is expected
    assert shares_something(other, one) is expected

"""Attribute values as they really arrive."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_labelstudio.spans.attributes import (
    MAX_DEPTH,
    Decoded,
    Fields,
    below,
    decoded,
    decoded_object,
    first,
    grouped,
    has_any_below,
    integer,
    nested,
    number,
    numbered,
    texts,
)

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=30,
)
CONTAINERS = st.lists(JSON_VALUES, min_size=1) | st.dictionaries(st.text(), JSON_VALUES, min_size=1)


@pytest.mark.parametrize(
    "held",
    [
        [{"role": "user", "parts": [{"type": "text", "content": "Hi"}]}],
        '[{"role": "user", "parts": [{"type": "text", "content": "Hi"}]}]',
        "[{'role': 'user', 'parts': [{'type': 'text', 'content': 'Hi'}]}]",
    ],
)
def test_structured_values_json_and_python_reprs_are_the_same(held: Any) -> None:
    """Spans hold structured values, JSON text or a Python repr; all three give one value."""
    assert decoded(held) == Decoded([{"role": "user", "parts": [{"type": "text", "content": "Hi"}]}])


@pytest.mark.parametrize("text", ["Hello", "[Note] see below", "{not json}", "(see above) and on", "", "it's [1]"])
def test_plain_text_stays_as_it_is(text: str) -> None:
    """A prompt that merely begins like JSON is a prompt."""
    assert decoded(text) == Decoded(text)


def test_python_words_and_escapes_of_a_repr_are_understood() -> None:
    """What repr() writes of a dict of Python values comes back as JSON values."""
    held = {"a": None, "b": True, "c": (1, 2.5), "d": 'it\'s "quoted"\n\t\\ é 😀 \x01'}
    assert decoded(repr(held)).value == {**held, "c": [1, 2.5]}


def test_a_cut_text_gives_what_is_complete_and_the_text_so_far() -> None:
    """A length limit cuts JSON in the middle: whole messages stay, and the beginning of the last text."""
    text = json.dumps([{"role": "user", "content": "one"}, {"role": "assistant", "content": "two and three"}])
    cut = text[: text.index(" and three")]
    assert decoded(cut) == Decoded([{"role": "user", "content": "one"}, {"role": "assistant", "content": "two"}], True)


@pytest.mark.parametrize("tail", ["...", "…", "...(truncated)", " [TRUNCATED]", "<truncated 34 characters>"])
def test_a_mark_that_says_where_a_text_was_cut_is_no_content(tail: str) -> None:
    """Some limits append a mark to what they leave."""
    assert decoded('[{"a": 1}, ' + tail) == Decoded([{"a": 1}], True)


def test_a_number_that_breaks_off_is_left_out() -> None:
    """The first digits of a number are another number."""
    assert decoded('{"a": 1, "b": 23') == Decoded({"a": 1}, True)


def test_a_cut_escape_or_surrogate_pair_leaves_no_half_character() -> None:
    """The result of a cut can be written as UTF-8, wherever the cut fell."""
    text = json.dumps(["smile 😀 \n"])
    for end in range(2, len(text)):
        json.dumps(decoded(text[:end]).value, ensure_ascii=False).encode()
    assert decoded(text[: text.index("\\ude00")]) == Decoded(["smile \ufffd"], True)


@given(CONTAINERS, st.data())
@settings(max_examples=300, deadline=None)
def test_every_beginning_of_json_or_a_repr_can_be_read(value: Any, data: st.DataObject) -> None:
    """Whatever the value and wherever the cut: nothing raises, and the result can be written as JSON."""
    text = data.draw(st.sampled_from([json.dumps(value), json.dumps(value, ensure_ascii=False), repr(value)]))
    end = data.draw(st.integers(0, len(text)))
    json.dumps(decoded(text[:end]).value, allow_nan=False).encode()


@given(st.lists(st.text() | st.integers() | st.booleans() | st.none() | st.dictionaries(st.text(), st.text())))
@settings(max_examples=200, deadline=None)
def test_whole_json_comes_back_as_it_was(value: Any) -> None:
    """What json.dumps wrote is read whole, and said to be whole."""
    text = json.dumps(value)
    assert decoded(text) == Decoded(json.loads(text))


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 50_000, "[" * 500 + "]" * 500, "([{" * 30_000])
def test_deep_nesting_neither_raises_nor_comes_through(text: str) -> None:
    """What is nested deeper than any message stays text, so that no later stage runs out of stack."""
    start = time.thread_time()
    assert _depth(decoded(text).value) <= MAX_DEPTH + 1
    assert time.thread_time() - start < 5


def test_a_structured_value_that_is_nested_too_deeply_is_cut_off_as_text() -> None:
    """OTLP JSON can bring structured values of any depth."""
    value: Any = "bottom"
    for _ in range(400):
        value = [value]
    assert _depth(decoded(value).value) <= MAX_DEPTH + 1


def _depth(value: Any) -> int:
    depth = 0
    while isinstance(value, list | dict) and value:
        value = next(iter(value.values())) if isinstance(value, dict) else value[0]
        depth += 1
    return depth


def test_megabytes_are_read_in_time_proportional_to_their_size() -> None:
    """A long cut text costs no more than a few passes over it."""
    text = json.dumps([{"role": "user", "content": 'x\\"' * 200_000}] * 8)
    start = time.thread_time()
    assert decoded(text[:-5]).is_cut
    assert time.thread_time() - start < 5


def test_flat_keys_become_lists_in_numerical_order_without_gaps() -> None:
    """Limits take the first keys or the last; what is left is renumbered from its lowest index."""
    attributes = {
        "p.10.role": "user",
        "p.2.role": "assistant",
        "p.2.calls.1.name": "b",
        "p.2.calls.0.name": "a",
        "q.0.role": "other",
    }
    assert nested(attributes, "p.") == [
        {"role": "assistant", "calls": [{"name": "a"}, {"name": "b"}]},
        {"role": "user"},
    ]
    assert nested(attributes, "none.") is None


def test_keys_that_begin_with_numbers_are_told_apart_in_numerical_order() -> None:
    """Each number's keys are one dict; a value of the number itself, and other names, are none of them."""
    keys = {"10.role": "user", "2.calls.0.name": "a", "2.role": "assistant", "3": "text", "name": "template"}
    assert list(numbered(keys).items()) == [
        ("2", {"calls.0.name": "a", "role": "assistant"}),
        ("10", {"role": "user"}),
    ]


def test_attributes_are_gathered_by_the_beginnings_of_their_names() -> None:
    """A prefix that no name begins with is not there."""
    attributes = {"a.x": 1, "b": 2, "a.b.y": 3, "c.z": 4, "d.e": 5}
    assert grouped(attributes, ("a.", "c.", "f.")) == {"a.": {"x": 1, "b.y": 3}, "c.": {"z": 4}}


def test_a_key_with_a_value_and_keys_below_it_loses_neither() -> None:
    """Such keys contradict each other, which is no reason to drop one."""
    assert nested({"p.0": "text", "p.0.role": "user"}, "p.") == [{"": "text", "role": "user"}]
    assert nested({"p.0.role": "user", "p.0": "text"}, "p.") == [{"": "text", "role": "user"}]


def test_a_dict_that_is_a_value_is_not_taken_for_flat_keys() -> None:
    """A structured attribute whose keys happen to be numbers stays a dict."""
    assert nested({"p.0.arguments": {"0": "a"}}, "p.") == [{"arguments": {"0": "a"}}]


def test_flat_keys_hold_nothing_that_json_cannot_write() -> None:
    """A double may be infinite, and a structured value nested without end."""
    deep: Any = "bottom"
    for _ in range(400):
        deep = [deep]
    held = nested({"p.0.a": float("inf"), "p.0.b": deep}, "p.")
    assert held[0]["a"] == "Infinity"
    assert _depth(held[0]["b"]) <= MAX_DEPTH + 1


@pytest.mark.parametrize(("value", "expected"), [(3, 3), ("3", 3), (3.0, 3), ("3.0", 3), (3.5, None), (True, None)])
def test_whole_numbers_are_read_from_text_too(value: Any, expected: int | None) -> None:
    """Counts arrive as integers, floats and text."""
    assert integer(value) == expected


@pytest.mark.parametrize("value", ["x", "", None, "nan", "1e999", float("inf"), [], "9" * 5000])
def test_what_is_no_finite_number_is_none(value: Any) -> None:
    """Neither infinity nor text without a number can be written as a JSON number."""
    assert number(value) is None


@pytest.mark.parametrize("value", [["stop", "length"], '["stop", "length"]', "['stop', 'length']"])
def test_lists_of_texts_are_read_in_every_spelling(value: Any) -> None:
    """Finish reasons and tags are lists, or the JSON or the repr of one."""
    assert texts(value) == ("stop", "length")


def test_a_single_text_is_a_list_of_one() -> None:
    """Where a list belongs, one text is enough."""
    assert texts("stop") == ("stop",)
    assert texts(None) == ()


def test_the_first_key_with_a_value_wins() -> None:
    """None and empty text are no values; zero and False are."""
    assert first({"a": None, "b": "", "c": 0, "d": 1}, ("a", "b", "c", "d")) == 0
    assert first({}, ("a",)) is None


def test_below_gives_the_keys_without_their_prefix() -> None:
    """The rest of the key is a name, dots and all."""
    assert below({"x.a.b": 1, "y.a": 2}, "x.") == {"a.b": 1}


def test_of_a_fields_keys_the_first_that_has_a_value_speaks() -> None:
    """None and empty text are no values; a field without a key that has one is left out."""
    fields = Fields({"model": ("model.asked", "model.answered"), "user": ("user.id",)})
    assert fields.values({"model.answered": "b", "model.asked": "a", "other": 1}) == {"model": "a"}
    assert fields.values({"model.answered": "b", "model.asked": "", "user.id": None}) == {"model": "b"}
    assert fields.values({"user.id": 0}) == {"user": 0}


@given(st.dictionaries(st.text("a.b\n", max_size=6), st.none(), max_size=5), st.text("a.b\n", min_size=1, max_size=3))
def test_names_below_a_prefix_begin_with_it(attributes: dict[str, None], prefix: str) -> None:
    """A prefix in the middle of a name, or across two names, is none; whatever characters names are made of."""
    assert has_any_below(attributes, "~", prefix) == any(key.startswith(prefix) for key in attributes)


def test_an_object_is_found_in_its_text_and_not_copied_where_it_is_one() -> None:
    """What is no object, or no longer one when decoded, gives None."""
    held = {"a": [1]}
    assert decoded_object(held) is held
    assert decoded_object('{"a": [1]}') == held
    assert decoded_object("[1]") is decoded_object("plain") is decoded_object(None) is None


@given(st.lists(st.lists(st.sampled_from(["0", "1", "role"]), min_size=1, max_size=30), max_size=8))
def test_every_flat_key_keeps_its_value(paths: list[list[str]]) -> None:
    """However deep the keys and in whatever order: also where one has both a value and keys below it."""
    attributes = {"p." + ".".join(path): str(at) for at, path in enumerate(paths)}
    assert sorted(_leaves(nested(attributes, "p."))) == sorted(attributes.values())


def _leaves(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [leaf for item in (value.values() if isinstance(value, dict) else value or ()) for leaf in _leaves(item)]

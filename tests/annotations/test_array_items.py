"""The items of an array: the same as a parser of the whole gives, wherever what is read at once ends."""

from __future__ import annotations

import json
import tracemalloc
from io import StringIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_labelstudio.annotations.collecting import array_items as module
from otel_labelstudio.annotations.collecting import unparsable
from otel_labelstudio.annotations.collecting.array_items import array_items
from otel_labelstudio.annotations.collecting.unparsable import UnparsableItem, only_item


class CountedReads(StringIO):
    """How often it was read."""

    reads = 0

    def read(self, size: int | None = -1, /) -> str:
        self.reads += 1
        return super().read(size)


TEXTS = st.text(st.sampled_from('a"\\[]{},:\n\u00e9\U0001f339'), max_size=8)
VALUES = st.recursive(
    st.none() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
TOO_MANY_DIGITS = "1" * 5_000


def items_of(text: str, *, read_at_once: int = 7) -> list[Any]:
    """Read so many characters at a time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_CHUNK", read_at_once)
        patch.setattr(unparsable, "_MATCHED_AT_ONCE", read_at_once)
        return list(array_items(StringIO(text)))


@given(st.lists(st.lists(VALUES, max_size=3) | st.dictionaries(TEXTS, VALUES, max_size=3)), st.integers(1, 40))
def test_items_are_those_of_the_array(values: list[Any], read_at_once: int) -> None:
    """With quotes, brackets and escapes in their texts, and white space around them."""
    for text in (json.dumps(values), f" {json.dumps(values, indent=1, ensure_ascii=False)}\n"):
        assert items_of(text, read_at_once=read_at_once) == values


@given(st.dictionaries(TEXTS, VALUES, max_size=3), st.integers(1, 40))
def test_what_cannot_be_parsed_is_told_from_what_follows(value: dict[str, Any], read_at_once: int) -> None:
    """Its own numbers are told, and the next item is read."""
    bad = f'{{"id": 12, "value": {json.dumps(value)}, "n": {TOO_MANY_DIGITS}, "project" : 345 }}'
    told = UnparsableItem({"id": 12, "project": 345})
    assert items_of(f"[{bad}, {bad}, [7]]", read_at_once=read_at_once) == [told, told, [7]]


def test_its_own_numbers_are_told() -> None:
    """Not those of what it holds, nor those in texts; no other value, and no number that no id can be."""
    text = (
        '{"of": {"id": 1, "b": [2]}, "text": "\\"id\\": 3", "id" :\n 4, "project": 5, "none": null,'
        f' "id_of": "7", "large": {TOO_MANY_DIGITS}}}'
    )
    assert only_item([text]).numbers == {"id": 4, "project": 5}


@pytest.mark.parametrize("project", ["6.5", "-1", "1" * 19, TOO_MANY_DIGITS, '"5"', "null"])
def test_what_no_id_can_be_is_not_told(project: str) -> None:
    """A part of its digits neither."""
    assert only_item([f'{{"id": 4, "project": {project}}}']).numbers == {"id": 4}


def test_of_a_long_item_no_more_is_kept_than_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands at its end too; and the next one is read."""
    monkeypatch.setattr(module, "LONGEST_ITEM", 100)
    long, other = items_of(f'[{{"id": 1, "text": "{"x" * 10_000}", "project": 2}}, {{"id": 2}}]')
    assert (long, other) == (UnparsableItem({"id": 1, "project": 2}), {"id": 2})


def test_texts_of_escapes_take_no_memory() -> None:
    """A regular expression holds something for each of them."""
    escapes = '{"id": 1, "text": "' + "\\n" * 2**21 + '"}'
    tracemalloc.start()
    assert only_item([escapes]).numbers == {"id": 1}
    used = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert used < 16 * 2**20


@pytest.mark.parametrize("item", ["null", "7", '"a"', "{}", "[]"])
def test_small_items_are_not_read_on_for(item: str) -> None:
    """Each reading copies what is still to be parsed: one for each item would take a time that is quadratic."""

    def reads(items: int) -> int:
        file = CountedReads(f"[{', '.join([item] * items)}]")
        assert sum(1 for _ in array_items(file)) == items
        return file.reads

    assert reads(60_000) <= reads(20_000) + 5


def test_numbers_are_read_as_a_whole() -> None:
    """Also where what is read at once ends within them, as long as any that is parsed."""
    longest = "1" * 4_300
    assert items_of(f"[{longest}, 1.25, {longest}]", read_at_once=100) == [int(longest), 1.25, int(longest)]


TASK = '{"id": 1, "annotations": [{"id": 5, "result": []}], "data": {"text": "a", "n": undefined}, "project": 1}'


@pytest.mark.parametrize("left_out", [place for place, mark in enumerate(TASK) if mark in '[]{}"'])
def test_a_bracket_or_a_quote_too_few_is_an_error(left_out: int) -> None:
    """Wherever it was, and though the items after it have one too many: else they would be a part of this one."""
    cut = TASK[:left_out] + TASK[left_out + 1 :]
    for too_many in ("}", "]", "]}", '"'):
        with pytest.raises(ValueError, match=r"."):
            items_of(f"[{cut}, {TASK}{too_many}, {TASK}]")


def test_one_item_that_was_two_is_an_error() -> None:
    """What was between them is gone."""
    with pytest.raises(ValueError, match="more than one"):
        items_of(f"[{TASK[:-1]}, {TASK[1:]}]")


@pytest.mark.parametrize("following", ["[]", "]", "{", "1", ","])
def test_nothing_follows_the_array(following: str) -> None:
    """But white space, of any length."""
    assert items_of(f"[{{}}]{' ' * 20}") == [{}]
    with pytest.raises(ValueError, match="more than an array"):
        items_of(f"[{{}}]{' ' * 20}{following}")


@pytest.mark.parametrize("text", ["", "{}", "[", "[{}", "[{},]", "[,]", "[{} {}]", "[{}}]", "[{}] []", '[{"a": "}]'])
def test_what_is_no_array_is_an_error(text: str) -> None:
    """Nothing is left out in silence."""
    with pytest.raises(ValueError, match=r"."):
        items_of(text)

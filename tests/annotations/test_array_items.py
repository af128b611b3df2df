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
from otel_labelstudio.annotations.collecting.array_items import UnparsableItem, array_items

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
        for name in ("_CHUNK", "_MATCHED_AT_ONCE"):
            patch.setattr(module, name, read_at_once)
        return list(array_items(StringIO(text)))


@given(st.lists(st.lists(VALUES, max_size=3) | st.dictionaries(TEXTS, VALUES, max_size=3)), st.integers(1, 40))
def test_items_are_those_of_the_array(values: list[Any], read_at_once: int) -> None:
    """With quotes, brackets and escapes in their texts, and white space around them."""
    for text in (json.dumps(values), f" {json.dumps(values, indent=1, ensure_ascii=False)}\n"):
        assert items_of(text, read_at_once=read_at_once) == values


@given(st.dictionaries(TEXTS, VALUES, max_size=3), st.integers(1, 40))
def test_what_cannot_be_parsed_is_told_from_what_follows(value: dict[str, Any], read_at_once: int) -> None:
    """Its text is whole, and the next item is read."""
    bad = f'{{"value": {json.dumps(value)}, "n": {TOO_MANY_DIGITS}}}'
    assert items_of(f"[{bad}, {bad}, [7]]", read_at_once=read_at_once) == [
        *(UnparsableItem(bad), UnparsableItem(bad)),
        [7],
    ]


def test_its_own_numbers_are_told() -> None:
    """Not those of what it holds, nor those in texts; no other value, and no number that no id can be."""
    text = (
        '{"of": {"id": 1, "b": [2]}, "text": "\\"id\\": 3", "id" :\n 4, "project": 5, "rate": 6.5, "none": null,'
        f' "id_of": "7", "large": {TOO_MANY_DIGITS}}}'
    )
    assert UnparsableItem(text).whole_numbers() == {"id": 4, "project": 5}


def test_only_the_beginning_of_a_long_item_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next one is read."""
    monkeypatch.setattr(module, "LONGEST_ITEM", 100)
    long, other = items_of(f'[{{"id": 1, "text": "{"x" * 10_000}"}}, {{"id": 2}}]')
    assert long.whole_numbers() == {"id": 1}
    assert len(long.text) < 120
    assert other == {"id": 2}


def test_texts_of_escapes_take_no_memory() -> None:
    """A regular expression holds something for each of them."""
    escapes = UnparsableItem('{"id": 1, "text": "' + "\\n" * 2**21)
    tracemalloc.start()
    assert escapes.whole_numbers() == {"id": 1}
    used = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert used < 16 * 2**20


@pytest.mark.parametrize("text", ["", "{}", "[", "[{}", "[{},]", "[,]", "[{} {}]", "[{}}]", "[{}] []", '[{"a": "}]'])
def test_what_is_no_array_is_an_error(text: str) -> None:
    """Nothing is left out in silence."""
    with pytest.raises(ValueError, match=r"."):
        items_of(text)


def test_its_text_stands_in_no_repr() -> None:
    """It is what people wrote."""
    assert "secret" not in repr(UnparsableItem("secret"))

"""Records whose ``__init__`` is made for speed are frozen dataclasses in every other way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import FrozenInstanceError, asdict, dataclass, field, replace
from typing import Any

import pytest

from otel_labelstudio.quick_init import quick_init


@quick_init
@dataclass(frozen=True, slots=True)
class _Record:
    name: str
    count: int = 1
    extra: Mapping[str, Any] = field(default_factory=dict)


@quick_init
@dataclass(frozen=True, slots=True, kw_only=True)
class _Named:
    count: int = 1
    name: str


def test_what_is_left_out_has_its_default() -> None:
    """Values are taken by their place or their name; a default that is made, is made for each record."""
    assert asdict(_Record("a")) == {"name": "a", "count": 1, "extra": {}}
    assert asdict(_Record("a", 2, extra={"b": 3})) == {"name": "a", "count": 2, "extra": {"b": 3}}
    assert _Record("a").extra is not _Record("a").extra
    assert asdict(_Named(name="a")) == {"count": 1, "name": "a"}


def test_records_are_compared_copied_and_frozen_as_dataclasses_are() -> None:
    """Equality, hash, ``replace`` and the refusal to be changed are those of the dataclass."""
    assert _Named(name="a", count=2) == replace(_Named(name="a"), count=2) != _Named(name="a")
    assert hash(_Named(name="a")) == hash(_Named(name="a"))
    with pytest.raises(FrozenInstanceError):
        _Record("a").name = "b"  # type: ignore[misc]


def test_a_wrong_call_is_a_type_error_that_names_the_record() -> None:
    """A field that is missing, one that there is not, and a place where only names are taken."""
    record: Any = _Record
    with pytest.raises(TypeError, match=r"_Record\.__init__\(\) missing 1 required positional argument: 'name'"):
        record()
    with pytest.raises(TypeError, match="unexpected keyword argument 'other'"):
        record("a", other=1)
    named: Any = _Named
    with pytest.raises(TypeError, match="takes 1 positional argument"):
        named("a")

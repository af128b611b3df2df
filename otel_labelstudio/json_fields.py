"""The fields of records as they come out of JSON: each of its declared type, or a `TypeError` that holds no value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

_T = TypeVar("_T")
Reader = Callable[[Any], _T]


def text(value: Any) -> str:
    """A text."""
    if isinstance(value, str):
        return value
    raise TypeError(f"{type(value).__name__} instead of text")


def whole_number(value: Any) -> int:
    """An integer; true and false are none."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise TypeError(f"{type(value).__name__} instead of an integer")


def json_object(value: Any) -> Mapping[str, Any]:
    """An object."""
    if isinstance(value, Mapping):
        return value
    raise TypeError(f"{type(value).__name__} instead of an object")


def optional(read: Reader[_T]) -> Reader[_T | None]:
    """What the reader reads, or null."""
    return lambda value: None if value is None else read(value)


def tuple_of(read: Reader[_T]) -> Reader[tuple[_T, ...]]:
    """A list, of which the reader reads each item."""

    def read_all(values: Any) -> tuple[_T, ...]:
        if isinstance(values, list | tuple):
            return tuple([read(value) for value in values])
        raise TypeError(f"{type(values).__name__} instead of a list")

    return read_all

"""Metrics that look at objects when somebody reads them.

A meter takes an observable's callbacks once for each name. So there is one instrument for all objects of a kind, which
it does not keep alive; numbers of the same attributes are added up. Looking never raises: what cannot be told at the
moment is left out.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Generic, TypeAlias, TypeVar

from opentelemetry.metrics import CallbackOptions, Observation

Observer: TypeAlias = Callable[[CallbackOptions], Iterable[Observation]]
Measured: TypeAlias = "tuple[float, Mapping[str, str]]"
_Item = TypeVar("_Item")


class Watched(Generic[_Item]):
    """The objects of a kind, each with attributes of its own."""

    def __init__(self) -> None:
        self._items: weakref.WeakKeyDictionary[_Item, Mapping[str, str]] = weakref.WeakKeyDictionary()

    def add(self, item: _Item, attributes: Mapping[str, str]) -> None:
        """Look at one more, until nobody uses it any longer."""
        self._items[item] = attributes

    def discard(self, item: _Item) -> None:
        """Look at it no more."""
        self._items.pop(item, None)

    def one(self, measure: Callable[[_Item], float | None]) -> Observer:
        """An instrument's callback with one number of each object, None where there is none."""

        def measured(item: _Item) -> Iterator[Measured]:
            number = measure(item)
            if number is not None:
                yield number, {}

        return self.several(measured)

    def several(self, measure: Callable[[_Item], Iterable[Measured]]) -> Observer:
        """An instrument's callback with some numbers of each object, each with attributes of its own."""

        def observe(_: CallbackOptions) -> list[Observation]:
            sums: dict[frozenset[tuple[str, str]], float] = {}
            for item, attributes in self._alive():
                with suppress(Exception):
                    for number, own in list(measure(item)):
                        key = frozenset({**attributes, **own}.items())
                        sums[key] = sums.get(key, 0) + number
            return [Observation(number, dict(key)) for key, number in sums.items()]

        return observe

    def _alive(self) -> Iterator[tuple[_Item, Mapping[str, str]]]:
        for reference in self._items.keyrefs():  # a copy: others may add meanwhile
            item = reference()
            if item is not None:
                yield item, self._items.get(item, {})

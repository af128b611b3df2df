"""Which result belongs to which tool call, and ids for calls that have none or one that another call has too.

By ids where they fit. A result without an id, or whose call has none, belongs to the first call of the turn that waits.
Some telemetry numbers calls and results each for itself: where no result has the id of any call, as many results as
calls belong to them in their order. Anything else would be a guess, which teaches wrong results: the row is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from otel_labelstudio.annotations.datasets.left_out import LeftOut, RowLeftOutError


@dataclass(slots=True, eq=False)
class _Call:
    """``original_id`` is the one by which its result names it, ``entry["id"]`` the one that is written."""

    entry: dict[str, Any]
    original_id: str | None


class ToolIds:
    """Gives each tool call of a dialogue an id of its own, the original one if it can be, and each result that of its
    call; ``used`` are ids that other calls of the dialogue have."""

    def __init__(self, used: Iterable[str] = ()) -> None:
        self._used = set(used)
        self._calls: list[_Call] = []
        self._pending: list[_Call] = []
        self._turn: list[_Call] = []
        self._is_turn_over = False

    def call(self, entry: dict[str, Any]) -> None:
        """A tool call of an assistant; ``entry["id"]`` may be None."""
        made = _Call(entry, entry["id"])
        if made.original_id in self._used:
            entry["id"] = None
        elif made.original_id:
            self._used.add(made.original_id)
        if self._is_turn_over:
            self._turn, self._is_turn_over = [], False
        for calls in (self._calls, self._pending, self._turn):
            calls.append(made)

    def answered(self, response_ids: Sequence[str | None]) -> list[dict[str, Any]]:
        """The calls that results which stand together answer."""
        self._is_turn_over = True
        calls = list(self._turn) if self._are_numbered_apart(response_ids) else self._found(response_ids)
        for call, response_id in zip(calls, response_ids, strict=True):
            self._pending.remove(call)
            self._name(call, response_id)
        return [call.entry for call in calls]

    @property
    def are_all_answered(self) -> bool:
        return not self._pending

    def complete(self) -> None:
        """Give an id to each call that has none."""
        for call in self._calls:
            self._name(call, None)

    def branch(self) -> ToolIds:
        """For one answer to the dialogue: answers do not stand behind each other, so they may have the same ids."""
        return ToolIds(self._used)

    def _are_numbered_apart(self, response_ids: Sequence[str | None]) -> bool:
        waiting = [call for call in self._turn if call in self._pending]
        is_one_each = len(waiting) == len(self._turn) == len(response_ids)
        return is_one_each and not any(map(self._is_known, response_ids))

    def _is_known(self, response_id: str | None) -> bool:
        return response_id is not None and any(call.original_id == response_id for call in self._calls)

    def _found(self, response_ids: Sequence[str | None]) -> list[_Call]:
        """Those with these ids first, so that a result without one does not take the call of another."""
        waiting = list(self._pending)
        by_id = [_taken(waiting, partial(_has_id, of)) for of in response_ids]
        return [call or self._next(waiting, of) for call, of in zip(by_id, response_ids, strict=True)]

    def _next(self, waiting: list[_Call], response_id: str | None) -> _Call:
        def is_next(call: _Call) -> bool:
            return call in self._turn and not (response_id and call.original_id)

        call = None if self._is_known(response_id) else _taken(waiting, is_next)
        if call is None:
            raise RowLeftOutError(LeftOut.TOOL_RESULT)
        return call

    def _name(self, call: _Call, response_id: str | None) -> None:
        if not call.entry["id"]:
            call.entry["id"] = response_id if response_id and response_id not in self._used else self._unused()
            self._used.add(call.entry["id"])

    def _unused(self) -> str:
        return next(name for n in range(1, len(self._used) + 2) if (name := f"call_{n}") not in self._used)


def _has_id(response_id: str | None, call: _Call) -> bool:
    return bool(response_id) and call.original_id == response_id


def _taken(waiting: list[_Call], is_wanted: Callable[[_Call], bool]) -> _Call | None:
    """The first that is wanted, which then waits no longer."""
    call = next(filter(is_wanted, waiting), None)
    if call is not None:
        waiting.remove(call)
    return call

"""Which tool call a tool's result belongs to, in a dialogue whose telemetry may lack ids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from otel_labelstudio.annotations.datasets.left_out import LeftOut, RowLeftOutError


class ToolIds:
    """Gives each tool call of a dialogue an id, the original where there is one, and each result that of its call."""

    def __init__(self) -> None:
        self._pending: list[dict[str, Any]] = []
        self._calls: list[dict[str, Any]] = []

    def call(self, entry: dict[str, Any]) -> None:
        """A tool call of an assistant; ``entry["id"]`` may be None."""
        self._pending.append(entry)
        self._calls.append(entry)

    def answered(self, response_ids: Sequence[str | None]) -> list[dict[str, Any]]:
        """The calls that results which stand together answer: by their ids, else in the order in which they wait. Some
        telemetry numbers calls and results each for itself: as many as wait are then theirs, one after the other."""
        waiting = list(self._pending)
        try:
            return [self._answered(response_id) for response_id in response_ids]
        except RowLeftOutError:
            if len(waiting) != len(response_ids):
                raise
        self._pending.clear()
        for entry in waiting:
            entry["id"] = entry["id"] or self._unused()
        return waiting

    def _answered(self, response_id: str | None) -> dict[str, Any]:
        entry = next((one for one in self._pending if response_id and one["id"] == response_id), None)
        if entry is None:
            entry = next((one for one in self._pending if not (response_id and one["id"])), None)
        if entry is None:
            raise RowLeftOutError(LeftOut.TOOL_RESULT)
        self._pending.remove(entry)
        entry["id"] = entry["id"] or response_id or self._unused()
        return entry

    @property
    def are_all_answered(self) -> bool:
        return not self._pending

    def complete(self) -> None:
        """Give an id to each call that has none."""
        for entry in self._calls:
            entry["id"] = entry["id"] or self._unused()

    def _unused(self) -> str:
        used = {entry["id"] for entry in self._calls}
        return next(name for n in range(1, len(self._calls) + 2) if (name := f"call_{n}") not in used)

"""Which rows are for training and which for testing: whole groups of calls, so that nothing leaks from one to the
other.

A group is a conversation, else a trace, else a prompt; groups that share a prompt, or of which one continues the other,
are joined first. Tools do not count, since the same question under other tools is the same question; system messages
do, since some applications put all of the input there. The digest of a group's first call decides, so that a later run
moves no group, unless new calls join two of them. Memory: nine bytes a task.
"""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Iterable

_TRAIN, _TEST = "train", "test"
SPLITS = (_TRAIN, _TEST)

# Tasks with the same value next to each other
_SHARED = (
    "SELECT own_group, id FROM tasks WHERE own_group <> x'' ORDER BY own_group",
    "SELECT prompt, id FROM tasks WHERE prompt <> x'' ORDER BY prompt",
)
# One of the tasks that end so is enough: all of them have the same prompt and are joined by it. With each of them the
# time would be the square of how many conversations begin alike
_CONTINUED = """
SELECT beginnings.of, ending.of FROM (SELECT digest, MIN(of) AS of FROM endings GROUP BY digest) AS ending
JOIN beginnings ON beginnings.digest = ending.digest
"""
_IN_ORDER = "SELECT id, own_group FROM tasks ORDER BY start, span, project, task"


class Split:
    """Says of each task where its rows go."""

    def __init__(self, connection: sqlite3.Connection, train_share: float) -> None:
        last = connection.execute("SELECT MAX(id) FROM tasks").fetchone()[0] or 0
        self._parents = array("q", range(last + 1))
        for statement in _SHARED:
            self._join_shared(connection.execute(statement))
        for one, other in connection.execute(_CONTINUED):
            self._join(one, other)
        self._is_test = bytearray(last + 1)
        self._decide(connection.execute(_IN_ORDER), train_share)

    def of(self, task: int) -> str:
        """``train`` or ``test``."""
        return SPLITS[self._is_test[self._root(task)]]

    def _join_shared(self, tasks: Iterable[tuple[bytes, int]]) -> None:
        before: tuple[bytes, int] | None = None
        for task in tasks:
            if before and before[0] == task[0]:
                self._join(before[1], task[1])
            before = task

    def _join(self, one: int, other: int) -> None:
        self._parents[self._root(one)] = self._root(other)

    def _root(self, task: int) -> int:
        while (parent := self._parents[task]) != task:
            self._parents[task] = self._parents[parent]
            task = self._parents[task]
        return task

    def _decide(self, tasks: Iterable[tuple[int, bytes]], train_share: float) -> None:
        is_decided = bytearray(len(self._parents))
        for task, group in tasks:
            root = self._root(task)
            if not is_decided[root]:
                is_decided[root] = True
                self._is_test[root] = _share(group) >= train_share


def _share(group: bytes) -> float:
    """A number from 0 to less than 1 that depends on the group alone."""
    return int.from_bytes(group[:6], "big") / 2**48

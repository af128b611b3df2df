"""The audit of a sequence of numbered calls: what was accepted, what is stored, and with which predictions."""

from __future__ import annotations

import json
import re
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from otel_labelstudio.tasks.build import CALL_ID
from tests.delivery.labeling import Labeling

_PAGE_SIZE = 2000
_QUESTION = re.compile(r"Question (\d+)\.")


@dataclass(frozen=True)
class Audit:
    """Calls by their ids: on the disk of our side, as tasks, and as predictions of the right task; and the numbers of
    those that are tasks."""

    accepted: list[str]
    stored: list[str]
    predictions: list[str]
    numbers: list[int]

    def assert_exactly_once(self, said: Sequence[int] = ()) -> None:
        """Print the three numbers, and hold them to each other; ``said`` is what the application was told is safe."""
        print(
            f"accepted {len(self.accepted)}, stored {len(self.stored)}, predictions {len(self.predictions)}", flush=True
        )
        assert _several(self.stored) == _several(self.numbers) == [], "stored more than once"
        assert sorted(self.stored) == sorted(self.accepted)
        assert sorted(self.predictions) == sorted(self.accepted)
        assert set(said) <= set(self.numbers)


def audit(labeling: Labeling, project: int | str, accepted: Sequence[str]) -> Audit:
    """What stands in a project (an id, or a title)."""
    tasks = [(task["data"][CALL_ID], _number(task["data"]), task["predictions"]) for task in _tasks(labeling, project)]
    said = [
        (call_id, prediction["result"][0]["value"]["text"] == [str(number)])
        for call_id, number, predictions in tasks
        for prediction in predictions
    ]
    assert all(is_right for _, is_right in said), "a prediction says something else than the call did"
    return Audit(
        accepted=list(accepted),
        stored=[call_id for call_id, _, _ in tasks],
        predictions=[call_id for call_id, _ in said],
        numbers=[number for _, number, _ in tasks],
    )


def accepted_calls(*outboxes: Path) -> list[str]:
    """The ids of the calls that are, or were, on the disk: a delivered one is known for a day."""
    return [call_id for outbox in outboxes for (call_id,) in _query(outbox, "SELECT DISTINCT call_id FROM readings")]


def left_to_do(outbox: Path) -> int:
    """How many calls wait, or are to be audited."""
    waiting = "state IN ('settling', 'pending', 'in_flight') OR (recheck_at IS NOT NULL AND state = 'delivered')"
    ((left,),) = _query(outbox, f"SELECT COUNT(*) FROM readings WHERE {waiting}")
    return int(left)


def _tasks(labeling: Labeling, project: int | str) -> Iterator[dict[str, Any]]:
    """All of them, however many."""
    project_id = project if isinstance(project, int) else labeling.project_of(project)
    for page in count(1):
        path = f"/api/tasks?project={project_id}&fields=all&page_size={_PAGE_SIZE}&page={page}"
        found = labeling.request("GET", path)
        yield from found["tasks"]
        if page * _PAGE_SIZE >= found["total"]:
            return


def _query(outbox: Path, statement: str) -> list[tuple[Any, ...]]:
    db = sqlite3.connect(outbox)
    try:
        return db.execute(statement).fetchall()
    finally:
        db.close()


def _several(items: Sequence[object]) -> list[object]:
    return [item for item, times in Counter(items).items() if times > 1]


def _number(record: object) -> int:
    found = _QUESTION.search(json.dumps(record))
    assert found, "a task that is no call of ours"
    return int(found.group(1))

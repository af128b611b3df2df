"""People who work in a project while calls come in, and who notice when what they had to do with is deleted."""

from __future__ import annotations

import random
import re
import threading
import time
import urllib.error
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from otel_labelstudio.tasks.build import CALL_ID
from tests.delivery.faults import Exchange, answers, forwarded
from tests.delivery.label_studio.people import Person
from tests.delivery.labeling import Labeling

_PAUSE_S = 0.1
_NEWEST = "/api/tasks?project={}&page_size=60&include=id,data&query=%7B%22ordering%22%3A%5B%22-tasks%3Aid%22%5D%7D"
_ONE_TASK = re.compile(r"/api/tasks/(\d+)/")


class PeopleAtWork:
    """Annotate, skip, draft, edit, copy, move and delete tasks at random, those that stand there twice more often."""

    def __init__(self, labeling: Labeling, project_id: int, other_project_id: int, rng: random.Random) -> None:
        self._person = Person(labeling, project_id)
        self._other_project_id, self._rng = other_project_id, rng
        self._lock = threading.Lock()
        self.acts: Counter[str] = Counter()
        # By task: since when somebody has had to do with it, by which acts, and the annotations and drafts of them
        self.touched: dict[int, float] = {}
        self.acts_on: defaultdict[int, list[str]] = defaultdict(list)
        # Of those, the ones of which nothing is known but that an act was answered with an error
        self.perhaps_touched: set[int] = set()
        self.work: dict[int, list[tuple[str, int]]] = {}
        self.copies: set[int] = set()
        # Of calls that may have a copy more, since its import was answered with an error
        self.perhaps_copied: set[str] = set()
        self.removed_calls: set[str] = set()
        # What the exporter did: tasks deleted; those of them that somebody had touched before it looked, with the acts
        self.deletions: list[int] = []
        self.wrong_deletions: list[tuple[int, list[str]]] = []
        self._looked_at: dict[int, float] = {}

    @contextmanager
    def working(self) -> Iterator[None]:
        """For as long as this lasts."""
        is_over = threading.Event()

        def work() -> None:
            while not is_over.wait(_PAUSE_S):
                self._act()

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join()

    def watch(self, exchange: Exchange) -> None:
        """What the exporter asks of single tasks.

        A task that was touched after its last look is not deleted here: nobody can tell it of that (docs/delivery.md).
        """
        found = _ONE_TASK.match(exchange.path)
        if found is None:
            return forwarded(exchange)
        task_id = int(found.group(1))
        if exchange.method == "DELETE":
            return self._watch_deletion(task_id, exchange)
        self._looked_at[task_id] = time.monotonic()
        return forwarded(exchange)

    def _watch_deletion(self, task_id: int, exchange: Exchange) -> None:
        looked_at = self._looked_at.get(task_id, 0.0)  # before the lock: the next process may look while this one waits
        with self._lock:
            touched_at = self.touched.get(task_id)
            if touched_at is not None and touched_at > looked_at:
                return answers(503)(exchange)
            if touched_at is not None and task_id not in self.perhaps_touched:
                acts = [*self.acts_on[task_id], f"{looked_at - touched_at:.3f} s later it was looked at"]
                self.wrong_deletions.append((task_id, acts))
            self.deletions.append(task_id)
            self._forget(task_id)
            return forwarded(exchange)

    def _act(self) -> None:
        with self._lock:
            task, act = self._choose(), self._rng.choice(_ACTS)
            if task is None:
                return
            try:
                act(self, task)
            except urllib.error.HTTPError as error:  # the database was locked, perhaps: it may have happened
                error.close()
                if task["id"] not in self.touched:
                    self.perhaps_touched.add(task["id"])
                self.touched[task["id"]] = time.monotonic()
                self.acts_on[task["id"]].append(f"{act.__name__.strip('_')}, answered with {error.code}")
                if act is PeopleAtWork._copy:
                    self.perhaps_copied.add(task["data"][CALL_ID])
            else:
                self.acts[act.__name__.strip("_")] += 1

    def _choose(self) -> dict[str, Any] | None:
        listed = self._person.labeling.request("GET", _NEWEST.format(self._person.project_id))["tasks"]
        times = Counter(task["data"].get(CALL_ID) for task in listed)
        twice = [task for task in listed if times[task["data"].get(CALL_ID)] > 1]
        chosen = twice if twice and self._rng.random() < 0.5 else listed
        return self._rng.choice(chosen) if chosen else None

    def _touch(self, task_id: int, act: str) -> None:
        self.touched[task_id] = time.monotonic()
        self.perhaps_touched.discard(task_id)
        self.acts_on[task_id].append(act)

    def _forget(self, task_id: int) -> None:
        """It is gone: Label Studio on SQLite gives its id to the next one."""
        self.touched.pop(task_id, None)
        self.perhaps_touched.discard(task_id)
        self.acts_on.pop(task_id, None)
        self.work.pop(task_id, None)
        self.copies.discard(task_id)

    def _made(self, task_id: int, kind: str, number: int) -> None:
        self._touch(task_id, kind)
        self.work.setdefault(task_id, []).append((kind, number))

    def _annotate(self, task: dict[str, Any]) -> None:
        self._made(task["id"], "annotations", self._person.annotate(task["id"]))

    def _skip(self, task: dict[str, Any]) -> None:
        self._made(task["id"], "annotations", self._person.skip(task["id"]))

    def _draft(self, task: dict[str, Any]) -> None:
        self._made(task["id"], "drafts", self._person.draft(task["id"]))

    def _edit(self, task: dict[str, Any]) -> None:
        self._person.edit_data(task["id"])
        self._touch(task["id"], "edit")

    def _copy(self, task: dict[str, Any]) -> None:
        copy_id = self._person.copy(task["id"], with_meta=self._rng.random() < 0.7)
        self.copies.add(copy_id)
        self._touch(copy_id, "copy")

    def _move(self, task: dict[str, Any]) -> None:
        self._person.move(task["id"], self._other_project_id)
        self._touch(task["id"], "move")
        self.removed_calls.add(task["data"][CALL_ID])

    def _delete(self, task: dict[str, Any]) -> None:
        self.removed_calls.add(task["data"][CALL_ID])
        self._person.delete(task["id"])
        self._forget(task["id"])


_ACTS: tuple[Callable[[PeopleAtWork, dict[str, Any]], None], ...] = (
    *(PeopleAtWork._annotate, PeopleAtWork._skip, PeopleAtWork._draft, PeopleAtWork._edit),
    *(PeopleAtWork._copy, PeopleAtWork._move, PeopleAtWork._delete),
)

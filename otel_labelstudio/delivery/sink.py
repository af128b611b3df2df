"""Where letters end: the projects of a Label Studio server, each call in them once.

A batch takes these steps, and the outbox knows after each of them how far it came:

1. find the project and its binding; build the tasks; what does not fit the project is a dead letter
2. look up what an earlier try may have stored; what is missing waits until nothing can come of that try any more
3. import the rest; what the server names as bad is a dead letter, and the rest goes again
4. count the predictions, since Label Studio on SQLite loses them when somebody else writes at the same time, and add
   what is missing

Label Studio has no idempotency key, and may commit an import long after the client hung up. So a request whose outcome
is unknown is never repeated blindly (step 2), and calls that were in doubt are looked up once more, later, when the
server has certainly given up (`LabelStudioSink.audit`): a twin that nobody has annotated is removed, and so is a second
prediction that says the same.

Only one import runs at a time for one server: with SQLite, any other write at the same time costs predictions.
"""

from __future__ import annotations

import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from otel_labelstudio.delivery.label_studio import Imported, LabelStudioServer, StoredTask
from otel_labelstudio.delivery.letters import Letter
from otel_labelstudio.delivery.outbox import Outbox
from otel_labelstudio.delivery.targets import ProjectRules, Targets
from otel_labelstudio.errors import (
    PausedDeliveryError,
    RejectedTasksError,
    RetryableDeliveryError,
    UnknownOutcomeError,
)
from otel_labelstudio.printable import logger
from otel_labelstudio.tasks.build import CALL_ID, Task
from otel_labelstudio.telemetry import Telemetry

_logger = logger(__name__)

_T = TypeVar("_T")

_LOOKUP_CHUNK = 100

_server_locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_server_locks.clear)  # one may be held by a thread that the child does not have


class Sink(Protocol):
    """Takes letters and tells the outbox what became of each."""

    def deliver(self, destination: str, letters: Sequence[Letter], outbox: Outbox) -> int:
        """How many are done with: delivered or dead. Raises `DeliveryError` where some must be tried again."""

    def audit(self, destination: str, call_ids: Sequence[str], outbox: Outbox) -> None:
        """See that calls which were in doubt are stored once."""

    def hurry(self, deadline: float) -> None:
        """Begin nothing that lasts beyond this time (of `time.monotonic`)."""

    def close(self) -> None:
        """Let go of connections; the next delivery opens them again."""


@dataclass(frozen=True, slots=True)
class Waits:
    """How long, in seconds: before a call in doubt that is not there is sent again, and before it is audited."""

    doubt_wait_s: float
    audit_wait_s: float


class LabelStudioSink:
    """Delivers to the projects of one Label Studio server. ``clock`` gives seconds since 1970, as the outbox's does."""

    def __init__(
        self,
        server: LabelStudioServer,
        rules: ProjectRules,
        waits: Waits,
        telemetry: Telemetry,
        clock: Callable[[], float] = time.time,
        routes: Mapping[str, ProjectRules] | None = None,
    ) -> None:
        self.server, self.waits, self.telemetry, self.clock = server, waits, telemetry, clock
        self.targets = Targets(server, rules, routes=routes)
        self._deadline = float("inf")

    @property
    def is_last_try(self) -> bool:
        """Whether there is no later time for what fails now."""
        return self._deadline < float("inf")

    def deliver(self, destination: str, letters: Sequence[Letter], outbox: Outbox) -> int:
        return self._alone(destination, lambda: _Batch(self, destination, outbox).deliver(letters))

    def audit(self, destination: str, call_ids: Sequence[str], outbox: Outbox) -> None:
        self._alone(destination, lambda: self._audit(destination, call_ids, outbox))

    def hurry(self, deadline: float) -> None:
        self._deadline = deadline
        self.server.hurry(deadline)

    def close(self) -> None:
        self.server.close()

    def _alone(self, destination: str, work: Callable[[], _T]) -> _T:
        lock = _server_locks[self.server.url]
        wait_s = max(0.0, self._deadline - time.monotonic())
        if not lock.acquire(timeout=min(wait_s, threading.TIMEOUT_MAX)):
            raise RetryableDeliveryError(f"{self.server.url} is busy with another import of this process")
        try:
            return work()
        except PausedDeliveryError:
            self.targets.forget(destination)
            raise
        finally:
            lock.release()

    def _audit(self, destination: str, call_ids: Sequence[str], outbox: Outbox) -> None:
        project_id = self.targets.target(destination).project.id
        for chunk in _chunks(call_ids):
            for tasks in self.server.stored_tasks(project_id, CALL_ID, chunk).values():
                surplus = _surplus_twins(tasks)
                for task in surplus:
                    self.server.delete_task(task.id)
                    self.telemetry.count("tasks.twins_removed")
                for task in tasks:
                    if task.predictions > 1 and task not in surplus:
                        self._remove_equal_predictions(task.id)
            outbox.mark_audited(chunk)

    def _remove_equal_predictions(self, task_id: int) -> None:
        """One that was added to a task may have come late, and twice; others' predictions say something else."""
        known: set[str] = set()
        for prediction_id, content in sorted(self.server.predictions(task_id).items()):
            if content in known:
                self.server.delete_prediction(prediction_id)
                self.telemetry.count("predictions.removed")
            known.add(content)


class _Batch:
    """One delivery to one destination."""

    def __init__(self, sink: LabelStudioSink, destination: str, outbox: Outbox) -> None:
        self._sink, self._server, self._telemetry = sink, sink.server, sink.telemetry
        self._destination = destination
        self._outbox = outbox
        self._target = sink.targets.target(destination)
        self._number_done = 0

    def deliver(self, letters: Sequence[Letter]) -> int:
        stored = {letter.seq: letter.task_id for letter in letters if letter.task_id is not None}
        doubtful = [letter for letter in letters if letter.in_doubt and letter.task_id is None]
        stored |= self._look_up(doubtful)
        self._check_predictions([(letter, stored[letter.seq]) for letter in letters if letter.seq in stored])
        missing = [letter for letter in letters if letter.seq not in stored]
        put_off = {letter.seq for letter in self._put_off(missing)}
        self._import(self._build(letter for letter in missing if letter.seq not in put_off))
        return self._number_done

    def _build(self, letters: Iterable[Letter]) -> list[tuple[Letter, Task]]:
        built = []
        for letter in letters:
            task = self._sink.targets.build(letter.call, letter.call_id, self._target)
            if isinstance(task, str):
                self._reject(letter, "refused", task)
            else:
                built.append((letter, task))
        return built

    def _look_up(self, doubtful: Sequence[Letter]) -> dict[int, int]:
        """Task ids of those calls that an earlier try has stored after all."""
        if not doubtful:
            return {}
        now = self._sink.clock()
        tried = [letter for letter in doubtful if letter.doubted_at is not None]
        self._outbox.mark_audit(tried, now + self._sink.waits.audit_wait_s)
        found: dict[int, int] = {}
        # Only the newest tasks first: the search is linear
        for after in sorted({0, min(letter.after_task_id for letter in doubtful)}, reverse=True):
            for chunk in _chunks([letter for letter in doubtful if letter.seq not in found]):
                tasks = self._stored_tasks(chunk, after)
                known = [(letter, tasks[letter.call_id][0].id) for letter in chunk if letter.call_id in tasks]
                self._outbox.mark_stored(known)
                found |= {letter.seq: task_id for letter, task_id in known}
        return found

    def _put_off(self, missing: Sequence[Letter]) -> list[Letter]:
        """Those whose last try may still be carried out: they wait, but not where memory would lose them."""
        if self._sink.is_last_try and not self._outbox.is_durable:
            return []
        now, wait_s = self._sink.clock(), self._sink.waits.doubt_wait_s
        waiting = [x for x in missing if x.in_doubt and x.doubted_at is not None and now < x.doubted_at + wait_s]
        for letter in waiting:
            self._outbox.put_back([letter], not_before=(letter.doubted_at or now) + wait_s)
        return waiting

    def _import(self, built: list[tuple[Letter, Task]], *, may_reread: bool = True) -> None:
        if not built:
            return
        letters = [letter for letter, _ in built]
        if self._target.newest_task_id is None:
            self._target.newest_task_id = self._server.newest_task_id(self._target.project.id)
        self._outbox.mark_in_doubt(letters, self._target.newest_task_id)
        try:
            imported = self._timed_import([task.to_dict() for _, task in built])
        except UnknownOutcomeError:
            raise
        except RejectedTasksError as error:
            self._outbox.mark_not_stored(letters)
            if may_reread:  # the labeling interface may have been edited since it was read
                self._target = self._sink.targets.target(self._destination, fresh=True)
                self._import(self._build(letters), may_reread=False)
            else:
                self._sort_out(built, error)
            return
        except Exception:
            self._outbox.mark_not_stored(letters)
            raise
        stored = list(zip(letters, imported.task_ids, strict=True))
        self._target.newest_task_id = max(imported.task_ids)
        is_whole = imported.predictions == len(built)
        with self._outbox.transaction():  # one wait for the disk
            self._outbox.mark_stored(stored)
            if is_whole:
                self._done(letters)
        if not is_whole:
            self._check_predictions(stored)

    def _timed_import(self, tasks: list[dict[str, Any]]) -> Imported:
        started_at = time.perf_counter()
        error_type = ""
        try:
            return self._server.import_tasks(self._target.project.id, tasks)
        except Exception as error:
            error_type = type(error).__name__
            raise
        finally:
            self._telemetry.record_import(time.perf_counter() - started_at, self._server.address, error_type)

    def _sort_out(self, built: list[tuple[Letter, Task]], error: RejectedTasksError) -> None:
        """Reject the tasks that the server named, or find them by halves, and import the rest."""
        bad = {i: why for i, why in error.reasons.items() if i < len(built)}
        if not bad and len(built) == 1:
            bad = {0: str(error)}
        for i, why in bad.items():
            self._reject(built[i][0], "rejected", self._sink.targets.say_rejected(why))
        rest = [item for i, item in enumerate(built) if i not in bad]
        halves = [rest] if bad else [rest[: len(rest) // 2], rest[len(rest) // 2 :]]
        for half in halves:
            self._import(half, may_reread=False)

    def _check_predictions(self, stored: Sequence[tuple[Letter, int]]) -> None:
        """Add the predictions that Label Studio lost, and look again."""
        missing = self._without_prediction(stored)
        if missing:
            _logger.info("Label Studio lost %d of %d predictions; they are added.", len(missing), len(stored))
            # The same doubt as with tasks: an answer may be lost, and the predictions stored after all
            self._outbox.mark_audit(
                [letter for letter, _ in missing], self._sink.clock() + self._sink.waits.audit_wait_s
            )
            self._server.import_predictions(self._target.project.id, list(self._predictions(missing)))
            self._telemetry.count("predictions.repaired", len(missing))
            still = self._without_prediction(missing)
            if still:
                raise RetryableDeliveryError(f"{len(still)} predictions are not stored yet")
        self._done([letter for letter, _ in stored])

    def _without_prediction(self, stored: Sequence[tuple[Letter, int]]) -> list[tuple[Letter, int]]:
        missing = []
        for chunk in _chunks(stored):
            tasks = self._stored_tasks([letter for letter, _ in chunk], min(task_id for _, task_id in chunk) - 1)
            for letter, task_id in chunk:
                found: list[StoredTask] = [task for task in tasks.get(letter.call_id, ()) if task.id == task_id]
                # A task that is gone was deleted by somebody: there is nothing to add a prediction to
                if found and found[0].predictions == 0:
                    missing.append((letter, task_id))
        return missing

    def _predictions(self, missing: Sequence[tuple[Letter, int]]) -> Iterator[dict[str, Any]]:
        for letter, task_id in missing:
            task = self._sink.targets.build(letter.call, letter.call_id, self._target)
            if isinstance(task, Task):
                yield {"task": task_id, **task.prediction}

    def _stored_tasks(self, letters: Sequence[Letter], after_task_id: int) -> dict[str, list[StoredTask]]:
        call_ids = [letter.call_id for letter in letters]
        return self._server.stored_tasks(self._target.project.id, CALL_ID, call_ids, after_task_id)

    def _done(self, letters: Sequence[Letter]) -> None:
        self._outbox.mark_delivered(letters)
        self._number_done += len(letters)
        self._telemetry.count("tasks.delivered", len(letters))

    def _reject(self, letter: Letter, kind: str, why: str) -> None:
        self._outbox.mark_dead(letter, why)
        self._number_done += 1
        self._telemetry.count("tasks.rejected", reason=kind)


def _surplus_twins(tasks: Sequence[StoredTask]) -> list[StoredTask]:
    """Of the tasks of one call, oldest first, those that can go: all that nobody annotated, but for one.

    That is one that has its prediction, if there is any: of two imports of one call, Label Studio may have lost the
    prediction of either.
    """
    kept = max(tasks, key=lambda task: (task.annotations > 0, task.predictions > 0))
    return [task for task in tasks if task is not kept and not task.annotations]


def _chunks(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), _LOOKUP_CHUNK):
        yield items[start : start + _LOOKUP_CHUNK]

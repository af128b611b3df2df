"""The delivery of calls to one project.

A batch takes these steps, and says after each of them how far it came, before the next:

1. look up what an earlier request may have stored (`look_ups`)
2. build the tasks of the rest, and import them; what does not fit the project is dead, so is what the server names as
   bad, and the rest goes again
3. count the predictions, since Label Studio on SQLite loses them when somebody else writes at the same time, and add
   what is missing; a call that failed before any answer has none
4. read the project again, where that was not done lately: somebody may have renamed the TextArea meanwhile
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from typing import Any

from otel_labelstudio.delivery.label_studio.batch_context import BatchContext
from otel_labelstudio.delivery.label_studio.look_ups import LookUps, chunks
from otel_labelstudio.delivery.label_studio.projects import Target
from otel_labelstudio.delivery.label_studio.records import Imported
from otel_labelstudio.delivery.results import (
    Dead,
    Delivered,
    InProject,
    NotStored,
    ProjectCreated,
    Recheck,
    Result,
    Sending,
    Stored,
)
from otel_labelstudio.delivery.sink import Terms
from otel_labelstudio.errors import (
    DeliveryError,
    RejectedTasksError,
    RetryableDeliveryError,
    UnknownOutcomeError,
)
from otel_labelstudio.outbox.entry import OutboxEntry
from otel_labelstudio.printable import logger
from otel_labelstudio.tasks.build import Task

_logger = logger(__name__)


class Batch:
    """One delivery to one project."""

    def __init__(self, context: BatchContext, destination: str, terms: Terms, target: Target) -> None:
        self._server, self._projects, self._telemetry = context.server, context.projects, context.telemetry
        self._waits, self._first_deliveries = context.waits, context.first_deliveries
        self._look_ups = LookUps(context, terms)
        self._destination, self._terms, self._target = destination, terms, target

    def deliver(self, entries: Sequence[OutboxEntry]) -> Iterator[Result]:
        """Look up what may be there, and import the rest. Raises `DeliveryError` where what is left must wait."""
        if self._target.is_new:
            yield ProjectCreated()
        if self._target.exists:
            yield InProject(self._target.project.id)
        found = {entry.seq: entry.task_id for entry in entries if entry.task_id is not None}
        kept_back = yield from self._look_ups.find(entries, found, self._target)
        yield from self._import([entry for entry in entries if entry.seq not in found and entry.seq not in kept_back])
        yield from self._check_found(entries, found)

    def resume(self, sent: Sequence[OutboxEntry]) -> Generator[Result, None, set[int]]:
        """Finish those of the calls that are tasks here, and send none; gives back the ``seq`` of those, and of those
        of which it is not known yet."""
        found: dict[int, int] = {}
        kept_back = yield from self._look_ups.find(sent, found, self._target)
        yield from self._check_found(sent, found)
        return kept_back | found.keys()

    def _check_found(self, entries: Sequence[OutboxEntry], found: Mapping[int, int]) -> Iterator[Result]:
        stored = [(entry, found[entry.seq]) for entry in entries if entry.seq in found]
        try:
            yield from self._check_predictions(stored)
        except RetryableDeliveryError:
            yield from self._look_ups.make_way([entry for entry, _ in stored])
            raise

    def _import(self, entries: Sequence[OutboxEntry], *, may_reread: bool = True) -> Iterator[Result]:
        built = yield from self._build(entries)
        if not built:
            return
        sent = [entry for entry, _ in built]
        import_id = uuid.uuid4().hex
        yield Sending(sent, import_id, self._newest_task_id())
        try:
            imported = self._timed_import([task.to_dict(import_id) for _, task in built])
        except UnknownOutcomeError:
            raise
        except RejectedTasksError as error:
            yield NotStored(sent)
            if may_reread:  # the labeling interface may have been edited since it was read
                self._target = self._projects.read_again(self._destination, self._target)
                yield from self._import(sent, may_reread=False)
            else:
                yield from self._sort_out(built, error)
            return
        except DeliveryError:  # nothing else tells that the server stored nothing
            yield NotStored(sent)
            raise
        yield from self._finish(list(zip(sent, imported.task_ids, strict=True)), imported)

    def _newest_task_id(self) -> int:
        """0 where the server fails to tell: a look-up takes longer then, and is as good."""
        if self._target.newest_task_id is None:
            try:
                self._target.newest_task_id = self._server.newest_task_id(self._target.project.id)
            except RetryableDeliveryError:
                return 0
        return self._target.newest_task_id

    def _build(self, entries: Iterable[OutboxEntry]) -> Generator[Result, None, list[tuple[OutboxEntry, Task]]]:
        """The tasks of those calls that fit the project."""
        built: list[tuple[OutboxEntry, Task]] = []
        for entry in entries:
            task = self._projects.build(entry.call, entry.call_id, self._target)
            if isinstance(task, Task):
                built.append((entry, task))
            else:
                yield Dead(entry, task, "refused")
        return built

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

    def _finish(self, stored: list[tuple[OutboxEntry, int]], imported: Imported) -> Iterator[Result]:
        """What was imported is delivered if it stands where the project shows it, with its prediction."""
        self._target.newest_task_id = max(imported.task_ids)
        self._target.unconfirmed += stored
        if imported.predictions != len(self._with_prediction(stored)):
            yield Stored(stored)
            yield from self._check_predictions(stored)
        else:
            yield self._delivered(stored)
        if not (self._terms.has_more and self._projects.is_read_lately(self._target)):
            yield from self._confirm()

    def _confirm(self) -> Iterator[Result]:
        """Have what was imported stand where the project shows it, if the TextArea has another name by now."""
        imported, used = self._target.unconfirmed, self._target.binding
        self._target = self._projects.read_again(self._destination, self._target)
        now = self._target.binding
        if (used.from_name, used.to_name) != (now.from_name, now.to_name):
            self._target.unconfirmed = imported  # until their predictions are there
            yield from self._add_predictions(self._with_prediction(imported))
            self._target.unconfirmed = []

    def _sort_out(self, built: list[tuple[OutboxEntry, Task]], error: RejectedTasksError) -> Iterator[Result]:
        """Reject the tasks that the server named, or find them by halves, and import the rest."""
        bad = {i: why for i, why in error.reasons.items() if i < len(built)}
        if not bad and len(built) == 1:
            bad = {0: str(error)}
        for i, why in bad.items():
            yield Dead(built[i][0], self._projects.say_rejected(why), "rejected")
        rest = [entry for i, (entry, _) in enumerate(built) if i not in bad]
        halves = [rest] if bad else [rest[: len(rest) // 2], rest[len(rest) // 2 :]]
        for half in halves:
            yield from self._import(half, may_reread=False)

    def _check_predictions(self, stored: Sequence[tuple[OutboxEntry, int]]) -> Iterator[Result]:
        """Add the predictions that Label Studio lost, and look again."""
        if not stored:
            return
        answered = self._with_prediction(stored)
        missing = self._without_prediction(answered)
        if missing:
            _logger.info("Label Studio lost %d of %d predictions; they are added.", len(missing), len(answered))
            yield from self._add_predictions(missing)
            if self._without_prediction(missing):
                raise RetryableDeliveryError("predictions that were added are not stored yet")
        yield self._delivered(stored)

    def _delivered(self, stored: Sequence[tuple[OutboxEntry, int]]) -> Delivered:
        self._first_deliveries.delivered_to(self._target.project.id, self._target.project.title)
        return Delivered([entry for entry, _ in stored])

    def _add_predictions(self, tasks: Sequence[tuple[OutboxEntry, int]]) -> Iterator[Result]:
        if not tasks:
            return
        # The outcome may become unknown as with tasks: an answer may be lost, and the predictions stored after all
        yield Recheck([entry for entry, _ in tasks], self._waits.recheck_wait_s)
        # As the interface is now: predictions that do not fit it are left out by the server without a word
        self._target = self._projects.read_again(self._destination, self._target)
        added = self._server.import_predictions(self._target.project.id, list(self._predictions(tasks)))
        self._telemetry.count("predictions.repaired", added)

    def _without_prediction(self, stored: Sequence[tuple[OutboxEntry, int]]) -> list[tuple[OutboxEntry, int]]:
        missing = []
        for chunk in chunks(stored):
            tasks = self._look_ups.stored_tasks(
                [entry for entry, _ in chunk], min(task_id for _, task_id in chunk) - 1, self._target
            )
            for entry, task_id in chunk:
                # A task that is gone was deleted by somebody: there is nothing to add a prediction to
                found = next((task for task in tasks[entry.seq] if task.id == task_id), None)
                if found is not None and found.predictions == 0:
                    missing.append((entry, task_id))
        return missing

    def _predictions(self, tasks: Sequence[tuple[OutboxEntry, int]]) -> Iterator[dict[str, Any]]:
        for entry, task_id in tasks:
            task = self._projects.build(entry.call, entry.call_id, self._target)
            if isinstance(task, Task):
                yield {"task": task_id, **task.prediction}

    def _with_prediction(self, tasks: Sequence[tuple[OutboxEntry, int]]) -> list[tuple[OutboxEntry, int]]:
        """Those whose task has one to lose: not that of a call which failed before any answer, and none in a project
        without a TextArea."""
        if self._target.binding.from_name is None:
            return []
        return [(entry, task_id) for entry, task_id in tasks if not entry.call.is_unanswered]

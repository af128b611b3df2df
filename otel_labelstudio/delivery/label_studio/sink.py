"""Where calls end: the projects of a Label Studio server, each call in them once.

A batch takes these steps, and says after each of them how far it came, before the next:

0. look up what may be in a project that was the destination's before, and was renamed: what is there is done with
1. find the project and its binding
2. look up what an earlier request may have stored; what is missing waits until nothing can come of that any more
3. build the tasks of the rest, and import them; what does not fit the project is dead, so is what the server names as
   bad, and the rest goes again
4. count the predictions, since Label Studio on SQLite loses them when somebody else writes at the same time, and add
   what is missing; a call that failed before any answer has none
5. read the project again, where that was not done lately: somebody may have renamed the TextArea meanwhile

Label Studio has no idempotency key, and may commit an import long after the client hung up. So a request whose outcome
is unknown is never repeated blindly (step 2), and its calls are looked up once more, later, when the server has
certainly given up (`recheck`). A look-up that fails keeps back only the calls that it is about.

Only one import runs at a time for one server (`turns`), but for one that hangs.
"""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from otel_labelstudio.delivery.label_studio.duplicates import SentCall
from otel_labelstudio.delivery.label_studio.projects import ProjectRules, Projects, Target
from otel_labelstudio.delivery.label_studio.recheck import Rechecked, recheck
from otel_labelstudio.delivery.label_studio.records import Imported, StoredTask
from otel_labelstudio.delivery.label_studio.server import LabelStudioServer
from otel_labelstudio.delivery.label_studio.turns import Turns
from otel_labelstudio.delivery.progress import FirstDeliveries
from otel_labelstudio.delivery.results import (
    Dead,
    Delivered,
    InProject,
    LookUpsFail,
    NotStored,
    ProjectCreated,
    Recheck,
    Result,
    Retry,
    Sending,
    Stored,
)
from otel_labelstudio.delivery.sink import Terms
from otel_labelstudio.errors import (
    PausedDeliveryError,
    RejectedTasksError,
    RetryableDeliveryError,
    UnknownOutcomeError,
)
from otel_labelstudio.outbox.entry import CallToRecheck, OutboxEntry
from otel_labelstudio.printable import logger
from otel_labelstudio.tasks.build import CALL_ID, Task
from otel_labelstudio.tasks.facts import may_tell_of
from otel_labelstudio.telemetry import Telemetry

_logger = logger(__name__)

_LOOKUP_CHUNK = 100
# When calls are looked up again whose look-up failed: others, which may stand behind them, go first
_LOOKUP_RETRY_S = 10.0

_turns: defaultdict[str, Turns] = defaultdict(Turns)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_turns.clear)  # one may be had by a thread that the child does not have


@dataclass(frozen=True, slots=True)
class Waits:
    """How long, in seconds: before a call whose outcome is unknown, and that is not there, is sent again, and before it
    is looked up once more."""

    resend_wait_s: float
    recheck_wait_s: float


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
        *,
        deletes_duplicates: bool = True,
    ) -> None:
        self.server, self.waits, self.telemetry, self.clock = server, waits, telemetry, clock
        self.projects = Projects(server, rules, routes=routes, creation_wait_s=waits.resend_wait_s)
        self.first_deliveries = FirstDeliveries(server.url)
        self._deletes_duplicates = deletes_duplicates
        self._deadline = float("inf")

    def deliver(self, destination: str, entries: Sequence[OutboxEntry], terms: Terms) -> Iterator[Result]:
        with self._alone(destination):
            settled = yield from self._resume_elsewhere(destination, entries, terms)
            rest = [entry for entry in entries if entry.seq not in settled]
            if rest:
                target = self.projects.target(destination, entries=rest, may_create=terms.may_create_project)
                yield from _Batch(self, destination, terms, target).deliver(rest)

    def takes_calls(self, destination: str) -> bool:
        with self._alone(destination):
            self.server.probe_import(self.projects.target(destination, may_create=False).project.id)
        return True

    def recheck(self, destination: str, calls: Sequence[CallToRecheck]) -> Iterator[str]:
        with self._alone(destination):
            sent = [SentCall(call.call_id, frozenset(call.import_ids), call.other_keys) for call in calls]
            *others, last = self._projects_of(destination, calls)
            for project_id in others:
                for found in recheck(self.server, project_id, sent, delete_duplicates=self._deletes_duplicates):
                    self._count(found)
            for found in recheck(self.server, last, sent, delete_duplicates=self._deletes_duplicates):
                self._count(found)
                yield found.call_id

    def _projects_of(self, destination: str, calls: Sequence[CallToRecheck]) -> list[int]:
        """Where calls of a destination were sent to; where that is not known, or gone, the project of the title."""
        known = sorted({project_id for call in calls for project_id in call.project_ids})
        there = [project_id for project_id in known if self.server.has_project(project_id)]
        return there or [self.projects.target(destination, may_create=False).project.id]

    def _resume_elsewhere(
        self, destination: str, entries: Sequence[OutboxEntry], terms: Terms
    ) -> Generator[Result, None, set[int]]:
        """Look calls up that went to a project which is not the destination's any more, as after it was renamed; gives
        back the ``seq`` of those with which nothing more is to be done now."""
        settled: set[int] = set()
        sent = [entry for entry in entries if entry.project_ids]
        if not sent:
            return settled
        now = self.projects.id_of(destination)
        for project_id in sorted({project_id for entry in sent for project_id in entry.project_ids} - {now}):
            asked = [entry for entry in sent if project_id in entry.project_ids and entry.seq not in settled]
            try:
                former = self.projects.former(destination, project_id) if asked else None
            except PausedDeliveryError:  # somebody has to mend that project; what is not in it does not wait for that
                yield LookUpsFail(asked, _LOOKUP_RETRY_S)
                if len(asked) == len(entries):
                    raise
                settled |= {entry.seq for entry in asked}
                continue
            if former is not None:
                with self.projects.forgetting_paused(former[0]):
                    settled |= yield from _Batch(self, former[0], terms, former[1]).resume(asked)
        return settled

    def _count(self, found: Rechecked) -> None:
        self.telemetry.count("tasks.duplicates_removed", len(found.deleted_tasks))
        self.telemetry.count("predictions.removed", len(found.deleted_predictions))
        for kept in found.kept:
            self.telemetry.count("tasks.duplicates_kept", reason=kept.reason.name.lower())

    def hurry(self, deadline: float) -> None:
        self._deadline = deadline
        self.server.hurry(deadline)

    def close(self) -> None:
        self.server.close()

    @contextmanager
    def _alone(self, destination: str) -> Iterator[None]:
        wait_s = min(max(0.0, self._deadline - time.monotonic()), threading.TIMEOUT_MAX)
        with _turns[self.server.url].turn(wait_s), self.projects.forgetting_paused(destination):
            yield


class _Batch:
    """One delivery to one project."""

    def __init__(self, sink: LabelStudioSink, destination: str, terms: Terms, target: Target) -> None:
        self._sink, self._server, self._projects = sink, sink.server, sink.projects
        self._destination, self._terms, self._target = destination, terms, target

    def deliver(self, entries: Sequence[OutboxEntry]) -> Iterator[Result]:
        if self._target.is_new:
            yield ProjectCreated()
        if self._target.exists:
            yield InProject(self._target.project.id)
        found = {entry.seq: entry.task_id for entry in entries if entry.task_id is not None}
        kept_back = yield from self._look_up(entries, found)
        yield from self._import([entry for entry in entries if entry.seq not in found and entry.seq not in kept_back])
        yield from self._check_found(entries, found)

    def resume(self, sent: Sequence[OutboxEntry]) -> Generator[Result, None, set[int]]:
        """Finish those of the calls that are tasks here, and send none; gives back the ``seq`` of those, and of those
        of which it is not known yet."""
        found: dict[int, int] = {}
        kept_back = yield from self._look_up(sent, found)
        yield from self._check_found(sent, found)
        return kept_back | found.keys()

    def _check_found(self, entries: Sequence[OutboxEntry], found: Mapping[int, int]) -> Iterator[Result]:
        stored = [(entry, found[entry.seq]) for entry in entries if entry.seq in found]
        try:
            yield from self._check_predictions(stored)
        except RetryableDeliveryError:
            yield from self._make_way([entry for entry, _ in stored])
            raise

    def _look_up(self, entries: Sequence[OutboxEntry], found: dict[int, int]) -> Generator[Result, None, set[int]]:
        """Adds to ``found`` the task ids of those calls that an earlier request has stored after all; gives back those
        that may not be sent yet."""
        may_be_stored = [entry for entry in entries if entry.is_outcome_unknown or entry.task_id is not None]
        asked = [entry for entry in may_be_stored if entry.seq not in found]
        if not asked or not self._target.exists:
            return set()
        yield Recheck([entry for entry in asked if entry.sent_at is not None], self._sink.waits.recheck_wait_s)
        try:
            yield from self._search(asked, found)
        except RetryableDeliveryError:
            failed = [entry for entry in asked if entry.seq not in found]
            yield from self._make_way(failed)
            if len(asked) == len(entries):
                raise
            return {entry.seq for entry in failed}
        return (yield from self._put_off([entry for entry in asked if entry.seq not in found]))

    def _search(self, asked: Sequence[OutboxEntry], found: dict[int, int]) -> Iterator[Result]:
        # Only the newest tasks first: the server's search is linear
        for after in sorted({0, min(entry.after_task_id for entry in asked)}, reverse=True):
            for chunk in _chunks([entry for entry in asked if entry.seq not in found]):
                tasks = self._stored_tasks(chunk, after)
                known = [(entry, tasks[entry.seq][0].id) for entry in chunk if tasks[entry.seq]]
                yield Stored(known)
                found.update((entry.seq, task_id) for entry, task_id in known)

    def _make_way(self, failed: Sequence[OutboxEntry]) -> Iterator[Result]:
        """The server fails to tell what it has of these: others go first, where there is a later time."""
        if not self._terms.is_last_try:
            yield LookUpsFail(failed, _LOOKUP_RETRY_S)

    def _put_off(self, missing: Sequence[OutboxEntry]) -> Generator[Result, None, set[int]]:
        """Those whose last request may still be carried out: they wait, but not where there is no later time."""
        waiting: set[int] = set()
        if self._terms.is_last_try:
            return waiting
        now, wait_s = self._sink.clock(), self._sink.waits.resend_wait_s
        for entry in missing:
            if entry.task_id is None and entry.sent_at is not None and now < entry.sent_at + wait_s:
                yield Retry([entry], entry.sent_at + wait_s - now)
                waiting.add(entry.seq)
        return waiting

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
        except Exception:
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
            self._sink.telemetry.record_import(time.perf_counter() - started_at, self._server.address, error_type)

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
        self._sink.first_deliveries.delivered_to(self._target.project.id, self._target.project.title)
        return Delivered([entry for entry, _ in stored])

    def _add_predictions(self, tasks: Sequence[tuple[OutboxEntry, int]]) -> Iterator[Result]:
        if not tasks:
            return
        # The outcome may become unknown as with tasks: an answer may be lost, and the predictions stored after all
        yield Recheck([entry for entry, _ in tasks], self._sink.waits.recheck_wait_s)
        # As the interface is now: predictions that do not fit it are left out by the server without a word
        self._target = self._projects.read_again(self._destination, self._target)
        added = self._server.import_predictions(self._target.project.id, list(self._predictions(tasks)))
        self._sink.telemetry.count("predictions.repaired", added)

    def _without_prediction(self, stored: Sequence[tuple[OutboxEntry, int]]) -> list[tuple[OutboxEntry, int]]:
        missing = []
        for chunk in _chunks(stored):
            tasks = self._stored_tasks([entry for entry, _ in chunk], min(task_id for _, task_id in chunk) - 1)
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

    def _stored_tasks(self, entries: Sequence[OutboxEntry], after_task_id: int) -> Mapping[int, Sequence[StoredTask]]:
        """The tasks of each entry, by its ``seq``."""
        keys = list(dict.fromkeys(key for entry in entries for key in entry.keys))
        found = self._server.stored_tasks(self._target.project.id, CALL_ID, keys, after_task_id)
        return {
            entry.seq: [task for key in entry.keys for task in found.get(key, ()) if may_tell_of(task.data, entry.call)]
            for entry in entries
        }


def _chunks(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), _LOOKUP_CHUNK):
        yield items[start : start + _LOOKUP_CHUNK]

"""Where calls end: the projects of a Label Studio server, each call in them once.

What may be in a project that was the destination's before, and was renamed, is looked up there first; the rest is a
`batch` to the destination's project.

Label Studio has no idempotency key, and may commit an import long after the client hung up. So a request whose outcome
is unknown is never repeated blindly (`look_ups`), and its calls are looked up once more, later, when the server has
certainly given up (`recheck`).

Only one import runs at a time for one server (`turns`), but for one that hangs.
"""

from __future__ import annotations

import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager

from otel_labelstudio.delivery.label_studio.batch import Batch
from otel_labelstudio.delivery.label_studio.batch_context import BatchContext, Waits
from otel_labelstudio.delivery.label_studio.duplicates import SentCall
from otel_labelstudio.delivery.label_studio.look_ups import LOOK_UP_RETRY_S
from otel_labelstudio.delivery.label_studio.projects import ProjectRules, Projects
from otel_labelstudio.delivery.label_studio.recheck import Rechecked, recheck
from otel_labelstudio.delivery.label_studio.server import LabelStudioServer
from otel_labelstudio.delivery.label_studio.turns import Turns
from otel_labelstudio.delivery.progress import FirstDeliveries
from otel_labelstudio.delivery.results import LookUpsFail, Result
from otel_labelstudio.delivery.sink import Terms
from otel_labelstudio.errors import PausedDeliveryError
from otel_labelstudio.outbox.entry import CallToRecheck, OutboxEntry
from otel_labelstudio.telemetry import Telemetry

_turns: defaultdict[str, Turns] = defaultdict(Turns)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_turns.clear)  # one may be had by a thread that the child does not have


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
        self._server, self._telemetry = server, telemetry
        self._projects = Projects(server, rules, routes=routes, creation_wait_s=waits.resend_wait_s)
        first_deliveries = FirstDeliveries(server.url)
        self._context = BatchContext(server, self._projects, waits, telemetry, first_deliveries, clock)
        self._deletes_duplicates = deletes_duplicates
        self._deadline = float("inf")

    def deliver(self, destination: str, entries: Sequence[OutboxEntry], terms: Terms) -> Iterator[Result]:
        with self._alone(destination):
            settled = yield from self._resume_elsewhere(destination, entries, terms)
            rest = [entry for entry in entries if entry.seq not in settled]
            if rest:
                target = self._projects.target(destination, entries=rest, may_create=terms.may_create_project)
                yield from Batch(self._context, destination, terms, target).deliver(rest)

    def takes_calls(self, destination: str) -> bool:
        with self._alone(destination):
            self._server.probe_import(self._projects.target(destination, may_create=False).project.id)
        return True

    def recheck(self, destination: str, calls: Sequence[CallToRecheck]) -> Iterator[str]:
        with self._alone(destination):
            projects = self._projects_of(destination, calls)
            if not projects:  # nor are the calls stored any more
                yield from (call.call_id for call in calls)
                return
            sent = [SentCall(call.call_id, frozenset(call.import_ids), call.other_keys) for call in calls]
            failed: set[str] = set()
            for project_id in projects:
                for found in recheck(self._server, project_id, sent, delete_duplicates=self._deletes_duplicates):
                    self._count(found)
                    if found.error:
                        failed.add(found.call_id)
                    elif project_id == projects[-1] and found.call_id not in failed:
                        yield found.call_id

    def _projects_of(self, destination: str, calls: Sequence[CallToRecheck]) -> list[int]:
        """Where calls of a destination were sent to; where that is not known, or gone, the project of the title; none
        where that is not there either."""
        known = sorted({project_id for call in calls for project_id in call.project_ids})
        there = [project_id for project_id in known if self._server.has_project(project_id)]
        if there:
            return there
        now = self._projects.id_of(destination)
        return [] if now is None or not self._server.has_project(now) else [now]

    def _resume_elsewhere(
        self, destination: str, entries: Sequence[OutboxEntry], terms: Terms
    ) -> Generator[Result, None, set[int]]:
        """Look calls up that went to a project which is not the destination's any more, as after it was renamed; gives
        back the ``seq`` of those with which nothing more is to be done now."""
        settled: set[int] = set()
        sent = [entry for entry in entries if entry.project_ids]
        if not sent:
            return settled
        now = self._projects.id_of(destination)
        for project_id in sorted({project_id for entry in sent for project_id in entry.project_ids} - {now}):
            asked = [entry for entry in sent if project_id in entry.project_ids and entry.seq not in settled]
            try:
                former = self._projects.former(destination, project_id) if asked else None
            except PausedDeliveryError:  # somebody has to mend that project; what is not in it does not wait for that
                yield LookUpsFail(asked, LOOK_UP_RETRY_S)
                if len(asked) == len(entries):
                    raise
                settled |= {entry.seq for entry in asked}
                continue
            if former is not None:
                with self._projects.forgetting_paused(former[0]):
                    settled |= yield from Batch(self._context, former[0], terms, former[1]).resume(asked)
        return settled

    def _count(self, found: Rechecked) -> None:
        self._telemetry.count("tasks.duplicates_removed", len(found.deleted_tasks))
        self._telemetry.count("predictions.removed", len(found.deleted_predictions))
        for kept in found.kept:
            self._telemetry.count("tasks.duplicates_kept", reason=kept.reason.name.lower())

    def hurry(self, deadline: float) -> None:
        self._deadline = deadline
        self._server.hurry(deadline)

    def close(self) -> None:
        self._server.close()

    @contextmanager
    def _alone(self, destination: str) -> Iterator[None]:
        wait_s = min(max(0.0, self._deadline - time.monotonic()), threading.TIMEOUT_MAX)
        with _turns[self._server.url].turn(wait_s), self._projects.forgetting_paused(destination):
            yield

"""One job of the worker: a batch to each destination that has calls to deliver and is in no trouble.

Destinations to which calls were delivered before go first; a new one, for which a project may have to be found or
created, takes a second or so, and goes alone after them. So a sender that names a new project with each call holds up
nobody else's. Nor does a destination that never answers (`lanes`).
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial

from otel_labelstudio.background import where_raised
from otel_labelstudio.delivery.lanes import LOOK_EVERY_S, Lanes
from otel_labelstudio.delivery.rechecks import RECHECKS
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
from otel_labelstudio.delivery.schedule import GIVE_UP_AFTER, SET_ASIDE_S, Schedule
from otel_labelstudio.delivery.sink import Sink, Terms
from otel_labelstudio.destinations.destination import Destination
from otel_labelstudio.errors import (
    BlockedRequestError,
    DeliveryError,
    OutboxError,
    PausedDeliveryError,
    ProjectLimitError,
    RetryableDeliveryError,
    UnknownOutcomeError,
    is_failure,
)
from otel_labelstudio.outbox import Outbox
from otel_labelstudio.outbox.entry import OutboxEntry
from otel_labelstudio.printable import logger
from otel_labelstudio.telemetry import Telemetry

_logger = logger(__name__)

_MAX_IMPORT_BYTES = 32 * 2**20
# How long what is under way in a lane is waited for in the end
_CLOSING_S = 1.0
# New projects are counted over half a day, and those in use over a whole one: where each service has a project a day,
# the change of the day creates as many as were in use the day before
_CREATED_WITHIN_S, _USED_WITHIN_S = 12 * 3600.0, 25 * 3600.0


_MOST_REMEMBERED = 1000


class Deliveries:
    """Keeps the outbox's books on what the sink says. ``max_new_projects`` bounds how many projects are created in
    twelve hours, unless more than that were in use the day before. In the ``lanes`` nothing but rechecks is done by
    others."""

    def __init__(
        self,
        outbox: Outbox,
        sink: Sink,
        telemetry: Telemetry,
        lanes: Lanes,
        *,
        batch_size: int,
        max_new_projects: int,
    ) -> None:
        self._outbox, self._queue, self._sink, self._telemetry = outbox, outbox.queue, sink, telemetry
        self._schedule = Schedule(batch_size)
        self._lanes = lanes
        self._max_new_projects = max_new_projects
        self._known: set[str] | None = None
        self._projects: dict[str, int] = {}
        self._is_last_try = self._is_closed = False
        self._has_said_limit = False
        # Held from when a call leaves the outbox until it is counted
        self._counting = threading.Lock()
        # By destination, and as that was when a call was set aside last: to tell whether others of its destination pass
        self._batches: Counter[str] = Counter()
        self._batches_at_failure: dict[int, int] = {}

    def paused(self) -> list[str]:
        """The destinations that wait for a person."""
        return self._schedule.paused()

    def run(self, *, is_hurried: bool) -> float:  # noqa: ARG002 - it never dawdles
        self._lanes.raise_late()
        # What becomes due from here on is due in the next round: each is either served now, or waited for
        looked_at, now = self._outbox.now(), time.monotonic()
        destinations = self._queue.destinations(looked_at)
        known = [destination for destination in destinations if self._is_known(destination)]
        waiting = [destination for destination in destinations if not self._is_known(destination)]
        due = {destination: None for destination in waiting if self._schedule.is_due(destination, now)}
        free = [destination for destination in due if not self._lanes.is_taken(destination)]
        # What has failed makes way for what was not tried yet, however soon it is due again
        new = min(free, key=self._schedule.due_at, default=None)
        waits = [self._serve(destination) for destination in (known if new is None else [*known, new])]
        if len(free) > 1:
            waits.append(0.0)
        if len(free) < len(due) or self.under_way():
            waits.append(LOOK_EVERY_S)
        later = [destination for destination in waiting if destination not in due]
        return max(0.0, min([*waits, *map(self._due_in_s, later), self._queue.next_in_s(looked_at)]))

    def next_in_s(self) -> float:
        """Seconds until the next call that waits can be tried."""
        looked_at = self._outbox.now()
        due = map(self._due_in_s, self._queue.destinations(looked_at))
        return max(0.0, min(due, default=self._queue.next_in_s(looked_at)))

    def hurry(self, deadline: float) -> None:
        """There is no time after ``deadline`` (of `time.monotonic`)."""
        self._is_last_try = True
        self._lanes.hurry()
        self._sink.hurry(deadline)
        self._schedule.hurry()

    def wait_until_counted(self, timeout_s: float) -> bool:
        """Until all that has left the outbox is counted as delivered or rejected; whether that was within the time."""
        is_counted = self._counting.acquire(timeout=max(0.0, timeout_s))
        if is_counted:
            self._counting.release()
        return is_counted

    def under_way(self) -> list[str]:
        """The destinations whose batch takes long, and is not waited for."""
        return [name for name in self._lanes.under_way() if name != RECHECKS]

    def close(self, at_end: Callable[[], None]) -> None:
        """Let go of connections, and run ``at_end`` when nothing is under way any more, which may be after this."""
        try:
            # A batch that is delivered looks at its project once more
            self._lanes.close(_CLOSING_S)
            self._sink.close()
            self._lanes.close(_CLOSING_S)
            self._sink.close()  # what was under way may have opened one again
        finally:
            self._is_closed = True
            self._lanes.when_over(at_end)

    def _due_in_s(self, destination: str) -> float:
        return self._schedule.due_at(destination) - time.monotonic()

    def _is_known(self, destination: str) -> bool:
        if self._known is None:  # nobody else delivers while we do
            self._known = self._queue.known()
        return destination in self._known

    def _mark_known(self, destination: str, *, is_created: bool = False) -> None:
        self._queue.mark_known(destination, is_created=is_created)
        if self._known is not None:
            self._known.add(destination)

    def _note_project(self, destination: str, project_id: int) -> None:
        """Once for each: a note is a write."""
        if self._projects.get(destination) != project_id:
            self._outbox.sent_to.note(destination, project_id)
            self._projects[destination] = project_id

    def _serve(self, destination: str) -> float:
        """Deliver a batch to a destination if it can be tried; seconds until it can be tried again."""
        wait_s = self._schedule.due_at(destination) - time.monotonic()
        if wait_s > 0:
            return wait_s
        if self._lanes.is_taken(destination):
            return LOOK_EVERY_S
        entries = self._queue.take(destination, limit=self._schedule.limit(destination), max_bytes=_MAX_IMPORT_BYTES)
        if entries:
            self._lanes.run(destination, partial(self._deliver_taken, destination, entries))
        return 0.0

    def _deliver_taken(self, destination: str, entries: Sequence[OutboxEntry]) -> None:
        try:
            self._deliver(destination, entries)
        finally:
            self._queue.put_back(entries)

    def _deliver(self, destination: str, entries: Sequence[OutboxEntry]) -> None:
        # What waits in a file has a later time: the next start
        is_last_try = self._is_last_try and not self._outbox.is_kept
        has_more = len(entries) >= self._schedule.limit(destination)
        terms = Terms(self._may_create_project(destination), is_last_try, has_more)
        is_done = is_put_off = False
        try:
            with closing(self._sink.deliver(destination, entries, terms)) as results:  # type: ignore[type-var]
                for result in results:
                    self._write_down(destination, result)
                    is_done |= isinstance(result, Delivered | Dead)
                    is_put_off |= isinstance(result, Retry | LookUpsFail)
        except DeliveryError as error:
            self._failed(destination, error, entries)
        except OutboxError:
            raise
        except BaseException as error:
            if not is_failure(error):
                raise
            fault = FaultError(f"unexpected {type(error).__name__}\n{where_raised(error)}")
            self._failed(destination, fault, entries)
        else:
            if is_done:
                self._succeeded(destination)
            elif not is_put_off:  # the same batch would be next, at once and without end
                self._failed(destination, FaultError("nothing became of any call"), entries)

    def _write_down(self, destination: str, result: Result) -> None:
        queue = self._queue
        match result:
            case Sending(entries, import_id, after_task_id):
                queue.mark_sent(entries, import_id, after_task_id)
            case NotStored(entries):
                queue.mark_not_stored(entries)
            case Stored(tasks):
                queue.mark_stored(tasks)
            case Recheck(entries, after_s):
                queue.mark_recheck(entries, after_s)
            case InProject(project_id):
                self._note_project(destination, project_id)
            case ProjectCreated():
                self._mark_known(destination, is_created=True)
            case Delivered(entries):
                with self._counting:
                    with self._outbox.transaction():
                        queue.mark_delivered(entries)
                        self._mark_known(destination)
                    self._telemetry.count("tasks.delivered", len(entries))
            case Dead(entry, reason, kind):
                self._bury(entry, reason, kind)
            case Retry(entries, after_s):
                queue.put_back(entries, after_s=after_s)
            case LookUpsFail(entries, after_s):
                queue.put_back(entries, after_s=after_s)
                queue.put_off_look_ups(destination, after_s)

    def _bury(self, entry: OutboxEntry, reason: str, kind: str) -> None:
        with self._counting:
            self._outbox.dead_letters.bury([(entry.seq, reason)])
            self._telemetry.count("tasks.rejected", reason=kind)

    def _may_create_project(self, destination: str) -> bool:
        if self._is_known(destination):
            return True
        in_use, created = self._queue.in_use_and_created(_USED_WITHIN_S, _CREATED_WITHIN_S)
        return created < max(self._max_new_projects, in_use)

    def _failed(self, destination: str, error: DeliveryError, entries: Sequence[OutboxEntry]) -> None:
        self._telemetry.count("deliveries.failed", reason=type(error).__name__)
        is_paused = isinstance(error, PausedDeliveryError)
        is_news = self._schedule.failed(
            destination,
            time.monotonic(),
            why=str(error),
            asked_s=getattr(error, "retry_after_s", None) or 0.0,
            is_paused=is_paused,
            is_whole_server=error.is_whole_server,
        )
        if is_news and not self._is_closed:  # else what is left was said, and nothing is tried again here
            self._say_failed(destination, error)
        self._outbox.notes.delivery_failed(destination, str(error), is_paused=is_paused)
        if isinstance(error, UnknownOutcomeError | BlockedRequestError | FaultError):
            self._narrow(destination, error, entries)

    def _narrow(self, destination: str, error: DeliveryError, entries: Sequence[OutboxEntry]) -> None:
        """Try fewer at once; the call that fails alone again and again makes way, and is given up in the end."""
        if not self._schedule.narrow(destination, len(entries)):
            return
        (entry,) = entries
        if self._do_others_pass(destination, entry, error) and self._queue.mark_failed(entry) >= GIVE_UP_AFTER:
            self._bury(entry, f"failed by itself again and again: {error}", "failed")
            self._outbox.notes.delivery_resumed(destination)  # the call was to blame; others may be all that waits
            _logger.error("A call became a dead letter: %s. Further ones are only counted.", error)
        elif len(self._outbox) > 1:
            self._queue.put_back(entries, after_s=SET_ASIDE_S)

    def _do_others_pass(self, destination: str, entry: OutboxEntry, error: DeliveryError) -> bool:
        """Whether others were delivered since the call was set aside last, or the server says that it takes calls."""
        batches = self._batches[destination]
        before = self._batches_at_failure.get(entry.seq, batches)
        if len(self._batches_at_failure) > _MOST_REMEMBERED:
            self._batches_at_failure.clear()
        self._batches_at_failure[entry.seq] = batches
        if batches > before:
            return True
        if isinstance(error, FaultError):
            return False
        try:
            return self._sink.takes_calls(destination)
        except DeliveryError:
            return False

    def _succeeded(self, destination: str) -> None:
        self._batches[destination] += 1
        if self._schedule.succeeded(destination):
            _logger.warning("Delivery to %s resumed.", Destination.loads(destination))
        self._outbox.notes.delivery_resumed(destination)  # the trouble may be that of an earlier process

    def _say_failed(self, destination: str, error: DeliveryError) -> None:
        where = Destination.loads(destination)
        if isinstance(error, ProjectLimitError):
            if not self._has_said_limit:
                _logger.error("Calls for %s are waiting, and further ones will wait too: %s", where, error)
            self._has_said_limit = True
        elif isinstance(error, PausedDeliveryError):
            _logger.error("Delivery to %s is paused: %s", where, error)
        else:
            _logger.warning("Delivery to %s is retried: %s", where, error)


class FaultError(RetryableDeliveryError):
    """Something that nobody foresaw; the calls stay."""

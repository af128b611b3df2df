"""Calls that an earlier request may have stored are looked up before anything is sent.

What is missing waits until nothing can come of that request any more. A look-up that fails keeps back only the calls
that it is about.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import TypeVar

from otel_labelstudio.delivery.label_studio.batch_context import BatchContext
from otel_labelstudio.delivery.label_studio.projects import Target
from otel_labelstudio.delivery.label_studio.records import StoredTask
from otel_labelstudio.delivery.results import LookUpsFail, Recheck, Result, Retry, Stored
from otel_labelstudio.delivery.sink import Terms
from otel_labelstudio.errors import RetryableDeliveryError
from otel_labelstudio.outbox.entry import OutboxEntry
from otel_labelstudio.tasks.build import CALL_ID
from otel_labelstudio.tasks.facts import may_tell_of

_T = TypeVar("_T")

# When calls are looked up again whose look-up failed: others, which may stand behind them, go first
LOOK_UP_RETRY_S = 10.0
_CHUNK = 100


class LookUps:
    """Those of one batch, in the projects in which its calls may be."""

    def __init__(self, context: BatchContext, terms: Terms) -> None:
        self._context, self._terms = context, terms

    def find(
        self, entries: Sequence[OutboxEntry], found: dict[int, int], target: Target
    ) -> Generator[Result, None, set[int]]:
        """Adds to ``found`` the task ids of those calls that an earlier request has stored after all; gives back those
        that may not be sent yet."""
        may_be_stored = [entry for entry in entries if entry.is_outcome_unknown or entry.task_id is not None]
        asked = [entry for entry in may_be_stored if entry.seq not in found]
        if not asked or not target.exists:
            return set()
        yield Recheck([entry for entry in asked if entry.sent_at is not None], self._context.waits.recheck_wait_s)
        try:
            yield from self._search(asked, found, target)
        except RetryableDeliveryError:
            failed = [entry for entry in asked if entry.seq not in found]
            yield from self.make_way(failed)
            if len(asked) == len(entries):
                raise
            return {entry.seq for entry in failed}
        return (yield from self._put_off([entry for entry in asked if entry.seq not in found]))

    def stored_tasks(
        self, entries: Sequence[OutboxEntry], after_task_id: int, target: Target
    ) -> Mapping[int, Sequence[StoredTask]]:
        """The tasks of each entry, by its ``seq``."""
        keys = list(dict.fromkeys(key for entry in entries for key in entry.keys))
        found = self._context.server.stored_tasks(target.project.id, CALL_ID, keys, after_task_id)
        return {
            entry.seq: [task for key in entry.keys for task in found.get(key, ()) if may_tell_of(task.data, entry.call)]
            for entry in entries
        }

    def make_way(self, failed: Sequence[OutboxEntry]) -> Iterator[Result]:
        """The server fails to tell what it has of these: others go first, where there is a later time."""
        if not self._terms.is_last_try:
            yield LookUpsFail(failed, LOOK_UP_RETRY_S)

    def _search(self, asked: Sequence[OutboxEntry], found: dict[int, int], target: Target) -> Iterator[Result]:
        # Only the newest tasks first: the server's search is linear
        for after in sorted({0, min(entry.after_task_id for entry in asked)}, reverse=True):
            for chunk in chunks([entry for entry in asked if entry.seq not in found]):
                tasks = self.stored_tasks(chunk, after, target)
                known = [(entry, tasks[entry.seq][0].id) for entry in chunk if tasks[entry.seq]]
                yield Stored(known)
                found.update((entry.seq, task_id) for entry, task_id in known)

    def _put_off(self, missing: Sequence[OutboxEntry]) -> Generator[Result, None, set[int]]:
        """Those whose last request may still be carried out: they wait, but not where there is no later time."""
        waiting: set[int] = set()
        if self._terms.is_last_try:
            return waiting
        now, wait_s = self._context.clock(), self._context.waits.resend_wait_s
        for entry in missing:
            if entry.task_id is None and entry.sent_at is not None and now < entry.sent_at + wait_s:
                yield Retry([entry], entry.sent_at + wait_s - now)
                waiting.add(entry.seq)
        return waiting


def chunks(items: Sequence[_T]) -> Iterator[Sequence[_T]]:
    """As many as the server is asked for at once."""
    for start in range(0, len(items), _CHUNK):
        yield items[start : start + _CHUNK]

"""Writes what people said to a back end, as far as it is not there yet.

What is known of a task is compared with what was noted when it was written last: new and changed evaluations are sent,
those that are gone are deleted where the back end can do that. Each answer is noted before the next request. A back end
that does not answer, or asks to wait, is asked a few times; then the run ends, and the next one goes on from the state.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import TypeVar

from otel_labelstudio.annotations.feedback.evaluation import Evaluation
from otel_labelstudio.annotations.feedback.sink import FeedbackSink, Result, Sent
from otel_labelstudio.annotations.feedback.state import FeedbackState, Noted
from otel_labelstudio.delivery.retry import Backoff
from otel_labelstudio.errors import RetryableDeliveryError

# What becomes of evaluations that are not refused
SENT, DELETED, UNCHANGED = "sent", "deleted", "unchanged"
NOT_DELETED, WITHOUT_IDS = "cannot be deleted", "left out: no valid trace and span id"
_TRIES = 6
_LONGEST_WAIT_S = 300.0

_Item = TypeVar("_Item", Evaluation, Sent)


class StoppedError(Exception):
    """Somebody asked the run to end; what was answered is noted."""


class FeedbackWriter:
    """Writes to one sink. ``stop`` ends it between two requests; ``wait`` waits some seconds, or until then."""

    def __init__(
        self,
        sink: FeedbackSink,
        state: FeedbackState,
        *,
        stop: threading.Event,
        wait: Callable[[float], object] | None = None,
        retries_refused: bool = False,
    ) -> None:
        self._sink, self._state, self._stop = sink, state, stop
        self._wait = wait or stop.wait
        self._retries_refused = retries_refused
        self._waiting: dict[str, tuple[Evaluation, str]] = {}
        self._gone: dict[str, Noted] = {}
        self.counts: Counter[str] = Counter()
        """How many were sent, deleted, unchanged, and so on."""
        self.refusals: Counter[str] = Counter()
        """How many were refused, by reason."""

    def write(self, source: str, task_id: int, evaluations: Iterable[Evaluation]) -> None:
        """All that is said of a task now. Raises `DeliveryError` and `StoppedError`."""
        noted = self._state.of_task(self._sink.target, source, task_id)
        for item in (item for evaluation in evaluations for item in self._sink.items(evaluation)):
            if self._sink.needs_span and not item.has_valid_ids:
                self.counts[WITHOUT_IDS] += 1
            elif self._is_answered(noted.pop(item.key, None), item):
                self.counts[UNCHANGED] += 1
            else:
                self._waiting[item.key] = item, source
        self._take_back(noted.values())
        if len(self._waiting) >= self._sink.batch_size or len(self._gone) >= self._sink.batch_size:
            self.flush()

    def keep_only(self, source: str, task_ids: Collection[int]) -> None:
        """Of a project's tasks, only these are still there: what was said of the others is gone."""
        for task_id in self._state.task_ids(self._sink.target, source):
            if task_id not in task_ids:
                self.write(source, task_id, ())

    def flush(self) -> None:
        """Send and delete what waits for its batch to be full."""
        items = [item for item, _ in self._waiting.values()]
        for start in range(0, len(items), self._sink.batch_size):
            self._persistently(items[start : start + self._sink.batch_size], self._sink.send, self._note_sent)
        gone = [Sent(one.key, one.name) for one in self._gone.values()]
        self._persistently(gone, self._sink.delete, self._note_deleted)

    def end_where_told_to(self) -> None:
        """Raises `StoppedError`."""
        if self._stop.is_set():
            raise StoppedError

    def _is_answered(self, noted: Noted | None, item: Evaluation) -> bool:
        if noted is None or noted.fingerprint != item.fingerprint:
            return False
        return noted.refused is None or not self._retries_refused

    def _take_back(self, noted: Iterable[Noted]) -> None:
        """What was refused is deleted too: the back end may have an earlier word under the same key."""
        for one in noted:
            if self._sink.can_delete:
                self._gone[one.key] = one
            else:
                if one.refused is None:
                    self.counts[NOT_DELETED] += 1
                self._state.forget(self._sink.target, [one])

    def _persistently(
        self,
        items: Sequence[_Item],
        step: Callable[[Sequence[_Item]], Iterator[Sequence[Result]]],
        note: Callable[[Sequence[Result]], None],
    ) -> None:
        waiting, backoff, tries = {item.key: item for item in items}, Backoff(), 0
        while waiting:
            self.end_where_told_to()
            try:
                for results in step(list(waiting.values())):
                    note(results)
                    for result in results:
                        del waiting[result.key]
                    if results:
                        tries = 0
                        backoff.reset()
                    self.end_where_told_to()
            except RetryableDeliveryError as error:
                tries += 1
                if tries == _TRIES:
                    raise
                self._wait(min(backoff.next_wait_s(error.retry_after_s), _LONGEST_WAIT_S))

    def _note_sent(self, results: Sequence[Result]) -> None:
        noted = []
        for result in results:
            item, source = self._waiting.pop(result.key)
            noted.append(Noted(source, item.task_id, item.key, item.name, item.fingerprint, result.refused))
            self._count(SENT, result)
        self._state.note(self._sink.target, noted)

    def _note_deleted(self, results: Sequence[Result]) -> None:
        """What cannot be deleted is not tried for ever."""
        for result in results:
            self._count(DELETED, result)
        self._state.forget(self._sink.target, [self._gone.pop(result.key) for result in results])

    def _count(self, what: str, result: Result) -> None:
        if result.refused is None:
            self.counts[what] += 1
        else:
            self.refusals[result.refused] += 1

"""One job of the worker: calls whose outcome was unknown are looked up once more, when nothing can come of the requests
that carried them any more.

What cannot be looked up now is put off, so that other destinations get their turn; one call on which we fail is put off
for longer, and the rest of its destination goes on. One on which the server fails, while it answers of the others, is
given up after some tries. A server takes long to search a large project, or does not answer: it is waited for in a lane
of `lanes`, beside what is delivered, but not at the end: the next process goes on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial

from otel_labelstudio.background import where_raised
from otel_labelstudio.delivery.lanes import LOOK_EVERY_S, Lanes
from otel_labelstudio.delivery.sink import Sink
from otel_labelstudio.destinations.destination import Destination
from otel_labelstudio.errors import DeliveryError, FailingCallsError, OutboxError
from otel_labelstudio.outbox.entry import CallToRecheck
from otel_labelstudio.outbox.queue import DeliveryQueue
from otel_labelstudio.printable import logger

_logger = logger(__name__)

# The name of the work in its lane, which is no destination's
RECHECKS = "rechecks"
# Calls that are looked up in one round, and when to try again where the server, or we, failed
_LIMIT = 200
RETRY_S, FAULT_RETRY_S = 60.0, 3600.0
# How often a call is asked for of which the server tells nothing
_MOST_TRIES = 5
_FOREVER = float("inf")


class Rechecks:
    """Of what ``queue`` has delivered, by ``sink``, in one of the ``lanes``."""

    def __init__(self, queue: DeliveryQueue, sink: Sink, lanes: Lanes) -> None:
        self._queue, self._sink, self._lanes = queue, sink, lanes
        self._said: set[str] = set()
        self._tries: Counter[str] = Counter()
        # How often each stood first when a server failed, which may fail on these alone
        self._stood_first: Counter[str] = Counter()

    def run(self, *, is_hurried: bool) -> float:  # noqa: ARG002 - nobody waits for it
        if self._lanes.is_ending:
            return _FOREVER
        if self._lanes.is_taken(RECHECKS):
            return LOOK_EVERY_S
        due = self._queue.due_rechecks(_LIMIT)
        if due:
            self._lanes.run(RECHECKS, partial(self._recheck_all, due))
        return self._queue.next_recheck_in_s()

    def _recheck_all(self, due: Mapping[str, Sequence[CallToRecheck]]) -> None:
        for destination, calls in due.items():
            self._recheck(destination, calls)

    def _recheck(self, destination: str, calls: Sequence[CallToRecheck]) -> None:
        left = {call.call_id: call for call in sorted(calls, key=self._turn)}
        while left and not self._lanes.is_ending:
            try:
                for call_id in self._sink.recheck(destination, list(left.values())):
                    self._end(call_id, left)
                    if self._lanes.is_ending:
                        return
                self._note_tries(list(left), left)
                wait_s, put_off = RETRY_S, list(left)
            except DeliveryError as error:
                _logger.info("The recheck of %s is postponed: %s", Destination.loads(destination), error)
                first = list(left)[:1]
                self._stood_first.update(first)
                if isinstance(error, FailingCallsError):
                    self._note_tries(first, left)
                wait_s, put_off = RETRY_S, list(left)
            except OutboxError:
                raise
            except Exception as error:
                self._say(error)
                wait_s, put_off = FAULT_RETRY_S, list(left)[:1]
            self._queue.put_off_rechecks(put_off, wait_s)
            for call_id in put_off:
                del left[call_id]

    def _turn(self, call: CallToRecheck) -> int:
        """With each second time that a call stands first, others go before it."""
        return self._stood_first[call.call_id] // 2

    def _note_tries(self, call_ids: Sequence[str], left: dict[str, CallToRecheck]) -> None:
        """Those that were asked for in vain; after some tries, they are given up."""
        self._tries.update(call_ids)
        for call_id in call_ids:
            if self._tries[call_id] >= _MOST_TRIES:
                self._end(call_id, left)

    def _end(self, call_id: str, left: dict[str, CallToRecheck]) -> None:
        self._queue.mark_rechecked([call_id])
        self._tries.pop(call_id, None)
        self._stood_first.pop(call_id, None)
        left.pop(call_id, None)

    def _say(self, error: Exception) -> None:
        where = where_raised(error)
        if where not in self._said:
            _logger.error("The recheck of a call failed (%s) and is postponed.\n%s", type(error).__name__, where)
        self._said = {where}

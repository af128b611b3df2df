"""One job of the worker: calls whose outcome was unknown are looked up once more, when nothing can come of the requests
that carried them any more."""

from __future__ import annotations

import time

from otel_labelstudio.delivery.sink import Sink
from otel_labelstudio.destinations.destination import Destination
from otel_labelstudio.errors import DeliveryError
from otel_labelstudio.outbox.queue import DeliveryQueue
from otel_labelstudio.printable import logger

_logger = logger(__name__)

# Calls that are looked up in one round, and when to try again where that failed
_LIMIT = 200
RETRY_S = 60.0


class Rechecks:
    """Of what ``queue`` has delivered, by ``sink``."""

    def __init__(self, queue: DeliveryQueue, sink: Sink) -> None:
        self._queue, self._sink = queue, sink
        self._retry_at = 0.0

    def run(self, *, is_hurried: bool) -> float:  # noqa: ARG002 - nobody waits for it
        wait_s = self._retry_at - time.monotonic()
        if wait_s > 0:
            return wait_s
        is_whole = True
        for destination, calls in self._queue.due_rechecks(_LIMIT).items():
            try:
                for call_id in self._sink.recheck(destination, calls):
                    self._queue.mark_rechecked([call_id])
            except DeliveryError as error:  # noqa: PERF203
                _logger.info("The recheck of %s is put off: %s", Destination.loads(destination), error)
                is_whole = False
        if not is_whole:
            self._retry_at = time.monotonic() + RETRY_S
            return RETRY_S
        return self._queue.next_recheck_in_s()

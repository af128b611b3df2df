"""The only way in, for both transports: a body goes through here, and is in the inbox's file afterwards.

Before that it is known to be OTLP (`counting`). Storing runs on a thread of its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from otel_labelstudio.background import Seldom
from otel_labelstudio.errors import OutboxError
from otel_labelstudio.pipeline import Pipeline
from otel_labelstudio.printable import logger
from otel_labelstudio.receiver.admission import Admission, Share
from otel_labelstudio.receiver.counting import BodyCounter
from otel_labelstudio.receiver.inbox import Inbox
from otel_labelstudio.receiver.metrics import ReceiverMetrics
from otel_labelstudio.receiver.reader import InboxReader
from otel_labelstudio.receiver.readiness import Readiness
from otel_labelstudio.receiver.requests import Request
from otel_labelstudio.receiver.status import Outcome, RefusedError, refusal_of
from otel_labelstudio.receiver.writer import InboxWriter

_logger = logger(__name__)

# Between two requests of a busy sender; longer than that, nobody waits
_LULL_S = 0.02
_SAID_EVERY_S = 60.0
# While there is room for that much, senders are not kept away
_ORDINARY_BYTES = 2**20
# For the batch that is being stored and the request that is being read when the process is to end
_LAST_STEP_S = 5.0
# Of the senders, not of ours
_NOT_SAID = frozenset({Outcome.BAD_DATA, Outcome.CONTENT_ENCODING, Outcome.TOO_LARGE, Outcome.BUSY})


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes: of one body, before and after inflating, and of all bodies that are held at once."""

    max_request_bytes: int
    max_held_bytes: int


class Intake:
    """What it stores, a reader takes on to ``pipeline``, which must be all or nothing."""

    def __init__(
        self, inbox: Inbox, pipeline: Pipeline, limits: Limits, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.limits = limits
        self._inbox, self._pipeline = inbox, pipeline
        self._reader = InboxReader(inbox, pipeline, self._is_busy)
        self._writer = InboxWriter(inbox, pipeline.check_outbox)
        self._under_way = 0
        self._answered_at = float("-inf")
        self._admission = Admission(limits.max_held_bytes)
        self._clock = clock
        self._counter = BodyCounter(limits.max_request_bytes)
        self._readiness = Readiness(self._look)
        self._stopping = False
        self._seldom = Seldom(_SAID_EVERY_S, clock)

    def start(self) -> None:
        """Read what an earlier run has left, and then what comes."""
        self._reader.start()
        self._writer.start()

    def share(self) -> Share:
        """The memory of one request; a context manager."""
        return Share(self._admission)

    async def accept(self, request: Request, share: Share, metrics: ReceiverMetrics) -> None:
        """Returns when the request is stored. Raises `RefusedError`, and then it is not."""
        self._under_way += 1
        try:
            await self._store(request, await self._counter.count(request, share), metrics)
        except Exception as error:
            refused = refusal_of(error)
            self._say(refused, error)
            raise refused from None
        finally:
            self._under_way -= 1
            self._answered_at = self._clock()

    async def why_not_ready(self) -> str:
        """Empty where a request can be stored now."""
        if self._stopping:
            return "shutting down"
        return await self._readiness.why_not()

    def stop(self) -> None:
        """Be ready for no more; the servers finish what is under way, and refuse what comes after."""
        self._stopping = True

    def drain(self, timeout_s: float) -> bool:
        """Read all that is stored; whether it was within the time."""
        return self._reader.drain(timeout_s)

    def close(self, timeout_s: float) -> None:
        """Wait for what is under way, and read what is stored as far as the time allows."""
        self._counter.close()
        self._readiness.close()
        is_stored = self._writer.stop(_LAST_STEP_S)
        self._reader.drain(timeout_s)
        if self._reader.stop(_LAST_STEP_S) and is_stored:
            self._inbox.close()
        else:  # a thread is at work in it; what it does not come to do is done at the next start
            _logger.error("The disk or the outbox does not answer: the inbox is left as it is.")

    async def _store(self, request: Request, items: int, metrics: ReceiverMetrics) -> None:
        is_stored = False
        try:
            await self._writer.put(request)
            is_stored = True
        finally:
            metrics.count_items(request.signal, items, accepted=is_stored)
        self._reader.notify()

    def _is_busy(self) -> bool:
        return self._under_way > 0 or self._clock() - self._answered_at < _LULL_S

    def _look(self) -> str:
        """Why a request cannot be stored."""
        if not self._writer.is_working:
            return "the thread that stores requests has ended"
        try:
            self._pipeline.check_outbox()
            self._inbox.check_room(min(self.limits.max_request_bytes, _ORDINARY_BYTES))
        except OutboxError as error:
            return str(refusal_of(error))
        return ""

    def _say(self, refused: RefusedError, error: Exception) -> None:
        if refused.outcome in _NOT_SAID or not self._seldom.is_due(refused.outcome):
            return
        # Without the error's text where nobody foresaw it: it may hold what was sent
        why = str(error) if isinstance(error, OutboxError) else type(error).__name__
        _logger.error("Senders are told to try again later: %s (%s).", refused, why)

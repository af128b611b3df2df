"""From the inbox to the outbox: a thread reads what was stored, oldest first.

Storing goes before reading: a sender waits for the one, nobody for the other. So while requests come, the thread lets
them go first and takes a tenth of the time; once the inbox is half full, it no longer does.

Where the outbox is full or cannot be written, requests wait in the inbox, until that is full too and senders are told.
Nothing else holds the reader up: what cannot be taken in is set aside, by itself where that can be told (`pieces`), and
a request that the disk does not give is passed over after a while.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from otel_labelstudio.acceptance import Position
from otel_labelstudio.background import BackgroundThread, Seldom
from otel_labelstudio.errors import OutboxError
from otel_labelstudio.pipeline import Pipeline
from otel_labelstudio.printable import logger
from otel_labelstudio.receiver.inbox import Inbox
from otel_labelstudio.receiver.pieces import Fault, accept_in_pieces, decoded_in_pieces
from otel_labelstudio.receiver.request_batch import SMALL_BYTES, request_batch
from otel_labelstudio.receiver.requests import Telemetry, uncompressed
from otel_labelstudio.receiver.segments import StoredRequest

_logger = logger(__name__)

# While requests come: how long they go first, for how long it then is the reader's turn, and how often it looks
_GIVE_WAY_S, _TURN_S, _ASK_S = 0.45, 0.05, 0.005
# While nothing comes: how often it looks all the same, and after how long what was read is removed from the disk
_LOOK_S, _QUIET_S = 1.0, 10.0
# After the outbox was full or could not be written
_RETRY_S = 0.5
# For so long a request is asked for that the disk does not give
_PATIENCE_S = 60.0


class InboxReader:
    """Reads in the background.

    ``pipeline`` must be all or nothing; ``is_busy`` says whether requests are under way; ``clock`` gives seconds.
    """

    def __init__(
        self, inbox: Inbox, pipeline: Pipeline, is_busy: Callable[[], bool], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._inbox, self._pipeline = inbox, pipeline
        self._is_busy, self._clock = is_busy, clock
        self._is_hurried = False
        self._turn_ends_at = self._last_read_at = clock()
        self._seldom = Seldom(clock=clock)
        # The offset that could not be read last, and since when
        self._refused_at: tuple[int, float] | None = None
        # Up to this offset, requests are not taken in together
        self._singly_to = 0
        # What is to be set aside, by its end
        self._not_kept: dict[int, list[Fault]] = {}
        self._thread = BackgroundThread(
            "otel-labelstudio-reader", "Reading the inbox", self.step, retry_s=_RETRY_S, clock=clock
        )

    def start(self) -> None:
        """Begin, with what an earlier process has left. Raises `OutboxError` where the outbox does not say what that
        is."""
        self._inbox.skip_to(self._pipeline.read_to(self._inbox.id))
        self._thread.start()

    def notify(self) -> None:
        """There is something new in the inbox."""
        self._thread.wake()

    def drain(self, timeout_s: float) -> bool:
        """Read all that waits, and give way to nobody; whether all of it was read within the time."""
        self._is_hurried = True
        self.notify()
        end = time.monotonic() + timeout_s
        while self._inbox.size and time.monotonic() < end and self._thread.start():
            time.sleep(_ASK_S)
        return not self._inbox.size

    def stop(self, timeout_s: float) -> bool:
        """Finish the request that is being read, and begin no other; whether that was within the time."""
        return self._thread.stop(timeout_s)

    def step(self) -> float:
        """Read one request, or some small ones; seconds until there may be another."""
        stored = self._next()
        if stored is None:
            self._rest()
            return _LOOK_S
        self._give_way()
        if not self._take_in_batch(stored):
            self._take_in(stored)
        self._last_read_at = self._clock()
        return 0.0

    def _next(self) -> StoredRequest | None:
        try:
            return self._inbox.next()
        except Exception:
            offset, now = self._inbox.read_to, self._clock()
            if self._refused_at is None or self._refused_at[0] != offset:
                self._refused_at = offset, now
            elif now - self._refused_at[1] >= _PATIENCE_S:
                self._inbox.pass_over()
            raise

    def _rest(self) -> None:
        if self._clock() - self._last_read_at >= _QUIET_S:
            self._inbox.forget()
            self._last_read_at = self._clock()

    def _give_way(self) -> None:
        now = began = self._clock()
        if now < self._turn_ends_at:
            return
        while self._is_busy() and not self._is_hurried and now < began + _GIVE_WAY_S and not self._is_half_full():
            time.sleep(_ASK_S)
            now = self._clock()
        self._turn_ends_at = now + _TURN_S

    def _is_half_full(self) -> bool:
        return self._inbox.size > self._inbox.max_bytes // 2

    def _take_in_batch(self, first: StoredRequest) -> bool:
        """Small requests that follow each other, in one transaction (`request_batch`); False where one is to be taken
        in by itself. Where that fails, so are all of them: then it shows which is to blame."""
        if self._inbox.read_to < self._singly_to:
            return False
        last = first
        try:
            batch = request_batch(first, lambda stored: self._inbox.following(stored, SMALL_BYTES))
            if batch is None:
                return False
            last = batch.last
            self._accept(batch.telemetry, Position(self._inbox.id, last.end, last.received_at))
        except BaseException:
            self._singly_to = last.end
            return False
        self._inbox.done(last)
        return True

    def _take_in(self, stored: StoredRequest) -> None:
        faults = self._not_kept.get(stored.end)
        if faults is None:
            faults = self._read(stored)
        if faults:
            self._not_kept = {stored.end: faults}  # what was taken in is not taken in again where the disk is full
            self._inbox.set_aside(stored, faults[0].reason, faults[0].error_type)
            self._say(faults)
        else:
            self._inbox.done(stored)
        self._not_kept = {}

    def _read(self, stored: StoredRequest) -> list[Fault]:
        """Why not all of a request was taken in; empty if it was."""
        position = Position(self._inbox.id, stored.end, stored.received_at)
        try:
            # Its size was looked at when it was answered
            body = uncompressed(stored.request, sys.maxsize, reserve=lambda _: None)
            telemetry, faults = decoded_in_pieces(stored.request.signal, stored.request.content_type, body)
        except Exception as error:
            return [Fault.of(error)]

        def accept(piece: Telemetry, is_rest: bool) -> None:
            # What is to be set aside must not count as read before it is
            self._accept(piece, position if is_rest and not faults else None)

        return faults + accept_in_pieces(telemetry, accept, self._wait)

    def _accept(self, telemetry: Telemetry, position: Position | None) -> None:
        if telemetry.log_records:
            self._pipeline.accept_log_records(telemetry.log_records, position=position)
        else:
            self._pipeline.accept_spans(telemetry.spans, other_spans=telemetry.other_spans, position=position)

    def _wait(self, error: OutboxError) -> None:
        """Until the outbox may take something again; raises the error where the reader is to stop."""
        if self._thread.is_stopped:
            raise error
        if self._seldom.is_due(str(error)):
            _logger.error("The rest of a request waits in the inbox: %s", error)
        time.sleep(_RETRY_S)

    def _say(self, faults: list[Fault]) -> None:
        if self._seldom.is_due(faults[0]):
            _logger.error(
                "A request is set aside in the inbox, because %d of its parts cannot be accepted (%s).\n%s",
                len(faults),
                faults[0].error_type,
                faults[0].where,
            )

"""From the inbox to the outbox: a thread reads what was stored, oldest first.

Storing goes before reading: a sender waits for the one, nobody for the other. So while requests come, the thread lets
them go first and takes a tenth of the time; once the inbox is half full, it no longer does.

Where the outbox is full or cannot be written, requests wait in the inbox, until that is full too and senders are told.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable

from otel_labelstudio.errors import OutboxError, OutboxFullError
from otel_labelstudio.pipeline import Pipeline, Position
from otel_labelstudio.printable import logger
from otel_labelstudio.receiver.inbox import Inbox
from otel_labelstudio.receiver.requests import Telemetry, decoded, uncompressed
from otel_labelstudio.receiver.segments import StoredRequest

_logger = logger(__name__)

# While requests come: how long they go first, for how long it then is the reader's turn, and how often it looks
_GIVE_WAY_S, _TURN_S, _ASK_S = 0.45, 0.05, 0.005
# Without a request for so long, what was read is removed from the disk
_QUIET_S = 10.0
# After the outbox was full or could not be written
_RETRY_S = 0.5


class InboxReader:
    """Reads in the background.

    ``pipeline`` must be all or nothing; ``is_busy`` says whether requests are under way.
    """

    def __init__(self, inbox: Inbox, pipeline: Pipeline, max_request_bytes: int, is_busy: Callable[[], bool]) -> None:
        self._inbox, self._pipeline = inbox, pipeline
        self._max_request_bytes, self._is_busy = max_request_bytes, is_busy
        self._is_hurried = self._is_stopped = False
        self._news = threading.Event()
        self._turn_ends_at = 0.0
        self._said = ""
        self._thread = threading.Thread(target=self._run, name="otel-labelstudio-reader", daemon=True)

    def start(self) -> None:
        """Begin, with what an earlier process has left."""
        self._inbox.skip_to(self._pipeline.read_to(self._inbox.id))
        self._thread.start()

    def notify(self) -> None:
        """There is something new in the inbox."""
        self._news.set()

    def drain(self, timeout_s: float) -> bool:
        """Read all that waits, and give way to nobody; whether all of it was read within the time."""
        self._is_hurried = True
        self.notify()
        end = time.monotonic() + timeout_s
        while self._inbox.size and time.monotonic() < end and self._thread.is_alive():
            time.sleep(_ASK_S)
        return not self._inbox.size

    def stop(self) -> None:
        """Finish the request that is being read, and begin no other."""
        self._is_stopped = True
        self.notify()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._is_stopped:
            self._news.clear()
            try:
                stored = self._inbox.next()
                if stored is None:
                    if not self._news.wait(_QUIET_S):
                        self._inbox.forget()
                else:
                    self._give_way()
                    self._take_in(stored)
            except OutboxError as error:
                self._say(f"Requests wait in the inbox: {error}")
                time.sleep(_RETRY_S)

    def _give_way(self) -> None:
        now = began = time.monotonic()
        if now < self._turn_ends_at:
            return
        while self._is_busy() and not self._is_hurried and now < began + _GIVE_WAY_S and not self._is_half_full():
            time.sleep(_ASK_S)
            now = time.monotonic()
        self._turn_ends_at = now + _TURN_S

    def _is_half_full(self) -> bool:
        return self._inbox.size > self._inbox.max_bytes // 2

    def _take_in(self, stored: StoredRequest) -> None:
        try:
            self._read(stored)
        except OutboxError:
            raise
        except Exception as error:
            self._inbox.set_aside(stored, type(error).__name__)
            # Without the error's text, which may hold what was sent
            where = "".join(traceback.format_tb(error.__traceback__))
            self._say(f"A request cannot be read and is set aside in the inbox ({type(error).__name__}).\n{where}")
        else:
            self._inbox.done(stored)
            self._said = ""

    def _read(self, stored: StoredRequest) -> None:
        request = stored.request
        body = uncompressed(request, self._max_request_bytes, reserve=lambda _: None)
        telemetry = decoded(request.signal, request.content_type, body)
        position = Position(self._inbox.id, stored.end, stored.received_at)
        try:
            self._accept(telemetry, position)
        except OutboxFullError as error:
            if not error.is_hopeless:
                raise
            self._accept_in_pieces(telemetry)

    def _accept(self, telemetry: Telemetry, position: Position | None = None) -> None:
        if telemetry.log_records:
            self._pipeline.accept_log_records(telemetry.log_records, position=position)
        else:
            self._pipeline.accept_spans(telemetry.spans, strangers=telemetry.strangers, position=position)

    def _accept_in_pieces(self, telemetry: Telemetry) -> None:
        """What is more than an empty outbox takes at once; waits for room."""
        pieces = _halves(telemetry)
        while pieces:
            try:
                self._accept(pieces[-1])
            except OutboxFullError as error:  # noqa: PERF203 - it waits
                if error.is_hopeless:
                    pieces += _halves(pieces.pop())
                elif self._is_stopped:
                    raise
                else:
                    time.sleep(_RETRY_S)
            else:
                pieces.pop()

    def _say(self, what: str) -> None:
        """Once, until something was read again."""
        if what != self._said:
            _logger.error("%s", what)
        self._said = what


class LargerThanOutboxError(Exception):
    """A single call is larger than `outbox_max_bytes`: it stays in the inbox until that is raised."""


def _halves(telemetry: Telemetry) -> list[Telemetry]:
    """The second half and the first. Raises `LargerThanOutboxError` for what cannot be parted."""
    middle = len(telemetry.spans) // 2, len(telemetry.log_records) // 2
    if not any(middle):
        raise LargerThanOutboxError
    return [
        Telemetry(telemetry.spans[middle[0] :], (), telemetry.log_records[middle[1] :]),
        Telemetry(telemetry.spans[: middle[0]], telemetry.strangers, telemetry.log_records[: middle[1]]),
    ]

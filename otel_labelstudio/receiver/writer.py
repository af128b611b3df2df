"""Into the inbox: a thread stores all requests that have come while it stored the ones before, with one sync.

A sync of the disk may take milliseconds, whatever it is for. So many senders share one, and the event loop waits for
none.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from typing import TypeAlias

from otel_labelstudio.background import FOREVER, BackgroundThread
from otel_labelstudio.errors import OutboxError
from otel_labelstudio.receiver.inbox import Inbox
from otel_labelstudio.receiver.requests import Request

_Waiting: TypeAlias = "tuple[Request, asyncio.Future[None]]"


class InboxWriter:
    """For the requests of one event loop. ``check`` raises `OutboxError` where none may be stored."""

    def __init__(self, inbox: Inbox, check: Callable[[], None] = lambda: None) -> None:
        self._inbox, self._check = inbox, check
        self._waiting: list[_Waiting] = []
        self._coming = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = BackgroundThread("otel-labelstudio-writer", "Storing requests", self._store, at_end=self._store)

    def start(self) -> None:
        """On the event loop's thread."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    @property
    def is_working(self) -> bool:
        """Whether requests can be stored; a thread that has ended is started again."""
        return self._thread.start()

    async def put(self, request: Request) -> None:
        """Returns when the request is on the disk. Raises `OutboxError`, and then it is not."""
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting = request, stored
        with self._coming:
            self._waiting.append(waiting)
        if not self._thread.wake():
            self._withdraw(waiting)
            raise OutboxError("the inbox cannot be written: its thread has ended")
        await stored

    def stop(self, timeout_s: float) -> bool:
        """Store what waits, and no more; whether that was within the time."""
        return self._thread.stop(timeout_s)

    def _withdraw(self, refused: _Waiting) -> None:
        with self._coming:
            self._waiting = [waiting for waiting in self._waiting if waiting is not refused]

    def _store(self) -> float:
        with self._coming:
            batch, self._waiting = self._waiting, []
        if batch:
            assert self._loop is not None  # noqa: S101
            self._loop.call_soon_threadsafe(_answer, batch, self._outcomes([request for request, _ in batch]))
        return FOREVER

    def _outcomes(self, requests: Sequence[Request]) -> Sequence[Exception | None]:
        try:
            self._check()
            return self._inbox.put(requests)
        except Exception as error:
            return [error] * len(requests)
        except BaseException as error:  # nobody who waits for an answer would survive it
            return [OutboxError(f"the inbox cannot be written: {type(error).__name__}")] * len(requests)


def _answer(batch: Sequence[_Waiting], refused: Sequence[Exception | None]) -> None:
    for (_, stored), error in zip(batch, refused, strict=True):
        if stored.done():  # the sender went away
            continue
        if error is None:
            stored.set_result(None)
        else:
            stored.set_exception(error)

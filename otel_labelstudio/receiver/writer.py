"""Into the inbox: a thread stores all requests that have come while it stored the ones before, with one sync.

A sync of the disk may take milliseconds, whatever it is for. So many senders share one, and the event loop waits for
none.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from typing import TypeAlias

from otel_labelstudio.receiver.inbox import Inbox
from otel_labelstudio.receiver.requests import Request

_Waiting: TypeAlias = "tuple[Request, asyncio.Future[None]]"


class InboxWriter:
    """For the requests of one event loop."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._waiting: list[_Waiting] = []
        self._has_come = threading.Condition()
        self._is_stopped = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="otel-labelstudio-writer", daemon=True)

    def start(self) -> None:
        """On the event loop's thread."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    async def put(self, request: Request) -> None:
        """Returns when the request is on the disk. Raises `OutboxError`, and then it is not."""
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        with self._has_come:
            self._waiting.append((request, stored))
            self._has_come.notify()
        await stored

    def stop(self) -> None:
        """Store what waits, and no more."""
        with self._has_come:
            self._is_stopped = True
            self._has_come.notify()
        self._thread.join()

    def _run(self) -> None:
        while batch := self._next():
            try:
                refused: Sequence[Exception | None] = self._inbox.put([request for request, _ in batch])
            except Exception as error:
                refused = [error] * len(batch)
            assert self._loop is not None  # noqa: S101
            self._loop.call_soon_threadsafe(_answer, batch, refused)

    def _next(self) -> list[_Waiting]:
        with self._has_come:
            while not self._waiting and not self._is_stopped:
                self._has_come.wait()
            batch, self._waiting = self._waiting, []
        return batch


def _answer(batch: Sequence[_Waiting], refused: Sequence[Exception | None]) -> None:
    for (_, stored), error in zip(batch, refused, strict=True):
        if stored.done():  # the sender went away
            continue
        if error is None:
            stored.set_result(None)
        else:
            stored.set_exception(error)

"""The one message of a gRPC call, read within bounds of time and memory.

gRPC says neither how large a message is before all of it is there, nor how much of it is; and until it has become bytes
it takes more than twice its size. What senders send as a rule is there at once: two such messages are read at a time.
What is not there after a moment is large or slow, and most of it slow and small. So many of those may be on their way,
until the process grows: then only one goes on, and the others are told to come again.
"""

from __future__ import annotations

import asyncio
import os
from typing import TypeAlias

import grpc.aio

from otel_labelstudio.receiver.status import Outcome, RefusedError

Context: TypeAlias = "grpc.aio.ServicerContext[bytes, bytes]"

_AT_ONCE = 2
_TURN_TIMEOUT_S = 2.0
_MOMENT_S = 0.05
_MOST_LATE = 500
_MOST_LATE_IF_SHORT = 1
# What the process takes later than at its start: Label Studio's client
_TAKEN_LATER = 100 * 2**20


class GrpcBodies:
    """Reads the messages of all calls of one server, each in ``timeout_s``. Memory is short where the process has
    grown by ``max_growth`` bytes."""

    def __init__(self, timeout_s: float, max_growth: int) -> None:
        self._timeout_s = timeout_s
        self._most_resident = (_resident_bytes() or 0) + max_growth + _TAKEN_LATER
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._late = 0

    async def read(self, context: Context) -> bytes:
        """The message. Raises `RefusedError`."""
        await self._wait_for_turn()
        reading = asyncio.ensure_future(context.read())
        try:
            try:
                await asyncio.wait({reading}, timeout=_MOMENT_S)
            finally:
                self._turns.release()
            if not reading.done():
                await self._wait_for_late(reading)
        finally:
            reading.cancel()
        body = reading.result()
        if not isinstance(body, bytes):  # grpc.aio.EOF
            raise RefusedError(Outcome.BAD_DATA, "there is no message in the request")
        return body

    async def _wait_for_turn(self) -> None:
        if not self._turns.locked():
            await self._turns.acquire()
            return
        try:
            await asyncio.wait_for(self._turns.acquire(), _TURN_TIMEOUT_S)
        except asyncio.TimeoutError:
            raise RefusedError(Outcome.BUSY, "too many requests at once") from None

    async def _wait_for_late(self, reading: asyncio.Future[bytes]) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._timeout_s - _MOMENT_S
        self._late += 1
        try:
            while not reading.done():
                if self._late > (_MOST_LATE_IF_SHORT if self._is_memory_short() else _MOST_LATE):
                    raise RefusedError(Outcome.BUSY, "too many large or slow requests at once")
                if loop.time() >= deadline:
                    raise RefusedError(Outcome.INCOMPLETE, "the body did not arrive in time")
                await asyncio.wait({reading}, timeout=_MOMENT_S)
        finally:
            self._late -= 1

    def _is_memory_short(self) -> bool:
        resident = _resident_bytes()
        return resident is None or resident >= self._most_resident


def _resident_bytes() -> int | None:
    """The process's memory; None where the system does not say."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return None

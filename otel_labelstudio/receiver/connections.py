"""HTTP connections that cost something and bring nothing: idle ones, and bodies that trickle in.

uvicorn bounds neither the time of a request's head and body nor the number of connections. Where there are too many,
the one that has been idle for longest goes: a sender opens another when it needs one. One that has just come has a
moment to speak, and so many more are let in for that moment when they come in a flood.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from otel_labelstudio.background import Attempts

_MOMENT_S = 1.0
_WATCHED_EVERY_S = 1.0
_FLOOD = 4
# For so long a refused sender has its connection, to read the answer
_LINGER_S = 2.0


class Connection(Protocol):
    """As much of one as the guard needs."""

    @property
    def transport(self) -> asyncio.Transport: ...


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """How many connections there may be, and seconds: from the connection or its first byte to a request's head, idle
    between requests, and for a request's body."""

    max_connections: int
    head_timeout_s: float
    idle_timeout_s: float
    body_timeout_s: float


class ConnectionGuard:
    """Knows every connection of one server, on its event loop. ``clock`` gives seconds."""

    def __init__(self, limits: ConnectionLimits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits, self._clock = limits, clock
        self._connections: set[Connection] = set()
        # Since when each connection is without a request, and when it is closed for that; the longest first
        self._waiting: dict[Connection, tuple[float, float]] = {}
        self._receiving: dict[Connection, float] = {}

    async def watch(self) -> None:
        """Close what takes too long, until cancelled."""
        closing = Attempts("Closing late connections", self.close_late)
        while True:
            await asyncio.sleep(closing.attempt())

    def close_late(self) -> float:
        """Close the connections that have taken too long; seconds until there may be others."""
        now = self._clock()
        late = [connection for connection, (_, deadline) in self._waiting.items() if deadline <= now]
        late += [connection for connection, deadline in self._receiving.items() if deadline <= now]
        for connection in late:
            self.close(connection)
        self._make_room(now)
        return _WATCHED_EVERY_S

    def connected(self, connection: Connection) -> None:
        now = self._clock()
        self._connections.add(connection)
        self._waiting[connection] = (now, now + self._limits.head_timeout_s)
        self._make_room(now)
        if len(self._connections) > _FLOOD * self._limits.max_connections:
            self.close(connection)

    def head_began(self, connection: Connection) -> None:
        if connection in self._waiting:  # else its deadline begins with the answer to the request before
            since, deadline = self._waiting[connection]
            self._waiting[connection] = since, min(deadline, self._clock() + self._limits.head_timeout_s)

    def head_came(self, connection: Connection) -> None:
        self._waiting.pop(connection, None)
        self._receiving[connection] = self._clock() + self._limits.body_timeout_s

    def body_came(self, connection: Connection) -> None:
        self._receiving.pop(connection, None)

    def answered(self, connection: Connection) -> None:
        # A body that is still coming, after a refusal, is thrown away as it comes, and not for longer than any other
        if connection in self._connections and connection not in self._receiving:
            now = self._clock()
            self._waiting[connection] = (now, now + self._limits.idle_timeout_s)

    def refused(self, connection: Connection) -> None:
        self.lost(connection)
        now = self._clock()
        self._connections.add(connection)
        self._waiting[connection] = (now, now + _LINGER_S)

    def lost(self, connection: Connection) -> None:
        self._connections.discard(connection)
        self._waiting.pop(connection, None)
        self._receiving.pop(connection, None)

    def close(self, connection: Connection) -> None:
        self.lost(connection)  # first: one that cannot be closed must not stand before the others again
        connection.transport.abort()

    def _make_room(self, now: float) -> None:
        while len(self._connections) > self._limits.max_connections and self._waiting:
            oldest, (since, _) = next(iter(self._waiting.items()))
            if now - since < _MOMENT_S:
                return
            self.close(oldest)

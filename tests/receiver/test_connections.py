"""The guard of HTTP connections: it goes on, whatever one of them does to it."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from otel_labelstudio.receiver import connections
from otel_labelstudio.receiver.connections import Connection, ConnectionGuard, ConnectionLimits

DEADLINE_S = 240.0


class Transport:
    """Counts how often it was closed; the first times that fails."""

    def __init__(self, fails: int = 0) -> None:
        self._fails = fails
        self.closed = 0

    def abort(self) -> None:
        self.closed += 1
        if self.closed <= self._fails:
            raise RuntimeError("CANARY")


class Connected:
    """As much of a connection as the guard looks at."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport


def connected(guard: ConnectionGuard, transport: Transport) -> Connection:
    connection = cast(Connection, Connected(transport))
    guard.connected(connection)
    return connection


def test_a_connection_that_cannot_be_closed_holds_up_no_other(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The guard says so once, and closes the others."""
    monkeypatch.setattr(connections, "_WATCHED_EVERY_S", 0.001)
    now = [0.0]
    guard = ConnectionGuard(ConnectionLimits(100, 10.0, 10.0, 10.0), lambda: now[0])
    bad, good = Transport(fails=1000), Transport()
    connected(guard, bad)
    connected(guard, good)
    now[0] = 20.0

    async def watch() -> None:
        watching = asyncio.ensure_future(guard.watch())
        while not good.closed:
            assert not watching.done()
            await asyncio.sleep(0.001)
        watching.cancel()

    asyncio.run(asyncio.wait_for(watch(), DEADLINE_S))
    assert bad.closed == 1
    assert caplog.text.count("Closing late connections failed unexpectedly (RuntimeError)") == 1


def test_each_head_has_a_deadline() -> None:
    """It counts from the connection, and between requests, where a connection may be idle for longer, from the first
    byte of the next head; a connection that was refused ends soon."""
    now = [0.0]
    guard = ConnectionGuard(ConnectionLimits(100, 20.0, 90.0, 20.0), lambda: now[0])
    first, later, idle, refused = (Transport() for _ in range(4))
    guard.head_began(connected(guard, first))
    between = [connected(guard, later), connected(guard, idle)]
    for connection in between:
        guard.head_came(connection)
        guard.body_came(connection)
        guard.answered(connection)
    now[0] = 19.0
    guard.head_began(between[0])
    guard.refused(connected(guard, refused))
    guard.close_late()
    assert [transport.closed for transport in (first, later, idle, refused)] == [0, 0, 0, 0]
    for at, closed in ((22.0, [1, 0, 0, 1]), (40.0, [1, 1, 0, 1]), (91.0, [1, 1, 1, 1])):
        now[0] = at
        guard.close_late()
        assert [transport.closed for transport in (first, later, idle, refused)] == closed

"""The guard of HTTP connections: it goes on, whatever one of them does to it."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from otel_labelstudio.receiver import connections
from otel_labelstudio.receiver.connections import ConnectionGuard, ConnectionLimits, GuardedProtocol

DEADLINE_S = 30.0


class Transport:
    """Counts how often it was closed; the first times that fails."""

    def __init__(self, fails: int = 0) -> None:
        self._fails = fails
        self.closed = 0

    def abort(self) -> None:
        self.closed += 1
        if self.closed <= self._fails:
            raise RuntimeError("CANARY")


class Connection:
    """As much of a connection as the guard looks at."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport


def connected(guard: ConnectionGuard, transport: Transport) -> None:
    guard.connected(cast(GuardedProtocol, cast(Any, Connection(transport))))


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

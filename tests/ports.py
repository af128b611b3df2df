"""Ports for servers that are killed and started again."""

from __future__ import annotations

import os
import random
import socket

from otel_labelstudio.demo.ports import LOOPBACK

# Below those that systems give to connections (Linux: from 32768 on). One of those may be gone while its server is
# away, even to a client that tries to reach it there: a connection to a port of its own is possible
_FIRST, _LAST = 10_000, 32_000
# A server may not listen yet, or be away, when the next one asks. Each of the processes that share a run (pytest-xdist)
# has ports of its own
_given: set[int] = set()
_process = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))


def steady_port() -> int:
    """A port on which nobody listens now, which no connection takes meanwhile, and which is given once."""
    for _ in range(1000):
        port = random.SystemRandom().randrange(_FIRST + _process, _LAST, _processes)
        if port in _given:
            continue
        with socket.socket() as probe:
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
        _given.add(port)
        return port
    raise AssertionError("no port is free")

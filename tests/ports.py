"""Ports for servers that are killed and started again."""

from __future__ import annotations

import random
import socket

from otel_labelstudio.demo.ports import LOOPBACK

# Below those that systems give to connections (Linux: from 32768 on). One of those may be gone while its server is
# away, even to a client that tries to reach it there: a connection to a port of its own is possible
_FIRST, _LAST = 10_000, 32_000


def steady_port() -> int:
    """A port on which nobody listens now, and which no connection takes meanwhile."""
    for _ in range(1000):
        port = random.SystemRandom().randint(_FIRST, _LAST)
        with socket.socket() as probe:
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
        return port
    raise AssertionError("no port is free")

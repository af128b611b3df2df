"""Ten thousand connections that bring nothing: the server stays up and small, and good senders are served meanwhile."""

from __future__ import annotations

import resource
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.receiver.good_sender import good_sender
from tests.receiver.serving import Process, serve_command
from tests.receiver.test_grpc import TRACES, export, refusal

TEN_THOUSAND = 10_000
# What the tests and the server open besides
OTHER_FILES = 500
# At rest it is 60 to 70 MiB, and 90 more once Label Studio's client is imported
MOST_MEMORY = 400 * 2**20
# RFC 9113, 3.4: the client's preface and an empty SETTINGS frame
HTTP2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
REQUEST = (
    b"POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n"
)
# A busy machine takes its time to open them: the first one is not closed before the last one is there
PATIENT = """
import sys
from otel_labelstudio import cli
from otel_labelstudio.receiver import server

server._HEAD_TIMEOUT_S = server._IDLE_TIMEOUT_S = 600.0
options = server.server_options
server.server_options = lambda *limits: [("grpc.server_handshake_timeout_ms", 600_000), *options(*limits)]
sys.exit(cli.main(sys.argv[1:]))
"""


@pytest.fixture
def count() -> Iterator[int]:
    """How many connections this process can open: ten thousand where the limit of open files allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield min(TEN_THOUSAND, hard - OTHER_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextmanager
def serving(tmp_path: Path, *arguments: str) -> Iterator[Process]:
    """A receiver that still runs at the end, with bounded memory."""
    environment = {"LABEL_STUDIO_API_KEY": "key", "LABEL_STUDIO_URL": "http://127.0.0.1:9"}
    outbox = f"--outbox={tmp_path / 'outbox.db'}"
    with serve_command(outbox, *arguments, program=("-c", PATIENT), **environment) as process:
        yield process
        assert process.process.poll() is None
        assert process.peak_memory < MOST_MEMORY


@contextmanager
def idle(address: str, count: int, says: bytes = b"") -> Iterator[list[socket.socket]]:
    """So many connections that say this and no more."""
    host, port = address.removeprefix("http://").split(":")
    with ExitStack() as connections:
        made = []
        for _ in range(count):
            sock = connections.enter_context(socket.create_connection((host, int(port)), timeout=240))
            sock.sendall(says)
            made.append(sock)
        yield made


def wait_for_files(process: Process, at_least: int, at_most: int) -> None:
    """Until the server has so many files open, for a second."""
    deadline = time.monotonic() + 240
    since = time.monotonic()
    while time.monotonic() - since < 1:
        if not at_least <= process.open_files <= at_most:
            since = time.monotonic()
            assert since < deadline, f"{process.open_files} files are open"
        time.sleep(0.1)


def new_channel(address: str) -> grpc.Channel:
    """With a connection of its own, whatever other channels the process has."""
    return grpc.insecure_channel(address, [("grpc.use_local_subchannel_pool", 1)])


def test_more_http_connections_than_may_be(tmp_path: Path, count: int) -> None:
    """The server keeps as many as it may, and a good sender gets one whenever it needs it."""
    with serving(tmp_path, "--max-connections=2000") as process, good_sender(process), idle(process.http, count):
        wait_for_files(process, 2000, 2000 + OTHER_FILES)


def test_as_many_http_connections_as_may_be(tmp_path: Path, count: int) -> None:
    """All of them are kept, and each is answered when it speaks at last."""
    most = f"--max-connections={count + OTHER_FILES}"
    with serving(tmp_path, most) as process, good_sender(process), idle(process.http, count) as connections:
        for sock in connections[:: count // 100]:
            sock.sendall(REQUEST)
            assert sock.recv(12) == b"HTTP/1.1 200"
        wait_for_files(process, count, count + OTHER_FILES)


@pytest.mark.parametrize("says", [b"", HTTP2_PREFACE], ids=["silent", "idle"])
def test_more_grpc_connections_than_may_be(tmp_path: Path, count: int, says: bytes) -> None:
    """Senders that are connected are served on, a new one is told to come again, and is served when the others left."""
    most = count - 1000
    with serving(tmp_path, f"--max-grpc-connections={most}") as process, good_sender(process):
        with idle(process.grpc, count, says), new_channel(process.grpc) as channel:
            wait_for_files(process, most, most + OTHER_FILES)
            error: Any = refusal(channel, TRACES, b"")
            assert error.code() is grpc.StatusCode.UNAVAILABLE
        wait_for_files(process, 0, OTHER_FILES)
        with new_channel(process.grpc) as channel:
            assert export(channel, TRACES, b"", wait_for_ready=True) == b""

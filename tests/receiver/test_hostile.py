"""Senders that mean no good: the server stays up, its memory bounded, and a good sender is served meanwhile."""

from __future__ import annotations

import gzip
import http.client
import random
import socket
import threading
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import grpc
import pytest

from tests.receiver.good_sender import good_sender
from tests.receiver.serving import Process, Receiver, post, serve_command
from tests.receiver.test_grpc import TRACES, export

MIB = 2**20
HEAD = b"POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-protobuf\r\n"
# Bodies under way, copies of those that are being inflated, and one large request as objects
MOST_MEMORY = 900 * MIB


@pytest.fixture
def process(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Process]:
    """A receiver in a process of its own, whose memory can be looked at; it waits long for a body, or as long as the
    test says."""
    with serve_command(
        f"--outbox={tmp_path / 'outbox.db'}",
        f"--body-timeout-s={getattr(request, 'param', 240)}",
        LABEL_STUDIO_API_KEY="key",
        LABEL_STUDIO_URL="http://127.0.0.1:9",
    ) as made:
        yield made
        assert made.process.poll() is None


def connected(process: Process) -> socket.socket:
    host, port = process.http.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=240)


def test_garbage(process: Process) -> None:
    """Bytes that are no HTTP, and bodies that are no OTLP."""
    chance = random.Random(7)
    with good_sender(process):
        for _ in range(100):
            with connected(process) as sock:
                sock.sendall(chance.randbytes(chance.randint(1, 2000)))
            body = chance.randbytes(chance.randint(1, 2000))
            assert post(f"{process.http}/v1/traces", body)[0] == 400


def test_bombs(process: Process) -> None:
    """A gigabyte in a megabyte, eight times at once."""
    stream = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(stream.compress(bytes(MIB)) for _ in range(1024)) + stream.flush()
    # Small messages that are large in memory, within the limit of bytes
    inner = b"\x12\x00" * (30 * MIB)
    size = len(inner)
    length = bytes([size & 127 | 128, size >> 7 & 127 | 128, size >> 14 & 127 | 128, size >> 21])
    dense = gzip.compress(b"\x0a" + length + inner)
    statuses: list[int] = []

    def send(body: bytes) -> None:
        statuses.append(post(f"{process.http}/v1/traces", body, Content_Encoding="gzip")[0])

    with good_sender(process):
        senders = [threading.Thread(target=send, args=(body,)) for body in [bomb, dense] * 4]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join(240)
    assert len(statuses) == 8
    assert set(statuses) <= {413, 503}
    assert process.peak_memory < MOST_MEMORY


def test_oversize_and_deep(process: Process) -> None:
    """More than the limit in one piece and in chunks, and JSON that is as deep as it is long."""
    with good_sender(process):
        assert post(f"{process.http}/v1/traces", bytes(65 * MIB))[0] == 413
        for _ in range(5):
            deep = b'{"resourceSpans":' + b"[" * 500_000
            assert post(f"{process.http}/v1/traces", deep, "application/json")[0] == 400
    assert process.peak_memory < MOST_MEMORY


@pytest.mark.parametrize("process", [5], indirect=True)
def test_slow_bodies_and_heads(process: Process) -> None:
    """A hundred senders who begin and do not go on are put off after the time for a body."""
    slow = [connected(process) for _ in range(100)]
    for sock in slow:
        sock.sendall(HEAD + b"Content-Length: 1000\r\n\r\nx")
    with good_sender(process), grpc.insecure_channel(process.grpc) as channel:
        assert export(channel, TRACES, b"") == b""
        for sock in slow:
            sock.settimeout(60)
            with suppress(ConnectionResetError):
                assert sock.recv(1) == b""
            sock.close()


def test_wrong_secrets_at_speed(tmp_path: Path) -> None:
    """Thousands of guesses are refused, and who knows the secret is let in."""
    (tmp_path / "tokens").write_text("right\n", encoding="utf-8")
    with Receiver(tmp_path / "outbox.db", bearer_tokens=str(tmp_path / "tokens")) as receiver:
        connection = http.client.HTTPConnection("127.0.0.1", receiver.port, timeout=240)
        guess = {"Content-Type": "application/x-protobuf", "Authorization": "Bearer wrong"}
        for _ in range(1000):
            connection.request("POST", "/v1/traces", b"x" * 1000, guess)
            answer = connection.getresponse()
            assert (answer.status, bool(answer.read())) == (401, True)
        connection.close()
        assert post(f"{receiver.http}/v1/traces", b"", Authorization="Bearer right")[0] == 200

"""What of HTTP is no body is bounded, whoever sends it, and what an ordinary sender writes there is taken."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from otel_labelstudio.receiver.http_protocol import FED_AT_ONCE, MAX_FIELDS, MAX_FRAMING_BYTES, MAX_PIPELINED
from tests.receiver.good_sender import good_sender
from tests.receiver.requests_made import ids, traces
from tests.receiver.serving import Receiver, post, serve_command

MIB = 2**20
POST = b"POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-protobuf\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
TOO_MUCH = MAX_FRAMING_BYTES + FED_AT_ONCE


def said(receiver: Receiver, request: bytes) -> bytes:
    """All that the receiver says until it ends the connection."""
    answer = b""
    with connected(receiver) as sock:
        with suppress(ConnectionError):
            sock.sendall(request)
        while piece := sock.recv(65536):
            answer += piece
    return answer


def status(receiver: Receiver, request: bytes) -> int:
    """That of the first answer."""
    with connected(receiver) as sock:
        sock.sendall(request)
        return int(sock.recv(65536).split()[1])


def connected(receiver: Receiver) -> socket.socket:
    return socket.create_connection(("127.0.0.1", receiver.port), timeout=240)


ENDLESS = {
    "a request line": b"POST /" + b"x" * TOO_MUCH,
    "a field's name": POST + b"x" * TOO_MUCH,
    "a field's value": POST + b"x: " + b"x" * TOO_MUCH,
    "fields": POST + b"x: y\r\n" * (MAX_FIELDS + 1),
    "empty lines before a request": b"\r\n" * TOO_MUCH,
    "a chunk's extension": CHUNKED + b"1;" + b"x" * TOO_MUCH,
    "chunks' extensions": CHUNKED + (b"1;" + b"x" * 1000 + b"\r\nx\r\n") * (TOO_MUCH // 1000),
    "a trailer": CHUNKED + b"1\r\nx\r\n0\r\nx: " + b"x" * TOO_MUCH,
    "a trailer after a large body": CHUNKED + b"40000\r\n" + b"x" * 0x40000 + b"\r\n0\r\nx: " + b"x" * TOO_MUCH,
    "trailers": CHUNKED + b"1\r\nx\r\n0\r\n" + b"x: y\r\n" * MAX_FIELDS,
}


@pytest.mark.parametrize("request_", ENDLESS.values(), ids=list(ENDLESS))
def test_what_has_no_end_is_refused(receiver: Receiver, request_: bytes) -> None:
    """431, before it is at its end, and the connection ends."""
    answer = said(receiver, request_)
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert b"connection: close" in answer


def test_what_a_sender_may_write(receiver: Receiver) -> None:
    """A head with a long value and many fields, and a body in small chunks with trailers."""
    fields = b"Baggage: " + b"x" * (MAX_FRAMING_BYTES - 2000) + b"\r\n" + b"x: y\r\n" * (MAX_FIELDS - 10)
    assert status(receiver, POST + fields + b"Content-Length: 0\r\n\r\n") == 200
    request = traces("In small chunks?", padding=MAX_FRAMING_BYTES)
    body = request.SerializeToString()
    chunks = b"".join(
        b"%x\r\n%b\r\n" % (len(part), part) for part in (body[at : at + 8] for at in range(0, len(body), 8))
    )
    assert status(receiver, CHUNKED + chunks + b"0\r\nDigest: x\r\n\r\n") == 200
    assert receiver.delivered(ids(request))


def test_the_next_request_has_bounds_of_its_own(receiver: Receiver) -> None:
    """Many requests on one connection are together larger than one may be; the last one is too large by itself."""
    head = POST + b"Baggage: " + b"x" * 5000 + b"\r\nContent-Length: 0\r\n"
    with connected(receiver) as sock:
        for _ in range(2 * MAX_FRAMING_BYTES // 5000):
            sock.sendall(head + b"\r\n")
            assert sock.recv(65536).startswith(b"HTTP/1.1 200 ")
        sock.sendall(head + b"x" * TOO_MUCH)
        assert sock.recv(65536).startswith(b"HTTP/1.1 431 ")
        assert sock.recv(1) == b""


def test_a_trailer_is_no_header(receiver: Receiver) -> None:
    """What it says of the body came too late for whoever read that."""
    trailers = b"Content-Encoding: br\r\nContent-Type: text/plain\r\n"
    assert status(receiver, CHUNKED + b"0\r\n" + trailers + b"\r\n") == 200


def test_requests_that_wait_for_no_answer(receiver: Receiver) -> None:
    """Some of them are answered one after the other; with more than that the connection ends."""
    request = POST + b"Content-Length: 0\r\n\r\n"
    last = POST + b"Content-Length: 0\r\nConnection: close\r\n\r\n"
    assert said(receiver, request * (MAX_PIPELINED - 1) + last).count(b"HTTP/1.1 200 ") == MAX_PIPELINED
    with suppress(ConnectionError):
        assert said(receiver, request * 1000).count(b"HTTP/1.1 200 ") <= MAX_PIPELINED


@pytest.mark.parametrize("protocol", ["h2c", "websocket"])
def test_an_offer_to_upgrade_is_ignored(receiver: Receiver, protocol: str) -> None:
    """The body is read and stored all the same, and so is that of the next request."""
    offer = f"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: {protocol}\r\nHTTP2-Settings: AAQ\r\n".encode()
    requests = [traces("Upgrade?"), traces("And again?")]
    with connected(receiver) as sock:
        for request in requests:
            body = request.SerializeToString()
            sock.sendall(POST + offer + b"Content-Length: %d\r\n\r\n" % len(body) + body)
            assert sock.recv(65536).startswith(b"HTTP/1.1 200 ")
    assert receiver.delivered([span_id for request in requests for span_id in ids(request)])


@pytest.mark.parametrize(
    "request_", [b"CONNECT a.example:80 HTTP/1.1\r\nHost: a.example\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]
)
def test_what_is_no_request_to_a_server_like_this(receiver: Receiver, request_: bytes) -> None:
    """A tunnel, and HTTP/2."""
    assert status(receiver, request_) == 400


def test_endless_heads_cost_little(tmp_path: Path) -> None:
    """Hundreds of megabytes of fields and of one field, from somebody unknown: the process stays small, and others are
    served meanwhile."""
    environment = {"LABEL_STUDIO_API_KEY": "key", "LABEL_STUDIO_URL": "http://127.0.0.1:9"}
    with serve_command(f"--outbox={tmp_path / 'outbox.db'}", **environment) as process, good_sender(process):
        assert post(f"{process.http}/healthz", b"", method="GET")[0] == 200
        before = process.peak_memory
        where = process.http.removeprefix("http://").split(":")

        def send(piece: bytes) -> None:
            with socket.create_connection((where[0], int(where[1])), timeout=240) as sock:
                sock.sendall(POST)
                with suppress(OSError):
                    for _ in range(64):
                        sock.sendall(piece)

        pieces = [b"a: b\r\n" * (MIB // 6), b"x" * MIB] * 4
        senders = [threading.Thread(target=send, args=(piece,)) for piece in pieces]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join(240)
        # Label Studio's client, which may be imported meanwhile, takes 90 MiB
        assert process.peak_memory - before < 128 * MIB

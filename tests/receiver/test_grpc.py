"""The duties of an OTLP/gRPC server (opentelemetry-proto 1.11, docs/specification.md, "OTLP/gRPC")."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc.status_pb2 import Status

from otel_labelstudio.receiver import grpc_body
from tests.delivery.pipelines import until
from tests.receiver.requests_made import events, ids, traces
from tests.receiver.serving import Receiver

TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
LOGS = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
METRICS = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"


@pytest.fixture
def channel(receiver: Receiver) -> Iterator[grpc.Channel]:
    options = [("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(receiver.grpc, options) as made:
        yield made


def export(channel: grpc.Channel, method: str, body: bytes, **arguments: Any) -> bytes:
    call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(method)
    return call(body, timeout=240, **arguments)


def refusal(channel: grpc.Channel, method: str, body: bytes, **arguments: Any) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as error:
        export(channel, method, body, **arguments)
    return error.value


@pytest.mark.parametrize("compression", grpc.Compression, ids=str)
def test_traces_in_every_compression(receiver: Receiver, channel: grpc.Channel, compression: grpc.Compression) -> None:
    """None, gzip and deflate; the answer has no partial_success."""
    request = traces("Compressed?")
    assert export(channel, TRACES, request.SerializeToString(), compression=compression) == b""
    assert receiver.delivered(ids(request))


def test_logs_and_empty_requests(channel: grpc.Channel) -> None:
    """Both services take what is theirs, and nothing at all."""
    assert export(channel, LOGS, events("Hello?", b"u" * 16, b"v" * 8).SerializeToString()) == b""
    assert export(channel, LOGS, b"") == export(channel, TRACES, b"") == b""


@pytest.mark.parametrize(
    ("method", "body", "code"),
    [
        (TRACES, b"\x0a\xff\xff", grpc.StatusCode.INVALID_ARGUMENT),
        (LOGS, b"\x0a\xff\xff", grpc.StatusCode.INVALID_ARGUMENT),
        (TRACES, bytes(2**20 + 1), grpc.StatusCode.RESOURCE_EXHAUSTED),
        (METRICS, b"", grpc.StatusCode.UNIMPLEMENTED),
        ("/opentelemetry.proto.collector.profiles.v1.ProfilesService/Export", b"", grpc.StatusCode.UNIMPLEMENTED),
    ],
    ids=["bad traces", "bad logs", "too large", "metrics", "unknown service"],
)
def test_refusals_that_are_final(channel: grpc.Channel, method: str, body: bytes, code: grpc.StatusCode) -> None:
    """None of them holds a RetryInfo: the sender must drop the data."""
    error: Any = refusal(channel, method, body)
    assert error.code() is code
    trailing = dict(error.trailing_metadata())
    assert "google.rpc.retryinfo-bin" not in trailing
    assert not Status.FromString(trailing.get("grpc-status-details-bin", b"")).details


def test_a_compressed_bomb(channel: grpc.Channel) -> None:
    """Small on the wire and large afterwards is too large."""
    error: Any = refusal(channel, TRACES, bytes(30 * 2**20), compression=grpc.Compression.Gzip)
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize("size", [20_000, 2_000_000])
def test_metadata_beyond_its_bound(channel: grpc.Channel, size: int) -> None:
    """It is refused before anybody looks at it, and the connection serves on."""
    error: Any = refusal(channel, TRACES, b"", metadata=(("baggage", "x" * size),))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert export(channel, TRACES, b"", metadata=(("baggage", "x" * 4000),)) == b""


def test_how_many_calls_a_connection_may_have_at_once(receiver: Receiver) -> None:
    """The server says so in its first frame (RFC 9113, 6.5.2), and clients keep to it."""
    host, port = receiver.grpc.split(":")
    with socket.create_connection((host, int(port)), timeout=240) as sock, sock.makefile("rb") as frames:
        sock.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0)))
        header = frames.read(9)
        body = frames.read(int.from_bytes(header[:3], "big"))
    settings = dict(struct.iter_unpack(">HI", body))
    assert header[3] == 4
    assert settings[3] == 1000


def test_a_call_without_a_message(channel: grpc.Channel) -> None:
    """A stream that ends before any message is bad data."""
    with pytest.raises(grpc.RpcError) as error:
        channel.stream_unary(TRACES)(iter(()), timeout=240)
    assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine is slow to read what is there at once: those who wait for their turn meanwhile are not refused."""
    monkeypatch.setattr(grpc_body, "_TURN_TIMEOUT_S", 240.0)


@pytest.mark.usefixtures("patient")
def test_a_message_that_does_not_come(outbox: Path) -> None:
    """A sender that opens a call and sends nothing is told to come again, and others are served meanwhile."""
    hold = threading.Event()

    def nothing() -> Iterator[bytes]:
        hold.wait(240)
        yield b""

    with Receiver(outbox, body_timeout_s=0.5) as receiver, grpc.insecure_channel(receiver.grpc) as channel:
        open_call: grpc.StreamUnaryMultiCallable[bytes, bytes] = channel.stream_unary(TRACES)
        slow = [open_call.future(nothing(), timeout=240) for _ in range(40)]
        assert export(channel, TRACES, b"") == b""
        for call in slow:
            error: Any = call.exception()
            assert (error.code(), error.details()) == (grpc.StatusCode.UNAVAILABLE, "the body did not arrive in time")
            assert "google.rpc.retryinfo-bin" in dict(error.trailing_metadata())
        hold.set()


@pytest.mark.usefixtures("patient")
def test_slow_messages_while_memory_is_short(outbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of them is waited for, the others are told to come again at once; what is there at once is read."""
    monkeypatch.setattr(grpc_body, "_MOMENT_S", 2.0)
    hold = threading.Event()

    def nothing() -> Iterator[bytes]:
        hold.wait(240)
        yield b""

    small = Receiver(outbox, body_timeout_s=240, max_request_bytes=2**20, max_held_bytes=2**21)
    with small as receiver, grpc.insecure_channel(receiver.grpc) as channel:
        ballast = b"x" * 300 * 2**20  # of this process, and so of the receiver in it
        open_call: grpc.StreamUnaryMultiCallable[bytes, bytes] = channel.stream_unary(TRACES)
        calls: list[Any] = [open_call.future(nothing(), timeout=240) for _ in range(5)]
        until(lambda: sum(call.done() for call in calls) == 4)
        assert export(channel, TRACES, b"") == b""
        hold.set()
        errors: list[Any] = [error for call in calls if (error := call.exception()) is not None]
        assert [(error.code(), error.details()) for error in errors] == [
            (grpc.StatusCode.UNAVAILABLE, "too many large or slow requests at once")
        ] * 4
        del ballast

"""Somebody who sends as they should, while others do not."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import grpc

from tests.receiver.requests_made import traces
from tests.receiver.serving import Process, post
from tests.receiver.test_grpc import TRACES

_MOST_MEDIAN_S = 5


@contextmanager
def good_sender(process: Process) -> Iterator[None]:
    """Sends a request after the other all the while, each transport by itself; they must be stored.

    Over HTTP each has a connection of its own, over gRPC all have the same. Half of them may be told to come again, as
    a sender does.
    """
    with grpc.insecure_channel(process.grpc) as channel, ExitStack() as sending:
        sending.enter_context(_sending(lambda body: http_status(process.http, body)))
        sending.enter_context(_sending(lambda body: grpc_status(channel, body)))
        yield


@contextmanager
def _sending(status_of: Callable[[bytes], int]) -> Iterator[None]:
    times: list[float] = []
    statuses: list[int] = []
    is_served, is_over = threading.Event(), threading.Event()

    def send() -> None:
        while not is_over.wait(0.05) or len(times) < 3:
            began = time.monotonic()
            statuses.append(status_of(traces("Served?").SerializeToString()))
            times.append(time.monotonic() - began)
            is_served.set()

    thread = threading.Thread(target=send)
    thread.start()
    try:
        assert is_served.wait(240)  # it has its connection
        yield
    finally:
        is_over.set()
        thread.join(240)
    assert set(statuses) <= {200, 503}, statuses
    assert statuses.count(503) <= len(statuses) / 2, f"{statuses.count(503)} of {len(statuses)} were told to come again"
    assert sorted(times)[len(times) // 2] < _MOST_MEDIAN_S


def http_status(url: str, body: bytes) -> int:
    """What became of it; a connection that is lost is as a 503, as a sender comes again after both."""
    try:
        return post(f"{url}/v1/traces", body)[0]
    except (OSError, http.client.HTTPException):
        return 503


def grpc_status(channel: grpc.Channel, body: bytes, compression: grpc.Compression | None = None) -> int:
    """200, 503 where the sender is told to come again, or 500."""
    call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(TRACES)
    try:
        call(body, timeout=240, compression=compression)
    except grpc.RpcError as error:
        refused: Any = error
        return 503 if refused.code() is grpc.StatusCode.UNAVAILABLE else 500
    return 200

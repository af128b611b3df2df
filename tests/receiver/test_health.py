"""The standard health service of gRPC, asked by its own client (grpc_health.v1)."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from tests.delivery.pipelines import until
from tests.receiver.requests_made import traces
from tests.receiver.serving import Receiver, post
from tests.receiver.test_grpc import TRACES, refusal

SERVING, NOT_SERVING = HealthCheckResponse.SERVING, HealthCheckResponse.NOT_SERVING
TRACE_SERVICE = TRACES.split("/")[1]


@pytest.fixture
def stub(receiver: Receiver) -> Iterator[HealthStub]:
    with grpc.insecure_channel(receiver.grpc) as channel:
        yield HealthStub(channel)


def status(stub: HealthStub, service: str = "") -> Any:
    return stub.Check(HealthCheckRequest(service=service), timeout=240).status


def is_let_in(stub: HealthStub) -> bool:
    """Whether another one may watch, or is told to come again."""
    watching = stub.Watch(HealthCheckRequest(), timeout=240)
    try:
        return bool(next(watching).status == SERVING)
    except grpc.RpcError:
        assert watching.code() is grpc.StatusCode.UNAVAILABLE
        return False
    finally:
        watching.cancel()


@pytest.mark.parametrize("service", ["", TRACE_SERVICE, "opentelemetry.proto.collector.logs.v1.LogsService"])
def test_a_receiver_that_is_ready(stub: HealthStub, service: str) -> None:
    """It serves, and so do both services."""
    assert status(stub, service) == SERVING


def test_a_service_that_is_not_there(stub: HealthStub) -> None:
    """NOT_FOUND to who asks, SERVICE_UNKNOWN to who watches, as the protocol has it."""
    with pytest.raises(grpc.RpcError) as error:
        status(stub, "no.such.Service")
    refused: Any = error.value
    assert refused.code() is grpc.StatusCode.NOT_FOUND
    watching = stub.Watch(HealthCheckRequest(service="no.such.Service"), timeout=240)
    assert next(watching).status == HealthCheckResponse.SERVICE_UNKNOWN
    watching.cancel()


def test_bad_requests(receiver: Receiver) -> None:
    """What is no HealthCheckRequest is bad data."""
    with grpc.insecure_channel(receiver.grpc) as channel:
        error: Any = refusal(channel, "/grpc.health.v1.Health/Check", b"\xff")
        assert error.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_an_inbox_that_is_full(outbox: Path, tmp_path: Path) -> None:
    """It says NOT_SERVING while /readyz says 503, without credentials; who watches is told of the change."""
    (tmp_path / "tokens").write_text("right\n", encoding="utf-8")
    with (
        Receiver(
            outbox,
            pipeline={"outbox_max_calls": 1, "settle_s": 3600},
            bearer_tokens=str(tmp_path / "tokens"),
            max_request_bytes=1000,
            inbox_max_bytes=2000,
        ) as receiver,
        grpc.insecure_channel(receiver.grpc) as channel,
    ):
        stub = HealthStub(channel)
        watching = stub.Watch(HealthCheckRequest(), timeout=240)
        assert next(watching).status == SERVING
        for _ in range(5):  # the first fills the outbox, the others stay
            post(f"{receiver.http}/v1/traces", traces("Full?").SerializeToString(), Authorization="Bearer right")
            until(lambda: len(receiver.pipeline._outbox))
        assert next(watching).status == NOT_SERVING
        assert post(f"{receiver.http}/readyz", b"", method="GET")[0] == 503
        assert status(stub) == NOT_SERVING


def test_a_graceful_stop_does_not_wait_for_who_watches(outbox: Path) -> None:
    """They are told, and let go."""
    with Receiver(outbox, stop_timeout_s=3600) as receiver, grpc.insecure_channel(receiver.grpc) as channel:
        watching = HealthStub(channel).Watch(HealthCheckRequest(), timeout=240)
        assert next(watching).status == SERVING
        stopping = threading.Thread(target=receiver.stop)
        stopping.start()
        assert [answer.status for answer in watching] == [NOT_SERVING]
        stopping.join(240)
        assert not receiver._thread.is_alive()


def test_more_than_may_watch(receiver: Receiver) -> None:
    """One more is told to come again, and has its place when another has left."""
    with grpc.insecure_channel(receiver.grpc) as channel:
        stub = HealthStub(channel)
        watching = []
        for _ in range(100):
            watching.append(stub.Watch(HealthCheckRequest(), timeout=240))
            assert next(watching[-1]).status == SERVING
        assert not is_let_in(stub)
        for watch in watching:
            watch.cancel()
        deadline = time.monotonic() + 240
        while not is_let_in(stub):
            assert time.monotonic() < deadline
            time.sleep(0.1)

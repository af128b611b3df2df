"""What /readyz, /healthz and gRPC's health service say: who cannot store is not ready, who will not recover is ill."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from otel_labelstudio.background import BackgroundThread
from otel_labelstudio.errors import PausedDeliveryError
from otel_labelstudio.receiver import readiness
from otel_labelstudio.receiver.intake import Intake
from otel_labelstudio.testing import RecordingSink
from tests.receiver.requests_made import ids, traces
from tests.receiver.serving import Receiver, post
from tests.threads import end, none_can_start


@pytest.fixture(autouse=True)
def looks_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was seen last is not the answer for a second."""
    monkeypatch.setattr(readiness, "_LOOKED_EVERY_S", 0.0)


def page(receiver: Receiver, path: str) -> tuple[int, str]:
    status, _, body = post(receiver.http + path, b"", method="GET")
    return status, body.decode().strip()


def send(receiver: Receiver, question: str = "Sent?") -> tuple[int, list[str]]:
    request = traces(question)
    return post(f"{receiver.http}/v1/traces", request.SerializeToString())[0], ids(request)


def intake_of(receiver: Receiver) -> Intake:
    assert receiver._server is not None
    return receiver._server.intake


def reader_of(receiver: Receiver) -> BackgroundThread:
    return intake_of(receiver)._reader._thread


def writer_of(receiver: Receiver) -> BackgroundThread:
    return intake_of(receiver)._writer._thread


def test_a_receiver_that_is_well(outbox: Path) -> None:
    """Both say so."""
    with Receiver(outbox) as receiver:
        assert page(receiver, "/healthz") == page(receiver, "/readyz") == (200, "ok")


def test_without_its_writer_it_is_neither_ready_nor_healthy(outbox: Path) -> None:
    """Nothing can be stored, on both ports; when the thread runs again, all is well again."""
    with Receiver(outbox) as receiver, grpc.insecure_channel(receiver.grpc) as channel:
        health = HealthStub(channel)
        with none_can_start("otel-labelstudio-writer"):
            end(writer_of(receiver))
            assert send(receiver)[0] == 503
            status, why = page(receiver, "/readyz")
            assert (status, "thread that stores" in why) == (503, True)
            assert health.Check(HealthCheckRequest(), timeout=240).status == HealthCheckResponse.NOT_SERVING
            assert page(receiver, "/healthz") == (503, "threads have ended: otel-labelstudio-writer")
        status, span_ids = send(receiver)
        assert status == 200
        assert receiver.delivered(span_ids)
        assert page(receiver, "/healthz") == page(receiver, "/readyz") == (200, "ok")


def test_without_its_reader_it_is_ready_but_not_healthy(outbox: Path) -> None:
    """Requests are stored and wait; asking for its health starts the thread again, and they are read."""
    with Receiver(outbox) as receiver:
        with none_can_start("otel-labelstudio-reader"):
            end(reader_of(receiver))
            status, span_ids = send(receiver)
            assert status == 200
            assert page(receiver, "/readyz") == (200, "ok")
            assert page(receiver, "/healthz") == (503, "threads have ended: otel-labelstudio-reader")
        assert page(receiver, "/healthz") == (200, "ok")
        assert receiver.delivered(span_ids)


def test_a_paused_destination_concerns_no_sender(outbox: Path) -> None:
    """Nor whoever would start this process again."""
    sink = RecordingSink(*[PausedDeliveryError("the key is wrong")] * 1000)
    with Receiver(outbox, sink=sink) as receiver:
        assert send(receiver)[0] == 200
        assert receiver.read()
        assert page(receiver, "/healthz") == page(receiver, "/readyz") == (200, "ok")


def test_an_inbox_that_takes_ordinary_requests_is_ready(outbox: Path) -> None:
    """Though there is no room for the largest that may come: senders are not kept from what can be stored."""
    with Receiver(outbox, max_request_bytes=2**22, inbox_max_bytes=2**23) as receiver:
        end(reader_of(receiver))
        with none_can_start("otel-labelstudio-reader"):
            for _ in range(3):
                body = traces("Large?", padding=2 * 10**6).SerializeToString()
                assert post(f"{receiver.http}/v1/traces", body)[0] == 200
            assert page(receiver, "/readyz") == (200, "ok")
            assert post(f"{receiver.http}/v1/traces", traces("?", padding=3 * 10**6).SerializeToString())[0] == 503
            assert post(f"{receiver.http}/v1/traces", traces("?", padding=10**6 * 3 // 2).SerializeToString())[0] == 200
            assert page(receiver, "/readyz")[0] == 503


def test_a_page_that_fails_is_an_answer(outbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is tried again later, as all else is."""

    async def fail(_: Intake) -> str:
        raise ValueError("CANARY")

    with Receiver(outbox) as receiver:
        monkeypatch.setattr(Intake, "why_not_ready", fail)
        status, text = page(receiver, "/readyz")
        assert (status, "CANARY" in text) == (503, False)

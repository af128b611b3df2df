"""The outbox or the inbox of a receiver is removed or moved while it runs: senders keep what would be lost."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from otel_labelstudio.receiver import reader, readiness
from otel_labelstudio.receiver.requests import Request, Signal
from otel_labelstudio.receiver.status import PROTOBUF
from tests.delivery.pipelines import until
from tests.receiver.requests_made import ids, traces
from tests.receiver.serving import Process, Receiver, post
from tests.receiver.test_grpc import TRACES, refusal

pytestmark = pytest.mark.skipif(os.name == "nt", reason="an open file cannot be removed there")


def remove(outbox: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        outbox.with_name(outbox.name + suffix).unlink()


def test_senders_are_told_to_come_again_on_both_ports(
    outbox: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """503 and UNAVAILABLE with a hint, one line in the log with the file and the cure, and it is not ready; what was
    answered before is delivered still."""
    monkeypatch.setattr(readiness, "_LOOKED_EVERY_S", 0.0)
    with Receiver(outbox) as receiver, grpc.insecure_channel(receiver.grpc) as channel:
        before = traces("Before?")
        assert post(f"{receiver.http}/v1/traces", before.SerializeToString())[0] == 200
        receiver.read()
        until(lambda: receiver.pipeline._worker._is_elected)
        remove(outbox)
        for _ in range(5):
            status, headers, body = post(f"{receiver.http}/v1/traces", traces("After?").SerializeToString())
            assert (status, headers["retry-after"]) == (503, "2")
            assert b"outbox was removed" in body
        refused: Any = refusal(channel, TRACES, traces("After?").SerializeToString())
        assert refused.code() is grpc.StatusCode.UNAVAILABLE
        status, _, why = post(f"{receiver.http}/readyz", b"", method="GET")
        assert status == 503
        assert b"outbox was removed" in why
        assert HealthStub(channel).Check(HealthCheckRequest(), timeout=240).status == HealthCheckResponse.NOT_SERVING
        assert post(f"{receiver.http}/healthz", b"", method="GET")[0] == 200  # it still delivers: no reason to kill it
        receiver.delivered(ids(before))
    said = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    (error,) = [text for text in said if str(outbox) in text]
    assert "start them again" in error


def test_what_was_answered_before_it_was_read_waits_in_the_inbox(outbox: Path) -> None:
    """Requests that lay in the inbox when the outbox went are read by the next process."""
    request = traces("Stored?")
    with Receiver(outbox, stop_timeout_s="1") as receiver:
        remove(outbox)
        receiver.inbox.put([Request(Signal.TRACES, PROTOBUF, request.SerializeToString())])
    with Receiver(outbox) as receiver:
        receiver.delivered(ids(request))


def test_nothing_that_was_answered_after_the_removal_is_lost(tmp_path: Path) -> None:
    """The files go, fifty requests come, the receiver is killed and started again: what it said yes to is there, what
    it refused is sent again, and each call is delivered once."""
    outbox, tasks = tmp_path / "outbox.db", tmp_path / "tasks"
    command = [sys.executable, str(Path(__file__).with_name("killed.py")), str(outbox), str(tasks)]
    process = Process(command)
    first = traces("First?")
    assert post(f"{process.http}/v1/traces", first.SerializeToString())[0] == 200
    until(lambda: tasks.exists() and ids(first)[0] in tasks.read_text())
    remove(outbox)
    requests = [traces(f"Question {number}?") for number in range(50)]
    answers = [post(f"{process.http}/v1/traces", request.SerializeToString())[0] for request in requests]
    process.kill()
    assert answers == [503] * 50
    process = Process(command)
    for request in requests:
        assert post(f"{process.http}/v1/traces", request.SerializeToString())[0] == 200
    sent = sorted([*ids(first), *(span_id for request in requests for span_id in ids(request))])
    until(lambda: len(tasks.read_text().split()) == len(sent))
    process.kill()
    assert sorted(tasks.read_text().split()) == sent


@pytest.mark.parametrize("is_made_again", [False, True])
def test_a_directory_that_was_moved_takes_no_requests(
    outbox: Path, tmp_path: Path, is_made_again: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The inbox' files are open and would take more, where no next receiver looks: a request is refused, or goes into
    the directory that stands there now."""
    monkeypatch.setattr(reader, "_QUIET_S", 3600.0)
    with Receiver(outbox) as receiver:
        inbox = outbox.with_name("outbox.db.inbox")
        assert post(f"{receiver.http}/v1/traces", traces("Before?").SerializeToString())[0] == 200
        receiver.flush()
        inbox.rename(tmp_path / "moved")
        if is_made_again:
            inbox.mkdir()
        status, _, _ = post(f"{receiver.http}/v1/traces", traces("After?").SerializeToString())
        assert status == (200 if is_made_again else 503)
        found = list(inbox.glob("*.segment")) if is_made_again else []
        assert len(found) == is_made_again
        assert len(list((tmp_path / "moved").glob("*.segment"))) <= 1
    shutil.rmtree(tmp_path / "moved")

"""Success means stored: a request that is answered with success is on the disk, and what it holds is delivered."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NoReturn

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from otel_labelstudio.acceptance import Position
from otel_labelstudio.delivery.results import Result
from otel_labelstudio.delivery.sink import Terms
from otel_labelstudio.errors import ConfigError, PausedDeliveryError, RetryableDeliveryError
from otel_labelstudio.outbox.entry import OutboxEntry
from otel_labelstudio.pipeline import Pipeline
from otel_labelstudio.receiver.inbox import Inbox, path_beside
from otel_labelstudio.receiver.reader import InboxReader
from otel_labelstudio.receiver.requests import Request, Signal, Telemetry, decoded
from otel_labelstudio.receiver.status import ANSWERS, PROTOBUF, Outcome
from otel_labelstudio.routing import Route
from otel_labelstudio.settings import Settings
from otel_labelstudio.testing import RecordingSink
from tests.receiver.requests_made import events, ids, traces
from tests.receiver.serving import Receiver, post
from tests.receiver.test_grpc import TRACES, refusal


def waiting(outbox: Path) -> bytes:
    """All that is in the inbox's files, read by another hand."""
    return b"".join(path.read_bytes() for path in Path(f"{outbox}.inbox").glob("*.segment"))


@contextmanager
def broken(outbox: Path) -> Iterator[None]:
    """The outbox can be read, and not written."""
    with closing(sqlite3.connect(outbox)) as db, db:
        db.execute("CREATE TRIGGER broken BEFORE INSERT ON readings BEGIN SELECT RAISE(FAIL, 'disk'); END")
    yield
    with closing(sqlite3.connect(outbox)) as db, db:
        db.execute("DROP TRIGGER broken")


def test_the_answer_comes_after_the_file(outbox: Path) -> None:
    """When the answer is there, so is the request, on the disk and not yet read; and then it is delivered."""
    with Receiver(outbox) as receiver:
        request = traces("One?", "Two?", others=3)
        with broken(outbox):
            assert post(f"{receiver.http}/v1/traces", request.SerializeToString())[0] == 200
            assert request.SerializeToString() in waiting(outbox)
            assert post(f"{receiver.http}/readyz", b"", method="GET")[0] == 200
        assert receiver.delivered(ids(request))


def test_a_full_inbox_refuses_for_now(outbox: Path) -> None:
    """The outbox is full, the inbox then: senders may try again, over both transports, and are served when there is
    room."""
    sink = RecordingSink(*[RetryableDeliveryError("not yet")] * 1000)
    with Receiver(
        outbox, sink=sink, pipeline={"outbox_max_calls": 2}, max_request_bytes=1000, inbox_max_bytes=2000
    ) as receiver:
        url = f"{receiver.http}/v1/traces"
        requests = [traces(f"{number}?", "?") for number in range(6)]
        first = post(url, requests[0].SerializeToString())
        assert receiver.read()  # and now the outbox is full
        answers = [first, *(post(url, request.SerializeToString()) for request in requests[1:])]
        accepted = [request for request, (status, *_) in zip(requests, answers, strict=True) if status == 200]
        assert 2 <= len(accepted) <= 3
        status, headers, body = answers[-1]
        assert (status, headers["retry-after"]) == (503, "2")
        retry_info = RetryInfo()
        assert Status.FromString(body).details[0].Unpack(retry_info)
        assert retry_info.retry_delay.seconds == 2
        with grpc.insecure_channel(receiver.grpc) as channel:
            error: Any = refusal(channel, TRACES, requests[-1].SerializeToString())
        assert error.code() is grpc.StatusCode.UNAVAILABLE
        trailing = dict(error.trailing_metadata())
        assert RetryInfo.FromString(trailing["google.rpc.retryinfo-bin"]) == retry_info
        assert Status.FromString(trailing["grpc-status-details-bin"]).details
        ready, _, why = post(f"{receiver.http}/readyz", b"", method="GET")
        assert (ready, b"full" in why) == (503, True)
        assert post(f"{receiver.http}/healthz", b"", method="GET")[0] == 200
        assert receiver.pipeline.telemetry.counts().get("calls.dropped[outbox_full]") is None
        sink._failures.clear()
        assert receiver.delivered([span_id for request in accepted for span_id in ids(request)])
        assert post(url, requests[-1].SerializeToString())[0] == 200


def test_more_than_the_outbox_takes_at_once(outbox: Path) -> None:
    """A request with more calls than may wait at once is delivered in pieces."""
    with Receiver(outbox, pipeline={"outbox_max_calls": 3}) as receiver:
        request = traces(*"1234567")
        assert post(f"{receiver.http}/v1/traces", request.SerializeToString())[0] == 200
        assert len(receiver.delivered(ids(request))) == 7


def test_more_than_there_is_room_for(outbox: Path) -> None:
    """A call that nobody takes keeps the outbox from being empty: a request that is larger than the rest of it does not
    wait for that, nor does what comes after it."""
    stuck, large, after = traces("Stuck?"), traces(*"12345"), traces("After?")

    class Picky(RecordingSink):
        def deliver(self, destination: str, entries: Sequence[OutboxEntry], terms: Terms) -> Iterator[Result]:
            if any(entry.call.span_id in ids(stuck) for entry in entries):
                raise PausedDeliveryError("the key is wrong")
            return super().deliver(destination, entries, terms)

    def routes(settings: Settings) -> Sequence[Route]:
        return [Route("stuck", {"question": ("Stuck",)}, settings.replaced({"project_name": "Stuck"}))]

    stuck.resource_spans[0].scope_spans[0].spans[0].attributes.add(key="question").value.string_value = "Stuck"
    with Receiver(outbox, sink=Picky(), pipeline={"outbox_max_calls": 4}, routes=routes) as receiver:
        for request in (stuck, large, after):
            assert post(f"{receiver.http}/v1/traces", request.SerializeToString())[0] == 200
        assert len(receiver.delivered([*ids(large), *ids(after)])) == 6


def test_an_inbox_that_is_too_small(outbox: Path) -> None:
    """A large request would be told to come again for ever."""
    with pytest.raises(ConfigError, match="inbox_max_bytes"):
        Receiver(outbox, max_request_bytes=1000, inbox_max_bytes=1999)


def test_a_disk_that_cannot_be_written(outbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failing disk is a passing condition: 503, and not ready; and then it goes on."""

    def fail(*_: object) -> NoReturn:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with Receiver(outbox) as receiver:
        url, request = f"{receiver.http}/v1/traces", traces("One?")
        with monkeypatch.context() as patch:
            patch.setattr(os, "fdatasync", fail)
            status, headers, _ = post(url, request.SerializeToString())
            assert (status, headers["retry-after"]) == (503, "2")
            assert post(f"{receiver.http}/readyz", b"", method="GET")[0] == 503
        assert post(url, request.SerializeToString())[0] == 200
        assert receiver.delivered(ids(request))


def test_what_was_read_is_not_read_again(outbox: Path) -> None:
    """A process that dies right after it stored what it read: the next one does not hold a log record twice."""
    settings = Settings.resolve({"outbox": str(outbox), "settle_s": 60}, needs_server=False)
    pipeline = Pipeline(settings, sink=RecordingSink(), is_all_or_nothing=True)
    body = events("Once?", b"\x01" * 16, b"\x02" * 8).SerializeToString()
    dying = Inbox(path_beside(settings.outbox), 2**20)
    dying.put([Request(Signal.LOGS, PROTOBUF, body)])
    stored = dying.next()
    assert stored is not None
    position = Position(dying.id, stored.end, stored.received_at)
    pipeline.accept_log_records(decoded(Signal.LOGS, PROTOBUF, body).log_records, position=position)
    dying._lock.release()  # as the operating system does when a process dies

    inbox = Inbox(path_beside(settings.outbox), 2**20)
    assert inbox.size > len(body)
    reader = InboxReader(inbox, pipeline, is_busy=lambda: False)
    reader.start()
    assert reader.drain(240)
    assert reader.stop(240)
    inbox.close()
    with closing(sqlite3.connect(outbox)) as db:
        assert db.execute("SELECT COUNT(*) FROM held").fetchone() == (1,)
    pipeline.close(0)


def test_a_request_that_cannot_be_read_holds_up_no_other(
    outbox: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A fault of ours: the request is set aside in a file, with one error line that holds nothing of it."""

    def fail_on_secret(signal: Signal, content_type: str, body: bytes) -> Telemetry:
        if b"CANARY" in body:
            raise ValueError(body)
        return decoded(signal, content_type, body)

    monkeypatch.setattr("otel_labelstudio.receiver.pieces.decoded", fail_on_secret)
    with Receiver(outbox) as receiver:
        url, good, bad = f"{receiver.http}/v1/traces", traces("Good?"), traces("CANARY?")
        assert post(url, bad.SerializeToString())[0] == 200
        assert post(url, good.SerializeToString())[0] == 200
        assert receiver.delivered(ids(good))
    (kept,) = Path(f"{outbox}.inbox").glob("*.ValueError.unreadable")
    assert bad.SerializeToString() in kept.read_bytes()
    assert "set aside" in caplog.text
    assert "CANARY" not in caplog.text


def test_what_an_earlier_run_left_is_delivered_at_once(outbox: Path) -> None:
    """Nobody needs to send anything first."""
    request = traces("Left?")
    with Receiver(outbox, sink=RecordingSink(*[RetryableDeliveryError("not yet")] * 50)) as receiver:
        post(f"{receiver.http}/v1/traces", request.SerializeToString())
    assert not receiver.sink.calls
    with Receiver(outbox) as receiver:
        assert receiver.delivered(ids(request))


def test_what_is_sent_again_is_delivered_once(outbox: Path) -> None:
    """Senders send again what they got no answer for: the same spans are the same calls."""
    with Receiver(outbox, sink=RecordingSink(RetryableDeliveryError("not yet"))) as receiver:
        request = traces("Twice?")
        for _ in range(3):
            assert post(f"{receiver.http}/v1/traces", request.SerializeToString())[0] == 200
        assert len(receiver.delivered(ids(request))) == 1
        post(f"{receiver.http}/v1/traces", request.SerializeToString())
        receiver.flush()
        assert len(receiver.delivered(ids(request))) == 1


@pytest.mark.parametrize("order", [0, 1], ids=["span first", "event first"])
def test_content_in_log_events_finds_its_span(outbox: Path, order: int) -> None:
    """A span without content and the event that holds it, in two requests, are one call."""
    request = traces("Elsewhere?")
    span = request.resource_spans[0].scope_spans[0].spans[0]
    kept = [attribute for attribute in span.attributes if not attribute.key.endswith(".messages")]
    del span.attributes[:]
    span.attributes.extend(kept)
    sent = [
        ("/v1/traces", request.SerializeToString()),
        ("/v1/logs", events("Elsewhere?", span.trace_id, span.span_id).SerializeToString()),
    ]
    with Receiver(outbox, pipeline={"settle_s": 3600}) as receiver:
        for path, body in sent[order:] + sent[:order]:
            assert post(receiver.http + path, body)[0] == 200
        assert receiver.flush()
        (call,) = receiver.sink.calls
        assert call.input_messages[0].to_dict()["parts"][0]["content"] == "Elsewhere?"
        assert call.incomplete == ()


def test_only_what_may_pass_has_a_hint() -> None:
    """Every retryable answer says when to try again, soon enough for an SDK with ten seconds, and no other does."""
    for outcome in Outcome:
        answer = ANSWERS[outcome]
        is_retryable = answer.http_status in (429, 502, 503, 504)
        assert is_retryable == (answer.rpc_code == 14) == (answer.retry_after_s is not None)
        assert answer.retry_after_s is None or answer.retry_after_s <= 2

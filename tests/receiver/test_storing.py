"""Success means stored: what is answered with success is in the outbox's file; all of a request, or nothing of it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from otel_labelstudio.errors import RetryableDeliveryError
from otel_labelstudio.receiver.status import ANSWERS, Outcome
from otel_labelstudio.testing import RecordingSink
from tests.receiver.requests_made import events, ids, traces
from tests.receiver.serving import Receiver, post
from tests.receiver.test_grpc import TRACES, refusal


def stored(outbox: Path) -> set[str]:
    """The keys of all readings in the file, read by another connection."""
    with closing(sqlite3.connect(outbox)) as db:
        return {key for (key,) in db.execute("SELECT key FROM readings")}


def test_the_answer_comes_after_the_file(outbox: Path) -> None:
    """When the answer is there, so are the request's calls, on the disk and not yet delivered."""
    with Receiver(outbox, pipeline={"settle_s": 60}) as receiver:
        request = traces("One?", "Two?", others=3)
        assert post(f"{receiver.http}/v1/traces", request.SerializeToString())[0] == 200
        assert {key.split("-")[1] for key in stored(outbox)} == set(ids(request))


def test_a_request_that_does_not_fit_is_refused_as_a_whole(outbox: Path) -> None:
    """Of a request of which a part would fit nothing is stored; the sender may try again, over both transports."""
    with Receiver(outbox, pipeline={"settle_s": 60, "outbox_max_calls": 3}) as receiver:
        url = f"{receiver.http}/v1/traces"
        first, second = traces("One?", "Two?"), traces("Three?", "Four?")
        assert post(url, first.SerializeToString())[0] == 200
        status, headers, body = post(url, second.SerializeToString())
        assert (status, headers["retry-after"]) == (503, "2")
        retry_info = RetryInfo()
        assert Status.FromString(body).details[0].Unpack(retry_info)
        assert retry_info.retry_delay.seconds == 2
        with grpc.insecure_channel(receiver.grpc) as channel:
            error: Any = refusal(channel, TRACES, second.SerializeToString())
        assert error.code() is grpc.StatusCode.UNAVAILABLE
        trailing = dict(error.trailing_metadata())
        assert RetryInfo.FromString(trailing["google.rpc.retryinfo-bin"]) == retry_info
        assert Status.FromString(trailing["grpc-status-details-bin"]).details
        assert len(stored(outbox)) == 2
        assert receiver.pipeline.telemetry.counts().get("calls.dropped[outbox_full]") is None


def test_more_than_the_outbox_ever_takes_is_too_large(outbox: Path) -> None:
    """A sender that tried it again would try for ever."""
    with Receiver(outbox, pipeline={"outbox_max_calls": 3}) as receiver:
        request = traces(*"12345")
        assert post(f"{receiver.http}/v1/traces", request.SerializeToString())[0] == 413


def test_a_full_outbox_is_not_ready(outbox: Path) -> None:
    """/readyz says so, /healthz does not; and it is ready again when there is room."""
    with Receiver(outbox, pipeline={"settle_s": 60, "outbox_max_calls": 1}) as receiver:
        assert post(f"{receiver.http}/readyz", b"", method="GET")[0] == 200
    with Receiver(outbox, pipeline={"settle_s": 60, "outbox_max_calls": 1}) as receiver:
        post(f"{receiver.http}/v1/traces", traces("One?").SerializeToString())
        status, _, body = post(f"{receiver.http}/readyz", b"", method="GET")
        assert (status, b"full" in body) == (503, True)
        assert post(f"{receiver.http}/healthz", b"", method="GET")[0] == 200


def test_an_outbox_that_cannot_be_written(outbox: Path) -> None:
    """A failing disk is a passing condition: 503, and not ready."""
    with Receiver(outbox) as receiver:
        with closing(sqlite3.connect(outbox)) as db, db:
            db.execute("CREATE TRIGGER broken BEFORE INSERT ON readings BEGIN SELECT RAISE(FAIL, 'disk'); END")
            db.execute("CREATE TRIGGER notes_broken BEFORE INSERT ON notes BEGIN SELECT RAISE(FAIL, 'disk'); END")
        status, headers, _ = post(f"{receiver.http}/v1/traces", traces("One?").SerializeToString())
        assert (status, headers["retry-after"]) == (503, "2")
        assert post(f"{receiver.http}/readyz", b"", method="GET")[0] == 503


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
        receiver.pipeline.flush(5)
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
    with Receiver(outbox, pipeline={"settle_s": 0.5}) as receiver:
        for path, body in sent[order:] + sent[:order]:
            assert post(receiver.http + path, body)[0] == 200
        (call,) = receiver.delivered(ids(request))
        assert call.input_messages[0].to_dict()["parts"][0]["content"] == "Elsewhere?"
        assert call.incomplete == ()


def test_only_what_may_pass_has_a_hint() -> None:
    """Every retryable answer says when to try again, soon enough for an SDK with ten seconds, and no other does."""
    for outcome in Outcome:
        answer = ANSWERS[outcome]
        is_retryable = answer.http_status in (429, 502, 503, 504)
        assert is_retryable == (answer.rpc_code == 14) == (answer.retry_after_s is not None)
        assert answer.retry_after_s is None or answer.retry_after_s <= 2

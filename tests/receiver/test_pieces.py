"""Requests that cannot be taken in as they are: one span of them costs no other."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from otel_labelstudio.errors import OutboxError, OutboxFullError
from otel_labelstudio.receiver import pieces
from otel_labelstudio.receiver.pieces import accept_in_pieces, decoded_in_pieces
from otel_labelstudio.receiver.requests import Signal, Telemetry, decoded
from otel_labelstudio.receiver.set_aside import Reason
from otel_labelstudio.receiver.status import JSON, PROTOBUF
from otel_labelstudio.spans.model import Span
from tests.receiver.requests_made import as_json, events, ids, traces


def telemetry(*span_ids: str, other_spans: int = 0) -> Telemetry:
    return Telemetry(
        [Span(trace_id="t", span_id=span_id) for span_id in span_ids], [("t", str(n)) for n in range(other_spans)]
    )


class Outbox:
    """Takes pieces as the pipeline does: at most ``room`` at once, none that holds what it fails on."""

    def __init__(self, room: int = 1000, fails_on: str = "") -> None:
        self._room, self._fails_on = room, fails_on
        self.taken: list[str] = []
        self.other_spans = 0
        self.rests: list[bool] = []

    def accept(self, piece: Telemetry, is_rest: bool) -> None:
        found = [span.span_id for span in piece.spans]
        if any(span_id in self._fails_on for span_id in found):
            raise ValueError(found)
        if len(found) > self._room:
            raise OutboxFullError("full", is_hopeless=True)
        self.taken += found
        self.other_spans += len(piece.other_spans)
        self.rests.append(is_rest)


def never(error: OutboxError) -> None:
    raise error


def test_what_can_be_taken_in_is_taken_in_at_once() -> None:
    """One piece, after which nothing is left."""
    outbox = Outbox()
    assert accept_in_pieces(telemetry(*"abcd", other_spans=3), outbox.accept, never) == []
    assert (outbox.taken, outbox.other_spans, outbox.rests) == (list("abcd"), 3, [True])


@pytest.mark.parametrize("bad", ["a", "d", "bc", "abcd"])
def test_a_span_on_which_something_fails_costs_no_other(bad: str) -> None:
    """In their order, each once; the failed ones are told of, and then nothing counts as the rest."""
    outbox = Outbox(fails_on=bad)
    faults = accept_in_pieces(telemetry(*"abcd", other_spans=2), outbox.accept, never)
    assert outbox.taken == [span_id for span_id in "abcd" if span_id not in bad]
    assert [(fault.reason, fault.error_type) for fault in faults] == [(Reason.FAULT, "ValueError")] * len(bad)
    assert outbox.other_spans == 2
    assert not any(outbox.rests)


@pytest.mark.parametrize("other_spans", [0, 5])
def test_more_than_fits_at_once(other_spans: int) -> None:
    """Pieces as large as there is room, and the last of them ends the request."""
    outbox = Outbox(room=2)
    assert accept_in_pieces(telemetry(*"abcdefg", other_spans=other_spans), outbox.accept, never) == []
    assert outbox.taken == list("abcdefg")
    assert outbox.other_spans == other_spans
    assert outbox.rests == [False] * (len(outbox.rests) - 1) + [True]


def test_a_single_call_that_never_fits() -> None:
    """It is larger than the outbox, and is told of as that."""
    (fault,) = accept_in_pieces(telemetry("a"), Outbox(room=0).accept, never)
    assert fault.reason is Reason.TOO_LARGE


@pytest.mark.parametrize("error", [OutboxFullError("full"), OutboxError("disk")])
def test_an_outbox_that_takes_nothing_is_the_callers_business(error: OutboxError) -> None:
    """Where nothing was taken in yet, all of it comes again later."""

    def refuse(*_: object) -> None:
        raise error

    with pytest.raises(OutboxError):
        accept_in_pieces(telemetry(*"abcd"), refuse, never)


def test_the_room_that_there_is_is_filled() -> None:
    """A request that is larger than what is left must not wait for an empty outbox, which may never come: what fits
    goes in, and the rest when there is room, each once."""
    taken: list[str] = []
    room = [3]

    def accept(piece: Telemetry, _: bool) -> None:
        if len(piece.spans) > room[0]:
            raise OutboxFullError("for now")
        room[0] -= len(piece.spans)
        taken.extend(span.span_id for span in piece.spans)

    def wait(_: OutboxError) -> None:
        assert room[0] == 0
        room[0] = 2

    assert accept_in_pieces(telemetry(*"abcdefgh"), accept, wait) == []
    assert taken == list("abcdefgh")


def test_log_records_are_not_parted_while_they_wait() -> None:
    """Read twice they would be held twice: all of them go in at once, when there is room."""
    tries: list[int] = []

    def refuse(piece: Telemetry, _: bool) -> None:
        tries.append(len(piece.log_records))
        raise OutboxFullError("for now")

    records = decoded(Signal.LOGS, PROTOBUF, events("One?", b"t" * 16, b"s" * 8).SerializeToString()).log_records
    with pytest.raises(OutboxFullError):
        accept_in_pieces(Telemetry(log_records=[*records, *records]), refuse, never)
    assert tries == [2]


def test_very_many_faults_are_not_all_looked_for() -> None:
    """A fault of ours that all spans meet must not keep the reader for hours."""
    tries = 0

    def accept(_: Telemetry, __: bool) -> None:
        nonlocal tries
        tries += 1
        raise ValueError

    assert len(accept_in_pieces(telemetry(*map(str, range(100_000))), accept, never)) == 100
    assert tries < 1000


def fails_on(monkeypatch: pytest.MonkeyPatch, canary: bytes) -> None:
    def decode(signal: Signal, content_type: str, body: bytes) -> Telemetry:
        if canary in body:
            raise ValueError(body)
        return decoded(signal, content_type, body)

    monkeypatch.setattr(pieces, "decoded", decode)


@pytest.mark.parametrize("content_type", [PROTOBUF, JSON])
def test_a_span_that_cannot_be_decoded_costs_no_other(monkeypatch: pytest.MonkeyPatch, content_type: str) -> None:
    """The others are what they are in the whole request, with their resources and scopes."""
    request = traces("One?", "CANARY?", "Two?", service="shop", others=2)
    request.MergeFrom(traces("Three?", service="helpdesk"))
    body = request.SerializeToString() if content_type == PROTOBUF else json.dumps(as_json(request)).encode()
    whole = decoded(Signal.TRACES, content_type, body)
    fails_on(monkeypatch, b"CANARY")
    found, faults = decoded_in_pieces(Signal.TRACES, content_type, body)
    one, _, two, three = ids(request)
    bad = ids(request)[1]
    assert list(found.spans) == [span for span in whole.spans if span.span_id != bad]
    assert {one, two, three} <= {span.span_id for span in found.spans}
    assert list(found.other_spans) == list(whole.other_spans)
    assert [fault.error_type for fault in faults] == ["ValueError"]
    assert "CANARY" not in faults[0].where


@pytest.mark.parametrize("written", [lambda r: (PROTOBUF, r.SerializeToString()), lambda r: (JSON, as_json(r))])
def test_log_records_too(monkeypatch: pytest.MonkeyPatch, written: Callable[[Any], tuple[str, Any]]) -> None:
    """The same for them."""
    request = events("One?", b"t" * 16, b"s" * 8)
    request.MergeFrom(events("CANARY?", b"t" * 16, b"u" * 8))
    content_type, body = written(request)
    body = body if content_type == PROTOBUF else json.dumps(body).encode()
    whole = decoded(Signal.LOGS, content_type, body)
    fails_on(monkeypatch, b"CANARY")
    found, faults = decoded_in_pieces(Signal.LOGS, content_type, body)
    assert list(found.log_records) == [record for record in whole.log_records if record.span_id == (b"s" * 8).hex()]
    assert len(faults) == 1


def test_a_request_that_has_no_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it is nobody can tell: all of it is refused."""
    with pytest.raises(ValueError, match="Expecting"):
        decoded_in_pieces(Signal.TRACES, JSON, b"no JSON")

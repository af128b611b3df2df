"""Small requests are read in one transaction: each call once, whatever happens to the process or to one of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from otel_labelstudio.errors import OutboxError
from otel_labelstudio.receiver import request_batch as batches
from otel_labelstudio.receiver.request_batch import SMALL_BYTES, RequestBatch, request_batch
from otel_labelstudio.receiver.requests import Request, Signal
from otel_labelstudio.receiver.segments import StoredRequest
from otel_labelstudio.receiver.status import PROTOBUF
from tests.receiver.requests_made import events, ids, traces
from tests.receiver.test_reader import Failing, Reading


@pytest.fixture
def reading(outbox: Path) -> Iterator[Reading]:
    made = Reading(outbox)
    yield made
    made.close()


class Transactions:
    """Counts those in which something is accepted."""

    def __init__(self, reading: Reading, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        write = reading.pipeline._acceptance._write

        def counted(*arguments: Any) -> Any:
            self.count += 1
            return write(*arguments)

        monkeypatch.setattr(reading.pipeline._acceptance, "_write", counted)


def read_all(reading: Reading) -> None:
    while reading.inbox.size:
        reading.reader.step()


def test_many_small_requests_are_few_transactions(reading: Reading, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two hundred requests of one call each, in four; each call is delivered, once."""
    transactions = Transactions(reading, monkeypatch)
    requests = [traces(f"Question {number}?") for number in range(200)]
    reading.put(*requests)
    read_all(reading)
    assert transactions.count <= 200 / batches._MOST_REQUESTS + 2  # a second may end among them
    assert reading.pipeline.flush(240)
    sent = [span_id for request in requests for span_id in ids(request)]
    assert sorted(call.span_id for call in reading.sink.calls) == sorted(sent)


def test_how_far_was_read_is_noted_with_them(reading: Reading, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process ends after the transaction and before the inbox is told: the next one begins behind all of them."""
    requests = [traces(f"Question {number}?") for number in range(10)]
    reading.put(*requests)
    with monkeypatch.context() as patch:
        patch.setattr(reading.inbox, "done", lambda _: None)
        reading.reader.step()
    assert reading.pipeline.read_to(reading.inbox.id) == reading.inbox.read_to + reading.inbox.size
    reading.inbox.skip_to(reading.pipeline.read_to(reading.inbox.id))
    assert not reading.inbox.size
    assert reading.pipeline.telemetry.counts()["calls.accepted"] == 10


def test_a_transaction_that_fails_has_stored_none_of_them(reading: Reading, monkeypatch: pytest.MonkeyPatch) -> None:
    """The outbox cannot be written for a while: then each is stored by itself, once."""
    requests = [traces(f"Question {number}?") for number in range(10)]
    reading.put(*requests)
    failing = Failing(monkeypatch, type(reading.pipeline._acceptance), "_write", OutboxError("no"), times=3)
    with pytest.raises(OutboxError):
        reading.reader.step()
    assert failing.has_failed.is_set()
    assert len(reading.pipeline._outbox) == 0
    with pytest.raises(OutboxError):
        reading.reader.step()
    read_all(reading)
    assert reading.pipeline.telemetry.counts()["calls.accepted"] == 10
    assert "calls.repeated" not in reading.pipeline.telemetry.counts()


def test_traces_and_logs_and_large_ones_go_by_themselves(reading: Reading, monkeypatch: pytest.MonkeyPatch) -> None:
    """In their order, and nothing is left out."""
    transactions = Transactions(reading, monkeypatch)
    large = traces("Large?", padding=SMALL_BYTES)
    log = events("Logged?", b"\1" * 16, b"\1" * 8)
    reading.put(traces("1?"), traces("2?"), large, traces("3?"))
    reading.inbox.put([Request(Signal.LOGS, PROTOBUF, log.SerializeToString())])
    reading.put(traces("4?"), traces("5?"))
    read_all(reading)
    counts = reading.pipeline.telemetry.counts()
    assert (counts["spans.received"], counts["log_records.received"]) == (6, 1)
    assert 5 <= transactions.count < 7


def stored(number: int, received_at: float = 100.0, body: bytes | None = None) -> StoredRequest:
    content = traces(f"Question {number}?").SerializeToString() if body is None else body
    return StoredRequest(Request(Signal.TRACES, PROTOBUF, content), received_at, number)


def batch_of(*requests: StoredRequest) -> RequestBatch | None:
    behind = dict(zip((request.end for request in requests), requests[1:], strict=False))
    return request_batch(requests[0], lambda request: behind.get(request.end))


def test_one_second_at_a_time() -> None:
    """A project may be named after the second: calls of the next one are accepted with its time."""
    found = batch_of(stored(1, 100.2), stored(2, 100.9), stored(3, 101.0), stored(4, 101.1))
    assert found is not None
    assert found.last.end == 2
    assert len(found.telemetry.spans) == 2


def test_one_that_cannot_be_decoded_ends_the_batch() -> None:
    """It is read by itself, and what is behind it after that."""
    found = batch_of(stored(1), stored(2), stored(3, body=b"\xff"), stored(4))
    assert found is not None
    assert found.last.end == 2
    assert batch_of(stored(1), stored(2, body=b"\xff")) is None
    assert batch_of(stored(1)) is None


def test_a_batch_is_bounded() -> None:
    """In requests and in bytes: whoever sends waits for the end of a step."""
    many = batch_of(*(stored(number) for number in range(1, 200)))
    assert many is not None
    assert many.last.end == batches._MOST_REQUESTS
    body = traces("Wide?", padding=SMALL_BYTES // 2).SerializeToString()
    wide = batch_of(*(stored(number, body=body) for number in range(1, 60)))
    assert wide is not None
    assert len(body) * wide.last.end < batches._MOST_BYTES + len(body)

"""The reader of the inbox: whatever one request or the disk does to it, what was answered after that is read."""

from __future__ import annotations

import errno
import inspect
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from otel_labelstudio.calls import LLMCall
from otel_labelstudio.errors import OutboxError, OutboxFullError
from otel_labelstudio.pipeline import Pipeline
from otel_labelstudio.receiver import pieces, request_batch
from otel_labelstudio.receiver.inbox import Inbox, path_beside
from otel_labelstudio.receiver.reader import InboxReader
from otel_labelstudio.receiver.requests import Request, Signal, Telemetry, decoded
from otel_labelstudio.receiver.segments import Segment
from otel_labelstudio.receiver.set_aside import Reason, SetAside
from otel_labelstudio.receiver.status import PROTOBUF
from otel_labelstudio.settings import Settings
from otel_labelstudio.testing import RecordingSink
from tests.receiver.requests_made import events, ids, traces

DEADLINE_S = 240.0


class Reading:
    """An inbox with its reader and a pipeline behind it; the reader's thread runs from `start` on."""

    def __init__(self, outbox: Path, sink: RecordingSink | None = None, **settings: Any) -> None:
        self.sink = sink or RecordingSink()
        self.pipeline = Pipeline(
            Settings.resolve({"outbox": str(outbox), "settle_s": 0, "mode": "auto", **settings}, needs_server=False),
            sink=self.sink,
            is_all_or_nothing=True,
        )
        self.pipeline.joins_log_records = True
        self.inbox = Inbox(path_beside(str(outbox)), 2**24)
        self.now = 0.0
        self.reader = InboxReader(self.inbox, self.pipeline, is_busy=lambda: False, clock=lambda: self.now)
        self._is_started = False

    def put(self, *requests: Any) -> None:
        """Store them, as the writer does."""
        put = [Request(Signal.TRACES, PROTOBUF, request.SerializeToString()) for request in requests]
        assert self.inbox.put(put) == [None] * len(put)
        if self._is_started:
            self.reader.notify()

    def start(self) -> None:
        self.reader.start()
        self._is_started = True

    def delivered(self, *requests: Any) -> list[LLMCall]:
        """The calls of these requests, once all are there."""
        wanted = {span_id for request in requests for span_id in ids(request)}
        end = time.monotonic() + DEADLINE_S
        while missing := wanted - {call.span_id for call in self.sink.calls}:
            assert time.monotonic() < end, f"{len(missing)} calls were not delivered"
            time.sleep(0.01)
        return [call for call in self.sink.calls if call.span_id in wanted]

    def set_aside(self) -> list[Path]:
        directory = path_beside(self.pipeline.settings.outbox)
        return sorted(path for path in directory.iterdir() if path.suffix in (".unreadable", ".damaged"))

    def close(self) -> None:
        assert self.reader.stop(DEADLINE_S)
        self.inbox.close()
        self.pipeline.close(0)


@pytest.fixture
def reading(outbox: Path) -> Iterator[Reading]:
    made = Reading(outbox)
    yield made
    made.close()


class Failing:
    """A method that raises the first times that it is called, and then does what it did before."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, owner: type, name: str, error: BaseException, times: int
    ) -> None:
        self._method, self._error, self._left = getattr(owner, name), error, times
        self.has_failed = threading.Event()
        monkeypatch.setattr(owner, name, lambda *arguments, **named: self(*arguments, **named))

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        if self._left:
            self._left -= 1
            self.has_failed.set()
            raise self._error
        return self._method(*arguments, **named)


# What others call, or the reader while something else is wrong already
NOT_THE_READERS = {"put", "check_room", "append", "skip_to", "close", "pass_over", "end_of_record", "number_of_files"}


def methods(owner: type) -> list[tuple[type, str]]:
    """The public methods that the reader calls, found by looking, so that a new one is tried too."""
    found = inspect.getmembers(owner, inspect.isfunction)
    return [(owner, name) for name, _ in found if not name.startswith("_") and name not in NOT_THE_READERS]


CALLED = [*methods(Inbox), *methods(Segment), *methods(SetAside), (Pipeline, "accept_spans")]
ERRORS = [OSError, OutboxError, ValueError, SystemExit]


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize(
    ("owner", "name"), CALLED, ids=lambda value: value if isinstance(value, str) else value.__name__
)
def test_whatever_fails_the_next_request_is_read(
    reading: Reading, monkeypatch: pytest.MonkeyPatch, owner: type, name: str, error: type[BaseException]
) -> None:
    """Each call that the reader makes raises once, and nothing that was answered after that is lost."""
    reading.put(traces("Before?"))
    Failing(monkeypatch, owner, name, error("the disk"), times=1)
    reading.start()
    after = traces("After?")
    reading.put(after)
    assert reading.delivered(after)
    assert reading.reader._thread.is_alive


@pytest.mark.parametrize(
    "error",
    [ValueError("CANARY"), OverflowError(), TypeError(), SystemExit(), MemoryError(), RecursionError()],
    ids=repr,
)
def test_a_call_on_which_the_pipeline_fails_costs_no_other(
    reading: Reading, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: BaseException
) -> None:
    """The others of its request are delivered; the request is set aside with the reason, counted, and said once,
    without a word of what it held."""
    request = traces("One?", "Two?", "Bad?", "Three?", others=3)
    one, two, bad, three = ids(request)
    accept_spans = reading.pipeline.accept_spans

    def fail_on_one(spans: Any, **named: Any) -> bool:
        if any(span.span_id == bad for span in spans):
            raise error
        return accept_spans(spans, **named)

    monkeypatch.setattr(reading.pipeline, "accept_spans", fail_on_one)
    after = traces("After?")
    reading.put(request, after)
    reading.start()
    reading.delivered(after)
    assert {call.span_id for call in reading.sink.calls} >= {one, two, three}
    assert bad not in {call.span_id for call in reading.sink.calls}
    (kept,) = reading.set_aside()
    assert kept.name.endswith(f".{type(error).__name__}.unreadable")
    assert request.SerializeToString() in kept.read_bytes()
    assert reading.inbox.set_aside_files.counts[Reason.FAULT] == 1
    assert caplog.text.count("is set aside") == 1
    assert "Bad?" not in caplog.text


def test_log_records_on_which_the_pipeline_fails(reading: Reading, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for them."""
    request = events("Good?", b"t" * 16, b"s" * 8)
    request.MergeFrom(events("Bad?", b"t" * 16, b"u" * 8))
    accepted: list[str] = []

    def accept(log_records: Any, **_: Any) -> bool:
        found = [record.span_id for record in log_records]
        if (b"u" * 8).hex() in found:
            raise ValueError
        accepted.extend(found)
        return True

    monkeypatch.setattr(reading.pipeline, "accept_log_records", accept)
    reading.inbox.put([Request(Signal.LOGS, PROTOBUF, request.SerializeToString())])
    reading.start()
    assert reading.reader.drain(DEADLINE_S)
    assert accepted == [(b"s" * 8).hex()]
    assert len(reading.set_aside()) == 1


def test_what_was_answered_is_read_under_a_smaller_limit(reading: Reading) -> None:
    """`max_request_bytes` was lowered meanwhile: it is for what comes, not for what was answered."""
    large = traces("Large?", padding=3_000_000)
    reading.put(large)
    reading.start()
    assert reading.delivered(large)
    assert reading.set_aside() == []


def test_what_is_set_aside_does_not_count_as_read_before_it_is(
    reading: Reading, monkeypatch: pytest.MonkeyPatch, outbox: Path
) -> None:
    """While the disk does not take it, the outbox does not say so either: the next process would pass it over. What was
    taken in of it is not taken in again."""

    def fail_on_bad(signal: Signal, content_type: str, body: bytes) -> Telemetry:
        if b"Bad?" in body:
            raise ValueError
        return decoded(signal, content_type, body)

    monkeypatch.setattr(pieces, "decoded", fail_on_bad)
    accept_spans, accepted = reading.pipeline.accept_spans, []

    def accept(spans: Any, **named: Any) -> bool:
        accepted.append(len(spans))
        return accept_spans(spans, **named)

    monkeypatch.setattr(reading.pipeline, "accept_spans", accept)
    reading.put(traces("Good?", "Bad?"))
    with monkeypatch.context() as patch:
        Failing(patch, SetAside, "keep", OSError(errno.ENOSPC, "No space left"), times=3)
        for _ in range(3):
            with pytest.raises(OutboxError, match="No space left"):
                reading.reader.step()
        assert reading.pipeline.read_to(reading.inbox.id) == 0
        assert reading.inbox.size
        reading.reader.step()
    assert accepted == [1]
    assert reading.inbox.size == 0
    assert len(reading.set_aside()) == 1


def test_a_request_that_the_disk_does_not_give(reading: Reading, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked for again and again for a minute, then passed over and counted; the next one is read."""
    reading.put(traces("Never?"))
    bad_until = reading.inbox.next()
    assert bad_until is not None
    after = traces("After?")
    reading.put(after)
    pread = os.pread

    def fail_on_first(file: int, size: int, at: int) -> bytes:
        if 0 < at < bad_until.end:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return pread(file, size, at)

    monkeypatch.setattr(os, "pread", fail_on_first)
    for now in (0.0, 10.0, 59.0):
        reading.now = now
        with pytest.raises(OutboxError, match="cannot be read"):
            reading.reader.step()
        assert reading.inbox.set_aside_files.counts[Reason.DISK] == 0
    reading.now = 60.0
    with pytest.raises(OutboxError, match="cannot be read"):
        reading.reader.step()
    assert reading.inbox.set_aside_files.counts[Reason.DISK] == 1
    reading.reader.step()
    assert reading.delivered(after)


def test_a_disk_that_gives_it_after_all(reading: Reading, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time begins anew for each request: nothing is passed over because another one was late."""
    monkeypatch.setattr(request_batch, "_MOST_REQUESTS", 1)
    first, second = traces("First?"), traces("Second?")
    reading.put(first, second)
    for now in (0.0, 50.0, 100.0, 150.0):
        reading.now = now
        with monkeypatch.context() as patch:
            Failing(patch, Segment, "read", OSError(errno.EIO, "Input/output error"), times=1)
            with pytest.raises(OutboxError):
                reading.reader.step()
        if now in (50.0, 150.0):
            reading.reader.step()
    assert reading.delivered(first, second)
    assert reading.inbox.set_aside_files.counts[Reason.DISK] == 0


def test_an_outbox_that_is_full_for_now_loses_nothing(
    reading: Reading, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Requests wait, which is said once; time tells how long, and all of them are read in the end."""
    Failing(monkeypatch, Pipeline, "accept_spans", OutboxFullError("the outbox is full"), times=2)
    requests = [traces(f"{number}?") for number in range(3)]
    reading.put(*requests)
    reading.start()
    assert reading.delivered(*requests)
    assert caplog.text.count("Reading the inbox is tried again: the outbox is full") == 1


def test_stopping_while_the_outbox_is_full(outbox: Path) -> None:
    """A request that is being taken in by pieces is left where it is, and is there for the next process."""
    reading = Reading(outbox, outbox_max_calls=2, settle_s=3600)
    request = traces(*"12345")
    reading.put(request)
    reading.start()
    end = time.monotonic() + DEADLINE_S
    while not len(reading.pipeline._outbox) and time.monotonic() < end:
        time.sleep(0.01)
    reading.close()
    reading = Reading(outbox, reading.sink)  # a delivery may still be under way to it
    reading.start()
    assert reading.reader.drain(DEADLINE_S)
    assert reading.pipeline.flush(DEADLINE_S)
    assert len(reading.delivered(request)) == 5
    reading.close()


def test_a_dead_thread_is_started_again_by_the_next_request(reading: Reading) -> None:
    """Should it ever have ended."""
    reading.start()
    dead = threading.Thread(target=lambda: None)
    dead.start()
    dead.join()
    thread = reading.reader._thread
    running, thread._thread = thread._thread, dead
    request = traces("Again?")
    reading.put(request)
    assert thread.is_alive
    assert reading.delivered(request)
    assert running is not None
    assert reading.reader.stop(DEADLINE_S)
    running.join(DEADLINE_S)
    assert not running.is_alive()

"""What takes long keeps nobody waiting but others of its kind, and those not for ever."""

from __future__ import annotations

import asyncio
import gzip
import json
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, TypeVar

import pytest

from otel_labelstudio.receiver import counting
from otel_labelstudio.receiver.admission import Admission, Share
from otel_labelstudio.receiver.counting import BodyCounter
from otel_labelstudio.receiver.inflate import ContentEncoding
from otel_labelstudio.receiver.requests import LARGE_BYTES, Request, Signal, count_items
from otel_labelstudio.receiver.status import JSON, PROTOBUF, Outcome, RefusedError
from tests.receiver.requests_made import as_json, traces

MIB = 2**20
DEADLINE_S = 240.0
ORDINARY = traces("Ordinary?", padding=20_000)
_Result = TypeVar("_Result")


def compressed(body: bytes, content_type: str = PROTOBUF) -> Request:
    return Request(Signal.TRACES, content_type, gzip.compress(body), ContentEncoding.GZIP)


def as_is(body: bytes, content_type: str = PROTOBUF) -> Request:
    return Request(Signal.TRACES, content_type, body)


# Little on the wire: some megabytes of fields that nobody knows
SLOW = compressed(b"\x88\x01\x00" * 2_600_000)


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the threads on which bodies were counted."""
    names: list[str] = []

    def counted(signal: Signal, content_type: str, body: bytes) -> int:
        names.append(threading.current_thread().name.rstrip("_0123456789"))
        return count_items(signal, content_type, body)

    monkeypatch.setattr(counting, "count_items", counted)
    return names


@contextmanager
def counter(max_bytes: int = 64 * MIB) -> Iterator[Callable[[Request], Awaitable[int]]]:
    made = BodyCounter(max_bytes)

    async def count(request: Request) -> int:
        with Share(Admission(256 * MIB)) as share:
            return await made.count(request, share)

    yield count
    made.close()


def run(work: Awaitable[_Result]) -> _Result:
    return asyncio.run(asyncio.wait_for(work, DEADLINE_S))


@pytest.mark.parametrize(
    ("request_", "thread"),
    [
        (as_is(ORDINARY.SerializeToString()), "MainThread"),
        (compressed(ORDINARY.SerializeToString()), "otel-labelstudio-intake"),
        (as_is(json.dumps(as_json(ORDINARY)).encode(), JSON), "otel-labelstudio-intake"),
        (compressed(b"\x12\x00" * 1000), "otel-labelstudio-intake"),
        (SLOW, "otel-labelstudio-intake-slow"),
        (as_is(b"\x0a\x00" * MIB), "otel-labelstudio-intake-slow"),
        (as_is(b'{"a":[' + b"{}," * 100_000 + b"{}]}", JSON), "otel-labelstudio-intake-slow"),
        (as_is(traces("Large?", padding=9 * MIB).SerializeToString()), "otel-labelstudio-intake-slow"),
    ],
    ids=[
        "small",
        "compressed",
        "JSON",
        "dense and little",
        "inflated to much",
        "dense",
        "dense JSON",
        "large",
    ],
)
def test_which_bodies_have_a_thread_to_themselves(threads: list[str], request_: Request, thread: str) -> None:
    """Those that take long: they are inflated to many times their size, hold very much, or are large."""
    with counter() as count:
        run(count(request_))
    assert threads == [thread]


def test_slow_ones_keep_no_ordinary_one_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """While one of them is at work, ten others are told to come again, and ordinary ones are counted; when it has
    ended, the next is counted."""
    monkeypatch.setattr(counting, "_TURN_TIMEOUT_S", DEADLINE_S)
    begun, go_on = threading.Event(), threading.Event()

    def counted(signal: Signal, content_type: str, body: bytes) -> int:
        if len(body) > MIB:
            begun.set()
            assert go_on.wait(DEADLINE_S)
        return count_items(signal, content_type, body)

    monkeypatch.setattr(counting, "count_items", counted)

    async def send(count: Callable[[Request], Awaitable[int]]) -> None:
        first = asyncio.ensure_future(count(SLOW))
        assert await asyncio.to_thread(begun.wait, DEADLINE_S)
        monkeypatch.setattr(counting, "_TURN_TIMEOUT_S", 0.01)
        others = await asyncio.gather(*[count(SLOW) for _ in range(10)], return_exceptions=True)
        assert [error.outcome for error in others if isinstance(error, RefusedError)] == [Outcome.BUSY] * 10
        for _ in range(10):
            assert await count(compressed(ORDINARY.SerializeToString())) == 1
        go_on.set()
        monkeypatch.setattr(counting, "_TURN_TIMEOUT_S", DEADLINE_S)
        assert await first == 0
        assert await count(SLOW) == 0

    with counter() as count:
        run(send(count))


def test_one_whose_sender_went_away_is_not_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its thread is at work still: the next one waits for it, so that there are never two."""
    begun, go_on = threading.Event(), threading.Event()
    at_once: list[int] = []

    def counted(signal: Signal, content_type: str, body: bytes) -> int:
        at_once.append(len(at_once) + 1)
        begun.set()
        assert go_on.wait(DEADLINE_S)
        at_once.pop()
        return len(at_once)

    monkeypatch.setattr(counting, "_TURN_TIMEOUT_S", DEADLINE_S)
    monkeypatch.setattr(counting, "count_items", counted)

    async def send(count: Callable[[Request], Awaitable[int]]) -> None:
        first = asyncio.ensure_future(count(SLOW))
        assert await asyncio.to_thread(begun.wait, DEADLINE_S)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        second = asyncio.ensure_future(count(SLOW))
        await asyncio.sleep(0)
        assert at_once == [1]
        go_on.set()
        assert await second == 0

    with counter() as count:
        run(send(count))


@pytest.mark.parametrize("timeout_s", [DEADLINE_S, 0.0], ids=["in its turn", "after its turn"])
def test_no_large_one_is_let_in_beside_one_whose_sender_went_away(
    monkeypatch: pytest.MonkeyPatch, timeout_s: float
) -> None:
    """Its memory is in use until its thread ends, whenever the sender went."""
    begun, go_on = threading.Event(), threading.Event()
    counter_of_bodies = BodyCounter(64 * MIB)
    submit = counter_of_bodies._slow.submit

    def begin(*work: Any) -> Future[int]:
        future = submit(*work)
        assert begun.wait(DEADLINE_S)
        return future

    def counted(*_: Any) -> int:
        begun.set()
        assert go_on.wait(DEADLINE_S)
        return 7

    async def send() -> None:
        share, large = Share(Admission(256 * MIB)), as_is(b"\x0a" * (LARGE_BYTES + 1))
        first = asyncio.ensure_future(counter_of_bodies.count(large, share))
        for _ in range(10):
            await asyncio.sleep(0)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        with pytest.raises(RefusedError, match="another large request") as refused:
            await counter_of_bodies.count(large, share)
        assert refused.value.outcome is Outcome.BUSY
        go_on.set()
        await asyncio.to_thread(submit(int).result, DEADLINE_S)  # behind the first on its thread
        await asyncio.sleep(0)
        monkeypatch.setattr(counting, "_TURN_TIMEOUT_S", DEADLINE_S)
        assert await counter_of_bodies.count(large, share) == 7

    monkeypatch.setattr(counting, "_TURN_TIMEOUT_S", timeout_s)
    monkeypatch.setattr(counting, "count_items", counted)
    monkeypatch.setattr(counter_of_bodies._slow, "submit", begin)
    try:
        run(send())
    finally:
        go_on.set()
        counter_of_bodies.close()


def test_limits_hold_on_either_way() -> None:
    """What is inflated to more than a request may be is refused, be that much or little."""
    with counter(max_bytes=MIB // 2) as count, pytest.raises(RefusedError) as refused:
        run(count(compressed(bytes(MIB))))
    assert refused.value.outcome is Outcome.TOO_LARGE
    with counter() as count, pytest.raises(RefusedError) as refused:
        run(count(compressed(bytes(65 * MIB))))
    assert refused.value.outcome is Outcome.TOO_LARGE

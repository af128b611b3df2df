"""The writer of the inbox: everybody who waits gets an answer, and nothing ends the thread that gives it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from otel_labelstudio.errors import OutboxError, OutboxFullError
from otel_labelstudio.receiver.inbox import Inbox
from otel_labelstudio.receiver.requests import Request, Signal
from otel_labelstudio.receiver.status import PROTOBUF
from otel_labelstudio.receiver.writer import InboxWriter
from tests.threads import end, none_can_start

DEADLINE_S = 240.0


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Inbox]:
    made = Inbox(tmp_path / "inbox", 2**20)
    yield made
    made.close()


def numbered(number: int, size: int = 10) -> Request:
    return Request(Signal.TRACES, PROTOBUF, f"{number:{size}}".encode())


def written(inbox: Inbox, work: Callable[[InboxWriter], Awaitable[None]]) -> InboxWriter:
    """A writer with which this was done, and which has ended."""
    writer = InboxWriter(inbox)

    async def run() -> None:
        writer.start()
        await asyncio.wait_for(work(writer), DEADLINE_S)

    try:
        asyncio.run(run())
    finally:
        assert writer.stop(DEADLINE_S)
    return writer


def stored(inbox: Inbox) -> list[Request]:
    found = []
    while request := inbox.next():
        found.append(request.request)
        inbox.done(request)
    return found


def test_all_who_wait_are_answered_and_stored(inbox: Inbox) -> None:
    """Each by itself, in any number at once."""

    async def put_many(writer: InboxWriter) -> None:
        await asyncio.gather(*(writer.put(numbered(number)) for number in range(100)))

    written(inbox, put_many)
    assert sorted(request.body for request in stored(inbox)) == sorted(numbered(n).body for n in range(100))


def test_one_that_does_not_fit_costs_no_other(inbox: Inbox) -> None:
    """It alone is told."""

    async def put_three(writer: InboxWriter) -> None:
        requests = [numbered(1), numbered(2, 2**21), numbered(3)]
        outcomes = await asyncio.gather(*map(writer.put, requests), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [type(None), OutboxFullError, type(None)]

    written(inbox, put_three)
    assert stored(inbox) == [numbered(1), numbered(3)]


@pytest.mark.parametrize("error", [OSError, ValueError, MemoryError, SystemExit, KeyboardInterrupt])
def test_whatever_fails_the_next_request_is_stored(
    inbox: Inbox, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    """Who waited for what failed is told that it is not stored, and the thread goes on."""
    put = inbox.put

    def fail_once(requests: list[Request]) -> NoReturn:
        monkeypatch.setattr(inbox, "put", put)
        raise error("no")

    async def put_two(writer: InboxWriter) -> None:
        monkeypatch.setattr(inbox, "put", fail_once)
        with pytest.raises(Exception, match=r"no|KeyboardInterrupt|SystemExit"):
            await writer.put(numbered(1))
        await writer.put(numbered(2))
        assert writer.is_working

    written(inbox, put_two)
    assert stored(inbox) == [numbered(2)]


def test_a_sender_who_went_away_holds_up_nobody(inbox: Inbox) -> None:
    """Its request is stored all the same, as those of the others are."""

    async def put_and_leave(writer: InboxWriter) -> None:
        leaving = asyncio.ensure_future(writer.put(numbered(1)))
        await asyncio.sleep(0)
        leaving.cancel()
        await writer.put(numbered(2))

    written(inbox, put_and_leave)
    assert stored(inbox) == [numbered(1), numbered(2)]


def test_without_its_thread_nobody_waits_for_ever(inbox: Inbox) -> None:
    """Where it has ended and the system starts no other, senders are told to come again; afterwards they are served."""

    async def put_two(writer: InboxWriter) -> None:
        end(writer._thread)
        with none_can_start(writer._thread.name):
            assert not writer.is_working
            with pytest.raises(OutboxError, match="thread has ended"):
                await writer.put(numbered(1))
        await writer.put(numbered(2))

    written(inbox, put_two)
    assert stored(inbox) == [numbered(2)]


def test_what_waits_at_the_end_is_stored(inbox: Inbox) -> None:
    """Also where the event loop is gone, and with it those who wait for the answer."""
    writer = InboxWriter(inbox)

    async def put_without_waiting() -> None:
        writer.start()
        put = asyncio.ensure_future(writer.put(numbered(1)))
        await asyncio.sleep(0)
        put.cancel()

    asyncio.run(put_without_waiting())
    assert writer.stop(DEADLINE_S)
    assert stored(inbox) == [numbered(1)]

"""A server, or what answers in its place, that never comes to an end: every request of ours does."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from otel_labelstudio.delivery.label_studio import limits
from otel_labelstudio.delivery.label_studio.limits import Allowance, TooMuchReceivedError
from otel_labelstudio.delivery.label_studio.server import LabelStudioServer
from otel_labelstudio.errors import DeliveryError, RetryableDeliveryError, UnknownOutcomeError
from tests.delivery.label_studio.wire import HEAD, Exchange, Wire
from tests.delivery.pipelines import until

# A personal access token as the SDK tells one: a JSON Web Token that has not run out
TOKEN = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoicmVmcmVzaCIsImV4cCI6ODA3MTQyNDA5Nn0.c2lnbmF0dXJl"
MIB = 2**20
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


def drip_head(exchange: Exchange) -> None:
    exchange.drip(HEAD + b"X-Long: " + b"x" * 10_000_000)


def drip_body(exchange: Exchange) -> None:
    exchange.send(HEAD + b"Content-Length: 10000000\r\n\r\n")
    exchange.drip(b" " * 10_000_000)


def continue_for_ever(exchange: Exchange) -> None:
    exchange.drip(b"HTTP/1.1 102 Processing\r\n\r\n" * 1_000_000, pause_s=0.001)


def never(exchange: Exchange) -> None:
    exchange.wire.is_over.wait()


SLOW: dict[str, Callable[[Exchange], None]] = {
    "headers": drip_head,
    "body": drip_body,
    "informational answers": continue_for_ever,
    "nothing": never,
}


def endless_body(exchange: Exchange) -> None:
    exchange.send(HEAD + b"\r\n")
    exchange.flood(b" " * 65536)


def endless_chunks(exchange: Exchange) -> None:
    exchange.send(CHUNKED)
    exchange.flood(b"1\r\n \r\n" * 10_000)


def endless_error(exchange: Exchange) -> None:
    exchange.send(b"HTTP/1.1 500 Error\r\nContent-Type: text/html\r\n\r\n")
    exchange.flood(b" " * 65536)


def endless_headers(exchange: Exchange) -> None:
    exchange.send(HEAD)
    exchange.flood(b"X-More: " + b"x" * 1000 + b"\r\n")


def endless_informational(exchange: Exchange) -> None:
    exchange.flood(b"HTTP/1.1 102 Processing\r\n\r\n" * 1000)


ENDLESS: dict[str, Callable[[Exchange], None]] = {
    "body": endless_body,
    "chunks of a byte": endless_chunks,
    "body of an error": endless_error,
    "headers": endless_headers,
    "informational answers": endless_informational,
}


def connected(made: LabelStudioServer) -> LabelStudioServer:
    """Its HTTP client is there: what a request waits for is the server alone."""
    made._api._connected()
    return made


@contextmanager
def server(wire: Wire, timeout_s: float = 0.5, api_key: str = "key") -> Iterator[LabelStudioServer]:
    made = connected(LabelStudioServer(wire.url, api_key, timeout_s, timeout_s))
    try:
        yield made
    finally:
        made.close()


@contextmanager
def ends_soon() -> Iterator[None]:
    """Long before what the server has to say is over, and long enough for a busy machine."""
    began_at = time.monotonic()
    yield
    assert time.monotonic() - began_at < 60


@pytest.mark.parametrize("answer", SLOW.values(), ids=SLOW)
def test_a_server_that_drips_is_given_up(answer: Callable[[Exchange], None]) -> None:
    """A byte now and then, in the head or in the body, keeps no request waiting beyond its time."""
    with Wire(answer) as wire, server(wire) as label_studio, ends_soon():
        with pytest.raises(RetryableDeliveryError, match="has not answered project 1 in time"):
            label_studio.project(1)
        with pytest.raises(UnknownOutcomeError, match="has not answered an import of 1 task into project 1 in time"):
            label_studio.import_tasks(1, [{"data": {}}])


@pytest.mark.parametrize("answer", SLOW.values(), ids=SLOW)
def test_the_exchange_of_a_token_is_limited_too(answer: Callable[[Exchange], None]) -> None:
    """The SDK makes that request by itself, before ours."""
    with Wire(answer) as wire, server(wire, api_key=TOKEN) as label_studio, ends_soon():
        with pytest.raises(RetryableDeliveryError, match="has not answered project 1 in time"):
            label_studio.project(1)
        assert wire.paths == ["/api/token/refresh/"]


@pytest.mark.parametrize("answer", SLOW.values(), ids=SLOW)
def test_a_proxy_of_the_environment_is_limited_too(
    answer: Callable[[Exchange], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The HTTP library makes the connections to it in another way."""
    with Wire(answer) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        label_studio = connected(LabelStudioServer("http://labeling.example.com", "key", 0.5, 0.5))
        with ends_soon(), pytest.raises(RetryableDeliveryError, match="has not answered project 1 in time"):
            label_studio.project(1)
        label_studio.close()
        (path,) = proxy.paths
    assert path.startswith("http://labeling.example.com/api/projects/1/?include=")


@pytest.mark.parametrize("answer", ENDLESS.values(), ids=ENDLESS)
def test_an_answer_without_an_end_is_not_read_on(
    answer: Callable[[Exchange], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not more is read, and so held in memory, than the limit; what the server could send beside is in sockets."""
    monkeypatch.setattr(limits, "MAX_RECEIVED_BYTES", MIB)
    with Wire(answer) as wire, server(wire, timeout_s=60) as label_studio, ends_soon():
        with pytest.raises(RetryableDeliveryError):
            label_studio.project(1)
        assert wire.sent_bytes < 16 * MIB
        with pytest.raises(UnknownOutcomeError):
            label_studio.import_tasks(1, [{"data": {}}])


def test_a_compressed_answer_is_refused() -> None:
    """Nobody asked for it, and of a few kilobytes it could make a gigabyte."""

    def compressed(exchange: Exchange) -> None:
        exchange.send(HEAD + b"Content-Encoding: gzip\r\n\r\n")
        exchange.flood(b"\0" * 65536)

    with (
        Wire(compressed) as wire,
        server(wire, timeout_s=60) as label_studio,
        ends_soon(),
        pytest.raises(RetryableDeliveryError, match="DecodingError"),
    ):
        label_studio.project(1)


def test_a_server_that_does_not_take_the_request_in_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """It reads nothing of a large import: its outcome is unknown, not its end."""
    monkeypatch.setattr(limits, "SLOWEST_BYTES_PER_S", 16 * MIB)  # for what the sockets take
    tasks = [{"data": {"prompt": "x" * 20 * MIB}}]
    with (
        Wire(never) as wire,
        server(wire, timeout_s=5) as label_studio,
        ends_soon(),
        pytest.raises(UnknownOutcomeError, match="in time"),
    ):
        label_studio.import_tasks(1, tasks)


def page(exchange: Exchange) -> int:
    return int(exchange.path.split("&page=", 1)[1].split("&", 1)[0])


def test_a_server_that_ignores_the_page_is_asked_twice() -> None:
    """The second answer has nothing new: that is no list."""

    def same(exchange: Exchange) -> None:
        exchange.send_json(b'{"count": 5000, "results": [{"id": 1, "title": "calls"}]}')

    with Wire(same) as wire, server(wire, timeout_s=60) as label_studio:
        with pytest.raises(RetryableDeliveryError, match="page 2 of a list has nothing that"):
            label_studio.project_ids("calls")
        assert len(wire.paths) == 2


def test_pages_without_an_end_are_not_read_on() -> None:
    """Each page has new records, and there are always more."""

    def another(exchange: Exchange) -> None:
        record = {"id": page(exchange), "data": {"call_id": "x"}, "total_predictions": 1, "total_annotations": 0}
        exchange.send_json(json.dumps({"total": 10**9, "tasks": [record]}).encode())

    with Wire(another) as wire, server(wire, timeout_s=60) as label_studio:
        with pytest.raises(RetryableDeliveryError, match="more than 100 pages"):
            label_studio.stored_tasks(1, "call_id", ["x", "y"])
        assert len(wire.paths) == limits.MAX_PAGES


def test_a_list_is_whole_or_an_error() -> None:
    """A list that ends before its total, as when tasks are deleted meanwhile, is not taken for all there is."""

    def shrunk(exchange: Exchange) -> None:
        tasks = [{"id": 1, "total_predictions": 1, "total_annotations": 0}] if page(exchange) == 1 else []
        exchange.send_json(json.dumps({"total": 2, "tasks": tasks}).encode())

    with Wire(shrunk) as wire, server(wire, timeout_s=60) as label_studio, pytest.raises(RetryableDeliveryError):
        label_studio.stored_tasks(1, "call_id", ["x"])


def test_all_pages_share_one_allowance(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages that are small each, and many: the operation ends when their sum is too large."""
    monkeypatch.setattr(limits, "MAX_RECEIVED_BYTES", MIB)

    def padded(exchange: Exchange) -> None:
        record = {"id": page(exchange), "title": "x" * 100_000}
        exchange.send_json(json.dumps({"count": 10**9, "results": [record]}).encode())

    with Wire(padded) as wire, server(wire, timeout_s=60) as label_studio:
        with pytest.raises(RetryableDeliveryError, match="with more than"):
            label_studio.project_ids("calls")
        assert len(wire.paths) < 12


def test_no_request_outlasts_the_shutdown() -> None:
    """Told to hurry, a request that is under way ends too, if the server sends anything or the time is over."""
    with Wire(drip_body) as wire, server(wire, timeout_s=300) as label_studio, ends_soon():
        failed: list[DeliveryError] = []

        def ask() -> None:
            try:
                label_studio.project(1)
            except DeliveryError as error:
                failed.append(error)

        thread = threading.Thread(target=ask)
        thread.start()
        until(lambda: wire.paths)
        label_studio.hurry(time.monotonic())
        thread.join()
        assert "in time" in str(failed)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_time_is_given_for_what_is_transferred() -> None:
    """Half a megabit a second is fast enough; a byte now and then gains nothing to speak of."""
    clock = Clock()
    allowance = Allowance(clock)
    allowance.renew(10)
    assert allowance.left_s() == 10
    allowance.count_sent(32 * MIB)
    assert allowance.left_s() == 522
    allowance.count_received(64 * 2**10)
    assert allowance.left_s() == 523
    clock.now += 522
    allowance.count_received(2)
    assert 1 < allowance.left_s() < 1.001
    allowance.renew(10)
    assert allowance.left_s() == 10


def test_an_operation_that_begins_too_late_has_a_moment() -> None:
    """The last try at a shutdown whose time is over may succeed, if the server is quick."""
    clock = Clock()
    allowance = Allowance(clock)
    allowance.renew(10)
    allowance.hurry(clock.now + 3)
    assert allowance.left_s() == 3
    clock.now += 60
    assert allowance.left_s() < 0
    allowance.renew(10)
    assert 0 < allowance.left_s() < 0.1


def test_what_one_operation_received_does_not_count_for_the_next() -> None:
    """Each begins anew, and each is limited."""
    allowance = Allowance()
    for _ in range(3):
        allowance.renew(10)
        allowance.count_received(limits.MAX_RECEIVED_BYTES)
        with pytest.raises(TooMuchReceivedError):
            allowance.count_received(1)

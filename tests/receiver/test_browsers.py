"""Pages in browsers: none sends here or reads what is here unless its origin is listed, by whatever name it calls."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import pytest

from otel_labelstudio.receiver.browsers import BrowserGuard
from otel_labelstudio.receiver.settings import ReceiverSettings
from otel_labelstudio.receiver.status import JSON, Outcome, RefusedError
from tests.receiver.requests_made import as_json, ids, traces
from tests.receiver.serving import Receiver, post

SHOP, EVIL = "https://shop.example", "https://evil.example"
PAGES = ("/healthz", "/readyz", "/metrics", "/v1/traces", "/nothing")


@pytest.fixture(scope="module")
def open_receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """One to which a shop's pages may send, and which has a name of its own."""
    outbox = tmp_path_factory.mktemp("open") / "outbox.db"
    with Receiver(outbox, cors_origins=f"{SHOP}/", allowed_hosts="Traces.example, *.svc.cluster.local") as made:
        yield made


def outcome(guard: BrowserGuard, *headers: tuple[bytes, bytes]) -> Outcome | None:
    """Why a request with these headers is refused; None if it is not."""
    try:
        guard.check(headers)
    except RefusedError as refused:
        return refused.outcome
    return None


@pytest.mark.parametrize("origin", [EVIL, "null", "http://localhost:3000", "", SHOP + ".evil.example"])
def test_a_page_that_nobody_listed(receiver: Receiver, open_receiver: Receiver, origin: str) -> None:
    """What it posts is refused and stored nowhere, also where other origins are listed."""
    for one in (receiver, open_receiver):
        request = traces("From a page?")
        body = json.dumps(as_json(request)).encode()
        status, headers, said = post(f"{one.http}/v1/traces", body, JSON, Origin=origin)
        assert (status, json.loads(said)["code"]) == (403, 7)
        assert not any(name.startswith("access-control") for name in headers)
        assert one.read()
        assert not set(ids(request)) & {call.span_id for call in one.sink.calls}


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("method", ["GET", "OPTIONS", "POST"])
def test_nothing_answers_a_page_that_nobody_listed(receiver: Receiver, path: str, method: str) -> None:
    """Neither the probes and the metrics, nor a question whether it might send."""
    assert post(receiver.http + path, b"", method=method, Origin=EVIL)[0] == 403


def test_a_page_that_is_listed(open_receiver: Receiver) -> None:
    """Its calls are delivered, and its browser is told that it may read the answer."""
    request = traces("From the shop?")
    body = json.dumps(as_json(request)).encode()
    status, headers, _ = post(f"{open_receiver.http}/v1/traces", body, JSON, Origin=SHOP)
    assert (status, headers["access-control-allow-origin"]) == (200, SHOP)
    assert open_receiver.delivered(ids(request))


@pytest.mark.parametrize("path", PAGES)
def test_a_name_that_a_page_has_point_to_this_machine(receiver: Receiver, path: str) -> None:
    """A receiver on loopback does not answer to it, whether or not the browser says an origin."""
    for method in ("GET", "POST"):
        assert post(receiver.http + path, b"", method=method, Host="evil.example:4318")[0] == 403


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:4318",
        "localhost.:4318",
        "collector.localhost:4318",
        "127.0.0.1:4318",
        "[::1]:4318",
        "10.1.2.3",
        "host.docker.internal:4318",
    ],
)
def test_names_of_this_machine(receiver: Receiver, host: str) -> None:
    """By these and by any address a sender may call a receiver on loopback; a program need not say any."""
    assert post(f"{receiver.http}/v1/traces", b"", Host=host)[0] == 200


def test_a_request_without_a_host(receiver: Receiver) -> None:
    """As HTTP/1.0 allows; no browser sends one."""
    with socket.create_connection(("127.0.0.1", receiver.port), timeout=240) as sock:
        sock.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
        assert sock.recv(65536).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("traces.example", 200),
        ("receiver.tools.svc.cluster.local:4318", 200),
        ("localhost:4318", 200),
        ("172.17.0.2:4318", 200),
        ("evil.example", 403),
        ("traces.example.evil.example", 403),
    ],
)
def test_names_that_are_listed(open_receiver: Receiver, host: str, status: int) -> None:
    """They count beside this machine's own."""
    assert post(f"{open_receiver.http}/v1/traces", b"", Host=host)[0] == status


@pytest.mark.parametrize(
    ("arguments", "is_refused"),
    [
        ({}, True),
        ({"http": "[::1]:4318"}, True),
        ({"allowed_hosts": "*"}, False),
        # As in a container, where senders call it by the service's name
        ({"http": "0.0.0.0:4318", "allow_unauthenticated": True}, False),
        ({"http": "0.0.0.0:4318", "allow_unauthenticated": True, "allowed_hosts": "traces.example"}, True),
    ],
    ids=str,
)
def test_where_names_count(arguments: dict[str, object], is_refused: bool) -> None:
    """On loopback, and where some are listed; elsewhere a receiver cannot know by what names it is called."""
    guard = BrowserGuard.of(ReceiverSettings.resolve(arguments))
    assert outcome(guard, (b"host", b"otel-labelstudio:4318")) is (Outcome.HOST if is_refused else None)


@pytest.mark.parametrize(
    "host", [b"", b"[::1", b"\xff", b"a b", b"localhost:4318@evil.example", b"localhost,evil.example"]
)
def test_a_host_that_is_none(host: bytes) -> None:
    """It is refused, not failed on."""
    assert outcome(BrowserGuard((), ()), (b"host", host)) is Outcome.HOST


@pytest.mark.parametrize("name", [b"host", b"origin"])
def test_two_of_a_kind(name: bytes) -> None:
    """Each of them counts, not the one that is good."""
    good = {b"host": b"localhost", b"origin": SHOP.encode()}[name]
    guard = BrowserGuard([SHOP], ())
    assert outcome(guard, (name, good)) is None
    assert outcome(guard, (name, good), (name, b"evil.example")) is not None
    assert outcome(guard, (name, b"evil.example"), (name, good)) is not None


def test_the_refusal_says_what_to_set(receiver: Receiver) -> None:
    """It names the setting, and not what was sent."""
    _, _, said = post(f"{receiver.http}/v1/traces", b"{}", JSON, Host="canary.example")
    assert "allowed_hosts" in json.loads(said)["message"]
    _, _, said = post(f"{receiver.http}/v1/traces", b"{}", JSON, Origin="https://canary.example")
    assert "cors_origins" in json.loads(said)["message"]
    assert b"canary" not in said

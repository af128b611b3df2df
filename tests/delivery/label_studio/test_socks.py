"""Label Studio by way of a SOCKS5 proxy: what passes it, and what is said of one that lets nothing pass."""

from __future__ import annotations

import gc
import os
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import trustme

from otel_labelstudio.demo.label_studio import EmbeddedLabelStudio
from otel_labelstudio.errors import DeliveryError, PausedDeliveryError, RetryableDeliveryError
from tests.delivery.faults import FaultyServer, answers
from tests.delivery.label_studio.forward_proxy import ForwardProxy
from tests.delivery.label_studio.socks_proxy import SocksProxy
from tests.delivery.label_studio.test_causes import NOBODY, VARIABLES, failure, version
from tests.delivery.labeling import Labeling, fresh_title
from tests.delivery.pipelines import Pipelines, until
from tests.delivery.test_in_front import sends_a_call
from tests.ports import steady_port

SERVER = "http://labeling.example.com"


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("login", [None, "user:pass/word"])
def test_calls_arrive_through_it(
    pipelines: Pipelines,
    labeling: Labeling,
    label_studio: EmbeddedLabelStudio,
    monkeypatch: pytest.MonkeyPatch,
    login: str | None,
) -> None:
    """With and without a login, whose special characters are URL-encoded; nothing goes past it."""
    with SocksProxy(login) as proxy, monkeypatch.context() as environment:
        given = "user:pass%2Fword@" if login else ""
        environment.setenv("ALL_PROXY", f"socks5://{given}{proxy.address}")
        title = fresh_title("SOCKS")
        pipeline = pipelines(project_name=title)
        assert sends_a_call(pipeline, labeling, title)
        assert pipeline.close(60)
    assert set(proxy.asked) == {label_studio.url.removeprefix("http://")}


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
def test_tls_passes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    """The server's certificate is verified as without it, and the proxy looks up the server's name."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    with FaultyServer(NOBODY, tls=context) as server, SocksProxy() as proxy:
        server.plan(answers(200, {"release": "1.23.2"}), None, times=float("inf"))
        monkeypatch.setenv("HTTPS_PROXY", f"{scheme}://{proxy.address}")
        url = server.url.replace("127.0.0.1", "localhost")
        assert version(url) == "1.23.2"
        assert proxy.asked == [url.removeprefix("https://")]


def by_way_of(proxy: str, what: str) -> str:
    return f"{SERVER} cannot be reached: by way of the proxy socks5://{proxy} (ALL_PROXY): {what}"


@pytest.fixture
def started() -> Iterator[ExitStack]:
    """Ends what a test has started."""
    with ExitStack() as stack:
        yield stack


def refused(address: str, monkeypatch: pytest.MonkeyPatch, login: str = "") -> DeliveryError:
    monkeypatch.setenv("ALL_PROXY", f"socks5://{login}{address}")
    return failure(SERVER)


def test_one_that_is_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy is named, without its login, and where to look."""
    dead = f"127.0.0.1:{steady_port()}"
    error = refused(dead, monkeypatch, "user:CANARY@")
    assert isinstance(error, RetryableDeliveryError)
    assert str(error) == (
        f"{SERVER} cannot be reached: the proxy socks5://{dead} (ALL_PROXY): nothing listens on that port; check "
        "ALL_PROXY, or name the server in NO_PROXY"
    )


@pytest.mark.parametrize(
    ("asks", "login", "said"),
    [
        ("user:secret", "", "it asks for a login; write it into ALL_PROXY, as socks5://user:password@host:port"),
        ("user:secret", "user:CANARY@", "it refuses the login; correct the login in ALL_PROXY"),
        (None, "user:CANARY@", "it takes no login; remove the login from ALL_PROXY"),
    ],
)
def test_one_that_does_not_let_us_in(
    started: ExitStack, monkeypatch: pytest.MonkeyPatch, asks: str | None, login: str, said: str
) -> None:
    """Only a person can mend that."""
    proxy = started.enter_context(SocksProxy(asks))
    error = refused(proxy.address, monkeypatch, login)
    assert isinstance(error, PausedDeliveryError)
    assert str(error) == by_way_of(proxy.address, said)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="open files are counted as Linux lists them")
def test_its_connection_is_closed_at_once(started: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not when garbage is collected: until then, each try would leave another one open."""
    proxy = started.enter_context(SocksProxy("user:secret"))
    started.callback(gc.enable)
    gc.disable()
    before = len(os.listdir("/proc/self/fd"))
    errors = [refused(proxy.address, monkeypatch) for _ in range(3)]
    until(lambda: len(os.listdir("/proc/self/fd")) <= before)
    assert len(errors) == 3


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (
            2,
            (
                "it refuses to connect (Connection not allowed by ruleset); have it let this server pass, or name the "
                "server in NO_PROXY"
            ),
        ),
        (4, "it cannot reach the server (Host unreachable); check url, or name the server in NO_PROXY"),
        (5, "it cannot reach the server (Connection refused); check url, or name the server in NO_PROXY"),
    ],
)
def test_one_that_does_not_connect(started: ExitStack, monkeypatch: pytest.MonkeyPatch, code: int, said: str) -> None:
    """Whether by its rules or because the server is away, which the proxy tells; delivery is retried."""
    proxy = started.enter_context(SocksProxy(refusal=code))
    error = refused(proxy.address, monkeypatch)
    assert isinstance(error, RetryableDeliveryError)
    assert str(error) == by_way_of(proxy.address, said)
    assert proxy.asked == ["labeling.example.com:80"]


@pytest.mark.parametrize("said", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b""])
def test_one_that_does_not_speak_socks(started: ExitStack, monkeypatch: pytest.MonkeyPatch, said: bytes) -> None:
    """It answers in its own way, or ends the connection: the scheme is what to look at."""
    proxy = started.enter_context(SocksProxy(says=said))
    error = refused(proxy.address, monkeypatch)
    assert isinstance(error, RetryableDeliveryError)
    assert str(error) == by_way_of(
        proxy.address, "it does not speak SOCKS5; check the scheme and the port in ALL_PROXY"
    )


def test_one_that_says_nothing(started: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    """As an HTTP proxy, which waits for the end of a line; it is named beside the server."""
    proxy = started.enter_context(ForwardProxy())
    monkeypatch.setenv("ALL_PROXY", f"socks5://{proxy.address}")
    assert str(failure(SERVER, timeout_s=5)) == (
        f"{SERVER} has not answered the version in time by way of the proxy socks5://{proxy.address} (ALL_PROXY)"
    )

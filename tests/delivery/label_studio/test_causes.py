"""Why a server cannot be reached: each cause is told from the others, with what to do about it."""

from __future__ import annotations

import datetime
import shutil
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpcore
import httpx
import pytest
import trustme
from httpx._transports import default as httpx_transport

from otel_labelstudio.delivery.label_studio.answers import NoAnswerError, NotReachedError
from otel_labelstudio.delivery.label_studio.causes import CAUSES, FAILURES, KINDS, Kind, request_error
from otel_labelstudio.delivery.label_studio.proxies import proxy_for
from otel_labelstudio.errors import DeliveryError, PausedDeliveryError, RetryableDeliveryError
from otel_labelstudio.servers import server_of
from otel_labelstudio.settings import Settings
from tests.delivery.faults import FaultyServer, answers
from tests.delivery.label_studio.forward_proxy import ForwardProxy
from tests.delivery.label_studio.wire import Exchange, Wire
from tests.missing import missing
from tests.ports import steady_port

VARIABLES = (
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
)
NOBODY = "http://upstream.invalid"
NO_ADDRESSES = (
    *("http://", "http://[bad:3128", "http://127.0.0.1:abc", "http://127.0.0.1:99999", "http://127.0.0.1:0"),
    *("http://user:CAN/ARY@127.0.0.1:3128", "http://user:4#CANARY@127.0.0.1:3128", "user:4?CANARY@127.0.0.1"),
    "http://\N{SUPERSCRIPT LATIN SMALL LETTER N}\N{ZERO WIDTH JOINER}x:3128",
)
NO_ADDRESS = (
    "the proxy in ALL_PROXY is not an address; write it as http://host:port or http://user:password@host:port, with "
    "the special characters of a password URL-encoded"
)


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path) -> str:
    """The authority's PEM file."""
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    return str(tmp_path / "authority.pem")


Tls = Callable[..., FaultyServer]


@pytest.fixture
def tls(authority: trustme.CA) -> Iterator[Tls]:
    """Makes a server with a certificate of the authority; it tells its version."""
    servers: list[FaultyServer] = []

    def make(name: str = "127.0.0.1", not_after: datetime.datetime | None = None) -> FaultyServer:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(name, not_after=not_after).configure_cert(context)
        server = FaultyServer(NOBODY, tls=context).start()
        server.plan(answers(200, {"release": "1.23.2"}), None, times=float("inf"))
        servers.append(server)
        return server

    yield make
    for server in servers:
        server.stop()


def version(url: str, timeout_s: float = 60) -> str:
    """What `check` asks first, with the environment as it is."""
    server = server_of(Settings.resolve({"api_key": "CANARY", "url": url, "timeout_s": timeout_s}))
    try:
        return server.version()
    finally:
        server.close()


def failure(url: str, timeout_s: float = 60) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        version(url, timeout_s)
    assert "CANARY" not in str(caught.value)
    return caught.value


def test_every_exception_of_the_http_library_is_known() -> None:
    """A class that a new version adds must be put into the table: whether a request may have been sent decides whether
    it may be sent again."""
    raised = {item for item in vars(httpx).values() if isinstance(item, type) and issubclass(item, Exception)}
    assert raised <= set(KINDS)
    assert all(issubclass(cls, FAILURES) or cls is httpx.CookieConflict for cls in KINDS)
    with pytest.raises(httpx.ConnectError), httpx_transport.map_httpcore_exceptions():  # fills the mapping
        raise httpcore.ConnectError
    below = {item for item in vars(httpcore).values() if isinstance(item, type) and issubclass(item, Exception)}
    # Raised and caught within httpcore
    assert below - {httpcore.ConnectionNotAvailable} == set(httpx_transport.HTTPCORE_EXC_MAP)


def test_a_class_that_is_not_in_the_table_is_taken_as_its_base() -> None:
    """Until somebody puts it there, it is handled as the one that it extends."""

    class NewError(httpx.ConnectError):
        pass

    error = request_error(NewError("CANARY"), None)
    assert isinstance(error, NotReachedError)
    assert "CANARY" not in str(error)
    late = request_error(httpx.ReadTimeout("CANARY"), None)
    assert isinstance(late, NoAnswerError)
    assert late.is_late


def test_each_kind_of_failure_that_was_sent_says_so() -> None:
    """No cause of the table makes a request that may have been carried out one that was not sent."""
    for cls, kind in KINDS.items():
        if kind is not Kind.NOT_SENT and issubclass(cls, httpx.TransportError):
            error = cls("x")
            error.__cause__ = ConnectionRefusedError()
            assert isinstance(request_error(error, None), NoAnswerError), cls


def test_every_cause_has_a_cure() -> None:
    """Not only what went wrong: what to do."""
    assert all(cause.what and cause.cure for _, _, cause in CAUSES)


def test_a_name_that_is_not_known() -> None:
    """It may be known later: the delivery is retried."""
    error = failure("http://labelstudio.invalid:8080")
    assert isinstance(error, RetryableDeliveryError)
    assert str(error) == (
        "http://labelstudio.invalid:8080 cannot be reached: its name cannot be resolved; check the name, and the "
        "DNS of this machine"
    )


def test_a_port_on_which_nothing_listens() -> None:
    """It may be started yet: the delivery is retried."""
    url = f"http://127.0.0.1:{steady_port()}"
    error = failure(url)
    assert isinstance(error, RetryableDeliveryError)
    assert str(error) == (
        f"{url} cannot be reached: nothing listens on that port; start Label Studio, or check the port in url"
    )


def test_tls_where_none_is_spoken() -> None:
    """Only a person can mend an address."""
    with FaultyServer(NOBODY) as server:
        url = server.url.replace("http", "https")
        error = failure(url)
    assert isinstance(error, PausedDeliveryError)
    assert str(error) == f"{url} cannot be reached: the server does not use TLS on this port; change url to http://"


def test_no_tls_where_tls_is_spoken(tls: Tls) -> None:
    """Some servers answer with a TLS alert, others break the connection off."""
    with Wire(lambda exchange: exchange.send(b"\x15\x03\x01\x00\x02\x02\x46")) as wire:
        error = failure(wire.url)
        assert str(error) == (
            f"no usable answer from {wire.url} about the version (the answer is not HTTP; check the port); if "
            "the port expects TLS, change url to https://"
        )
    url = tls().url.replace("https", "http")
    assert str(failure(url)).endswith("; if the port expects TLS, change url to https://")


@pytest.mark.parametrize(
    "page",
    [
        b"<center>The plain HTTP request was sent to HTTPS port</center>",
        b"Client sent an HTTP request to an HTTPS server.\n",
        b"You're speaking plain HTTP to an SSL-enabled server port.",
    ],
    ids=["nginx", "Go", "Apache"],
)
def test_a_server_says_that_the_port_is_for_tls(page: bytes) -> None:
    """As the usual reverse proxies do, with status 400, and not Label Studio."""

    def answer(exchange: Exchange) -> None:
        exchange.answer(400, {"Content-Type": "text/html"}, page)

    with Wire(answer) as wire:
        error = failure(wire.url)
    assert isinstance(error, PausedDeliveryError)
    assert str(error).endswith("with HTTP status 400: this port expects TLS; change url to https://")


def test_a_certificate_of_ones_own_authority(tls: Tls) -> None:
    """The usual case in a company, with the variable that mends it."""
    url = tls().url
    error = failure(url)
    assert isinstance(error, PausedDeliveryError)
    assert str(error) == (
        f"{url} cannot be reached: its certificate was issued by a CA that is not trusted here (unable to get "
        "local issuer certificate); set SSL_CERT_FILE to a PEM file with that CA's certificate"
    )


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_the_variable_that_names_other_authorities_is_named(
    tls: Tls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """It is there that the authority is missing."""
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "other.pem"))
    monkeypatch.setenv(variable, str(tmp_path / "other.pem"))
    assert str(failure(tls().url)).endswith(f"; set {variable} to a PEM file with that CA's certificate")


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_each_variable_for_authorities_is_honoured(
    tls: Tls, trusted: str, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """Whichever a machine has set, for curl, requests or OpenSSL."""
    monkeypatch.setenv(variable, trusted)
    assert version(tls().url) == "1.23.2"


def test_a_directory_of_authorities_is_honoured(
    tls: Tls, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As OpenSSL has them, by the hash of the name; REQUESTS_CA_BUNDLE may be one as well."""
    (tmp_path / "certs").mkdir()
    name = _hashed_name(authority, tmp_path)
    authority.cert_pem.write_to_path(str(tmp_path / "certs" / name))
    url = tls().url
    for variable in ("SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"):
        with monkeypatch.context() as context:
            context.setenv(variable, str(tmp_path / "certs"))
            assert version(url) == "1.23.2"


def _hashed_name(authority: trustme.CA, tmp_path: Path) -> str:
    if shutil.which("openssl") is None:
        missing("openssl")
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    command = ["openssl", "x509", "-hash", "-noout", "-in", str(tmp_path / "ca.pem")]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip() + ".0"


def test_a_certificate_that_has_expired(tls: Tls, trusted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or the machine's clock is wrong."""
    monkeypatch.setenv("SSL_CERT_FILE", trusted)
    url = tls(not_after=datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)).url
    assert str(failure(url)) == (
        f"{url} cannot be reached: certificate has expired; have the certificate renewed, or set this machine's clock"
    )


def test_a_certificate_for_another_name(tls: Tls, trusted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By address instead of by name, for example."""
    monkeypatch.setenv("SSL_CERT_FILE", trusted)
    url = tls("labeling.example.com").url
    assert str(failure(url)) == (
        f"{url} cannot be reached: IP address mismatch, certificate is not valid for '127.0.0.1'; set url to a name "
        "that stands in the certificate"
    )


def test_authorities_that_cannot_be_read(tls: Tls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable and the file are named, where they matter; plain HTTP goes on."""
    url, missing, empty = tls().url, str(tmp_path / "none.pem"), tmp_path / "empty.pem"
    empty.touch()
    cure = "name a PEM file with the server's CA certificate, or unset it"
    monkeypatch.setenv("SSL_CERT_FILE", missing)
    assert str(failure(url)) == (
        f"{url} cannot be reached: SSL_CERT_FILE names {missing}, which cannot be read (No such file or directory); "
        f"{cure}"
    )
    monkeypatch.setenv("SSL_CERT_FILE", str(empty))
    assert f"SSL_CERT_FILE names {empty}, which holds no certificate in PEM form; {cure}" in str(failure(url))
    with Wire(lambda exchange: exchange.send_json(b'{"release": "1"}')) as wire:
        assert version(wire.url) == "1"


def test_a_proxy_that_is_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy is to blame, and not Label Studio; its login is not shown."""
    dead = f"127.0.0.1:{steady_port()}"
    monkeypatch.setenv("HTTP_PROXY", f"http://user:CANARY@{dead}")
    error = failure("http://labeling.example.com")
    assert isinstance(error, RetryableDeliveryError)
    assert str(error) == (
        f"http://labeling.example.com cannot be reached: the proxy http://{dead} (HTTP_PROXY): nothing listens on that "
        "port; check HTTP_PROXY, or name the server in NO_PROXY"
    )


def test_a_proxy_passes_requests_on(tls: Tls, trusted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of either kind, with a login in its address; NO_PROXY names hosts that are reached without it."""
    monkeypatch.setenv("SSL_CERT_FILE", trusted)
    secure = tls()
    with Wire(lambda exchange: exchange.send_json(b'{"release": "1"}')) as wire, ForwardProxy("user:secret") as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://user:secret@{proxy.address}")
        monkeypatch.setenv("HTTPS_PROXY", f"user:secret@{proxy.address}")
        assert version(wire.url) == "1"
        assert version(secure.url) == "1.23.2"
        assert len(proxy.asked) == 2
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        assert version(wire.url) == "1"
        assert len(proxy.asked) == 2


@pytest.mark.parametrize(
    ("url", "no_proxy", "is_direct"),
    [
        ("http://10.1.2.3:8080", "10.1.2.3", True),
        ("http://10.1.2.3:8080", "other.example.com, 10.0.0.0/8", True),
        ("http://10.1.2.3:8080", "11.0.0.0/8", False),
        ("http://[fd00::1]:8080", "fd00::1", True),
        ("http://[fd00::1]:8080", "fd00::/8", True),
        ("http://[fd00::1]:8080", "localhost, [fd00::1]", True),
        ("https://labeling.example.com", ".example.com", True),
        ("https://labeling.example.com", "example.com", True),
        ("https://labeling.example.com", "labeling.example.com:443", True),
        ("https://labeling.example.com:8443", "labeling.example.com:443", False),
        ("https://labeling.example.com", "ample.com", False),
        ("https://labeling.example.com", "*", True),
        ("https://labeling.example.com", "", False),
    ],
)
def test_what_no_proxy_may_name(monkeypatch: pytest.MonkeyPatch, url: str, no_proxy: str, is_direct: bool) -> None:
    """Hosts, domains, ports, addresses and networks of both versions, and everything."""
    monkeypatch.setenv("ALL_PROXY", "http://proxy.example.com:3128")
    monkeypatch.setenv("NO_PROXY", no_proxy)
    assert (proxy_for(url) is None) == is_direct


def test_a_proxy_that_asks_for_a_login(tls: Tls, monkeypatch: pytest.MonkeyPatch) -> None:
    """For either kind of address; the key is not to blame."""
    url = tls().url
    with ForwardProxy("user:secret") as proxy:
        monkeypatch.setenv("ALL_PROXY", f"http://{proxy.address}")
        secure, plain = failure(url), failure("http://labeling.example.com")
    assert isinstance(secure, PausedDeliveryError)
    assert str(secure) == (
        f"{url} cannot be reached: by way of the proxy http://{proxy.address} (ALL_PROXY): it asks for a login; "
        "write it into ALL_PROXY, as http://user:password@host:port"
    )
    assert isinstance(plain, PausedDeliveryError)
    assert str(plain) == (
        "http://labeling.example.com refused the version with HTTP status 407: a proxy in front of Label Studio asks "
        "for its own login; write it into HTTP_PROXY, HTTPS_PROXY or ALL_PROXY, as http://user:password@host:port"
    )


@pytest.mark.parametrize(
    ("proxy", "said"),
    [
        (
            "socks5://user:CANARY@127.0.0.1:1080",
            "the proxy socks5://127.0.0.1:1080 (ALL_PROXY) needs a package: pip install 'httpx[socks]'",
        ),
        (
            "socks://127.0.0.1:1080",
            (
                "the proxy socks://127.0.0.1:1080 (ALL_PROXY) has the unknown scheme socks://; use http://, "
                "https://, socks5://, socks5h://"
            ),
        ),
        *((address, NO_ADDRESS) for address in NO_ADDRESSES),
    ],
)
def test_a_proxy_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch, proxy: str, said: str) -> None:
    """Where it is used at all: a server that NO_PROXY names is reached without it."""
    monkeypatch.setitem(sys.modules, "socksio", None)  # as where it is not installed
    monkeypatch.setenv("ALL_PROXY", proxy)
    error = failure("http://labeling.example.com")
    assert isinstance(error, PausedDeliveryError)
    assert str(error) == f"http://labeling.example.com cannot be reached: {said}"
    monkeypatch.setenv("NO_PROXY", "localhost,127.0.0.1")
    with Wire(lambda exchange: exchange.send_json(b'{"release": "1"}')) as wire:
        assert version(wire.url) == "1"


def test_a_proxy_that_is_reached_by_tls(authority: trustme.CA, trusted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The authorities that the environment names hold for its certificate as well."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with Wire(lambda exchange: exchange.send_json(b'{"release": "1"}')) as wire, ForwardProxy(tls=context) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"https://{proxy.address}")
        assert "a CA that is not trusted here" in str(failure(wire.url))
        monkeypatch.setenv("SSL_CERT_FILE", trusted)
        assert version(wire.url) == "1"
        assert len(proxy.asked) == 1


def test_a_proxys_login_stands_in_no_repr(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be logged."""
    monkeypatch.setenv("HTTP_PROXY", "http://user:CANARY@proxy.example.com:3128")
    proxy = proxy_for("http://labeling.example.com")
    assert "CANARY" not in f"{proxy!r} {proxy}"
    assert "proxy.example.com" in str(proxy)

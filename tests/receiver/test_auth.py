"""Who may send, over both transports and with TLS."""

from __future__ import annotations

import base64
import http.client
from pathlib import Path
from typing import Any

import grpc
import pytest

from otel_labelstudio.errors import ConfigError
from otel_labelstudio.receiver.auth import Credentials, Scheme
from otel_labelstudio.receiver.settings import ReceiverSettings
from tests.receiver.serving import Receiver, post, serve_command
from tests.receiver.test_grpc import TRACES, export, refusal

TOKENS = "# who sends\nfirst-token\n\nsecond-token\n"
BASIC = "Basic " + base64.b64encode(b"shop:pass:word").decode()


def secrets(tmp_path: Path, text: str = TOKENS) -> str:
    path = tmp_path / "secrets"
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("authorization", "is_good"),
    [
        ("Bearer first-token", True),
        ("bearer  second-token ", True),
        ("Bearer # who sends", False),
        ("Bearer first", False),
        ("Bearer ", False),
        ("Basic first-token", False),
        ("first-token", False),
        ("", False),
        (None, False),
    ],
)
def test_bearer_tokens(tmp_path: Path, authorization: str | None, is_good: bool) -> None:
    """Each line of the file is a token, whole and in the right scheme."""
    assert Credentials(secrets(tmp_path), Scheme.BEARER).accept(authorization) is is_good


@pytest.mark.parametrize(
    ("authorization", "is_good"),
    [(BASIC, True), (BASIC[:-4], False), ("Basic not base64!", False), ("Bearer shop:pass:word", False)],
)
def test_basic_auth(tmp_path: Path, authorization: str, is_good: bool) -> None:
    """User name and password, which may have a colon."""
    assert Credentials(secrets(tmp_path, "shop:pass:word\n"), Scheme.BASIC).accept(authorization) is is_good


def test_the_file_is_read_again(tmp_path: Path) -> None:
    """New tokens count at once and old ones no more; while the file is away, the last ones stay good."""
    path = secrets(tmp_path)
    credentials = Credentials(path, Scheme.BEARER)
    Path(path).write_text("third-token-which-is-longer\n", encoding="utf-8")
    assert credentials.accept("Bearer third-token-which-is-longer")
    assert not credentials.accept("Bearer first-token")
    Path(path).unlink()
    assert credentials.accept("Bearer third-token-which-is-longer")
    Path(path).mkdir()
    assert credentials.accept("Bearer third-token-which-is-longer")
    Path(path).rmdir()
    Path(path).write_bytes(b"\xff\xfe")
    assert credentials.accept("Bearer third-token-which-is-longer")
    Path(path).write_text("", encoding="utf-8")
    assert not credentials.accept("Bearer third-token-which-is-longer")


@pytest.mark.parametrize("text", [None, "", "# nobody\n"])
def test_a_file_without_secrets(tmp_path: Path, text: str | None) -> None:
    """A file that lets nobody in is a mistake at the start."""
    path = tmp_path / "secrets"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="secret"):
        Credentials(str(path), Scheme.BEARER)


def test_both_transports_ask(outbox: Path, tmp_path: Path) -> None:
    """401 and UNAUTHENTICATED without a good token, also for the metrics page; the probes ask for none."""
    with Receiver(outbox, bearer_tokens=secrets(tmp_path)) as receiver, grpc.insecure_channel(receiver.grpc) as channel:
        url = f"{receiver.http}/v1/traces"
        status, headers, _ = post(url, b"")
        assert (status, headers["www-authenticate"].split()[0]) == (401, "Bearer")
        assert post(url, b"", Authorization="Bearer wrong")[0] == 401
        assert post(url, b"", Authorization="Bearer first-token")[0] == 200
        error: Any = refusal(channel, TRACES, b"", metadata=(("authorization", "Bearer wrong"),))
        assert error.code() is grpc.StatusCode.UNAUTHENTICATED
        assert export(channel, TRACES, b"", metadata=(("authorization", "Bearer second-token"),)) == b""
        assert post(f"{receiver.http}/metrics", b"", method="GET")[0] == 401
        assert post(f"{receiver.http}/healthz", b"", method="GET")[0] == 200


def test_the_metrics_page_lets_a_known_one_in(outbox: Path, tmp_path: Path) -> None:
    """In a process of its own: the page holds what the whole process has set up."""
    environment = {"LABEL_STUDIO_API_KEY": "key", "LABEL_STUDIO_URL": "http://127.0.0.1:9"}
    with serve_command(f"--outbox={outbox}", f"--bearer-tokens={secrets(tmp_path)}", **environment) as process:
        assert post(f"{process.http}/metrics", b"", method="GET")[0] == 401
        assert post(f"{process.http}/metrics", b"", method="GET", Authorization="Bearer first-token")[0] == 200


def test_a_large_body_is_not_read_for_a_stranger(outbox: Path, tmp_path: Path) -> None:
    """The refusal is there before the body is, and the connection goes on."""
    with Receiver(outbox, bearer_tokens=secrets(tmp_path)) as receiver:
        connection = http.client.HTTPConnection("127.0.0.1", receiver.port, timeout=240)
        for _ in range(5):
            connection.putrequest("POST", "/v1/traces")
            connection.putheader("Content-Length", str(20 * 2**20))
            connection.endheaders()
            answer = connection.getresponse()
            assert (answer.status, bool(answer.read())) == (401, True)
            connection.send(bytes(20 * 2**20))
        known = {"Content-Type": "application/x-protobuf", "Authorization": "Bearer first-token"}
        connection.request("POST", "/v1/traces", b"", known)
        assert connection.getresponse().status == 200
        connection.close()


@pytest.mark.parametrize(
    "arguments",
    [
        {"http": "0.0.0.0:4318"},
        {"grpc": "[::]:4317"},
        {"grpc": "receiver.example.com:4317"},
        {"http": "192.168.0.4:4318", "tls_cert": "cert", "tls_key": "key"},
    ],
    ids=str,
)
def test_no_start_on_a_public_address_without_auth(arguments: dict[str, str]) -> None:
    """Anybody could send: it must be said in so many words."""
    with pytest.raises(ConfigError, match="allow-unauthenticated"):
        ReceiverSettings.resolve(arguments)
    ReceiverSettings.resolve({**arguments, "allow_unauthenticated": True})
    ReceiverSettings.resolve({**arguments, "bearer_tokens": "file"})


def test_secrets_are_in_no_repr(tmp_path: Path) -> None:
    """Nor is there any way from the object back to them."""
    credentials = Credentials(secrets(tmp_path), Scheme.BEARER)
    assert "first-token" not in repr(vars(credentials))

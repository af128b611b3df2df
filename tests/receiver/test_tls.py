"""TLS and mutual TLS on both ports, and certificates that are renewed while the receiver runs."""

from __future__ import annotations

import http.client
import os
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import grpc
import pytest
import trustme

from tests.receiver.serving import Receiver
from tests.receiver.test_grpc import TRACES, export, refusal


@dataclass
class Certificates:
    """Files of a test authority, the server's and a sender's."""

    cert: str
    key: str
    ca: str
    client_cert: str
    client_key: str

    @classmethod
    def issued_in(cls, directory: Path) -> Certificates:
        """By an authority of their own."""
        directory.mkdir()
        authority = trustme.CA()
        made = cls(*(str(directory / name) for name in ("cert", "key", "ca", "client_cert", "client_key")))
        authority.cert_pem.write_to_path(made.ca)
        for issued, cert, key in (
            (authority.issue_cert("127.0.0.1", "localhost"), made.cert, made.key),
            (authority.issue_cert("shop@example.com"), made.client_cert, made.client_key),
        ):
            issued.cert_chain_pems[0].write_to_path(cert)
            issued.private_key_pem.write_to_path(key)
        return made


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates.issued_in(tmp_path / "first")


@pytest.fixture
def renewed(tmp_path: Path) -> Certificates:
    return Certificates.issued_in(tmp_path / "second")


def https_status(receiver: Receiver, context: ssl.SSLContext) -> int:
    request = urllib.request.Request(
        receiver.http.replace("http:", "https:") + "/v1/traces",
        b"",
        {"Content-Type": "application/x-protobuf"},
        method="POST",
    )
    with urllib.request.urlopen(request, timeout=240, context=context) as answer:
        status: int = answer.status
        return status


@pytest.mark.parametrize("is_mutual", [False, True], ids=["tls", "mutual tls"])
def test_tls_on_both_ports(outbox: Path, certificates: Certificates, is_mutual: bool) -> None:
    """With an authority for senders, who has no certificate of it gets no connection."""
    with Receiver(
        outbox,
        tls_cert=certificates.cert,
        tls_key=certificates.key,
        tls_client_ca=certificates.ca if is_mutual else None,
    ) as receiver:
        stranger = ssl.create_default_context(cafile=certificates.ca)
        known = ssl.create_default_context(cafile=certificates.ca)
        known.load_cert_chain(certificates.client_cert, certificates.client_key)
        ca = Path(certificates.ca).read_bytes()
        pair = (Path(certificates.client_key).read_bytes(), Path(certificates.client_cert).read_bytes())
        assert https_status(receiver, known) == 200
        with grpc.secure_channel(receiver.grpc, grpc.ssl_channel_credentials(ca, *pair)) as channel:
            assert export(channel, TRACES, b"") == b""
        with grpc.secure_channel(receiver.grpc, grpc.ssl_channel_credentials(ca)) as channel:
            if is_mutual:
                error: Any = refusal(channel, TRACES, b"")
                assert error.code() is grpc.StatusCode.UNAVAILABLE
                with pytest.raises((urllib.error.URLError, OSError)):
                    https_status(receiver, stranger)
            else:
                assert export(channel, TRACES, b"") == b""
                assert https_status(receiver, stranger) == 200


def serve(outbox: Path, certificates: Certificates) -> Receiver:
    """With mutual TLS."""
    return Receiver(
        outbox, tls_cert=certificates.cert, tls_key=certificates.key, tls_client_ca=certificates.ca, body_timeout_s=60
    )


def sender(certificates: Certificates) -> ssl.SSLContext:
    """Who trusts the authority's server, and is known to it."""
    context = ssl.create_default_context(cafile=certificates.ca)
    context.load_cert_chain(certificates.client_cert, certificates.client_key)
    return context


def secure_channel(receiver: Receiver, certificates: Certificates) -> grpc.Channel:
    """The same over gRPC, with a connection of its own."""
    files = (certificates.ca, certificates.client_key, certificates.client_cert)
    credentials = grpc.ssl_channel_credentials(*(Path(file).read_bytes() for file in files))
    return grpc.secure_channel(receiver.grpc, credentials, [("grpc.use_local_subchannel_pool", 1)])


def is_let_in(receiver: Receiver, certificates: Certificates) -> tuple[bool, bool]:
    """Whether server and sender know each other, over HTTP and over gRPC."""
    try:
        over_http = https_status(receiver, sender(certificates)) == 200
    except OSError:  # urllib.error.URLError and ssl.SSLError are ones
        over_http = False
    with secure_channel(receiver, certificates) as channel:
        try:
            over_grpc = export(channel, TRACES, b"") == b""
        except grpc.RpcError:
            over_grpc = False
    return over_http, over_grpc


def https_request(connection: http.client.HTTPSConnection) -> None:
    """One on a connection that is there already, or is made now."""
    connection.request("POST", "/v1/traces", b"", {"Content-Type": "application/x-protobuf"})
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (200, b"")


def test_certificates_are_renewed(outbox: Path, certificates: Certificates, renewed: Certificates) -> None:
    """New connections get the new ones, and senders need one of the new authority; open connections go on."""
    with serve(outbox, certificates) as receiver, secure_channel(receiver, certificates) as channel:
        connection = http.client.HTTPSConnection("127.0.0.1", receiver.port, context=sender(certificates))
        https_request(connection)  # else it is closed where it brings no request for a while
        assert export(channel, TRACES, b"") == b""
        assert is_let_in(receiver, certificates) == (True, True)
        assert is_let_in(receiver, renewed) == (False, False)
        for new, old in ((renewed.cert, certificates.cert), (renewed.key, certificates.key)):
            os.replace(new, old)
        Path(certificates.ca).write_bytes(Path(renewed.ca).read_bytes())
        assert is_let_in(receiver, renewed) == (True, True)
        certificates.ca = renewed.ca  # who trusts the new server, and has a certificate of the old authority
        assert is_let_in(receiver, certificates) == (False, False)
        assert export(channel, TRACES, b"") == b""
        https_request(connection)
        connection.close()


def test_whatever_fails_the_last_certificate_stays_good(
    outbox: Path, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A certificate that cannot be read again keeps nobody from connecting, whatever the library says of it."""

    def fail(*_: object, **__: object) -> NoReturn:
        raise MemoryError

    with serve(outbox, certificates) as receiver:
        os.utime(certificates.cert, (1, 1))
        monkeypatch.setattr(grpc, "ssl_server_certificate_configuration", fail)
        assert is_let_in(receiver, certificates) == (True, True)


def test_a_certificate_without_its_key(outbox: Path, certificates: Certificates, renewed: Certificates) -> None:
    """Between the writing of the two files, and while one is away, the last ones are used."""
    with serve(outbox, certificates) as receiver:
        certificates_before = Path(certificates.cert).read_bytes()
        Path(certificates.cert).write_bytes(Path(renewed.cert).read_bytes())
        assert is_let_in(receiver, certificates) == (True, True)
        Path(certificates.cert).unlink()
        assert is_let_in(receiver, certificates) == (True, True)
        Path(certificates.cert).write_bytes(certificates_before)
        assert is_let_in(receiver, certificates) == (True, True)

"""TLS, and mutual TLS, alike on both ports, with certificates that are read again when their files change.

Each handshake looks at the files, so that connections that are open stay as they are, and new ones get what is there.
Certificate and key are two files: while they do not fit each other, the last ones stay good.
"""

from __future__ import annotations

import ssl
import threading
from dataclasses import dataclass
from pathlib import Path

import grpc

from otel_labelstudio.errors import ConfigError
from otel_labelstudio.printable import logger
from otel_labelstudio.receiver.file_stamp import file_stamp

_logger = logger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class _Identity:
    """What the files held at one moment, for either transport."""

    context: ssl.SSLContext
    configuration: grpc.ServerCertificateConfiguration


class Tls:
    """``cert`` and ``key`` are paths of PEM files, the server's certificate chain and key; with ``client_ca``, senders
    need a certificate of that authority. Raises `ConfigError` where they cannot be read or do not fit. Thread-safe."""

    def __init__(self, cert: str, key: str, client_ca: str | None = None) -> None:
        self._cert, self._key, self._client_ca = cert, key, client_ca
        self._lock = threading.Lock()
        self._is_lost = False
        self._seen: list[tuple[int, int, int]] = []
        self._identity = self._read()

    def ssl_context(self) -> ssl.SSLContext:
        """For HTTP."""
        context = self._new_context()

        def choose(connection: ssl.SSLObject, _: str | None, __: ssl.SSLContext) -> None:
            connection.context = self._current().context

        context.sni_callback = choose
        return context

    def grpc_credentials(self) -> grpc.ServerCredentials:
        """For gRPC."""
        used = self._current()

        def renewed() -> grpc.ServerCertificateConfiguration | None:
            nonlocal used
            before, used = used, self._current()
            return None if used is before else used.configuration

        return grpc.dynamic_ssl_server_credentials(
            used.configuration,
            renewed,  # type: ignore[arg-type] # its stub does not know that None is for no change
            require_client_authentication=self._client_ca is not None,
        )

    def _current(self) -> _Identity:
        with self._lock:
            try:
                if self._stamps() != self._seen:
                    self._identity = self._read()
                    _logger.warning("%s was read again: new connections get it.", self._cert)
                self._is_lost = False
            except Exception as error:  # whatever it is, senders must be able to connect
                if not self._is_lost:
                    why = error if isinstance(error, OSError | ConfigError) else type(error).__name__
                    _logger.error("The last good certificate stays in use: %s", why)  # noqa: TRY400
                self._is_lost = True
            return self._identity

    def _read(self) -> _Identity:
        try:
            stamps = self._stamps()  # before the files are read: what changes meanwhile is read again
        except OSError as error:
            raise ConfigError(f"{error.filename}: no certificate ({error.strerror})") from None
        context = self._new_context()
        configuration = grpc.ssl_server_certificate_configuration(
            [(_bytes(self._key), _bytes(self._cert))],
            root_certificates=_bytes(self._client_ca) if self._client_ca is not None else None,
        )
        self._seen = stamps
        return _Identity(context, configuration)

    def _new_context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        try:
            context.load_cert_chain(self._cert, self._key)
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            raise ConfigError(
                f"{self._cert}, {self._key}: no certificate with its key ({type(error).__name__})"
            ) from None
        if self._client_ca is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            try:
                context.load_verify_locations(self._client_ca)
            except OSError as error:
                raise ConfigError(f"{self._client_ca}: no certificate authority ({type(error).__name__})") from None
        return context

    def _stamps(self) -> list[tuple[int, int, int]]:
        return [file_stamp(path) for path in (self._cert, self._key, self._client_ca) if path is not None]


def _bytes(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or 'cannot be read'}") from None

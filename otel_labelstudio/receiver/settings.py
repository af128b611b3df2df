"""What can be set of the receiver: one row each, with its flag, its environment variable and its key in the file.

A flag beats the environment, the environment beats the file (`config_file`), the file beats the default.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any
from urllib.parse import urlsplit

from otel_labelstudio.errors import ConfigError
from otel_labelstudio.receiver.auth import Credentials, Scheme
from otel_labelstudio.receiver.logs import LogFormat
from otel_labelstudio.settings import Variable, read_setting, readers, refuse_unknown_names

OFF = "off"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens; port 0 is any free one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can send to it."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


def _address(value: Any) -> Address | str:
    if readers.is_off(value):
        return OFF
    parts = urlsplit(f"//{value}")
    if not parts.hostname or parts.port is None or parts.path or parts.username is not None:
        raise ValueError("not an address such as 127.0.0.1:4318")
    return Address(parts.hostname, parts.port)


def _texts(value: Any) -> tuple[str, ...]:
    texts = value.split(",") if isinstance(value, str) else value
    if not isinstance(texts, Iterable):
        raise ValueError("neither a text nor a list of texts")  # noqa: TRY004 - one exception type for all readers
    return tuple(readers.text(text).strip() for text in texts)


def _origins(value: Any) -> tuple[str, ...]:
    # People copy them from the address bar; browsers send no slash at the end
    return tuple(origin.rstrip("/").lower() for origin in _texts(value))


def _hosts(value: Any) -> tuple[str, ...]:
    return tuple(host.lower() for host in _texts(value))


def _log_format(value: Any) -> LogFormat:
    return readers.choice(value, LogFormat)


VARIABLES: tuple[Variable, ...] = (
    Variable("grpc", "OTEL_LABELSTUDIO_RECEIVER_GRPC", "where OTLP/gRPC listens, or off", _address, "127.0.0.1:4317"),
    Variable("http", "OTEL_LABELSTUDIO_RECEIVER_HTTP", "where OTLP/HTTP listens, or off", _address, "127.0.0.1:4318"),
    Variable(
        "bearer_tokens",
        "OTEL_LABELSTUDIO_RECEIVER_BEARER_TOKENS",
        "file of bearer tokens, one a line; read again when it changes",
        readers.text,
    ),
    Variable(
        "basic_auth",
        "OTEL_LABELSTUDIO_RECEIVER_BASIC_AUTH",
        "file of user:password, one a line, instead of tokens; read again when it changes",
        readers.text,
    ),
    Variable(
        "tls_cert", "OTEL_LABELSTUDIO_RECEIVER_TLS_CERT", "PEM file of the certificate chain, both ports", readers.text
    ),
    Variable("tls_key", "OTEL_LABELSTUDIO_RECEIVER_TLS_KEY", "PEM file of the certificate's key", readers.text),
    Variable(
        "tls_client_ca",
        "OTEL_LABELSTUDIO_RECEIVER_TLS_CLIENT_CA",
        "PEM file of the authority whose certificate a sender must show",
        readers.text,
    ),
    Variable(
        "allow_unauthenticated",
        "OTEL_LABELSTUDIO_RECEIVER_ALLOW_UNAUTHENTICATED",
        "true or false: accept requests from other machines without authentication",
        readers.flag,
        False,
    ),
    Variable(
        "cors_origins",
        "OTEL_LABELSTUDIO_RECEIVER_CORS_ORIGINS",
        "origins of web pages that may send, with commas between them",
        _origins,
        (),
    ),
    Variable(
        "allowed_hosts",
        "OTEL_LABELSTUDIO_RECEIVER_ALLOWED_HOSTS",
        "names by which HTTP senders may call the receiver beside this machine's, with commas between them, * for any; "
        "unset, only a receiver on loopback looks at them",
        _hosts,
        (),
    ),
    Variable(
        "max_request_bytes",
        "OTEL_LABELSTUDIO_RECEIVER_MAX_REQUEST_BYTES",
        "largest request in bytes, compressed and decompressed",
        readers.byte_count,
        64 * 2**20,
    ),
    Variable(
        "max_held_bytes",
        "OTEL_LABELSTUDIO_RECEIVER_MAX_HELD_BYTES",
        "bytes of all requests under way; further ones are told to come again",
        readers.byte_count,
        256 * 2**20,
    ),
    Variable(
        "inbox_max_bytes",
        "OTEL_LABELSTUDIO_RECEIVER_INBOX_MAX_BYTES",
        "bytes of requests that may wait on the disk to be read; further ones are told to come again",
        readers.byte_count,
        2 * 2**30,
    ),
    Variable(
        "max_connections",
        "OTEL_LABELSTUDIO_RECEIVER_MAX_CONNECTIONS",
        "HTTP connections; the one that was idle for longest makes room for another",
        readers.count,
        2000,
    ),
    Variable(
        "max_grpc_connections",
        "OTEL_LABELSTUDIO_RECEIVER_MAX_GRPC_CONNECTIONS",
        "gRPC connections; further ones are refused until one ends",
        readers.count,
        10_000,
    ),
    Variable(
        "body_timeout_s",
        "OTEL_LABELSTUDIO_RECEIVER_BODY_TIMEOUT_S",
        "seconds in which a request's body must arrive",
        readers.timeout_s,
        20.0,
    ),
    Variable(
        "stop_timeout_s",
        "OTEL_LABELSTUDIO_RECEIVER_STOP_TIMEOUT_S",
        "seconds for requests under way, as many for reading and as many for deliveries, after SIGTERM",
        readers.timeout_s,
        10.0,
    ),
    Variable("log_format", "OTEL_LABELSTUDIO_RECEIVER_LOG_FORMAT", "text or json", _log_format, LogFormat.TEXT),
)


@dataclass(frozen=True, slots=True)
class ReceiverSettings:
    """Valid settings of the receiver. Made by `resolve`; holds paths of secrets, no secret."""

    grpc: Address | None
    http: Address | None
    bearer_tokens: str | None
    basic_auth: str | None
    tls_cert: str | None
    tls_key: str | None
    tls_client_ca: str | None
    allow_unauthenticated: bool
    cors_origins: tuple[str, ...]
    allowed_hosts: tuple[str, ...]
    max_request_bytes: int
    max_held_bytes: int
    inbox_max_bytes: int
    max_connections: int
    max_grpc_connections: int
    body_timeout_s: float
    stop_timeout_s: float
    log_format: LogFormat

    @classmethod
    def resolve(cls, arguments: Mapping[str, Any], fallbacks: Mapping[str, Any] | None = None) -> ReceiverSettings:
        """Settings of ``arguments``, the environment and ``fallbacks``; raises `ConfigError`."""
        fallbacks = fallbacks or {}
        refuse_unknown_names((*arguments, *fallbacks), (v.name for v in VARIABLES), where="Of the receiver there")
        values = {}
        for variable in VARIABLES:
            value = read_setting(variable, arguments.get(variable.name), fallbacks.get(variable.name))
            values[variable.name] = variable.default if value is None else value
        for name in ("grpc", "http"):
            value = values[name]
            values[name] = None if value == OFF else value if isinstance(value, Address) else _address(value)
        settings = cls(**values)
        settings._check()
        return settings

    def credentials(self) -> Credentials | None:
        """Who may send; None: everybody who can reach the ports. Raises `ConfigError`."""
        if self.bearer_tokens is not None:
            return Credentials(self.bearer_tokens, Scheme.BEARER)
        return Credentials(self.basic_auth, Scheme.BASIC) if self.basic_auth is not None else None

    @property
    def _is_guarded(self) -> bool:
        return any((self.bearer_tokens, self.basic_auth, self.tls_client_ca))

    def _check(self) -> None:
        addresses = [address for address in (self.grpc, self.http) if address is not None]
        if not addresses:
            raise ConfigError("grpc and http are both off: there is nothing to serve.")
        if self.bearer_tokens is not None and self.basic_auth is not None:
            raise ConfigError("bearer_tokens and basic_auth cannot both be set: a sender has one Authorization header.")
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ConfigError("tls_cert and tls_key belong together: name both files.")
        if self.tls_client_ca is not None and self.tls_cert is None:
            raise ConfigError("tls_client_ca asks senders for certificates, which takes tls_cert and tls_key too.")
        if self.max_held_bytes < 2 * self.max_request_bytes:
            raise ConfigError("max_held_bytes is less than twice max_request_bytes: a large request would never fit.")
        if self.inbox_max_bytes < 2 * self.max_request_bytes:
            raise ConfigError("inbox_max_bytes is less than twice max_request_bytes: a large request might never fit.")
        public = next((address for address in addresses if not address.is_loopback), None)
        if public is not None and not self._is_guarded and not self.allow_unauthenticated:
            raise ConfigError(
                f"{public} can be reached from elsewhere, and anybody there could send. Name a file in bearer_tokens "
                "or basic_auth, or tls_client_ca; or say --allow-unauthenticated where something else keeps others out."
            )


assert [f.name for f in fields(ReceiverSettings)] == [v.name for v in VARIABLES]  # noqa: S101 - one table, one record

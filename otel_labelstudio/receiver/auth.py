"""Who may send: bearer tokens or user names and passwords, one a line in a file that is read again when it changes."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from enum import Enum

from otel_labelstudio.errors import ConfigError
from otel_labelstudio.printable import logger
from otel_labelstudio.receiver.file_stamp import file_stamp

_logger = logger(__name__)


class Scheme(str, Enum):
    """How a sender says who it is; the value is the word in the header."""

    BEARER = "Bearer"
    BASIC = "Basic"


class Credentials:
    """The secrets of a file: tokens, or ``user:password``. Empty lines and those that start with # are left out.

    Of each secret only a digest is kept. Raises `ConfigError` where the file cannot be read at the start; later, the
    last secrets stay good until it can be read again.
    """

    def __init__(self, path: str, scheme: Scheme) -> None:
        self._path, self.scheme = path, scheme
        self._seen: tuple[int, ...] = ()
        self._digests: tuple[bytes, ...] = ()
        self._is_lost = False
        try:
            self._read_again()
        except (OSError, ValueError) as error:
            raise ConfigError(f"{path}: the file of secrets cannot be read ({_why(error)})") from None
        if not self._digests:
            raise ConfigError(f"{path}: there is no secret in it; write one a line")

    def accept(self, authorization: str | bytes | None) -> bool:
        """Whether the header's value names one of the secrets; takes as long for each of them."""
        self._follow_file()
        return self._is_known(_secret_in(authorization, self.scheme))

    def accept_person(self, authorization: bytes | None) -> bool:
        """The same for somebody at a browser, which knows no tokens: one may stand in the place of the password."""
        if self.accept(authorization):
            return True
        login = _secret_in(authorization, Scheme.BASIC) if self.scheme is Scheme.BEARER else None
        return login is not None and self._is_known(login.partition(b":")[2])

    def _is_known(self, secret: bytes | None) -> bool:
        if secret is None:
            return False
        digest = _digest(secret)
        return any([hmac.compare_digest(digest, known) for known in self._digests])  # noqa: C419 - looks at all

    def _follow_file(self) -> None:
        try:
            if file_stamp(self._path) != self._seen:
                self._read_again()
                _logger.warning("%s was read again: %d secrets.", self._path, len(self._digests))
            self._is_lost = False
        except Exception as error:
            if not self._is_lost:
                _logger.error("%s cannot be read (%s): the last good secrets stay in use.", self._path, _why(error))  # noqa: TRY400
            self._is_lost = True

    def _read_again(self) -> None:
        stamp = file_stamp(self._path)
        with open(self._path, encoding="utf-8") as file:
            lines = [line.strip() for line in file]
        self._digests = tuple(_digest(line.encode()) for line in lines if line and not line.startswith("#"))
        self._seen = stamp


def _secret_in(authorization: str | bytes | None, scheme: Scheme) -> bytes | None:
    """None where the header's value is not of this scheme."""
    if not authorization:
        return None
    value = authorization if isinstance(authorization, bytes) else authorization.encode("utf-8", "replace")
    said, _, rest = value.strip().partition(b" ")
    if said.lower() != scheme.value.lower().encode():
        return None
    if scheme is Scheme.BEARER:
        return rest.strip()
    try:
        return base64.b64decode(rest.strip(), validate=True)
    except binascii.Error:
        return None


def _digest(secret: bytes) -> bytes:
    return hashlib.sha256(secret).digest()


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or type(error).__name__

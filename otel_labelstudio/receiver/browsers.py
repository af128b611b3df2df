"""What keeps web pages from sending here, or reading what is here, by way of somebody's browser.

A browser sends for any page, and with all that a page can change something by it says the page's origin. What has an
origin that nobody listed is refused; programs have none.

A page may also have a name of its own point to this machine (DNS rebinding). For the browser all of it is one origin
then, and it says none; but the name stands in ``Host``. So a receiver on loopback, which as a rule knows no senders,
answers to the names of this machine only. Addresses are safe: nobody can have one point elsewhere. On other addresses
senders are known or kept out by something else, and call the receiver by names that it cannot know: there the names
count where some are listed.

No browser speaks gRPC.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from otel_labelstudio.receiver.settings import ReceiverSettings
from otel_labelstudio.receiver.status import Outcome, RefusedError

# The last two are what containers call the machine that runs them
_THIS_MACHINE = ("localhost", "*.localhost", "host.docker.internal", "host.containers.internal")


class BrowserGuard:
    """``origins`` may send. ``hosts`` are patterns of names by which the receiver may be called, beside addresses and
    the names of this machine; None: by any."""

    def __init__(self, origins: Iterable[str] = (), hosts: Iterable[str] | None = None) -> None:
        self._origins = frozenset(origin.encode() for origin in origins)
        self._hosts = None if hosts is None else (*_THIS_MACHINE, *hosts)

    @classmethod
    def of(cls, settings: ReceiverSettings) -> BrowserGuard:
        """As the settings say; names count on loopback, and where some are listed."""
        is_host_checked = bool(settings.allowed_hosts) or (settings.http is not None and settings.http.is_loopback)
        return cls(settings.cors_origins, settings.allowed_hosts if is_host_checked else None)

    def check(self, headers: Sequence[tuple[bytes, bytes]]) -> None:
        """Raises `RefusedError` for a request that a page may have made. Without these headers it is a program's."""
        for name, value in headers:
            if name == b"origin" and value not in self._origins:
                raise RefusedError(Outcome.ORIGIN, "pages of this origin may not send here: it is not in cors_origins")
            if name == b"host":
                self._check_host(value)

    def check_own(self, headers: Sequence[tuple[bytes, bytes]]) -> None:
        """Raises `RefusedError` for a request that another page than one of the receiver's own may have made: who may
        send need not see how others fare."""
        hosts = [value for name, value in headers if name == b"host"]
        for host in hosts:
            self._check_host(host)
        for name, value in headers:
            if name == b"origin" and value.partition(b"://")[2] not in hosts:
                raise RefusedError(Outcome.ORIGIN, "only this receiver's own pages may ask for that")

    def _check_host(self, host: bytes) -> None:
        if not self._is_called(host):
            raise RefusedError(
                Outcome.HOST, "this receiver is not known by the name in Host: it is not in allowed_hosts"
            )

    def is_listed(self, origin: bytes | None) -> bool:
        """Whether pages of this origin may send."""
        return origin in self._origins

    def _is_called(self, host: bytes) -> bool:
        if self._hosts is None:
            return True
        try:
            name = (urlsplit(f"//{host.decode('ascii')}").hostname or "").rstrip(".")
        except ValueError:  # UnicodeDecodeError is one
            return False
        return _is_address(name) or any(fnmatchcase(name, pattern) for pattern in self._hosts)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True

"""From an exception of the HTTP library to what failed, why, and what to do about it: two tables.

`KINDS` says of each class of the library whether the request may have been sent, which decides what may be done again.
`CAUSES` looks through the chain of exceptions, down to the socket's and OpenSSL's, for a cause that has a cure. The
library's own text is shown only where it can hold nothing of a request.
"""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

import httpx

try:
    from socksio import SOCKSError
except ImportError:  # then no request goes by way of a SOCKS proxy (`proxies`)
    SOCKS_FAILURES: tuple[type[Exception], ...] = ()
else:
    SOCKS_FAILURES = (SOCKSError,)

from otel_labelstudio.delivery.label_studio.answers import NoAnswerError, NotReachedError, RequestError, printable
from otel_labelstudio.delivery.label_studio.proxies import Proxy


class Kind(Enum):
    """What is known of a request that failed."""

    NOT_SENT = auto()
    LATE = auto()
    NO_ANSWER = auto()


# Every class of httpx; its own mapping has one for each of httpcore's. A test holds them to what is installed
KINDS: dict[type[Exception], Kind] = {
    httpx.HTTPError: Kind.NO_ANSWER,
    httpx.RequestError: Kind.NO_ANSWER,
    httpx.TransportError: Kind.NO_ANSWER,
    httpx.NetworkError: Kind.NO_ANSWER,
    httpx.ProtocolError: Kind.NO_ANSWER,
    httpx.ReadError: Kind.NO_ANSWER,
    httpx.WriteError: Kind.NO_ANSWER,
    httpx.CloseError: Kind.NO_ANSWER,
    httpx.LocalProtocolError: Kind.NO_ANSWER,
    httpx.RemoteProtocolError: Kind.NO_ANSWER,
    httpx.DecodingError: Kind.NO_ANSWER,
    httpx.TimeoutException: Kind.LATE,
    httpx.ReadTimeout: Kind.LATE,
    httpx.WriteTimeout: Kind.LATE,
    httpx.ConnectTimeout: Kind.NOT_SENT,
    httpx.PoolTimeout: Kind.NOT_SENT,
    httpx.ConnectError: Kind.NOT_SENT,
    httpx.ProxyError: Kind.NOT_SENT,
    httpx.UnsupportedProtocol: Kind.NOT_SENT,
    httpx.InvalidURL: Kind.NOT_SENT,
    # Of a host name that cannot be encoded for the DNS
    UnicodeError: Kind.NOT_SENT,
    # What the way in which requests are made here never raises
    httpx.TooManyRedirects: Kind.NO_ANSWER,
    httpx.HTTPStatusError: Kind.NO_ANSWER,
    httpx.CookieConflict: Kind.NO_ANSWER,
    httpx.StreamError: Kind.NO_ANSWER,
    httpx.StreamConsumed: Kind.NO_ANSWER,
    httpx.StreamClosed: Kind.NO_ANSWER,
    httpx.ResponseNotRead: Kind.NO_ANSWER,
    httpx.RequestNotRead: Kind.NO_ANSWER,
    # httpcore lets them through as they are
    **dict.fromkeys(SOCKS_FAILURES, Kind.NOT_SENT),
}
FAILURES: tuple[type[Exception], ...] = (
    *(httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, UnicodeError),
    *SOCKS_FAILURES,
)


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a request failed; ``{said}`` in it is what the exception says, ``{proxy}`` and ``{authorities}`` in the cure
    are the variables that name them.

    ``is_lasting`` if only a person can mend it. ``is_peers`` if it is of whatever the connection goes to first, which
    is the proxy where there is one.
    """

    what: str
    cure: str
    is_lasting: bool = False
    is_peers: bool = False


def _any(_: Exception) -> bool:
    return True


def _verification(*codes: int) -> Callable[[ssl.SSLCertVerificationError], bool]:
    """OpenSSL's X509_V_ERR codes (x509_vfy.h)."""
    return lambda error: error.verify_code in codes


def _is_no_tls(error: ssl.SSLError) -> bool:
    """What OpenSSL makes of bytes that are no TLS, from one version to the other."""
    return error.reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG")


def _is_no_http(error: httpx.RemoteProtocolError) -> bool:
    """What h11 says of a first line that begins with no letter, as a TLS alert does, or with other ones than HTTP's."""
    return str(error).startswith(("illegal request line", "illegal status line"))


def _says(*beginnings: str) -> Callable[[Exception], bool]:
    return lambda error: str(error).startswith(beginnings)


def _has_no_route(error: OSError) -> bool:
    return error.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EADDRNOTAVAIL)


# What httpcore 1.0 makes of a SOCKS proxy's replies
_NOT_CONNECTED = "Proxy Server could not connect: "
_OF_SOCKS: tuple[tuple[type[Exception], Callable[[Any], bool], Cause], ...] = (
    (
        httpx.ProxyError,
        _says("Requested NO AUTHENTICATION REQUIRED"),
        Cause("it asks for a login", "write it into {proxy}, as socks5://user:password@host:port", is_lasting=True),
    ),
    (
        httpx.ProxyError,
        _says("Requested USERNAME/PASSWORD"),
        Cause("it takes no login", "remove the login from {proxy}", is_lasting=True),
    ),
    (
        httpx.ProxyError,
        _says("Invalid username/password"),
        Cause("it refuses the login", "correct the login in {proxy}", is_lasting=True),
    ),
    (
        httpx.ProxyError,
        _says(*(f"{_NOT_CONNECTED}{why}" for why in ("Network", "Host", "Connection refused", "TTL"))),
        Cause("it cannot reach the server ({said})", "check url, or name the server in NO_PROXY"),
    ),
    (
        Exception,
        lambda error: isinstance(error, SOCKS_FAILURES),
        Cause("it does not speak SOCKS5", "check the scheme and the port in {proxy}"),
    ),
)

# The first that fits counts
CAUSES: tuple[tuple[type[Exception], Callable[[Any], bool], Cause], ...] = (
    (
        ssl.SSLCertVerificationError,
        _verification(9, 10),
        Cause("{said}", "have the certificate renewed, or set this machine's clock", is_lasting=True),
    ),
    (
        ssl.SSLCertVerificationError,
        _verification(62, 64),
        Cause("{said}", "set url to a name that stands in the certificate", is_lasting=True),
    ),
    (
        ssl.SSLCertVerificationError,
        _verification(18, 19, 20, 21),
        Cause(
            "its certificate was issued by a CA that is not trusted here ({said})",
            "set {authorities} to a PEM file with that CA's certificate",
            is_lasting=True,
        ),
    ),
    (
        ssl.SSLCertVerificationError,
        _any,
        Cause("its certificate is refused ({said})", "have the certificate corrected", is_lasting=True),
    ),
    (
        ssl.SSLError,
        _is_no_tls,
        Cause("the server does not use TLS on this port", "change url to http://", is_lasting=True),
    ),
    (
        ssl.SSLError,
        _any,
        Cause(
            "the TLS handshake failed ({said})", "check the TLS settings of the server, or of what is in front of it"
        ),
    ),
    (
        socket.gaierror,
        _any,
        Cause("its name cannot be resolved", "check the name, and the DNS of this machine", is_peers=True),
    ),
    (
        ConnectionRefusedError,
        _any,
        Cause("nothing listens on that port", "start Label Studio, or check the port in url", is_peers=True),
    ),
    (
        OSError,
        _has_no_route,
        Cause("there is no route to it", "check the address and the network", is_peers=True),
    ),
    (
        httpx.ConnectTimeout,
        _any,
        Cause("the connection timed out", "check the address, and firewalls in between", is_peers=True),
    ),
    (
        httpx.ProxyError,
        _says("407", "Requires"),
        Cause("it asks for a login", "write it into {proxy}, as http://user:password@host:port", is_lasting=True),
    ),
    *_OF_SOCKS,
    (
        httpx.ProxyError,
        _any,
        Cause("it refuses to connect ({said})", "have it let this server pass, or name the server in NO_PROXY"),
    ),
    (
        httpx.RemoteProtocolError,
        _is_no_http,
        Cause("the answer is not HTTP", "check the port"),
    ),
)


def request_error(error: Exception, proxy: Proxy | None, authorities: str = "SSL_CERT_FILE") -> RequestError:
    """The error of a request that raised one of `FAILURES`, sent by way of ``proxy``. ``authorities`` is the variable
    that names, or may name, whom to trust."""
    kind = next(KINDS[cls] for cls in type(error).__mro__ if cls in KINDS)
    # What lies below an error of a request that may have been sent says nothing of whether it was
    found = next(_causes(list(_chain(error)) if kind is Kind.NOT_SENT else [error]), None)
    why = type(error).__name__ if found is None else _text(*found, proxy, authorities)
    if kind is Kind.NOT_SENT:
        return NotReachedError(why, is_lasting=found is not None and found[0].is_lasting)
    if kind is Kind.LATE:  # the server, or the proxy when it was asked to connect
        return NoAnswerError(f"by way of {proxy}" if proxy else "", is_late=True)
    return NoAnswerError(why)


def _causes(chain: Sequence[Exception]) -> Iterator[tuple[Cause, Exception]]:
    for cls, fits, cause in CAUSES:
        for link in chain:
            if isinstance(link, cls) and fits(link):
                yield cause, link


def _chain(error: BaseException | None) -> Iterator[Exception]:
    seen: set[int] = set()
    while isinstance(error, Exception) and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _text(cause: Cause, error: Exception, proxy: Proxy | None, authorities: str) -> str:
    what = cause.what.format(said=_said(error))
    cure = cause.cure.format(proxy=proxy.variable if proxy else "", authorities=authorities)
    if proxy is None:
        return f"{what}; {cure}"
    if cause.is_peers:
        return f"{proxy}: {what}; check {proxy.variable}, or name the server in NO_PROXY"
    return f"by way of {proxy}: {what}; {cure}"


def _said(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return printable(error.verify_message).rstrip(".")
    said = (error.reason if isinstance(error, ssl.SSLError) else None) or str(error)
    return printable(said).removeprefix(_NOT_CONNECTED).rstrip(".")

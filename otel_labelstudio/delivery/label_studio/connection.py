"""HTTP requests to one Label Studio server, with a key of either kind; with the SDK and httpx, which `causes` alone
imports beside it.

Of the SDK (label-studio-sdk 2.1.2) only the handling of keys is used: it tells a legacy token from a personal access
token, and exchanges the latter for an access token of five minutes. Its typed methods are not: they repeat a POST by
themselves, although an import is not idempotent, read an answer that is not Label Studio's as an object full of None,
follow pages without an end, and need a second and 80 MB to be imported.

Every byte passes the `Allowance`, below the HTTP library, so that nothing is left out: headers, bodies, the exchange of
tokens, what a proxy says before. Answers are not compressed, since a small one could hold more than the memory does.
"""

from __future__ import annotations

import encodings.idna  # noqa: F401 - else the first look at a name imports it, in the middle of which a process may fork
import json
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import httpcore
import httpx
from label_studio_sdk.core.api_error import ApiError
from label_studio_sdk.core.client_wrapper import SyncClientWrapper

from otel_labelstudio.delivery.label_studio.answers import (
    Answer,
    RefusedError,
    UnusableKeyError,
)
from otel_labelstudio.delivery.label_studio.causes import FAILURES, request_error
from otel_labelstudio.delivery.label_studio.proxies import Proxy, not_an_address, proxy_for
from otel_labelstudio.delivery.label_studio.trust import verification

if TYPE_CHECKING:
    import ssl

    from httpcore import SOCKET_OPTION

    from otel_labelstudio.delivery.label_studio.access import Access
    from otel_labelstudio.delivery.label_studio.limits import Allowance

# Each send() waits anew, and a server may take in a few bytes at a time: so many bytes at most between two looks
_WRITE_BYTES = 16 * 2**10
# What nginx, Go's servers and Apache answer to a request without TLS on a port for TLS
_SAID_OF_TLS_PORTS = (
    b"plain HTTP request was sent to HTTPS port",
    b"sent an HTTP request to an HTTPS server",
    b"speaking plain HTTP to an SSL-enabled server port",
)
_JSON = {"Content-Type": "application/json"}


class Connection:
    """Requests below one address. Raises `RequestError`s; the key stands in no message of theirs."""

    def __init__(self, url: str, api_key: str, timeout_s: float, allowance: Allowance, access: Access) -> None:
        """Raises `NotReachedError` where the environment names a proxy or certificates that cannot be used."""
        self._url, self._access = url, access
        self._proxy = proxy_for(url)
        self._client = httpx.Client(
            verify=verification(url, access),
            proxy=_as_httpx(self._proxy, access) if self._proxy else None,
            trust_env=False,  # what it would read is read in `proxies` and given in `access`
            # However long an answer may take, a connection is there soon or not at all
            timeout=httpx.Timeout(None, connect=timeout_s, pool=timeout_s),
            follow_redirects=False,  # following turns a POST into a GET
            headers={"Accept-Encoding": "identity", **dict(access.headers)},
            event_hooks={"response": [_refuse_compressed, _read_whole, _refuse_errors]},
        )
        self._opened = _OpenedStreams()
        _limit(self._client, allowance, self._opened)
        try:
            self._keys = SyncClientWrapper(
                base_url=f"{url}/",  # without the slash the SDK loses a path when it exchanges its token
                api_key=api_key,
                httpx_client=self._client,
                timeout=timeout_s,
                max_retries=0,
            )
        except ApiError as error:  # a token whose time is over
            self._client.close()
            raise _unusable_key(error) from None

    def close(self) -> None:
        self._client.close()

    def request(
        self,
        method: str,
        path: str,
        params: Mapping[str, str | int | Sequence[int]] | None = None,
        body: object = None,
    ) -> Any:
        """The JSON of a successful answer; None where there is no content. ``body`` is sent as JSON."""
        self._opened.forget()
        try:
            response = self._client.request(
                method,
                f"{self._url}/api/{path}",
                params=params,
                headers={**self._key_headers(), **(_JSON if body is not None else {})},
                content=None if body is None else json.dumps(body).encode(),
            )
        except FAILURES as error:
            self._opened.close()
            raise request_error(error, self._proxy, self._access.authorities_variable) from None
        except ApiError as error:
            raise _unusable_key(error) from None
        if response.status_code == httpx.codes.NO_CONTENT:
            return None
        answer = _answer(response)
        if not answer.is_json:
            raise RefusedError(answer)
        return answer.body

    def _key_headers(self) -> dict[str, str]:
        """The SDK's headers. Where another login takes Authorization, the key goes into X-API-Key, which Label Studio
        reads instead; of legacy tokens only (core/middleware.py of 1.23.2)."""
        headers = self._keys.get_headers()
        if self._access.takes_authorization:
            headers["X-API-Key"] = headers.pop("Authorization").partition(" ")[2]
        return headers


def _as_httpx(proxy: Proxy, access: Access) -> httpx.Proxy:
    """Of a proxy that is reached by TLS the certificate is verified as the server's is."""
    context = verification(proxy.address, access)
    try:
        return httpx.Proxy(proxy.address, ssl_context=None if context is True else context)
    except (httpx.InvalidURL, ValueError):
        raise not_an_address(proxy) from None


class _OpenedStreams(threading.local):
    """Those that a thread's request has opened. httpcore forgets the one to a SOCKS proxy that refuses: it would stay
    open until the garbage is collected."""

    def __init__(self) -> None:
        self._streams: list[httpcore.NetworkStream] = []

    def add(self, stream: httpcore.NetworkStream) -> None:
        self._streams.append(stream)

    def forget(self) -> None:
        self._streams.clear()

    def close(self) -> None:
        for stream in self._streams:
            stream.close()
        self.forget()


class _LimitedStream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream, allowance: Allowance) -> None:
        self._stream, self._allowance = stream, allowance

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        data = self._stream.read(max_bytes, _wait_s(self._allowance, timeout, httpcore.ReadTimeout))
        self._allowance.count_received(len(data))
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), _WRITE_BYTES):
            part = buffer[start : start + _WRITE_BYTES]
            self._stream.write(part, _wait_s(self._allowance, timeout, httpcore.WriteTimeout))
            self._allowance.count_sent(len(part))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        wait_s = _wait_s(self._allowance, timeout, httpcore.ConnectTimeout)
        return _LimitedStream(self._stream.start_tls(ssl_context, server_hostname, wait_s), self._allowance)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _LimitedBackend(httpcore.NetworkBackend):
    def __init__(self, backend: httpcore.NetworkBackend, allowance: Allowance, opened: _OpenedStreams) -> None:
        self._backend, self._allowance, self._opened = backend, allowance, opened

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        wait_s = _wait_s(self._allowance, timeout, httpcore.ConnectTimeout)
        stream = self._backend.connect_tcp(host, port, wait_s, local_address, socket_options)
        self._opened.add(stream)
        return _LimitedStream(stream, self._allowance)


def _limit(client: httpx.Client, allowance: Allowance, opened: _OpenedStreams) -> None:
    """Have all connections of a client counted and noted, those through the environment's proxies too.

    httpx has no argument for it where it makes its transports by itself, as it does for proxies.
    """
    for transport in (client._transport, *client._mounts.values()):
        if transport is not None:
            pool = transport._pool  # type: ignore[attr-defined]
            pool._network_backend = _LimitedBackend(pool._network_backend, allowance, opened)


def _wait_s(allowance: Allowance, timeout: float | None, error: type[httpcore.TimeoutException]) -> float:
    left_s = allowance.left_s()
    if left_s <= 0:
        raise error("the operation took too long")
    return left_s if timeout is None else min(timeout, left_s)


def _refuse_compressed(response: httpx.Response) -> None:
    """Before its body is read: nobody asked for it."""
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise httpx.DecodingError("a compressed answer")


def _read_whole(response: httpx.Response) -> None:
    """Into one buffer: httpx keeps a list of parts, which may be of a byte each, and the list larger than the limit."""
    stream, body = cast("httpx.SyncByteStream", response.stream), bytearray()
    for part in stream:
        body += part
    stream.close()
    response.stream = httpx.ByteStream(bytes(body))


def _refuse_errors(response: httpx.Response) -> None:
    """For each answer, those to the SDK's own requests too, of which it tells less."""
    if not response.is_success:
        response.read()
        raise RefusedError(_answer(response))


def _answer(response: httpx.Response) -> Answer:
    headers = {name.lower(): value for name, value in response.headers.items()}
    try:
        return Answer(response.status_code, headers, response.json(), is_json=True)
    except ValueError:
        is_of_tls_port = any(said in response.content for said in _SAID_OF_TLS_PORTS)
        return Answer(response.status_code, headers, speaks_tls=is_of_tls_port)


def _unusable_key(error: ApiError) -> UnusableKeyError:
    """The SDK looks into a token before it uses it; what a server answers does not come here."""
    return UnusableKeyError(Answer(error.status_code or 0, {}, error.body).detail)

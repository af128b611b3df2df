"""HTTP requests to one Label Studio server, with a key of either kind; the only module that imports its SDK and httpx.

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
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import httpcore
import httpx
from label_studio_sdk.core.api_error import ApiError
from label_studio_sdk.core.client_wrapper import SyncClientWrapper

from otel_labelstudio.delivery.label_studio.answers import (
    Answer,
    NoAnswerError,
    NotReachedError,
    RefusedError,
    UnusableKeyError,
    printable,
)

if TYPE_CHECKING:
    import ssl

    from httpcore import SOCKET_OPTION

    from otel_labelstudio.delivery.label_studio.limits import Allowance

# Each send() waits anew, and a server may take in a few bytes at a time: so many bytes at most between two looks
_WRITE_BYTES = 16 * 2**10
_JSON = {"Content-Type": "application/json"}


class Connection:
    """Requests below one address. Raises `RequestError`s; the key stands in no message of theirs."""

    def __init__(self, url: str, api_key: str, timeout_s: float, allowance: Allowance) -> None:
        self._url = url
        self._client = httpx.Client(
            # However long an answer may take, a connection is there soon or not at all
            timeout=httpx.Timeout(None, connect=timeout_s, pool=timeout_s),
            follow_redirects=False,  # following turns a POST into a GET
            headers={"Accept-Encoding": "identity"},
            event_hooks={"response": [_refuse_compressed, _read_whole, _refuse_errors]},
        )
        _limit(self._client, allowance)
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
        try:
            response = self._client.request(
                method,
                f"{self._url}/api/{path}",
                params=params,
                headers={**self._keys.get_headers(), **(_JSON if body is not None else {})},
                content=None if body is None else json.dumps(body).encode(),
            )
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.InvalidURL, UnicodeError) as error:
            raise NotReachedError(type(error).__name__) from None
        except httpx.ProxyError as error:  # of the environment's HTTPS_PROXY: it was not asked to pass anything yet
            raise NotReachedError(f"the proxy refuses to connect: {printable(str(error))}") from None
        except httpx.TimeoutException as error:
            raise NoAnswerError(type(error).__name__, is_late=True) from None
        except httpx.HTTPError as error:
            raise NoAnswerError(type(error).__name__) from None
        except ApiError as error:
            raise _unusable_key(error) from None
        if response.status_code == httpx.codes.NO_CONTENT:
            return None
        answer = _answer(response)
        if not answer.is_json:
            raise RefusedError(answer)
        return answer.body


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
    def __init__(self, backend: httpcore.NetworkBackend, allowance: Allowance) -> None:
        self._backend, self._allowance = backend, allowance

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
        return _LimitedStream(stream, self._allowance)


def _limit(client: httpx.Client, allowance: Allowance) -> None:
    """Have all connections of a client counted, those through the environment's proxies too.

    httpx has no argument for it where it makes its transports by itself, as it does for proxies.
    """
    for transport in (client._transport, *client._mounts.values()):
        if transport is not None:
            pool = transport._pool  # type: ignore[attr-defined]
            pool._network_backend = _LimitedBackend(pool._network_backend, allowance)


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
        return Answer(response.status_code, headers)


def _unusable_key(error: ApiError) -> UnusableKeyError:
    """The SDK looks into a token before it uses it; what a server answers does not come here."""
    return UnusableKeyError(Answer(error.status_code or 0, {}, error.body).detail)

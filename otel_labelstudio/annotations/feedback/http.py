"""HTTP requests to a back end of feedback; the only module here that imports httpx.

Of an answer at most `_MAX_BYTES` are read, for no longer than the timeout: httpx limits each wait for the next bytes,
not their sum. Redirects are not followed, since that turns a POST into a GET and takes credentials elsewhere. What a
server says in words may repeat what people wrote, so it stands in no message.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, attach, detach, set_value

from otel_labelstudio.delivery.label_studio.access import Access
from otel_labelstudio.delivery.label_studio.answers import NotReachedError
from otel_labelstudio.delivery.label_studio.causes import SOCKS_FAILURES
from otel_labelstudio.delivery.label_studio.proxies import proxy_for
from otel_labelstudio.delivery.label_studio.trust import verification
from otel_labelstudio.delivery.retry import retry_after_s
from otel_labelstudio.errors import ConfigError, PausedDeliveryError, RetryableDeliveryError
from otel_labelstudio.settings import certificate_authorities

JSON = "application/json"
_MAX_BYTES = 2**22
_SUCCESS, _REDIRECTS, _SERVER_FAULTS = range(200, 300), range(300, 400), range(500, 600)
_NOT_ALLOWED = (401, 403, 407)
_LATER = (408, 425, 429)
_NO_ANSWER: tuple[type[Exception], ...] = (httpx.HTTPError, *SOCKS_FAILURES)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered, where it is neither a refusal of us nor a wish to be asked later."""

    status: int
    body: bytes = field(repr=False)

    @property
    def is_success(self) -> bool:
        return self.status in _SUCCESS

    def json(self) -> Any:
        """The body as JSON; None where it is not."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


class BackEnd:
    """Requests below one address, with the same headers each. ``credentials_hint`` names what to check."""

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str],
        timeout_s: float,
        credentials_hint: str,
        *,
        login: tuple[str, str] | None = None,
    ) -> None:
        """Raises `ConfigError` for a proxy, certificates or credentials that cannot be used."""
        self.url = url
        self._timeout_s, self._credentials_hint = timeout_s, credentials_hint
        try:
            self._proxy = proxy = proxy_for(url)
            self._client = httpx.Client(
                headers=dict(headers),
                auth=login,
                timeout=timeout_s,
                verify=verification(url, Access(authorities=certificate_authorities())),
                proxy=proxy.address if proxy else None,
                trust_env=False,  # as for Label Studio: what it would read is read by these functions
                follow_redirects=False,
            )
        except NotReachedError as error:
            raise ConfigError(str(error)) from None
        except (UnicodeError, ValueError, TypeError):
            raise ConfigError(f"check {credentials_hint}: no HTTP header can carry what it holds") from None

    def close(self) -> None:
        self._client.close()

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        content_type: str = JSON,
        params: Mapping[str, str] | None = None,
    ) -> Answer:
        """The answer, a refusal of what was sent included.

        Raises:
            RetryableDeliveryError: no answer, or one that says to come again.
            PausedDeliveryError: the credentials or the address are wrong.
        """
        token = attach(set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))
        try:
            return self._asked(method, path, body, content_type, params)
        except httpx.InvalidURL:
            raise PausedDeliveryError(f"{self.url} is no address that can be asked") from None
        except _NO_ANSWER as error:
            way = f" by way of {self._proxy}" if self._proxy else ""
            raise RetryableDeliveryError(f"{self.url} did not answer{way} ({type(error).__name__})") from None
        finally:
            detach(token)

    def _asked(
        self, method: str, path: str, body: bytes | None, content_type: str, params: Mapping[str, str] | None
    ) -> Answer:
        headers = {"content-type": content_type} if body is not None else {}
        with self._client.stream(method, f"{self.url}{path}", content=body, headers=headers, params=params) as response:
            self._raise_where_nothing_helps(response)
            return Answer(response.status_code, self._read(response))

    def _raise_where_nothing_helps(self, response: httpx.Response) -> None:
        status = response.status_code
        said = f"{self.url} answered with HTTP status {status}"
        if status in _LATER or status in _SERVER_FAULTS:
            raise RetryableDeliveryError(said, retry_after_s(response.headers))
        if status in _NOT_ALLOWED:
            raise PausedDeliveryError(f"{said}; check {self._credentials_hint}")
        if status in _REDIRECTS:
            raise PausedDeliveryError(f"{said}, a redirect; give --endpoint the address behind it")

    def _read(self, response: httpx.Response) -> bytes:
        end, body = time.monotonic() + self._timeout_s, bytearray()
        for part in response.iter_bytes():
            body += part
            if len(body) > _MAX_BYTES or time.monotonic() > end:
                raise RetryableDeliveryError(f"{self.url} does not end its answer")
        return bytes(body)

"""OTLP over HTTP, and the pages for operators: a bare ASGI application.

=====================  =========================================================================
``POST /v1/traces``    protobuf or JSON; the answer comes in the same
``POST /v1/logs``      the same
``POST /v1/metrics``   refused for good, with the words what to do
``GET /healthz``       200 while the process runs, 503 where one of its threads has ended for good
``GET /readyz``        200 while requests can be stored, else 503 with the reason
``GET /metrics``       for Prometheus; asks for the same credentials as the rest
``/status``            the page for people, see `page`
=====================  =========================================================================
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

from otel_labelstudio import background
from otel_labelstudio.receiver.auth import Credentials, Scheme
from otel_labelstudio.receiver.browsers import BrowserGuard
from otel_labelstudio.receiver.http_body import HttpBody, Receive
from otel_labelstudio.receiver.inflate import COMPRESSIONS, OPTIONAL_WHITE_SPACE, ContentEncoding
from otel_labelstudio.receiver.intake import Intake
from otel_labelstudio.receiver.metrics import CONTENT_TYPE, ReceiverMetrics, metrics_page
from otel_labelstudio.receiver.page.page import StatusPage
from otel_labelstudio.receiver.requests import Request, Signal
from otel_labelstudio.receiver.response import Response
from otel_labelstudio.receiver.status import (
    JSON,
    PROTOBUF,
    Outcome,
    RefusedError,
    refusal_of,
    status_json,
    status_message,
)

Scope: TypeAlias = MutableMapping[str, Any]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers: TypeAlias = list[tuple[bytes, bytes]]

SIGNALS = {"/v1/traces": Signal.TRACES, "/v1/logs": Signal.LOGS}
METRICS_REFUSAL = "this receiver takes traces and logs, not metrics; turn their export off, OTEL_METRICS_EXPORTER=none"
_TEXT = "text/plain; charset=utf-8"


class HttpApplication:
    """The ASGI application. ``browsers`` says which requests may come from pages, and which cannot."""

    def __init__(
        self,
        intake: Intake,
        metrics: ReceiverMetrics,
        browsers: BrowserGuard,
        status_page: StatusPage,
        credentials: Credentials | None = None,
    ) -> None:
        self._intake, self._metrics = intake, metrics
        self._browsers, self._status_page, self._credentials = browsers, status_page, credentials

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        body = HttpBody(receive, headers)
        response = await self._respond(scope, headers, body)
        start = [
            (b"content-type", response.content_type.encode()),
            (b"content-length", b"%d" % len(response.body)),
            *response.headers,
            *self._cors(headers),
        ]
        await send({"type": "http.response.start", "status": response.status, "headers": start})
        content = b"" if scope["method"] == "HEAD" else response.body
        if response.status >= 400:
            await send({"type": "http.response.body", "body": content, "more_body": True})
            await body.discard()
            content = b""
        await send({"type": "http.response.body", "body": content})

    async def _respond(self, scope: Scope, headers: dict[bytes, bytes], body: HttpBody) -> Response:
        method, path = scope["method"], scope["path"]
        if self._status_page.has(path):
            with self._intake.share() as share:
                return await self._status_page.respond(scope, headers, body, share)
        content_type = _media_type(headers)
        started_at = time.perf_counter()
        try:
            self._browsers.check(scope["headers"])
            if method == "OPTIONS" and self._browsers.is_listed(headers.get(b"origin")):
                return Response(204, _TEXT, b"", _PREFLIGHT)
            page = await self._page(path, headers) if method in ("GET", "HEAD") else None
            if page is not None:
                return page
            await self._accept(method, path, content_type, headers, body)
        except Exception as error:
            refused = refusal_of(error)
            self._metrics.count_request(refused.outcome, started_at)
            return self._refusal(refused, content_type)
        self._metrics.count_request(Outcome.ACCEPTED, started_at)
        return Response(200, content_type, b"{}" if content_type == JSON else b"")

    async def _accept(
        self, method: str, path: str, content_type: str, headers: dict[bytes, bytes], body: HttpBody
    ) -> None:
        self._authenticate(headers)
        if path == "/v1/metrics":
            raise RefusedError(Outcome.METRICS, METRICS_REFUSAL)
        if path not in SIGNALS:
            raise RefusedError(Outcome.NOT_FOUND, f"there is nothing here; OTLP is at {' and '.join(SIGNALS)}")
        if method != "POST":
            raise RefusedError(Outcome.METHOD, "OTLP is sent with POST")
        if content_type not in (PROTOBUF, JSON):
            raise RefusedError(Outcome.CONTENT_TYPE, f"content types are {PROTOBUF} and {JSON}")
        encoding = ContentEncoding.of_header(headers.get(b"content-encoding", b""))
        with self._intake.share() as share:
            content = await body.read(self._intake.limits.max_request_bytes, share)
            await self._intake.accept(Request(SIGNALS[path], content_type, content, encoding), share, self._metrics)

    def _authenticate(self, headers: dict[bytes, bytes]) -> None:
        if self._credentials is not None and not self._credentials.accept(headers.get(b"authorization")):
            raise RefusedError(Outcome.UNAUTHENTICATED, "the sender is not known here")

    async def _page(self, path: str, headers: dict[bytes, bytes]) -> Response | None:
        if path == "/healthz":
            ended = ", ".join(background.dead())
            return _health(f"threads have ended: {ended}" if ended else "")
        if path == "/readyz":
            return _health(await self._intake.why_not_ready())
        if path == "/metrics":
            try:
                self._authenticate(headers)
            except RefusedError as refused:
                return self._refusal(refused, JSON)
            return Response(200, CONTENT_TYPE, await asyncio.get_running_loop().run_in_executor(None, metrics_page))
        return None

    def _refusal(self, refused: RefusedError, content_type: str) -> Response:
        """In the encoding of the request, or in JSON where that has none that is known."""
        headers: Headers = []
        if refused.answer.retry_after_s is not None:
            headers.append((b"retry-after", b"%d" % refused.answer.retry_after_s))
        if refused.outcome is Outcome.UNAUTHENTICATED:
            scheme = self._credentials.scheme if self._credentials else Scheme.BEARER
            headers.append((b"www-authenticate", f'{scheme.value} realm="otel-labelstudio"'.encode()))
        if refused.outcome is Outcome.METHOD:
            headers.append((b"allow", b"POST"))
        if refused.outcome is Outcome.CONTENT_ENCODING:
            headers.append((b"accept-encoding", ", ".join(COMPRESSIONS).encode()))
        is_protobuf = content_type == PROTOBUF
        body = status_message(refused) if is_protobuf else status_json(refused)
        return Response(refused.answer.http_status, PROTOBUF if is_protobuf else JSON, body, tuple(headers))

    def _cors(self, headers: dict[bytes, bytes]) -> Headers:
        origin = headers.get(b"origin")
        if origin is None or not self._browsers.is_listed(origin):
            return []
        return [(b"access-control-allow-origin", origin), (b"vary", b"origin")]


def _health(trouble: str) -> Response:
    return Response(503 if trouble else 200, _TEXT, f"{trouble or 'ok'}\n".encode())


_PREFLIGHT = (
    (b"access-control-allow-methods", b"POST"),
    (b"access-control-allow-headers", b"authorization, content-encoding, content-type"),
    (b"access-control-max-age", b"3600"),
)


def _media_type(headers: dict[bytes, bytes]) -> str:
    """Without parameters such as a charset, which some senders add."""
    return headers.get(b"content-type", b"").partition(b";")[0].strip(OPTIONAL_WHITE_SPACE).lower().decode("latin-1")

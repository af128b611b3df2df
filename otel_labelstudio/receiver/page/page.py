"""The requests of the status page.

=======================  =================================================================================
``GET /status``          the page, or JSON where ``?format=json`` or ``Accept`` asks for that
``POST /status/retry``   deliver the dead letters after all; takes the token that stands in the page's form
=======================  =================================================================================

Whoever may send may look: the credentials are the same, and in a browser a token takes the place of the password. A
browser adds them to each request that any page makes it send. So pages of other origins are refused, also those that
may send, and a request that changes something needs a token that only the page itself can read.
"""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import asdict
from typing import Any
from urllib.parse import parse_qs

from otel_labelstudio.destinations.destination import Destination
from otel_labelstudio.pipeline import Pipeline
from otel_labelstudio.printable import counted, logger
from otel_labelstudio.receiver.admission import Share
from otel_labelstudio.receiver.auth import Credentials
from otel_labelstudio.receiver.browsers import BrowserGuard
from otel_labelstudio.receiver.http_body import HttpBody
from otel_labelstudio.receiver.inbox import Inbox
from otel_labelstudio.receiver.page.html import HTML, POLICY, status_html
from otel_labelstudio.receiver.page.snapshot import Snapshot, Snapshots, take_snapshot
from otel_labelstudio.receiver.response import Response
from otel_labelstudio.receiver.status import JSON, Outcome, RefusedError, refusal_of

_logger = logger(__name__)

PATH, RETRY_PATH = "/status", "/status/retry"
_ALLOWED = {PATH: ("GET", "HEAD"), RETRY_PATH: ("POST",)}
_MOST_FORM_BYTES, _MOST_FIELDS = 4096, 10
_TEXT = "text/plain; charset=utf-8"
_HEADERS = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", POLICY.encode()),
    (b"cross-origin-resource-policy", b"same-origin"),
    # Not no-referrer: with that, browsers hide the origin of the form as well
    (b"referrer-policy", b"same-origin"),
    (b"x-content-type-options", b"nosniff"),
)
_LOGIN = (b"www-authenticate", b'Basic realm="otel-labelstudio", charset="UTF-8"')


class StatusPage:
    """``why_not_ready`` gives an empty text where requests can be stored."""

    def __init__(
        self,
        pipeline: Pipeline,
        inbox: Inbox,
        why_not_ready: Callable[[], Awaitable[str]],
        browsers: BrowserGuard,
        credentials: Credentials | None,
    ) -> None:
        self._pipeline, self._why_not_ready = pipeline, why_not_ready
        self._browsers, self._credentials = browsers, credentials
        self._snapshots = Snapshots(lambda: take_snapshot(pipeline, inbox))
        self._form_token = secrets.token_urlsafe(32)

    @staticmethod
    def has(path: str) -> bool:
        """Whether a request is for this page."""
        return path in _ALLOWED

    async def respond(
        self, scope: MutableMapping[str, Any], headers: dict[bytes, bytes], body: HttpBody, share: Share
    ) -> Response:
        """Raises nothing."""
        try:
            self._check(scope, headers.get(b"authorization"))
            if scope["path"] == RETRY_PATH:
                return await self._retry(await body.read(_MOST_FORM_BYTES, share))
            return await self._show(scope["query_string"], headers)
        except Exception as error:
            return self._refusal(refusal_of(error), scope["path"])

    def close(self) -> None:
        """Look no more."""
        self._snapshots.close()

    def _check(self, scope: MutableMapping[str, Any], authorization: bytes | None) -> None:
        self._browsers.check_own(scope["headers"])
        if self._credentials and not self._credentials.accept_person(authorization):
            raise RefusedError(Outcome.UNAUTHENTICATED, "log in with a token as the password, and any user name")
        allowed = _ALLOWED[scope["path"]]
        if scope["method"] not in allowed:
            raise RefusedError(Outcome.METHOD, f"this takes {allowed[0]}")

    async def _show(self, query_string: bytes, headers: dict[bytes, bytes]) -> Response:
        snapshot, not_ready = await self._snapshots.latest(), await self._why_not_ready()
        if _value_of("format", query_string) == "json" or headers.get(b"accept", b"").startswith(JSON.encode()):
            return Response(200, JSON, status_json(snapshot, not_ready), _HEADERS)
        return Response(200, HTML, status_html(snapshot, not_ready, self._form_token), _HEADERS)

    async def _retry(self, form: bytes) -> Response:
        said = _value_of("token", form)
        if not hmac.compare_digest(said.encode(), self._form_token.encode()):
            raise RefusedError(Outcome.ORIGIN, "this form is not one of this process: load the status page again")
        number = await self._snapshots.change(self._pipeline.retry_dead_letters)
        _logger.info("The status page was asked to deliver %s again.", counted(number, "dead letter"))
        # Relative, so that it holds below any path of a proxy
        return Response(303, _TEXT, b"", (*_HEADERS, (b"location", b"../status")))

    def _refusal(self, refused: RefusedError, path: str) -> Response:
        headers = [*_HEADERS]
        if refused.outcome is Outcome.UNAUTHENTICATED:
            headers.append(_LOGIN)
        if refused.outcome is Outcome.METHOD:
            headers.append((b"allow", ", ".join(_ALLOWED[path]).encode()))
        return Response(refused.answer.http_status, _TEXT, f"{refused}\n".encode(), tuple(headers))


def _value_of(name: str, form: bytes) -> str:
    """Empty where the form, or the query, has no such field."""
    try:
        return parse_qs(form.decode("latin-1"), max_num_fields=_MOST_FIELDS).get(name, [""])[0]
    except ValueError:  # more fields than that
        return ""


def status_json(snapshot: Snapshot, not_ready: str) -> bytes:
    """The same as the page has, for programs."""
    record = asdict(snapshot)
    pipeline = record.pop("pipeline")
    outbox = pipeline.pop("outbox")
    for item in (*outbox["paused"], *outbox["retried"], *outbox["dead_letters"]):
        item["destination"] = str(Destination.loads(item["destination"]))
    outbox["waiting"] = snapshot.pipeline.outbox.waiting
    return json.dumps({**record, "not_ready": not_ready, "outbox": outbox, **pipeline}).encode()

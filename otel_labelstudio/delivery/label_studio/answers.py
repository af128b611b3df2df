"""From what came back of a request, or did not, to what delivery does next (`otel_labelstudio.errors`).

Between an exporter and Label Studio stand proxies and firewalls, whose answers look like the server's. Label Studio's
own refusals are told by their envelope: ``{"id": ..., "status_code": 401, "version": "1.23.2", "detail": ...}``. Not
all of them have it: an import into a project that does not exist is answered with a page. So where an answer does not
tell whose it is and it matters, the server is asked who we are (`api`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from otel_labelstudio.delivery.label_studio.limits import MAX_RECEIVED_BYTES, TooMuchReceivedError
from otel_labelstudio.delivery.retry import retry_after_s
from otel_labelstudio.errors import (
    BlockedRequestError,
    DeliveryError,
    PausedDeliveryError,
    RejectedTasksError,
    RetryableDeliveryError,
    UnknownOutcomeError,
)

_LONGEST_DETAIL = 200
# What JSON that is not Label Studio's does to the code that reads it
_UNREADABLE = (LookupError, TypeError, ValueError, AttributeError, RecursionError)
_ENVELOPE = frozenset({"id", "status_code", "version", "detail"})
KEY_HINT = (
    "check the API key (api_key, LABEL_STUDIO_API_KEY); a legacy token must be allowed under Organization > API Tokens "
    "Settings"
)
_CURE = (
    "have it pass requests to /api/ that carry Label Studio's key, set url to the server behind it, or give its login "
    "in headers (OTEL_EXPORTER_LABELSTUDIO_HEADERS)"
)
_PROXY_CURE = "write it into HTTP_PROXY, HTTPS_PROXY or ALL_PROXY, as http://user:password@host:port"
_IS_IT_OURS = "is this Label Studio? Check url (LABEL_STUDIO_URL)"
# Requests of ours that are too large for what stands before the server (RFC 9110, RFC 6585)
_TOO_LARGE = (413, 414, 431)
# What a server answers that does not know such requests at all (RFC 9110)
_NEVER_OURS = (501, 505)
# Refusals that say nothing of what stands between
_NOT_A_PROXYS = (404, 408, 429, *_TOO_LARGE)
_BAD_ITEM = re.compile(r"Error at item (\d+): (.*)", re.DOTALL)
_MISSING_KEY = re.compile(r'^"([\w.]+)" key is expected in task data')
_WRONG_TYPE = re.compile(r"is of type '(\w+)', but the object tag (\w+) expects", re.DOTALL)


class RequestError(Exception):
    """A request that failed: what `connection` raises, whatever the HTTP library calls it. It holds no key."""


class NotReachedError(RequestError):
    """The request was not sent; the message says why and what to do. ``is_lasting`` if only a person can mend it."""

    def __init__(self, why: str, *, is_lasting: bool = False) -> None:
        super().__init__(why)
        self.is_lasting = is_lasting


class NoAnswerError(RequestError):
    """The request was sent, or a part of it, and no answer came that can be used."""

    def __init__(self, name: str, *, is_late: bool = False) -> None:
        super().__init__(name)
        self.is_late = is_late


class UnusableKeyError(RequestError):
    """The key says of itself that it is none (any more); nothing was sent."""


class RefusedError(RequestError):
    """An answer that is no success, or one that Label Studio's API does not give."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"status {answer.status}")
        self.answer = answer


@dataclass(frozen=True, slots=True)
class Operation:
    """What is asked of a server.

    ``has_content``: the request holds what people asked or models answered, which no message may repeat, and at which a
    firewall may take offence. ``is_import``: it may be carried out though no answer comes. ``is_open``: no key needed.
    """

    what: str
    has_content: bool = False
    is_import: bool = False
    is_open: bool = False


WHOAMI = Operation("the user")


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer; header names in lower case, ``body`` as JSON if it is that.

    ``speaks_tls`` if the server says that the port is for TLS.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: Any = field(default=None, repr=False)
    is_json: bool = False
    speaks_tls: bool = False

    @property
    def is_label_studios(self) -> bool:
        """Whether it is certain that Label Studio itself refused."""
        return isinstance(self.body, Mapping) and self.body.keys() >= _ENVELOPE

    @property
    def may_be_a_proxys(self) -> bool:
        """Whether something between may have refused, and not Label Studio."""
        is_told = self.is_label_studios or self.speaks_tls
        return 400 <= self.status < 500 and self.status not in _NOT_A_PROXYS and not is_told

    @property
    def asks_for_another_login(self) -> bool:
        """Whether it asks for a login that is not Label Studio's, whose scheme is Token."""
        scheme = self.headers.get("www-authenticate", "").split(" ", 1)[0].lower()
        return not self.is_label_studios and (self.status == 407 or scheme not in ("", "token"))

    @property
    def detail(self) -> str:
        """What a JSON answer says in words, on one line."""
        said = self.body.get("detail") if isinstance(self.body, Mapping) else None
        return printable(said) if isinstance(said, str) else ""

    @property
    def is_too_large(self) -> bool:
        """Whether the request was too large for the server or what stands before it; Label Studio's server answers with
        a page where an address is too long."""
        return self.status in _TOO_LARGE or (self.status == 400 and not self.is_json)


def printable(text: str) -> str:
    """What somebody else wrote, for a line of a log."""
    return "".join(char if char.isprintable() else " " for char in text[:_LONGEST_DETAIL])


def failure(operation: Operation, error: Exception, url: str, patience_s: float) -> DeliveryError:
    """The error of a request that was not answered, or not by Label Studio's API; what it raised says no more."""
    if isinstance(error, UnusableKeyError):
        return PausedDeliveryError(f"{error}; {KEY_HINT}", is_whole_server=True)
    if isinstance(error, NotReachedError):
        kind = PausedDeliveryError if error.is_lasting else RetryableDeliveryError
        return kind(f"{url} cannot be reached: {error}", is_whole_server=True)
    wait_s = None
    if isinstance(error, NoAnswerError) and error.is_late:
        message = " ".join(filter(None, (f"{url} has not answered {operation.what} in time", str(error))))
        if not operation.is_import:
            return RetryableDeliveryError(message, is_whole_server=True)
        wait_s = patience_s  # it may still be at it: given as long again before it is asked what it has stored
    elif isinstance(error, TooMuchReceivedError):
        message = f"{url} answered {operation.what} with more than {MAX_RECEIVED_BYTES // 2**20} MiB"
    elif isinstance(error, _UNREADABLE):
        message = f"{url} does not answer as Label Studio does when it is asked about {operation.what}; {_IS_IT_OURS}"
    else:
        name = str(error) if isinstance(error, RequestError) else type(error).__name__
        message = f"no usable answer from {url} about {operation.what} ({name})"
        if operation.is_open and url.startswith("http://"):
            message = f"{message}; if the port expects TLS, change url to https://"
    return UnknownOutcomeError(message, wait_s) if operation.is_import else RetryableDeliveryError(message)


def refusal(operation: Operation, answer: Answer, url: str) -> DeliveryError:
    """The error of an answer that is Label Studio's own, or that is taken for it."""
    status = answer.status
    message = f"{url} refused {operation.what} with HTTP status {status}{_said(operation, answer)}"
    wait_s = retry_after_s(answer.headers)
    if status in (401, 403):
        return PausedDeliveryError(f"{message}; {KEY_HINT}", is_whole_server=status == 401)
    if status in (408, 429):
        return RetryableDeliveryError(message, wait_s)
    if 300 <= status < 400 and "location" in answer.headers:
        return _redirect(answer, url)
    if status < 400:
        message = f"{url} answered {operation.what} with something else than Label Studio's API does; {_IS_IT_OURS}"
    if answer.speaks_tls:
        return PausedDeliveryError(f"{message}: this port expects TLS; change url to https://", is_whole_server=True)
    if status in _NEVER_OURS and not answer.is_label_studios:
        message = f"{message}; {_IS_IT_OURS}"
    if status >= 500 or status < 400:
        return (UnknownOutcomeError if operation.is_import else RetryableDeliveryError)(message, wait_s)
    if operation.has_content and status in (400, 413):
        return RejectedTasksError(message, _reasons(answer.body))
    if status == 404:
        return PausedDeliveryError(f"{message}; check url and project_id{_where_it_may_be(answer, url)}")
    return PausedDeliveryError(message + ("" if operation.has_content else _validation_text(answer.body)))


def _where_it_may_be(answer: Answer, url: str) -> str:
    """Where no part of Label Studio answered, the path in the address may be a page's, copied with it."""
    parts = urlsplit(url)
    if answer.is_label_studios:
        return ""
    if not parts.path:
        return "; is this Label Studio?"
    return f"; leave {parts.path} out of url unless Label Studio is there: {parts.scheme}://{parts.netloc}"


def blocked(operation: Operation, answer: Answer, url: str) -> DeliveryError:
    """The error of a refusal by something before a server that takes other requests of ours."""
    message = (
        f"something in front of Label Studio, such as a firewall, refused {operation.what} at {url} with HTTP status "
        f"{answer.status}; nothing was stored"
    )
    if operation.has_content:
        return BlockedRequestError(message)
    return PausedDeliveryError(f"{message}; it must let such requests pass")


def shut_out(operation: Operation, answer: Answer, url: str) -> PausedDeliveryError:
    """The error of a refusal by something before the server that lets none of our requests through."""
    if answer.asks_for_another_login:
        why = "a proxy in front of Label Studio asks for its own login"
    else:
        why = "something in front of Label Studio, such as a firewall, refuses all requests"
    cure = _PROXY_CURE if answer.status == 407 else _CURE
    message = f"{url} refused {operation.what} with HTTP status {answer.status}: {why}; {cure}"
    return PausedDeliveryError(message, is_whole_server=True)


def _redirect(answer: Answer, url: str) -> PausedDeliveryError:
    target = printable(answer.headers["location"].split("?", 1)[0])
    message = (
        f"{url} redirects to {target}; set url (LABEL_STUDIO_URL) to that server; if it is a proxy's login, {_CURE}"
    )
    return PausedDeliveryError(message, is_whole_server=True)


def _said(operation: Operation, answer: Answer) -> str:
    """The server's own words, unless they may repeat a task."""
    may_repeat = answer.status >= 500 or (operation.has_content and answer.status not in (401, 403, 404))
    return f": {answer.detail}" if answer.detail and not may_repeat else ""


def _reasons(body: Any) -> dict[int, str]:
    """Index of each task that the server names as bad, and why. The server's text repeats the task, ours must not."""
    errors = body.get("validation_errors") if isinstance(body, Mapping) else None
    listed = errors.get("non_field_errors") if isinstance(errors, Mapping) else None
    reasons = {}
    for text in listed if isinstance(listed, list) else ():
        bad = _BAD_ITEM.match(text) if isinstance(text, str) else None
        if bad:
            reasons[int(bad.group(1))] = _reason(bad.group(2))
    return reasons


def _reason(text: str) -> str:
    missing = _MISSING_KEY.match(text)
    if missing:
        return f'the labeling configuration asks for "{missing.group(1)}", which the task does not have'
    wrong = _WRONG_TYPE.search(text)
    if wrong:
        return f"the tag {wrong.group(2)} does not take a value of type {wrong.group(1)}"
    return "Label Studio's validation refused it"


def _validation_text(body: Any) -> str:
    """What the server says is wrong with a project; never used for tasks."""
    errors = body.get("validation_errors") if isinstance(body, Mapping) else None
    return f" {json.dumps(errors)[:500]}" if errors else ""

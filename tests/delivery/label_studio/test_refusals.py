"""Whose refusal it is, Label Studio's or that of something before it, and what is to be mended."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from otel_labelstudio.delivery.label_studio.server import LabelStudioServer
from otel_labelstudio.errors import (
    BlockedRequestError,
    DeliveryError,
    PausedDeliveryError,
    RejectedTasksError,
    RetryableDeliveryError,
    UnknownOutcomeError,
)
from tests.delivery.label_studio.test_limits import TOKEN
from tests.delivery.label_studio.wire import Exchange, Wire

CANARY = "CANARY"
TASKS = [{"data": {"prompt": CANARY}}]
PAGE = f"<html><h1>Forbidden</h1>{CANARY}</html>".encode()
WHOAMI = "/api/current-user/whoami"


@dataclass(frozen=True)
class Said:
    """What a server, or something before it, answers."""

    status: int
    body: bytes = PAGE
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "text/html"})

    def __call__(self, exchange: Exchange) -> None:
        exchange.answer(self.status, self.headers, self.body)


def as_json(status: int, **body: Any) -> Said:
    return Said(status, json.dumps(body).encode(), {"Content-Type": "application/json"})


def label_studios(status: int, detail: str) -> Said:
    """Label Studio's own envelope, as 1.23.2 answers."""
    return as_json(
        status, id="745bcb56-1325-481e-94b0-e8f876f5192a", status_code=status, version="1.23.2", detail=detail
    )


OURS = as_json(200, email="user@example.com")
KEY_IS_WRONG = label_studios(401, "Invalid token.")
BASIC = Said(401, headers={"WWW-Authenticate": 'Basic realm="intranet"', "Content-Type": "text/html"})


@contextmanager
def standing_before(refusal: Said, whoami: Callable[[Exchange], None] = OURS) -> Iterator[LabelStudioServer]:
    """A server all of whose answers are ``refusal``, but for the one to who we are."""

    def answer(exchange: Exchange) -> None:
        (whoami if exchange.path == WHOAMI else refusal)(exchange)

    with Wire(answer) as wire:
        server = LabelStudioServer(wire.url, "CANARY-key", 60, 60)
        yield server
        server.close()


def failure(ask: Callable[[], object]) -> DeliveryError:
    """The error; it repeats neither a task nor the key."""
    with pytest.raises(DeliveryError) as caught:
        ask()
    assert CANARY not in str(caught.value)
    return caught.value


def import_failure(refusal: Said, whoami: Callable[[Exchange], None] = OURS) -> DeliveryError:
    with standing_before(refusal, whoami) as server:
        return failure(lambda: server.import_tasks(1, TASKS))


@pytest.mark.parametrize(
    "refusal",
    [Said(403), Said(406), Said(400), Said(451), as_json(403, message="Forbidden"), as_json(403, detail=CANARY)],
    ids=lambda said: f"{said.status} {said.headers['Content-Type']}",
)
def test_a_firewall_refuses_one_request(refusal: Said) -> None:
    """A server that takes our key refuses an import with a page, or with JSON that is not its own: that is somebody
    else's refusal, due to what the request says, and nothing was stored."""
    error = import_failure(refusal)
    assert isinstance(error, BlockedRequestError)
    assert str(refusal.status) in str(error)
    assert "firewall" in str(error)
    assert "API key" not in str(error)
    with standing_before(refusal) as server:
        assert isinstance(failure(lambda: server.import_predictions(1, TASKS)), BlockedRequestError)


def test_a_firewall_refuses_what_holds_no_task() -> None:
    """It is not a call's content, so that no call is to be set aside: it must let such requests pass."""
    with standing_before(Said(403)) as server:
        error = failure(lambda: server.stored_tasks(1, "call_id", ["a", "b"]))
    assert isinstance(error, PausedDeliveryError)
    assert not error.is_whole_server
    assert "firewall" in str(error)


def test_label_studio_refuses_the_key() -> None:
    """Its own envelope tells; nobody is asked."""
    with standing_before(KEY_IS_WRONG, never_asked) as server:
        error = failure(lambda: server.import_tasks(1, TASKS))
    assert isinstance(error, PausedDeliveryError)
    assert error.is_whole_server
    for words in ("401", "Invalid token.", "check the API key", "LABEL_STUDIO_API_KEY"):
        assert words in str(error)


def never_asked(exchange: Exchange) -> None:
    raise AssertionError("it was asked who we are")


def test_label_studio_forbids_it() -> None:
    """A 403 with its envelope is the key's user, who may not use this project: others may be open to him."""
    error = import_failure(label_studios(403, "You do not have permission to perform this action."), never_asked)
    assert isinstance(error, PausedDeliveryError)
    assert not error.is_whole_server
    assert "API key" in str(error)


def test_the_key_is_refused_to_whoever_asks() -> None:
    """The import's answer does not tell, and the server's answer to who we are does: the key."""
    error = import_failure(Said(403), KEY_IS_WRONG)
    assert isinstance(error, PausedDeliveryError)
    assert "Invalid token.; check the API key" in str(error)


@pytest.mark.parametrize("whoami", [Said(403), as_json(403, message="Forbidden")], ids=["page", "JSON"])
def test_a_firewall_refuses_everything(whoami: Said) -> None:
    """Who we are is refused in the same way: the key is not to blame, and every project waits."""
    error = import_failure(Said(403), whoami)
    assert isinstance(error, PausedDeliveryError)
    assert error.is_whole_server
    assert "refuses all requests" in str(error)
    assert "API key" not in str(error)


@pytest.mark.parametrize("scheme", ["Basic realm=x", "Negotiate", "Bearer realm=x", 'Digest realm="x"'])
def test_a_proxy_asks_for_its_own_login(scheme: str) -> None:
    """Label Studio's scheme is Token; another one is a proxy's, whatever Label Studio would say to the key."""
    error = import_failure(Said(401, headers={"WWW-Authenticate": scheme}), never_asked)
    assert isinstance(error, PausedDeliveryError)
    assert "a proxy in front of Label Studio asks for its own login; have it pass requests to /api/" in str(error)
    assert "API key" not in str(error)


@pytest.mark.parametrize("refusal", [Said(401), Said(403), BASIC, Said(407), as_json(401, message="no")])
def test_a_refusal_where_no_key_is_needed_is_a_proxys(refusal: Said) -> None:
    """Label Studio tells its version to everybody."""
    with standing_before(refusal, never_asked) as server:
        error = failure(server.version)
    assert isinstance(error, PausedDeliveryError)
    assert "in front of Label Studio" in str(error)
    assert "API key" not in str(error)


def test_whose_refusal_it_is_cannot_be_told_now() -> None:
    """The server fails when it is asked who we are: later."""
    assert isinstance(import_failure(Said(403), Said(502)), RetryableDeliveryError)


@pytest.mark.parametrize("refusal", [KEY_IS_WRONG, BASIC, Said(403)], ids=["key", "login", "page"])
def test_the_exchange_of_a_token_is_refused(refusal: Said) -> None:
    """The SDK makes that request, before ours, and after it before we ask who we are."""
    with Wire(refusal) as wire:
        server = LabelStudioServer(wire.url, TOKEN, 60, 60)
        error = failure(lambda: server.import_tasks(1, TASKS))
        server.close()
        assert set(wire.paths) == {"/api/token/refresh/"}
    assert isinstance(error, PausedDeliveryError)
    assert ("API key" in str(error)) == (refusal is KEY_IS_WRONG)


def test_a_token_that_has_run_out() -> None:
    """It says so itself: nothing is sent."""
    ran_out = TOKEN.replace(TOKEN.split(".")[1], "eyJ0b2tlbl90eXBlIjoicmVmcmVzaCIsImV4cCI6MTAwMDAwMDAwMH0")
    server = LabelStudioServer("http://127.0.0.1:9", ran_out, 60, 60)
    error = failure(server.user)
    assert isinstance(error, PausedDeliveryError)
    assert "expired" in str(error)
    assert "check the API key" in str(error)


@pytest.mark.parametrize("refusal", [Said(500), Said(503), Said(200), Said(304), as_json(500, detail=CANARY)])
def test_an_import_that_may_have_happened(refusal: Said) -> None:
    """A server error, or a page of whoever: it is not told whether the tasks are stored, nor what the page says."""
    assert isinstance(import_failure(refusal, never_asked), UnknownOutcomeError)
    with standing_before(refusal) as server:
        assert isinstance(failure(lambda: server.project(1)), RetryableDeliveryError)


def test_a_redirect_is_not_followed() -> None:
    """To another address, or to the login page of a proxy, without what that page is to remember."""
    redirect = Said(302, headers={"Location": f"https://login.example.com/start?state={CANARY}"})
    error = import_failure(redirect, never_asked)
    assert isinstance(error, PausedDeliveryError)
    assert "redirects to https://login.example.com/start; set url" in str(error)


def test_an_import_into_a_project_that_does_not_exist() -> None:
    """Label Studio itself answers that with a page."""
    error = import_failure(Said(404), never_asked)
    assert isinstance(error, PausedDeliveryError)
    assert "check url and project_id" in str(error)


def test_an_import_that_is_too_large_for_a_proxy() -> None:
    """In parts it may pass."""
    assert isinstance(import_failure(Said(413), never_asked), RejectedTasksError)


def test_the_server_names_bad_tasks() -> None:
    """Its reasons repeat the tasks; ours do not."""
    errors = [{}, f'Error at item 1: "prompt" key is expected in task data :: {CANARY}']
    body = {
        "id": "",
        "status_code": 400,
        "version": "",
        "detail": CANARY,
        "validation_errors": {"non_field_errors": errors},
    }
    error = import_failure(as_json(400, **body), never_asked)
    assert isinstance(error, RejectedTasksError)
    assert error.reasons == {1: 'the labeling configuration asks for "prompt", which the task does not have'}


@pytest.mark.parametrize("status", [413, 414, 431, 400])
def test_a_search_whose_address_is_too_long_is_parted(status: int) -> None:
    """A proxy takes addresses of some length only: all values are found all the same."""
    values = [f"{number:064}" for number in range(100)]

    def answer(exchange: Exchange) -> None:
        asked = [value for value in values if value in exchange.path]
        if len(exchange.path) > 2000:
            Said(status)(exchange)
        else:
            tasks = [task_of(values.index(value), value) for value in asked]
            as_json(200, total=len(tasks), tasks=tasks)(exchange)

    with Wire(answer) as wire:
        server = LabelStudioServer(wire.url, "key", 60, 60)
        found = server.stored_tasks(1, "call_id", values)
        server.close()
    assert {value: [task.id for task in tasks] for value, tasks in found.items()} == {
        value: [number] for number, value in enumerate(values)
    }


def task_of(number: int, value: str) -> dict[str, Any]:
    return {"id": number, "data": {"call_id": value}, "total_predictions": 1, "total_annotations": 0}


def test_a_search_that_is_refused_for_one_value_too_ends() -> None:
    """It is asked for fewer and fewer, not for ever."""
    with Wire(Said(414)) as wire:
        server = LabelStudioServer(wire.url, "key", 60, 60)
        error = failure(lambda: server.stored_tasks(1, "call_id", [str(number) for number in range(100)]))
        server.close()
        assert len(wire.paths) < 10
    assert isinstance(error, RetryableDeliveryError)
    assert "HTTP status 414" in str(error)


@pytest.mark.parametrize("body", [b"[]", b"null", b"5", b'{"id": "x"}', b'{"id": true}', b"[" * 100_000, b"{"])
def test_json_that_is_not_label_studios(body: bytes) -> None:
    """Whatever it is, it is an error of the server's, not of ours."""
    with standing_before(Said(200, body, {"Content-Type": "application/json"})) as server:
        for ask in (
            server.version,
            lambda: server.project(1),
            lambda: server.project_ids("calls"),
            lambda: server.stored_tasks(1, "call_id", ["a", "b"]),
            lambda: server.newest_task_id(1),
            lambda: server.task(1),
            lambda: server.probe_import(1),
            lambda: server.import_predictions(1, TASKS),
        ):
            assert isinstance(failure(ask), RetryableDeliveryError)
        assert isinstance(failure(lambda: server.import_tasks(1, TASKS)), UnknownOutcomeError)

"""A real Label Studio behind what companies put in front of it: TLS of their own authority, a path, a second login."""

from __future__ import annotations

import base64
import logging
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme

from otel_labelstudio.demo.label_studio import EmbeddedLabelStudio
from otel_labelstudio.errors import DeliveryError, PausedDeliveryError
from otel_labelstudio.pipeline import Pipeline
from otel_labelstudio.servers import server_of
from otel_labelstudio.settings import Settings
from tests.delivery.faults import HTML, Exchange, Fault, FaultyServer, answers, forwarded
from tests.delivery.labeling import Labeling, fresh_title
from tests.delivery.pipelines import Pipelines
from tests.delivery.telemetry import chat
from tests.delivery.test_faults import delivered

ALWAYS = float("inf")
LOGIN = f"Basic {base64.b64encode(b'gateway:CANARY').decode()}"


def asks_for(header: str, value: str, scheme: str = "Basic") -> Fault:
    """As nginx with ``auth_basic``: whoever has the login passes, with all of his headers."""
    refuse = answers(401, HTML, WWW_Authenticate=f'{scheme} realm="intranet"')

    def guard(exchange: Exchange) -> None:
        sent = {name.lower(): said for name, said in exchange.headers.items()}
        (forwarded if sent.get(header.lower()) == value else refuse)(exchange)

    return guard


@pytest.fixture
def front(label_studio: EmbeddedLabelStudio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyServer]:
    """A reverse proxy: TLS by an authority of one's own, Label Studio below /labeling."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    with FaultyServer(label_studio.url, prefix="/labeling", tls=tls) as server:
        yield server


def failure(url: str, key: str, **arguments: Any) -> DeliveryError:
    """Of asking who we are; neither the key nor a header's value is in it."""
    server = server_of(Settings.resolve({"url": url, "api_key": key, **arguments}))
    with pytest.raises(DeliveryError) as caught:
        server.user()
    server.close()
    assert "CANARY" not in str(caught.value)
    assert key not in str(caught.value)
    return caught.value


def sends_a_call(pipeline: Pipeline, labeling: Labeling, title: str) -> bool:
    pipeline.accept_calls([chat(answer="in front")])
    return pipeline.flush(240) and delivered(labeling, title) == ["in front"]


def test_calls_pass_a_login_in_authorization(
    pipelines: Pipelines, labeling: Labeling, front: FaultyServer, caplog: pytest.LogCaptureFixture
) -> None:
    """The proxy has Authorization; the key goes as X-API-Key, and no log line holds the login."""
    caplog.set_level(logging.DEBUG)
    front.plan(asks_for("Authorization", LOGIN), None, ALWAYS)
    title = fresh_title("Login")
    pipeline = pipelines(url=front.url, project_name=title, headers=f"Authorization={LOGIN.replace(' ', '%20')}")
    assert sends_a_call(pipeline, labeling, title)
    assert LOGIN.split()[1] not in f"{caplog.text} {pipeline.settings!r}"


@pytest.mark.parametrize("kind", ["legacy token", "personal access token"])
def test_calls_pass_a_login_in_a_header_of_its_own(
    pipelines: Pipelines, labeling: Labeling, label_studio: EmbeddedLabelStudio, front: FaultyServer, kind: str
) -> None:
    """As Google's IAP takes it; with a key of either kind, whose exchange passes as well."""
    front.plan(asks_for("Proxy-Authorization", "Bearer CANARY", "Bearer"), None, ALWAYS)
    key = label_studio.api_key if kind == "legacy token" else label_studio.personal_access_token()
    title = fresh_title("Header")
    headers = {"Proxy-Authorization": "Bearer CANARY"}
    pipeline = pipelines(url=front.url, project_name=title, api_key=key, headers=headers)
    assert sends_a_call(pipeline, labeling, title)


@pytest.mark.parametrize("headers", [None, "Authorization=Basic%20CANARY", "X-Team=CANARY"])
def test_a_login_that_is_missing_or_wrong_is_not_blamed_on_the_key(
    label_studio: EmbeddedLabelStudio, front: FaultyServer, headers: str | None
) -> None:
    """The line names the setting for it."""
    front.plan(asks_for("Authorization", LOGIN), None, ALWAYS)
    error = failure(front.url, label_studio.api_key, headers=headers)
    assert isinstance(error, PausedDeliveryError)
    assert str(error) == (
        f"{front.url} refused the user with HTTP status 401: a proxy in front of Label Studio asks for its own login; "
        "have it pass requests to /api/ that carry Label Studio's key, set url to the server behind it, or give its "
        "login in headers (OTEL_EXPORTER_LABELSTUDIO_HEADERS)"
    )


def test_a_wrong_key_behind_the_login_is_blamed_on_the_key(front: FaultyServer) -> None:
    """Label Studio's own refusal, which passes the proxy."""
    front.plan(asks_for("Authorization", LOGIN), None, ALWAYS)
    error = failure(front.url, "0123456789", headers={"authorization": LOGIN})
    assert isinstance(error, PausedDeliveryError)
    assert "check the API key" in str(error)
    assert "login" not in str(error)


def test_a_path_that_is_a_pages(label_studio: EmbeddedLabelStudio) -> None:
    """Copied from the browser with the address: it is to be left out."""
    error = failure(f"{label_studio.url}/projects", label_studio.api_key)
    assert isinstance(error, PausedDeliveryError)
    assert str(error).endswith(f"leave /projects out of url unless Label Studio is there: {label_studio.url}")


def test_a_server_that_is_not_label_studio(labeling: Labeling) -> None:
    """A static file server, for example, knows neither the path nor the method."""
    for status, asked in ((404, "check url and project_id; is this Label Studio?"), (501, "is this Label Studio?")):
        with FaultyServer("http://upstream.invalid") as server:
            server.plan(answers(status, HTML), None, ALWAYS)
            assert asked in str(failure(server.url, labeling.api_key))


def test_label_studio_takes_legacy_tokens_alone_in_x_api_key(label_studio: EmbeddedLabelStudio) -> None:
    """Why a personal access token beside a login in Authorization is a wrong setting; should a newer Label Studio take
    one, the check may go."""
    token = label_studio.personal_access_token()
    labeling = httpx.Client(base_url=label_studio.url, trust_env=False, timeout=240)
    exchanged = labeling.post("/api/token/refresh/", json={"refresh": token})
    keys = {"legacy": label_studio.api_key, "personal": token, "access": exchanged.json()["access"]}
    statuses = {}
    for kind, key in keys.items():
        headers = {"Authorization": LOGIN, "X-API-Key": key}
        answer = labeling.get("/api/current-user/whoami", headers=headers)
        statuses[kind] = answer.status_code
    labeling.close()
    assert statuses == {"legacy": 200, "personal": 401, "access": 401}

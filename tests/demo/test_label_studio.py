"""The embedded Label Studio."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.error
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from label_studio_sdk import LabelStudio

from otel_labelstudio.demo.api import answer_of
from otel_labelstudio.demo.errors import DemoError
from otel_labelstudio.demo.label_studio import LABEL_STUDIO_VERSION, EmbeddedLabelStudio
from otel_labelstudio.demo.ports import LOOPBACK, ensure_free
from tests.ports import steady_port


@pytest.fixture
def own_label_studio(tmp_path: Path) -> Iterator[EmbeddedLabelStudio]:
    """A server that the test may stop and kill."""
    with EmbeddedLabelStudio(tmp_path / "data", steady_port()) as server:
        yield server


@contextmanager
def sdk(url: str, api_key: str) -> Iterator[LabelStudio]:
    """A client of Label Studio's own, whose connections are closed at the end, which it does not do by itself."""
    with httpx.Client() as connections:
        yield LabelStudio(base_url=url, api_key=api_key, httpx_client=connections)  # type: ignore[no-untyped-call]


def test_runs_the_pinned_version(label_studio: EmbeddedLabelStudio) -> None:
    """What answers on the address is Label Studio in the version that the package names."""
    assert answer_of(f"{label_studio.url}/api/version", label_studio.api_key)["release"] == LABEL_STUDIO_VERSION


def test_both_kinds_of_key_are_taken(label_studio: EmbeddedLabelStudio) -> None:
    """Label Studio's own SDK works with the legacy token and with the personal access token, as the same user."""
    for key in (label_studio.api_key, label_studio.personal_access_token()):
        with sdk(label_studio.url, key) as client:
            assert client.users.whoami().email == label_studio.username


def test_the_login_lets_a_person_in(label_studio: EmbeddedLabelStudio) -> None:
    """The name and password that the demo prints open the page behind Label Studio's login form."""
    with httpx.Client(base_url=label_studio.url, trust_env=False) as browser:
        browser.get("/user/login/")
        form = {
            "email": label_studio.username,
            "password": label_studio.password,
            "csrfmiddlewaretoken": browser.cookies["csrftoken"],
        }
        assert browser.post("/user/login/", data=form).status_code == 302
        assert browser.get("/api/current-user/whoami").json()["email"] == label_studio.username


def test_another_key_is_refused(label_studio: EmbeddedLabelStudio) -> None:
    """The server is no open door: a key that is not its own gets a 401."""
    with pytest.raises(urllib.error.HTTPError) as caught:
        answer_of(f"{label_studio.url}/api/projects", "0" * 40)
    caught.value.close()
    assert caught.value.code == 401


def test_nobody_can_sign_up(label_studio: EmbeddedLabelStudio) -> None:
    """Who reaches the port cannot make an account on it."""
    with httpx.Client(base_url=label_studio.url, trust_env=False) as browser:
        browser.get("/user/signup/")
        form = {
            "email": "stranger@example.com",
            "password": "a long enough one",
            "csrfmiddlewaretoken": browser.cookies["csrftoken"],
        }
        assert browser.post("/user/signup/", data=form).status_code == 403


def test_listens_on_loopback_only(label_studio: EmbeddedLabelStudio) -> None:
    """The machine's other addresses do not answer on the server's port."""
    with socket.socket() as other_address:
        assert other_address.connect_ex(("127.0.0.2", label_studio.port)) != 0


def test_settings_of_the_application_do_not_reach_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Label Studio reads such common names as ``DEBUG`` and ``DJANGO_DB``; the application's own mean nothing to it."""
    monkeypatch.setenv("DJANGO_DB", "mysql")
    monkeypatch.setenv("LABEL_STUDIO_HOST", "https://example.com/elsewhere")
    monkeypatch.setenv("DEBUG", "neither yes nor no")
    with EmbeddedLabelStudio(tmp_path) as server:
        assert answer_of(f"{server.url}/api/projects", server.api_key)["count"] == 0


def test_a_busy_port_is_named(tmp_path: Path) -> None:
    """Label Studio would silently take the next port; here the busy one is an error before anything starts."""
    with socket.create_server((LOOPBACK, 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(DemoError, match=f"Port {port} is busy"):
            EmbeddedLabelStudio(tmp_path, port=port).start()


def test_a_data_directory_in_use_is_refused(own_label_studio: EmbeddedLabelStudio) -> None:
    """Two servers on one SQLite file would lose each other's writes."""
    with pytest.raises(DemoError, match="Another Label Studio runs on"):
        EmbeddedLabelStudio(own_label_studio.data_dir).start()


def test_someone_elses_data_directory_is_refused(tmp_path: Path) -> None:
    """A database with users of its own is left alone: its login and key are not known here."""
    (tmp_path / "label_studio.sqlite3").write_bytes(b"")
    with pytest.raises(DemoError, match="set up by somebody else"):
        EmbeddedLabelStudio(tmp_path).start()


def test_a_server_that_dies_at_start_tells_why(tmp_path: Path) -> None:
    """The error holds the end of the server's own log, and the directory is free again."""
    first = EmbeddedLabelStudio(tmp_path)
    with first:
        pass
    (tmp_path / "label_studio.sqlite3").write_bytes(b"this is no database " * 100)
    with pytest.raises(DemoError, match=r"(?s)ended with status 1:.*file is not a database"):
        first.start()
    ensure_free(first.port)


def test_restart_keeps_address_login_and_data(own_label_studio: EmbeddedLabelStudio) -> None:
    """After a stop, and after a crash, the same address, keys and projects are there."""
    address, key, token = own_label_studio.url, own_label_studio.api_key, own_label_studio.personal_access_token()
    project = answer_of(f"{address}/api/projects", key, {"title": "Kept"})["id"]
    own_label_studio.restart()
    own_label_studio.kill()
    own_label_studio.restart()
    assert own_label_studio.url == address
    for kept in (key, token):
        with sdk(address, kept) as client:
            assert client.projects.get(project).title == "Kept"
    assert own_label_studio.personal_access_token() == token


def test_a_data_directory_serves_again_in_another_process(tmp_path: Path) -> None:
    """Whoever names the same directory later finds the same login and the same projects, and gets the same token."""
    with EmbeddedLabelStudio(tmp_path) as first:
        answer_of(f"{first.url}/api/projects", first.api_key, {"title": "Kept"})
        key, token = first.api_key, first.personal_access_token()
    with EmbeddedLabelStudio(tmp_path) as second:
        assert answer_of(f"{second.url}/api/projects", key)["results"][0]["title"] == "Kept"
        assert (second.api_key, second.personal_access_token()) == (key, token)


def test_every_data_directory_has_keys_of_its_own(
    label_studio: EmbeddedLabelStudio, own_label_studio: EmbeddedLabelStudio
) -> None:
    """Password, key and token signature of one server are of no use on another, and are kept for the owner's eyes."""
    assert own_label_studio.password != label_studio.password
    assert own_label_studio.api_key != label_studio.api_key
    with pytest.raises(urllib.error.HTTPError) as caught:
        answer_of(f"{own_label_studio.url}/api/token/refresh/", "", {"refresh": label_studio.personal_access_token()})
    caught.value.close()
    assert caught.value.code == 401
    assert stat.S_IMODE((own_label_studio.data_dir / "credentials.json").stat().st_mode) == 0o600


def test_a_passing_data_directory_is_cleared_away() -> None:
    """Without a named directory nothing stays behind: neither process, nor port, nor files."""
    with EmbeddedLabelStudio() as server:
        assert server.data_dir.is_dir()
    assert server.process.poll() is not None
    assert not server.data_dir.exists()
    ensure_free(server.port)


def test_the_server_dies_with_the_process_that_started_it(tmp_path: Path) -> None:
    """Even where that one is killed and can clean up nothing."""
    script = (
        "import sys, time; from otel_labelstudio.demo.label_studio import EmbeddedLabelStudio\n"
        "server = EmbeddedLabelStudio(sys.argv[1]).start(); print(server.port, flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        port = int(parent.stdout.readline())
        os.kill(parent.pid, signal.SIGKILL)
    until_s = time.monotonic() + 240
    while is_listening(port) and time.monotonic() < until_s:
        time.sleep(0.1)
    assert not is_listening(port)


def is_listening(port: int) -> bool:
    """Whether somebody accepts connections on the port."""
    with socket.socket() as probe:
        return probe.connect_ex((LOOPBACK, port)) == 0

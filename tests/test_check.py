"""What ``otel-labelstudio check`` finds without asking a server; what it asks one is in test_cli.py."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from filelock import FileLock

from otel_labelstudio.cli import main
from otel_labelstudio.outbox import Outbox
from otel_labelstudio.outbox.schema import FORMAT_VERSION
from tests.outbox.test_migration import FORMAT_2
from tests.ports import steady_port


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("LABEL_STUDIO_", "OTEL_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("LABEL_STUDIO_URL", f"http://127.0.0.1:{steady_port()}")
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "CANARY")


@pytest.fixture
def outbox(tmp_path: Path) -> Path:
    """The file of an outbox of this version."""
    Outbox(str(tmp_path / "calls.db"), max_calls=1, max_bytes=1).close()
    return tmp_path / "calls.db"


def found(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    """The lines; the last one is that of the server, which is not there."""
    assert main(["check", *arguments]) == 1
    *lines, last = capsys.readouterr().out.splitlines()
    assert "cannot be reached: nothing listens on that port" in last
    return lines


def test_an_outbox_that_will_be_made(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """And is not made by the check."""
    path = tmp_path / "calls.db"
    assert f"ok    outbox: {path} will be made" in found(capsys, "--outbox", str(path))
    assert list(tmp_path.iterdir()) == []
    assert any(line.startswith("ok    outbox: in memory") for line in found(capsys))


def test_an_outbox_that_is_there(capsys: pytest.CaptureFixture[str], outbox: Path) -> None:
    """Of this version, of an older one, and one from which another process delivers."""
    assert f"ok    outbox: {outbox}" in found(capsys, "--outbox", str(outbox))
    with FileLock(f"{outbox}.lock"):
        lines = found(capsys, "--outbox", str(outbox))
    assert any(line.startswith("note  another process delivers from this outbox now") for line in lines)
    assert not any(line.startswith("note  another process") for line in found(capsys, "--outbox", str(outbox)))


def test_a_lock_that_nobody_can_take(capsys: pytest.CaptureFixture[str], outbox: Path) -> None:
    """Delivery would wait for ever, which is not for another process."""
    (lock := Path(f"{outbox}.lock")).unlink(missing_ok=True)
    lock.mkdir()
    lines = found(capsys, "--outbox", str(outbox))
    assert any(line.startswith(f"FAIL  outbox: the file {lock} cannot be locked: Is a directory; ") for line in lines)
    assert not any(line.startswith("note  another process") for line in lines)


def test_an_outbox_of_an_older_version(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """It is left as it is."""
    path = tmp_path / "old.db"
    with closing(sqlite3.connect(path)) as db:
        db.executescript(FORMAT_2)
    assert f"ok    outbox: {path}, of an older version, is taken over when it is next opened" in found(
        capsys, "--outbox", str(path)
    )
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (2,)


def test_what_cannot_be_an_outbox(capsys: pytest.CaptureFixture[str], tmp_path: Path, outbox: Path) -> None:
    """No directory, a directory, a file of something else, one of a newer version."""
    (tmp_path / "text.db").write_text("not a database, but long enough to be looked at as one " * 4)
    with closing(sqlite3.connect(outbox)) as db:
        db.execute(f"PRAGMA user_version = {FORMAT_VERSION + 1}")
    for path, said in (
        (tmp_path / "none" / "calls.db", f"there is no directory {tmp_path / 'none'}; make it, or name another file"),
        (tmp_path, "it is a directory; name a file in it"),
        (tmp_path / "text.db", "cannot be used as an outbox (file is not a database)"),
        (outbox, "a newer version wrote this file"),
    ):
        lines = found(capsys, "--outbox", str(path))
        assert any(line.startswith(f"FAIL  outbox {path}: {said}") for line in lines), lines


def test_a_directory_that_the_system_does_not_look_at(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Is a finding as well, as one that may not be entered is: here its name is too long."""
    folder = tmp_path / ("a" * 300)
    file = tmp_path / "receiver.toml"
    file.write_text(f'[labelstudio]\noutbox = "{folder / "calls.db"}"')
    lines = found(capsys, "--outbox", str(folder / "calls.db"))
    assert any(f"there is no directory {folder}" in line for line in lines), lines
    assert any("calls.db will be made" in line for line in found(capsys, "--config", str(file)))


def test_serve_cannot_make_the_directory_of_its_outbox(tmp_path: Path) -> None:
    """It says so in one line."""
    (tmp_path / "file").touch()
    command = [sys.executable, "-m", "otel_labelstudio", "serve", "--outbox", str(tmp_path / "file" / "new" / "o.db")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        f"otel-labelstudio: outbox: there is no directory {tmp_path / 'file' / 'new'} (Not a directory); make it, or "
        "name another file."
    )
    assert "Traceback" not in done.stderr


def test_an_outbox_that_this_user_may_not_write(
    capsys: pytest.CaptureFixture[str], outbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file, then its directory; said by the system's own check, since tests may run as root, who may everything."""
    for refused, said in ((outbox, "may not read and write it"), (outbox.parent, "may not write to the directory")):
        with monkeypatch.context() as context:
            context.setattr(os, "access", lambda path, mode, refused=refused: Path(path) != refused)
            assert any(said in line for line in found(capsys, "--outbox", str(outbox)))


def test_a_receiver_makes_the_directory_of_its_outbox(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """And has one in a file where none is named."""
    path = tmp_path / "state" / "calls.db"
    file = tmp_path / "receiver.toml"
    file.write_text(f'[labelstudio]\noutbox = "{path}"')
    assert f"ok    outbox: {path} will be made" in found(capsys, "--config", str(file))
    file.write_text("")
    assert any("otel-labelstudio/outbox.db" in line for line in found(capsys, "--config", str(file)))


def test_attributes_that_were_misspelt(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """In a title and in routes: one that is near to a name of the conventions; those of the application's own, and of
    the dialects, are left alone."""
    file = tmp_path / "receiver.toml"
    file.write_text(
        """
[labelstudio]
project_name = "{service.nam} %Y"

[[route]]
name = "a"
match = { "service.nam" = "x", "my.team" = "y", "service.namespace" = "z", "langfuse.trace.tags" = "w" }
project_name = "{deployment.enviroment.name}"
"""
    )
    assert [line for line in found(capsys, "--config", str(file)) if "no convention" in line] == [
        'note  project_name: no convention has the attribute "service.nam"; did you mean "service.name"?',
        'note  route a: match: no convention has the attribute "service.nam"; did you mean "service.name"?',
        (
            'note  route a: project_name: no convention has the attribute "deployment.enviroment.name"; did you mean '
            '"deployment.environment.name"?'
        ),
    ]


def test_routes_without_a_filter(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """They are said where other calls are filtered, since what they take is stored as it comes."""
    file = tmp_path / "receiver.toml"
    routes = """
[[route]]
name = "own"
match = { "a" = "b" }
call_filter = "builtins:len"

[[route]]
name = "none"
match = { "a" = "c" }
call_filter = "off"
"""
    file.write_text(f"[labelstudio]\ncall_filter = 'operator:attrgetter'\n{routes}")
    lines = [line for line in found(capsys, "--config", str(file)) if "call_filter" in line]
    assert lines == ["note  route none: call_filter is off: its calls are stored unfiltered"]
    file.write_text(routes)
    assert not any("call_filter" in line for line in found(capsys, "--config", str(file)))


def test_the_braces_of_titles(capsys: pytest.CaptureFixture[str]) -> None:
    """Said before a server is asked."""
    assert main(["check", "--project-name", "{service} x"]) == 1
    assert capsys.readouterr().out.startswith(
        "FAIL  project_name (OTEL_EXPORTER_LABELSTUDIO_PROJECT_NAME) '{service} x'"
    )


def test_the_report_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    """One document, with the same findings; the exit status is the same."""
    lines = found(capsys)
    assert main(["check", "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["ok"] is False
    assert [f"{item['verdict']:<4}  {item['text']}" for item in report["findings"][:-1]] == lines
    assert report["findings"][-1]["verdict"] == "fail"
    assert "CANARY" not in json.dumps(report)

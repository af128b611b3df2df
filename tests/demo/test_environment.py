"""The installation of Label Studio's environment: real environments and a real pip, but a tiny package of that name."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest

from otel_labelstudio.demo.environment import LABEL_STUDIO_VERSION, cache_directory, installed_environment
from otel_labelstudio.demo.errors import DemoError

INSTALL = [
    sys.executable,
    "-c",
    "from otel_labelstudio.demo.environment import *; print(installed_environment().python)",
]


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only place from which pip installs; the cache is empty."""
    directory = tmp_path / "wheels"
    directory.mkdir()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(directory))
    return directory


@pytest.fixture
def tiny_label_studio(wheels: Path) -> None:
    """A package of the pinned name and version that holds one module."""
    name = f"label_studio-{LABEL_STUDIO_VERSION}"
    with zipfile.ZipFile(wheels / f"{name}-py3-none-any.whl", "w") as wheel:
        wheel.writestr("label_studio.py", "")
        metadata = f"Metadata-Version: 2.1\nName: label-studio\nVersion: {LABEL_STUDIO_VERSION}\n"
        wheel.writestr(f"{name}.dist-info/METADATA", metadata)
        wheel.writestr(f"{name}.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{name}.dist-info/RECORD", "")


def has_label_studio(python: Path) -> bool:
    """Whether the interpreter can import it."""
    return subprocess.run([python, "-I", "-c", "import label_studio"], check=False).returncode == 0


def directories() -> list[Path]:
    """What the cache holds."""
    return [path for path in cache_directory().iterdir() if path.is_dir()]


@pytest.mark.usefixtures("tiny_label_studio")
def test_installs_once_into_an_environment_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    """The environment works, is not this one, and the second time nothing is done at all."""
    first = installed_environment()
    assert has_label_studio(first.python)
    assert first.python.parent.parent != Path(sys.prefix)
    assert "Installing Label Studio" in capsys.readouterr().err
    assert installed_environment() == first
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("tiny_label_studio")
def test_two_processes_install_once() -> None:
    """The second waits for the first and says so; both get the same environment."""
    with (
        subprocess.Popen(INSTALL, stdout=subprocess.PIPE, text=True) as one,
        subprocess.Popen(INSTALL, stdout=subprocess.PIPE, text=True) as other,
    ):
        paths = {one.communicate()[0].strip(), other.communicate()[0].strip()}
    (path,) = paths
    assert has_label_studio(Path(path))
    assert len(directories()) == 1


def kill_with_children(process: subprocess.Popen[bytes]) -> None:
    """With SIGKILL; a child, in a process group of its own, would go on writing where somebody clears away."""
    listed = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    children = listed.read_text(encoding="ascii").split() if listed.exists() else []
    process.kill()
    for child in children:
        with suppress(ProcessLookupError):
            os.killpg(int(child), signal.SIGKILL)


@pytest.mark.usefixtures("tiny_label_studio")
def test_a_killed_installation_is_not_taken_for_a_whole_one() -> None:
    """After a kill in the middle the next one starts anew, and clears away what was left."""
    with subprocess.Popen(INSTALL, stdout=subprocess.DEVNULL) as killed:
        until_s = time.monotonic() + 240
        while not list(cache_directory().glob("*/venv/bin/python")) and time.monotonic() < until_s:
            time.sleep(0.02)
        kill_with_children(killed)
    (left_over,) = directories()
    environment = installed_environment()
    assert has_label_studio(environment.python)
    assert environment.directory != left_over
    assert not left_over.exists()


@pytest.mark.usefixtures("wheels")
def test_a_failed_installation_tells_why() -> None:
    """The error holds pip's own words, and the next attempt is an attempt."""
    for _ in range(2):
        with pytest.raises(
            DemoError, match=rf"No matching distribution found for label-studio=={LABEL_STUDIO_VERSION}"
        ):
            installed_environment()


def test_a_python_that_label_studio_was_not_tried_on_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where neither this Python nor one on the PATH fits, the error names what to install."""
    monkeypatch.setattr("otel_labelstudio.demo.environment.TRIED_PYTHONS", ((3, 9),))
    monkeypatch.setenv("PATH", "")
    with pytest.raises(DemoError, match=rf"this is {sys.version_info[0]}\.{sys.version_info[1]}"):
        installed_environment()

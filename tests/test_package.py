"""What is installed is what the repository holds, and the sdist can be built and tested without the repository."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from email.message import Message
from email.parser import Parser
from pathlib import Path
from typing import Any

import pytest
import yaml

from otel_labelstudio import __version__
from tests.cached import cached
from tests.missing import missing

REPOSITORY = Path(__file__).parents[1]
TWINE = "twine==7.0.0"
# Run against the wheel; more of them where this names them
USUAL_WHEEL_TESTS = "tests/filters/test_call_filter.py tests/dialects/test_genai.py"
WHEEL_TESTS = os.environ.get("TEST_WHEEL_TESTS", USUAL_WHEEL_TESTS).split()


@dataclass(frozen=True)
class Built:
    """The packages of this checkout."""

    wheel: Path
    sdist: Path

    def metadata(self) -> Message:
        """The wheel's."""
        with zipfile.ZipFile(self.wheel) as archive:
            (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
            return Parser().parsestr(archive.read(name).decode())

    def unpacked(self, folder: Path) -> Path:
        """What is in the sdist."""
        with tarfile.open(self.sdist) as archive:
            archive.extraction_filter = getattr(tarfile, "data_filter", None)
            archive.extractall(folder)
        (directory,) = folder.iterdir()
        return directory


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "hatchling", "build", "-d", str(folder)]
    subprocess.run(build, cwd=REPOSITORY, check=True, capture_output=True, timeout=600)
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return Built(wheel, sdist)


def test_the_wheel_holds_everything(built: Built) -> None:
    """The labeling configurations, the type marker and the entry points are in it, and nothing of the tests is."""
    with zipfile.ZipFile(built.wheel) as archive:
        names = set(archive.namelist())
        entry_points = next(name for name in names if name.endswith("entry_points.txt"))
        listed = archive.read(entry_points).decode()
    package = (REPOSITORY / "otel_labelstudio").rglob("*")
    files = {p.relative_to(REPOSITORY).as_posix() for p in package if p.is_file() and "__pycache__" not in p.parts}
    assert {"otel_labelstudio/py.typed", "otel_labelstudio/tasks/configs/chat.xml"} <= files <= names
    assert {name.split("/")[0] for name in names - files} == {entry_points.split("/")[0]}
    assert "otel-labelstudio = otel_labelstudio.cli:main" in listed
    assert "[opentelemetry_traces_exporter]" in listed
    assert "[opentelemetry_logs_exporter]" in listed


def test_the_sdist_holds_the_repository(built: Built, tmp_path: Path) -> None:
    """Its tests run documentation, examples and configurations: none of them is left out."""
    if not (REPOSITORY / ".git").exists() or shutil.which("git") is None:
        pytest.skip("this is no clone of the repository")
    listed = subprocess.run(["git", "ls-files"], cwd=REPOSITORY, check=True, capture_output=True, text=True).stdout
    directory = built.unpacked(tmp_path)
    assert [name for name in listed.splitlines() if not (directory / name).exists()] == []


def test_the_image_has_what_the_wheel_is_built_of(tmp_path: Path) -> None:
    """From the files alone that deploy/Containerfile copies, the wheel can be built."""
    containerfile = (REPOSITORY / "deploy" / "Containerfile").read_text(encoding="utf-8")
    for names in re.findall(r"^COPY (.+) /source/\S*$", containerfile, re.MULTILINE):
        for name in names.split():
            copy = shutil.copytree if (REPOSITORY / name).is_dir() else shutil.copy
            copy(REPOSITORY / name, tmp_path / name)
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel"]
    run = subprocess.run(build, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=600)
    assert run.returncode == 0, run.stderr


def test_the_wheel_works_without_the_source(built: Built, tmp_path: Path) -> None:
    """Tests of the sdist pass with its package deleted, against what is installed from the wheel."""
    directory, installed = built.unpacked(tmp_path), tmp_path / "installed"
    shutil.rmtree(directory / "otel_labelstudio")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(installed)]
    subprocess.run([*pip, str(built.wheel)], check=True, timeout=600)
    where = "import otel_labelstudio.pipeline as p; print(p.__file__)"
    found = run_python(["-c", where], directory, installed)
    assert found.stdout.strip() == str(installed / "otel_labelstudio" / "pipeline.py"), found.stderr
    run = run_python(["-m", "pytest", "-q", "-p", "no:cacheprovider", *WHEEL_TESTS], directory, installed)
    assert run.returncode == 0, run.stdout[-3000:]


def run_python(arguments: list[str], directory: Path, installed: Path) -> subprocess.CompletedProcess[str]:
    """With what is installed before all that this environment has, the checkout included."""
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, cwd=directory, env=environment, capture_output=True, text=True, check=False, timeout=600
    )


def test_the_index_takes_them(built: Built) -> None:
    """twine finds nothing wrong with the metadata, nor with how the README is rendered."""

    def install(directory: Path) -> None:
        subprocess.run([sys.executable, "-m", "venv", str(directory / "venv")], check=True, timeout=600)
        pip = [str(directory / "venv" / "bin" / "python"), "-m", "pip", "install", "--quiet", TWINE]
        subprocess.run(pip, check=True, timeout=600)

    try:
        twine = cached("twine", f"{TWINE} {sys.version}".encode(), install) / "venv" / "bin" / "twine"
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        missing(f"a package index that has {TWINE}")
    check = [str(twine), "check", "--strict", str(built.wheel), str(built.sdist)]
    run = subprocess.run(check, capture_output=True, text=True, timeout=600, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def test_the_classifiers_are_what_the_readme_says(built: Built) -> None:
    """Tested Pythons and systems, and no others: "not tested" is not "independent"."""
    classifiers = built.metadata().get_all("Classifier") or []
    pythons = [name.rpartition(" ")[2] for name in classifiers if re.search(r":: 3\.\d+$", name)]
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert f"on Python {pythons[0]} to {pythons[-1]} on Linux" in " ".join(readme.split())
    assert [name for name in classifiers if name.startswith("Operating System")] == [
        "Operating System :: POSIX :: Linux"
    ]
    assert built.metadata()["Author"]


def test_the_projects_urls_are_those_of_the_repository(built: Built) -> None:
    """Where it has an address; without one there are none that lead nowhere."""
    project = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    (address,) = re.findall(r'^repository-url = "(.*)"$', project, re.MULTILINE)
    urls = [line.partition(", ")[2] for line in built.metadata().get_all("Project-URL") or []]
    assert all(url.startswith(address) for url in urls)
    assert bool(urls) == bool(address)


WORKFLOWS = REPOSITORY / ".github" / "workflows"


def jobs(workflow: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load((WORKFLOWS / workflow).read_text(encoding="utf-8"))["jobs"]
    return found


def commands(workflow: str) -> list[str]:
    """What its steps run."""
    steps = (step for job in jobs(workflow).values() for step in job.get("steps", ()))
    return [str(step["run"]) for step in steps if "run" in step]


@pytest.mark.parametrize(
    ("workflow", "expected"), [("ci.yml", {".ci/run", ".ci/versions"}), ("release.yml", {".ci/sbom"})]
)
def test_the_workflows_run_what_is_there(workflow: str, expected: set[str]) -> None:
    """Each command of ours that a workflow calls exists and can be executed; nothing in it holds a token."""
    ours = {path for command in commands(workflow) for path in re.findall(r"(?<!\S)\.ci/\w+", command)}
    assert ours == expected
    assert all(os.access(REPOSITORY / path, os.X_OK) for path in ours)
    assert "secrets." not in (WORKFLOWS / workflow).read_text(encoding="utf-8")


def test_nothing_is_released_untested() -> None:
    """What is built waits for all of CI, what is published for what is built, by an identity instead of a token."""
    release = jobs("release.yml")
    assert release["tests"]["uses"] == "./.github/workflows/ci.yml"
    assert (release["build"]["needs"], release["publish"]["needs"]) == ("tests", "build")
    assert release["publish"]["permissions"] == {"id-token": "write"}


def test_ci_runs_each_python_of_the_package() -> None:
    """Those that its classifiers name."""
    project = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    named = re.findall(r'"Programming Language :: Python :: (3\.\d+)"', project)
    assert jobs("ci.yml")["versions"]["strategy"]["matrix"]["python"] == named


def test_the_releases_tag_is_looked_at() -> None:
    """The step that compares the tag with the version finds the version."""
    (check,) = (command for command in commands("release.yml") if "GITHUB_REF_NAME" in command)
    for tag, status in ((f"v{__version__}", 0), ("v0.0.0", 1)):
        environment = {**os.environ, "GITHUB_REF_NAME": tag}
        assert subprocess.run(["bash", "-c", check], cwd=REPOSITORY, env=environment, check=False).returncode == status

"""Fresh virtual environments, and the variables of a shell in which a reader has one of them active."""

from __future__ import annotations

import filecmp
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
PACKAGE = "otel_labelstudio"

# Settings of whoever runs the tests, which a reader does not have
_LEFT_OUT = ("OTEL_", "LABEL_STUDIO_", "TRACELOOP_", "LANGSMITH_", "LANGCHAIN_", "OPENAI_", "PYTHON")


@dataclass(frozen=True)
class Environment:
    """A virtual environment."""

    directory: Path

    @property
    def packages(self) -> Path:
        """Where pip puts what it installs."""
        (found,) = self.directory.glob("lib/python*/site-packages")
        return found

    def pip(self, *arguments: str, variables: Mapping[str, str]) -> None:
        """Run its pip."""
        command = [str(self.directory / "bin" / "python"), "-m", "pip", "--quiet", *arguments]
        subprocess.run(command, check=True, timeout=1500, env=dict(variables))

    def has_this_checkout(self) -> bool:
        """Whether the package in it is that of the checkout, and not one of the same version from elsewhere."""
        modules = [str(path.relative_to(REPOSITORY)) for path in (REPOSITORY / PACKAGE).rglob("*.py")]
        return filecmp.cmpfiles(REPOSITORY, self.packages, modules, shallow=False)[0] == modules


def new_environment(directory: Path) -> Environment:
    """One that has pip, and nothing else."""
    subprocess.run([sys.executable, "-m", "venv", str(directory)], check=True, timeout=600)
    return Environment(directory)


class Environments:
    """Makes environments in which ``pip install otel-labelstudio`` installs this checkout.

    All else comes from the package index, in the versions that all tests run with. What the package depends on takes
    half a minute to install: that is done once, and linked into each environment, where pip finds it. The package
    itself is never there before the README has it installed.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._wheels = directory / "wheels"
        self._build_wheel()
        self._dependencies = new_environment(directory / "dependencies")
        variables = self.variables(self._dependencies, directory)
        self._dependencies.pip("install", "otel-labelstudio", variables=variables)
        self._dependencies.pip("uninstall", "--yes", "otel-labelstudio", variables=variables)

    def with_dependencies(self, name: str) -> Environment:
        """One that has what ``pip install otel-labelstudio`` brings besides the package."""
        made = new_environment(self._directory / name)
        shutil.copytree(
            self._dependencies.packages,
            made.packages,
            copy_function=_link,
            dirs_exist_ok=True,
            ignore=shutil.ignore_patterns("pip", "pip-*", "setuptools*"),
        )
        return made

    def empty(self, name: str) -> Environment:
        """One for an application that has nothing of this package."""
        return new_environment(self._directory / name)

    def variables(self, environment: Environment, home: Path) -> dict[str, str]:
        """Those of a shell after ``source bin/activate``, of a user whose home is empty.

        Of whoever runs the tests it has how packages are reached and where they are cached, Label Studio's environment
        included.
        """
        own = {name: value for name, value in os.environ.items() if not name.startswith(_LEFT_OUT)}
        old_home = Path.home()
        return {
            **own,
            "HOME": str(home),
            "XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME", str(old_home / ".cache")),
            "XDG_CONFIG_HOME": os.environ.get("XDG_CONFIG_HOME", str(old_home / ".config")),
            "VIRTUAL_ENV": str(environment.directory),
            "PYTHONUNBUFFERED": "1",  # as on a terminal
            "PATH": f"{environment.directory / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "PIP_FIND_LINKS": f"{os.environ.get('PIP_FIND_LINKS', '')} {self._wheels}".strip(),
            "PIP_CONSTRAINT": str(self._wheels / "constraints.txt"),
        }

    def _build_wheel(self) -> None:
        pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(self._wheels)]
        subprocess.run([*pip, str(REPOSITORY)], check=True, timeout=600)
        (wheel,) = self._wheels.glob("*.whl")
        constraints = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8")
        this_one = f"otel-labelstudio=={wheel.name.split('-')[1]}"
        (self._wheels / "constraints.txt").write_text(f"{constraints}\n{this_one}\n", encoding="utf-8")


def _link(source: str, target: str) -> None:
    """A hard link; pip never writes into a file that is there, it puts another in its place."""
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy2(source, target)

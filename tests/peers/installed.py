"""The peers' packages, each set in an environment of its own in the user's cache, made once and kept between runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.cached import cached
from tests.missing import missing

_REQUIREMENTS = Path(__file__).with_name("requirements")
_TIMEOUT_S = 1500


def python_with(peer: str) -> Path:
    """The interpreter of the environment with the packages of ``requirements/<peer>.txt``, and nothing of ours.

    Skips the test where they cannot be installed; under CI it fails.
    """
    requirements = _REQUIREMENTS / f"{peer}.txt"
    # Compiled modules are of one version of Python
    content = requirements.read_bytes() + sys.version.encode()

    def install(directory: Path) -> None:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(directory / "venv")], check=True, timeout=600)
        pip = [
            str(directory / "venv" / "bin" / "python"),
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--no-compile",
        ]
        subprocess.run([*pip, "-r", str(requirements)], check=True, timeout=_TIMEOUT_S)

    try:
        return cached(f"peers/{peer}", content, install) / "venv" / "bin" / "python"
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        missing(f"a package index that has what {requirements.name} names")

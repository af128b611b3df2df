"""Apache Kafka's jars, copied by Maven once and kept in the user's cache directory."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

from otel_labelstudio.demo.environment import cache_directory
from otel_labelstudio.demo.locking import locked

POM = Path(__file__).with_name("pom.xml")
_TIMEOUT_S = 1500


def missing_tool() -> str | None:
    """What the machine lacks to run a broker, or None."""
    if shutil.which("java") is None:
        return "Java, which runs a Kafka broker,"
    if not _directory().exists() and shutil.which("mvn") is None:
        return "Maven, which copies Kafka's jars,"
    return None


def kafka_jars() -> Path:
    """The directory of the jars; a second process waits for the first.

    Raises:
        subprocess.CalledProcessError: Maven failed; it says why on standard output.
    """
    directory = _directory()
    directory.parent.mkdir(parents=True, exist_ok=True)
    with locked(directory.with_name(directory.name + ".lock"), lambda: None):
        if not directory.exists():
            # Under a passing name first, so that a copying that was killed is never taken for a whole one
            passing = Path(tempfile.mkdtemp(dir=directory.parent, prefix=directory.name + "-"))
            _copy(passing)
            passing.rename(directory)
    return directory


def _directory() -> Path:
    return cache_directory() / "kafka" / hashlib.sha256(POM.read_bytes()).hexdigest()[:12]


def _copy(directory: Path) -> None:
    maven = [shutil.which("mvn") or "mvn", "--batch-mode", "--quiet", "-Dstyle.color=never", f"--file={POM}"]
    goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={directory}"]
    subprocess.run([*maven, *goal], check=True, timeout=_TIMEOUT_S)

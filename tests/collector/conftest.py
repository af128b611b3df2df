"""A real OpenTelemetry Collector, built from the manifest that the project keeps."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.collector.collector import CONFIGURATIONS
from tests.missing import missing

_BUILD_TIMEOUT_S = 1800


@pytest.fixture(scope="session")
def otelcol() -> Path:
    """Where the Collector's program is; the build is kept between runs."""
    if shutil.which("go") is None:
        missing("Go, which builds the Collector,")
    command = [str(CONFIGURATIONS / "build.sh")]
    built = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=_BUILD_TIMEOUT_S, check=True)
    return Path(built.stdout.strip())

"""Each run has the same tests under the same names: two processes share a run only then, and a failure can be repeated
by its name."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.documents import REPOSITORY


def test_no_name_depends_on_time_chance_or_process(request: pytest.FixtureRequest) -> None:
    here = {item.nodeid for item in request.session.items}
    another = subprocess.run(
        (sys.executable, "-m", "pytest", "--collect-only", "--quiet", "-p", "no:cacheprovider"),
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONHASHSEED": "1", "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert not here - set(another.stdout.splitlines())

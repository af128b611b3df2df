"""What tests of several parts share."""

from __future__ import annotations

import os
import random
import shutil
import signal
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from otel_labelstudio.demo.environment import Environment
from otel_labelstudio.demo.label_studio import EmbeddedLabelStudio
from tests.collector.collector import build
from tests.delivery.faults import FaultyServer
from tests.delivery.labeling import Labeling
from tests.missing import missing

# To repeat what chance did in a run: it is printed at the head of each, and is the same in the processes that share one
# run. In CI it is fixed, as Hypothesis' is: there a failure is to tell of a change
SEED = os.environ.setdefault("TEST_SEED", "0" if os.environ.get("CI") else str(random.SystemRandom().randrange(2**32)))

# A busy machine takes its time
settings.register_profile("unhurried", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")

# A shell that starts a job in the background has it ignore Ctrl-C, and so would all that the tests start
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_report_header() -> str:
    return f"TEST_SEED={SEED}"


@pytest.fixture(autouse=True)
def _seeded(request: pytest.FixtureRequest) -> None:
    """Chance is the same for a test however many run before it."""
    random.seed(f"{SEED} {request.node.nodeid}")


@pytest.fixture(scope="session")
def label_studio() -> Iterator[EmbeddedLabelStudio]:
    """A real Label Studio server, started once for the whole run; its environment is kept between runs.

    Tests share it: they make projects of their own, and neither stop it nor count on what else it holds.
    """
    with _another_version(), EmbeddedLabelStudio() as server:
        yield server


@contextmanager
def _another_version() -> Iterator[None]:
    """That of the environment (its Python is ``venv/bin/python`` there) which TEST_LABEL_STUDIO names."""
    with pytest.MonkeyPatch.context() as patch:
        if directory := os.environ.get("TEST_LABEL_STUDIO"):
            environment = Environment(Path(directory))
            patch.setattr("otel_labelstudio.demo.label_studio.installed_environment", lambda: environment)
        yield


@pytest.fixture
def labeling(label_studio: EmbeddedLabelStudio) -> Labeling:
    """The shared Label Studio as a person's tools see it."""
    return Labeling(label_studio.url, label_studio.api_key)


@pytest.fixture
def faulty(label_studio: EmbeddedLabelStudio) -> Iterator[FaultyServer]:
    """A server before the shared Label Studio that goes wrong on demand."""
    with FaultyServer(label_studio.url) as server:
        yield server


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the recorded telemetry: ``<producer>/<scenario>/{traces-N.pb, logs-N.pb, truth.json}``."""
    return _unpacked("corpus.tar.xz", tmp_path_factory)


@pytest.fixture(scope="session")
def gateways(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same of gateways, frameworks and further instrumentations."""
    return _unpacked("corpus-2.tar.xz", tmp_path_factory)


def _unpacked(name: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    with tarfile.open(Path(__file__).parent / "corpus" / name) as tar:
        tar.extraction_filter = getattr(tarfile, "data_filter", None)  # Python 3.11.2, which is Debian 12's, has none
        tar.extractall(folder)
    return folder


@pytest.fixture(scope="session")
def otelcol() -> Path:
    """The program of a real OpenTelemetry Collector, built from the manifest that the project keeps; the build is kept
    between runs."""
    if shutil.which("go") is None:
        missing("Go, which builds the Collector,")
    return build()

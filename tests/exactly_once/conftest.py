"""Servers of the tests' own, which they stop and kill, and applications that die."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_labelstudio.demo.label_studio import EmbeddedLabelStudio
from tests.delivery.faults import FaultyServer
from tests.delivery.labeling import Labeling
from tests.delivery.pipelines import Pipelines
from tests.exactly_once.postgres import installed, postgresql
from tests.missing import missing
from tests.ports import steady_port


@pytest.fixture(scope="session", params=["SQLite", "PostgreSQL"])
def server(request: pytest.FixtureRequest) -> Iterator[EmbeddedLabelStudio]:
    """A Label Studio on each database that is here; a test that stops it starts it again."""
    if request.param == "SQLite":
        with EmbeddedLabelStudio(port=steady_port()) as label_studio:
            yield label_studio
        return
    programs = installed()
    if programs is None:
        missing("PostgreSQL")
    with postgresql(programs) as database, pytest.MonkeyPatch.context() as patch:
        # It makes all tables at its first start
        patch.setattr("otel_labelstudio.demo.label_studio._START_TIMEOUT_S", 900.0)
        with EmbeddedLabelStudio(port=steady_port(), database=database) as label_studio:
            yield label_studio


@pytest.fixture
def labeling(server: EmbeddedLabelStudio) -> Labeling:
    return Labeling(server.url, server.api_key)


class Applications:
    """Starts applications (`tests.exactly_once.application`), and hears what they were told is safe."""

    def __init__(self, directory: Path) -> None:
        self._said = directory / "said"
        self._said.touch()
        self._started: list[subprocess.Popen[bytes]] = []

    def start(
        self, server: EmbeddedLabelStudio | Labeling, outbox: Path, title: str, first: int, *options: object
    ) -> subprocess.Popen[bytes]:
        """An application that exports to a server, or to what stands before it; ``options`` as its command line has
        them."""
        command = [sys.executable, "-m", "tests.exactly_once.application", outbox, title, first, *options]
        environment = {**os.environ, "LABEL_STUDIO_URL": server.url, "LABEL_STUDIO_API_KEY": server.api_key}
        with self._said.open("ab") as said:
            process = subprocess.Popen([*map(str, command)], stdout=said, env=environment)
        self._started.append(process)
        return process

    def said(self) -> list[int]:
        """The numbers of the calls that were accepted, as the applications were told."""
        # The last line of one that died may be cut
        return [int(line) for line in self._said.read_text().split("\n")[:-1]]

    def close(self) -> None:
        for process in self._started:
            process.kill()
            process.wait()


@pytest.fixture
def applications(tmp_path: Path) -> Iterator[Applications]:
    made = Applications(tmp_path)
    yield made
    made.close()


@pytest.fixture
def pipelines(server: EmbeddedLabelStudio, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pipelines]:
    """Pipelines of this process, which try again soon."""
    monkeypatch.setattr("otel_labelstudio.delivery.retry._FIRST_S", 0.1)
    monkeypatch.setattr("otel_labelstudio.delivery.retry._LONGEST_S", 0.5)
    monkeypatch.setattr("otel_labelstudio.delivery.rechecks.RETRY_S", 1.0)
    made = Pipelines(server.url, server.api_key)
    yield made
    made.close()


@pytest.fixture
def faulty(server: EmbeddedLabelStudio) -> Iterator[FaultyServer]:
    with FaultyServer(server.url) as before:
        yield before

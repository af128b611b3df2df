"""Processes that know nothing of each other deliver to one title: to one project, whenever they begin."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.delivery.labeling import Labeling, fresh_title

_CALLS = 5


@contextmanager
def application(labeling: Labeling, title: str, number: int) -> Iterator[subprocess.Popen[str]]:
    arguments = [labeling.url, title, str(number), str(_CALLS)]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.delivery.starting", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "LABEL_STUDIO_API_KEY": labeling.api_key},
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("round_", range(2))
@pytest.mark.parametrize("processes", [2, 4])
def test_processes_that_start_at_once_deliver_to_the_lowest_id(labeling: Labeling, processes: int, round_: int) -> None:
    """All of them find no project of the title. However many they create, all calls are in the first, each once."""
    title = fresh_title("At once")
    with ExitStack() as stack:
        started = [stack.enter_context(application(labeling, title, n)) for n in range(processes)]
        for process in started:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in started:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        for process in started:
            assert process.stdout is not None
            assert process.stdout.readline() == "done\n"
    stored = [task["data"]["call_id"] for task in labeling.tasks(title)]
    assert len(stored) == len(set(stored)) == processes * _CALLS

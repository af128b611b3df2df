"""Several processes on one outbox file: one delivers; when it dies, at whatever moment, the next takes over."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.delivery.pipelines import until
from tests.outbox.ledger import deliverers, numbers

# Of the deliverer, so long that calls are left when it is killed, also by a test that a busy machine keeps waiting
PAUSE_S = 0.03


class Processes:
    """Starts processes (`tests.outbox.process`) on one outbox and one ledger, and ends them."""

    def __init__(self, directory: Path) -> None:
        self.outbox, self.ledger = directory / "calls.outbox", directory / "ledger"
        self._directory = directory
        self._started: list[subprocess.Popen[bytes]] = []
        self._outputs: list[Path] = []

    def start(self, first: int, count: int, *options: object) -> subprocess.Popen[bytes]:
        output = self._directory / f"output-{len(self._started)}"
        command = [sys.executable, "-m", "tests.outbox.process", self.outbox, self.ledger, first, count, *options]
        with output.open("wb") as file:
            process = subprocess.Popen([*map(str, command)], stdin=subprocess.PIPE, stdout=file)
        self._started.append(process)
        self._outputs.append(output)
        return process

    def said(self) -> list[str]:
        return [line for output in self._outputs for line in output.read_text().splitlines()]

    def accepted(self) -> list[int]:
        return [int(line) for line in self.said() if line.isdigit()]

    def pids(self) -> list[int]:
        return [int(line.split()[1]) for line in self.said() if line.startswith("pid")]

    def close(self) -> None:
        for process in self._started:
            if process.stdin:
                process.stdin.close()
        for process in self._started:
            with killed_in_the_end(process):
                process.wait(900)


@contextmanager
def killed_in_the_end(process: subprocess.Popen[bytes]) -> Iterator[None]:
    try:
        yield
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    made = Processes(tmp_path)
    yield made
    made.close()


def test_one_of_several_processes_delivers_for_all(processes: Processes) -> None:
    """Three processes accept at once; each call is delivered once, by one and the same process."""
    for i in range(3):
        processes.start(1000 * i + 1, 40)
    until(lambda: len(numbers(processes.ledger)) == 120 and processes.said().count("done") == 3)
    assert sorted(numbers(processes.ledger)) == sorted(processes.accepted())
    assert len(set(deliverers(processes.ledger).values())) == 1


def test_the_next_takes_over_when_the_deliverer_is_killed(processes: Processes) -> None:
    """SIGKILL, again and again, to whoever delivers: another goes on soon, and no call is delivered twice."""
    started = {process.pid: process for process in (processes.start(1000 * i + 1, 300, PAUSE_S) for i in range(3))}
    for _ in range(2):
        seen = len(numbers(processes.ledger))
        until(lambda seen=seen: len(numbers(processes.ledger)) > seen + 20)  # type: ignore[misc]
        (deliverer,) = {list(deliverers(processes.ledger).values())[-1]}
        time.sleep(random.uniform(0, 0.03))
        started.pop(deliverer).kill()
        seen = len(numbers(processes.ledger))
        killed_at = time.monotonic()
        until(lambda seen=seen: len(numbers(processes.ledger)) > seen)  # type: ignore[misc]
        print(f"taken over after {time.monotonic() - killed_at:.1f} s")
    processes.close()
    # A call may be on the disk although the process died before it could say so
    assert set(processes.accepted()) <= set(numbers(processes.ledger))
    assert len(numbers(processes.ledger)) == len(set(numbers(processes.ledger)))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_children_of_a_process_go_on_when_it_dies(processes: Processes, end: signal.Signals) -> None:
    """A server that forks after its first calls: parent and children share the file, and survive each other."""
    parent = processes.start(1, 200, PAUSE_S, "--fork", 2)
    until(lambda: len(processes.pids()) == 3 and len(numbers(processes.ledger)) > 20)
    assert set(deliverers(processes.ledger).values()) == {parent.pid}
    parent.send_signal(end)
    until(lambda: processes.said().count("done") >= 2)
    until(lambda: set(processes.accepted()) <= set(numbers(processes.ledger)))
    assert len(numbers(processes.ledger)) == len(set(numbers(processes.ledger)))
    assert len(set(deliverers(processes.ledger).values())) >= 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_child_that_dies_leaves_its_parent_alone(processes: Processes) -> None:
    """What a child has accepted before it was killed is delivered by its parent."""
    parent = processes.start(1, 200, 0.005, "--fork", 2)
    until(lambda: len(processes.pids()) == 3)
    for pid in set(processes.pids()) - {parent.pid}:
        os.kill(pid, signal.SIGKILL)
    until(lambda: "done" in processes.said())
    until(lambda: set(processes.accepted()) <= set(numbers(processes.ledger)))
    assert len(numbers(processes.ledger)) == len(set(numbers(processes.ledger)))


def test_a_start_delivers_what_an_earlier_one_left(processes: Processes) -> None:
    """Killed right after it accepted: the next process delivers that without a call of its own to wake it."""
    first = processes.start(1, 200, 0.2)
    until(lambda: "done" in processes.said())
    first.kill()
    first.wait()
    left = set(processes.accepted()) - set(numbers(processes.ledger))
    assert left
    processes.start(1000, 1)
    until(lambda: left <= set(numbers(processes.ledger)))

"""Terminals as a reader of the documentation has them open, and waiting for what they show."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from otel_labelstudio.demo.running import started, stop, text_of

_WAIT_S = 900.0


@contextmanager
def terminal(name: str, command: str, directory: Path, environment: Mapping[str, str]) -> Iterator[Callable[[], str]]:
    """A shell that runs the command until it is closed; gives what it has printed."""
    log = directory / f"{name}.log"
    process = started(["bash", "-c", command], environment, log)
    try:
        yield lambda: text_of(log)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
        stop(process, grace_s=30)


def wait_for(is_there: Callable[[], bool], said: Callable[[], str]) -> None:
    """Wait until something is there; what a terminal ``said`` last, where it does not come."""
    end = time.monotonic() + _WAIT_S
    while not is_there():
        assert time.monotonic() < end, said()[-4000:]
        time.sleep(0.2)

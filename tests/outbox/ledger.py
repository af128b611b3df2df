"""A sink that several processes share: a file with a line for each call, in which a call can be looked up."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from otel_labelstudio.delivery.results import Delivered, Result, Sending
from otel_labelstudio.delivery.sink import Terms
from otel_labelstudio.outbox.entry import OutboxEntry
from otel_labelstudio.testing import RecordingSink
from tests.outbox.calls import number_of


class LedgerSink(RecordingSink):
    """Appends each call's number and the process that delivered it; ``pause_s`` between its steps."""

    def __init__(self, path: Path, pause_s: float = 0.0) -> None:
        super().__init__()
        self._path, self._pause_s = path, pause_s

    def deliver(self, destination: str, entries: Sequence[OutboxEntry], terms: Terms) -> Iterator[Result]:
        stored = set(numbers(self._path)) if any(entry.is_outcome_unknown for entry in entries) else set()
        missing = [e for e in entries if not (e.is_outcome_unknown and number_of(e.call) in stored)]
        yield Sending(entries, "ledger")
        time.sleep(self._pause_s)
        with self._path.open("ab", buffering=0) as file:  # one write: all lines or none
            file.write("".join(f"{number_of(entry.call)} {os.getpid()}\n" for entry in missing).encode())
        time.sleep(self._pause_s)
        yield Delivered(entries)


def numbers(path: Path) -> list[int]:
    """The numbers in the ledger, in order."""
    return [number for number, _ in _lines(path)]


def deliverers(path: Path) -> dict[int, int]:
    """By number, the process that delivered it."""
    return dict(_lines(path))


def _lines(path: Path) -> list[tuple[int, int]]:
    if not path.exists():
        return []
    whole = path.read_text().rpartition("\n")[0]  # the end of a large write may not be there yet
    return [(int(number), int(process)) for number, process in map(str.split, whole.splitlines())]

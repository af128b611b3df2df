"""What a million calls that wait in an outbox file cost, beside a thousand: after days without Label Studio.

    python benchmarks/waiting.py [--calls 1000 1000000]

A file of calls of two kilobytes, all of them for one project. A process of its own opens it (after what the system has
in its cache of files was written), asks what is to be done, and then puts, settles and takes calls as the exporter
does, a hundred times each; the worst of each is given beside the median, and what the process's memory grew by. Linux
only; some minutes, and 5 GB of disk.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from statistics import median

from measuring import peak_mib
from settling import different, settler_of

from otel_labelstudio.calls import LLMCall
from otel_labelstudio.outbox import Outbox
from otel_labelstudio.outbox.serialization import call_to_text

_DESTINATION = '{"title":"calls"}'
_TIMES = 100
_A_REQUEST = 100
_A_BATCH = 100
_COPY = """
INSERT INTO readings (key, call_id, state, destination, body, size, accepted_at, due_at)
SELECT :key, :key, state, destination, :body, size, accepted_at, due_at FROM readings WHERE seq = 1
"""


def main() -> None:
    """Measures and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, nargs="+", default=[1000, 1_000_000], help="how many wait")
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.file:
        print(json.dumps(_measured(options.file)))
        return
    columns = [_of_waiting(calls) for calls in options.calls]
    print("| waiting | " + " | ".join(f"{calls:,}" for calls in options.calls) + " |")
    print("|---" * (len(columns) + 1) + "|")
    for name in columns[0]:
        print(f"| {name} | " + " | ".join(column[name] for column in columns) + " |")


def _of_waiting(calls: int) -> dict[str, str]:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "outbox.db"
        _fill(path, calls)
        command = [sys.executable, __file__, "--file", str(path)]
        run = subprocess.run(command, capture_output=True, text=True, check=True)
        found: dict[str, str] = json.loads(run.stdout)
        return {"the file, MiB": f"{path.stat().st_size / 2**20:,.0f}", **found}


def _fill(path: Path, calls: int) -> None:
    """With copies of a call that has come all the way; ids are in no order, as those of spans."""
    first = next(different(1))
    outbox = _open(path)
    outbox.accepting.put(first, _DESTINATION, due_at=0)
    settler_of(outbox).settle_readings(1)
    outbox.close()
    body = call_to_text(first)

    def copies() -> Iterator[dict[str, str]]:
        for _ in range(calls - 1):
            trace_id, span_id = os.urandom(16).hex(), os.urandom(8).hex()
            copied = body.replace(first.trace_id, trace_id).replace(f'"{first.span_id}"', f'"{span_id}"')
            yield {"key": f"{trace_id}-{span_id}-0", "body": copied}

    with closing(sqlite3.connect(path)) as db, db:
        db.executemany(_COPY, copies())


def _measured(path: Path) -> dict[str, str]:
    before = peak_mib(os.getpid())
    began = time.perf_counter()
    outbox = _open(path)
    outbox.queue.recover()
    assert outbox.queue.destinations() == [_DESTINATION]
    found = {"start, ms": f"{1000 * (time.perf_counter() - began):,.1f}"}
    calls = different(_TIMES * _A_REQUEST + 1)
    settler = settler_of(outbox)
    work: dict[str, Callable[[], object]] = {
        f"put {_A_REQUEST} in a transaction": lambda: _put(outbox, calls),
        f"settle {_A_REQUEST}": lambda: settler.settle_readings(1),
        f"take {_A_BATCH} and put them back": lambda: _take(outbox),
        "status": lambda: outbox.figures.status(),
        "what the metrics ask": lambda: (len(outbox), outbox.figures.oldest_age_s()),
    }
    times: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(_TIMES):
        for name, do in work.items():
            began = time.perf_counter()
            do()
            times[name].append(1000 * (time.perf_counter() - began))
    outbox.close()
    found |= {f"{name}, ms": f"{median(took):.1f} ({max(took):,.1f})" for name, took in times.items()}
    return {**found, "memory, MiB": f"{peak_mib(os.getpid()) - before:,.0f}"}


def _open(path: Path) -> Outbox:
    return Outbox(str(path), max_calls=10**8, max_bytes=10**12)


def _put(outbox: Outbox, calls: Iterable[LLMCall]) -> None:
    with outbox.transaction():
        for one in islice(calls, _A_REQUEST):
            outbox.accepting.put(one, _DESTINATION, due_at=0)


def _take(outbox: Outbox) -> None:
    taken = outbox.queue.take(_DESTINATION, limit=_A_BATCH, max_bytes=2**25)
    assert len(taken) == _A_BATCH
    outbox.queue.put_back(taken)


if __name__ == "__main__":
    main()

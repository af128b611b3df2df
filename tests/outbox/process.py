"""An application's process: accepts numbered calls into an outbox file, and delivers into a ledger.

    python -m tests.outbox.process OUTBOX LEDGER FIRST COUNT [PAUSE_S] [--fork N]

Prints each number once it was accepted. With ``--fork``, N children do the same, each with numbers of its own, and
print their process ids at first. At the end of its standard input it shuts down, as do the children.
"""

from __future__ import annotations

import argparse
import os
import select
import sys
import time
from pathlib import Path

from otel_labelstudio.pipeline import Pipeline
from otel_labelstudio.settings import Settings
from tests.delivery.pipelines import until
from tests.outbox.calls import numbered
from tests.outbox.ledger import LedgerSink


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("outbox")
    parser.add_argument("ledger", type=Path)
    parser.add_argument("first", type=int)
    parser.add_argument("count", type=int)
    parser.add_argument("pause_s", type=float, nargs="?", default=0.0)
    parser.add_argument("--fork", type=int, default=0)
    arguments = parser.parse_args()
    settings = Settings.resolve(
        {"api_key": "key", "url": "http://127.0.0.1:1", "outbox": arguments.outbox, "settle_s": 0, "batch_size": 5}
    )
    pipeline = Pipeline(settings, sink=LedgerSink(arguments.ledger, arguments.pause_s))
    first = arguments.first
    if arguments.fork:
        accept(pipeline, first, 5)
        until(lambda: pipeline._worker._is_elected)  # the worker runs, the outbox is open and the election is won
        first += 5
    for child in range(1, arguments.fork + 1):
        if os.fork() == 0:
            first = arguments.first + child * 1000
            break
        time.sleep(0.01)
    say(f"pid {os.getpid()}")
    accept(pipeline, first, arguments.count)
    say("done")
    select.select([sys.stdin], [], [])
    pipeline.close(timeout_s=600)


def accept(pipeline: Pipeline, first: int, count: int) -> None:
    for number in range(first, first + count):
        if pipeline.accept_calls([numbered(number)]):
            say(str(number))
        time.sleep(0.002)


def say(line: str) -> None:
    os.write(1, f"{line}\n".encode())


if __name__ == "__main__":
    main()

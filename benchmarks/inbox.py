"""How fast stored requests are read from a receiver's inbox into its outbox: small ones by themselves, and together.

    python benchmarks/inbox.py [--spans 2000] [--rounds 5]

LLM spans of 2.5 KB, in requests of 1, 10 and 100; nobody sends meanwhile, and nothing is delivered. Each round reads
the same number of spans in each way, into an inbox and an outbox of its own; medians, with the lowest and the highest.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
import time
from pathlib import Path
from statistics import median

from receiver_load import request_body

from otel_labelstudio.pipeline import Pipeline
from otel_labelstudio.receiver import request_batch
from otel_labelstudio.receiver.inbox import Inbox, path_beside
from otel_labelstudio.receiver.reader import InboxReader
from otel_labelstudio.receiver.requests import Request, Signal
from otel_labelstudio.receiver.status import PROTOBUF
from otel_labelstudio.settings import Settings
from otel_labelstudio.testing import RecordingSink

WAYS = {"by themselves": 1, "together": request_batch._MOST_REQUESTS}
SPANS_A_REQUEST = (1, 10, 100)


def main() -> None:
    """Measures and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spans", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    logging.disable(logging.WARNING)  # of what is left in the outbox each time
    found: dict[tuple[int, str], list[tuple[float, float]]] = {}
    for _ in range(options.rounds):
        for size in SPANS_A_REQUEST:
            for way, most in WAYS.items():
                request_batch._MOST_REQUESTS = most
                found.setdefault((size, way), []).append(_read(options.spans, size))
    print("| spans a request, read | spans a second, median (lowest, highest) | ms of CPU a span |")
    print("|---|---|---|")
    for (size, way), figures in found.items():
        rates, cpu = [rate for rate, _ in figures], median(used for _, used in figures)
        print(f"| {size}, {way} | {median(rates):,.0f} ({min(rates):,.0f}, {max(rates):,.0f}) | {cpu:.3f} |")


def _read(spans: int, size: int) -> tuple[float, float]:
    """Spans a second, and milliseconds of processor time each."""
    with tempfile.TemporaryDirectory() as directory:
        outbox = str(Path(directory) / "outbox.db")
        settings = {"outbox": outbox, "mode": "auto", "outbox_max_calls": 10**7, "settle_s": 3600}
        pipeline = Pipeline(
            Settings.resolve(settings, needs_server=False), sink=RecordingSink(), is_all_or_nothing=True
        )
        inbox = Inbox(path_beside(outbox), 2**30)
        inbox.put([Request(Signal.TRACES, PROTOBUF, request_body("small", size, n)) for n in range(spans // size)])
        reader = InboxReader(inbox, pipeline, is_busy=lambda: False)
        began, cpu = time.perf_counter(), time.thread_time()
        while inbox.size:
            reader.step()
        took, used = time.perf_counter() - began, time.thread_time() - cpu
        inbox.close()
        pipeline.close(0)
    return spans / took, 1000 * used / spans


if __name__ == "__main__":
    main()

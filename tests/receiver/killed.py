"""A receiver whose tasks go to a file, to be killed: ``python killed.py OUTBOX TASKS``.

The file is as Label Studio is: what was written stays, also where the receiver died before it could note it, so that
what is in doubt has to be looked up before it is written again.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator, Sequence

from otel_labelstudio.delivery.results import Delivered, Result
from otel_labelstudio.delivery.sink import Terms
from otel_labelstudio.outbox.entry import OutboxEntry
from otel_labelstudio.pipeline import Pipeline
from otel_labelstudio.receiver.logs import LogFormat, write_log
from otel_labelstudio.receiver.server import ReceiverServer
from otel_labelstudio.receiver.settings import ReceiverSettings
from otel_labelstudio.settings import Settings
from otel_labelstudio.testing import RecordingSink


class FileSink(RecordingSink):
    """Appends the id of each call's span as a line, once."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path

    def deliver(self, destination: str, entries: Sequence[OutboxEntry], terms: Terms) -> Iterator[Result]:
        with open(self._path, "a+", encoding="ascii") as file:
            file.seek(0)
            there = set(file.read().split())
            for entry in entries:
                if entry.call.span_id not in there:
                    file.write(f"{entry.call.span_id}\n")
            file.flush()
            os.fsync(file.fileno())
        yield Delivered(entries)


async def serve(outbox: str, tasks: str) -> None:
    """Until killed, or stopped."""
    settings = Settings.resolve(
        {"api_key": "key", "url": "http://127.0.0.1:9", "mode": "auto", "settle_s": 0.1, "outbox": outbox}
    )
    pipeline = Pipeline(settings, sink=FileSink(tasks), is_all_or_nothing=True)
    server = ReceiverServer(ReceiverSettings.resolve({"grpc": "127.0.0.1:0", "http": "127.0.0.1:0"}), pipeline)
    server.heed_signals()
    await server.serve()
    pipeline.close(20)


if __name__ == "__main__":
    write_log(LogFormat.JSON)
    asyncio.run(serve(*sys.argv[1:]))

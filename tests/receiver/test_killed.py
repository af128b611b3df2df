"""Killed with SIGKILL under load, again and again: every span that was answered with success is delivered, once."""

from __future__ import annotations

import http.client
import os
import random
import signal
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from uuid import uuid4

import grpc

from tests.delivery.pipelines import until
from tests.receiver.requests_made import ids, traces
from tests.receiver.serving import Process, post
from tests.receiver.test_grpc import TRACES, export

ROUNDS = int(os.environ.get("OTEL_LABELSTUDIO_TEST_KILLS", "10"))
SENDERS = 4


class Sender(threading.Thread):
    """Sends one request after the other until the receiver is gone; keeps the spans that were answered with success."""

    def __init__(self, process: Process, uses_grpc: bool) -> None:
        super().__init__(daemon=True)
        self._process, self._uses_grpc = process, uses_grpc
        self.answered: list[str] = []

    def run(self) -> None:
        with grpc.insecure_channel(self._process.grpc) as channel:
            while True:
                request = traces(*(f"Question {uuid4()}?" for _ in range(5)))
                try:
                    if self._uses_grpc:
                        export(channel, TRACES, request.SerializeToString())
                    elif post(f"{self._process.http}/v1/traces", request.SerializeToString())[0] != 200:
                        continue
                except (OSError, http.client.HTTPException, grpc.RpcError):
                    return
                self.answered += ids(request)


def test_what_was_answered_is_delivered_once(tmp_path: Path) -> None:
    """Whenever the receiver dies, whatever it was at; the next one goes on where it was."""
    tasks = tmp_path / "tasks"
    tasks.touch()
    command = [sys.executable, str(Path(__file__).with_name("killed.py")), str(tmp_path / "outbox.db"), str(tasks)]
    chance = random.Random(11)
    answered: list[str] = []
    for _ in range(ROUNDS):
        process = Process(command)
        senders = [Sender(process, uses_grpc=number % 2 == 1) for number in range(SENDERS)]
        for sender in senders:
            sender.start()
        time.sleep(chance.uniform(0.1, 1.0))
        until(lambda senders=senders: sum(len(sender.answered) for sender in senders) > 10)  # type: ignore[misc]
        process.kill()
        for sender in senders:
            sender.join(240)
            answered += sender.answered
    assert len(answered) > ROUNDS * 10
    last = Process(command)
    end = time.monotonic() + 240 + len(answered) / 100
    while not set(answered) <= set(tasks.read_text(encoding="ascii").split()) and time.monotonic() < end:
        time.sleep(1)
    assert last.wait_after(signal.SIGTERM) == 0
    delivered = Counter(tasks.read_text(encoding="ascii").split())
    print(f"answered {len(answered)}, delivered {len(delivered)}")
    assert [span_id for span_id in answered if delivered[span_id] != 1] == []
    assert [span_id for span_id, times in delivered.items() if times > 1] == []

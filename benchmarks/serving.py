"""`otel-labelstudio serve` as a process, what sends to it, and what it says of itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from otel_labelstudio.demo.label_studio import EmbeddedLabelStudio
from otel_labelstudio.demo.ports import free_port

_LOAD = Path(__file__).with_name("receiver_load.py")
_CONNECTIONS = 4
_START_S, _STOP_S = 60, 30


class Serve:
    """One with a port and an outbox of its own, which it keeps when it is stopped and started again."""

    def __init__(self, outbox: Path) -> None:
        self.outbox = outbox
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it takes OTLP over HTTP."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        """Its process, once it was started."""
        assert self._process is not None
        return self._process.pid

    @contextmanager
    def started(self, label_studio: EmbeddedLabelStudio | None = None, project: str = "Scaling") -> Iterator[Serve]:
        """Running; without a Label Studio it delivers nothing, and is refused each time that it tries."""
        command = [sys.executable, "-m", "otel_labelstudio", "serve", "--grpc=off", f"--http=127.0.0.1:{self._port}"]
        command += [f"--outbox={self.outbox}", "--mode=auto", f"--project-name={project}", "--stop-timeout-s=0.1"]
        command += ["--outbox-max-calls=10000000", "--outbox-max-bytes=100000000000"]
        url = label_studio.url if label_studio else f"http://127.0.0.1:{free_port()}"
        key = label_studio.api_key if label_studio else "key"
        environment = {**os.environ, "LABEL_STUDIO_URL": url, "LABEL_STUDIO_API_KEY": key}
        self._process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
        try:
            self._wait_until_up()
            yield self
        finally:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(_STOP_S)

    @property
    def answered(self) -> float:
        """How many spans it has answered with success since it was started."""
        return self._metric("otel_labelstudio_receiver_accepted_spans_total")

    @property
    def read(self) -> float:
        """How many spans it has brought from its inbox into its outbox since it was started."""
        return self._metric("otel_labelstudio_spans_received_total")

    @property
    def delivered(self) -> float:
        """How many tasks it has delivered since it was started."""
        return self._metric("otel_labelstudio_tasks_delivered_total")

    @property
    def waiting_bytes(self) -> float:
        """What is in its inbox."""
        return self._metric("otel_labelstudio_receiver_inbox_size_bytes")

    def _metric(self, name: str) -> float:
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=30) as page:
            lines = [line.decode() for line in page if line.startswith(name.encode())]
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines)

    def _wait_until_up(self) -> None:
        end = time.monotonic() + _START_S
        while time.monotonic() < end:
            with suppress(OSError):
                urllib.request.urlopen(f"{self.url}/healthz", timeout=5).close()
                return
            time.sleep(0.1)
        raise SystemExit("serve does not start")


def sent(url: str, kind: str, seconds: float, spans_a_request: int = 100) -> tuple[float, float]:
    """Spans of ``kind`` (`receiver_load`) that were answered with success, and in how many seconds."""
    command = [sys.executable, str(_LOAD), url, str(_CONNECTIONS), str(seconds), kind, str(spans_a_request)]
    result = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    spans = float(result["requests"] * spans_a_request)
    return spans, spans / result["spans_per_s"] if spans else seconds

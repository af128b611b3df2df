"""A receiver as its senders meet it: on this process's threads with a sink that keeps what comes, or as a process."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from otel_labelstudio.calls import LLMCall
from otel_labelstudio.errors import LabelStudioExportError
from otel_labelstudio.pipeline import Pipeline
from otel_labelstudio.receiver.inbox import Inbox
from otel_labelstudio.receiver.metrics import export_metrics
from otel_labelstudio.receiver.server import ReceiverServer
from otel_labelstudio.receiver.settings import Address, ReceiverSettings
from otel_labelstudio.routing import Route
from otel_labelstudio.settings import Settings
from otel_labelstudio.testing import RecordingSink

DISK_TIMEOUT_S = 240.0
ANY_PORTS = {"grpc": "127.0.0.1:0", "http": "127.0.0.1:0"}


class Receiver:
    """A receiver that serves on a thread of this process; a context manager."""

    def __init__(
        self,
        outbox: Path,
        *,
        sink: RecordingSink | None = None,
        routes: Callable[[Settings], Sequence[Route]] = lambda _: (),
        pipeline: Mapping[str, Any] | None = None,
        **receiver: Any,
    ) -> None:
        self.sink = sink or RecordingSink()
        settings = Settings.resolve(
            {"api_key": "key", "url": "http://127.0.0.1:9", "mode": "auto", "settle_s": 0, "outbox": str(outbox)}
            | dict(pipeline or {})
        )
        self.pipeline = Pipeline(settings, sink=self.sink, routes=routes(settings), is_all_or_nothing=True)
        self.pipeline.joins_log_records = True
        self._settings = ReceiverSettings.resolve({**ANY_PORTS, **receiver})
        self._listening: dict[str, Address] = {}
        self._is_listening = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._server: ReceiverServer | None = None
        self.error: Exception | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def http(self) -> str:
        """Where HTTP listens, as a URL without a path."""
        return f"http://{self._listening['http']}"

    @property
    def grpc(self) -> str:
        """Where gRPC listens, as host and port."""
        return str(self._listening["grpc"])

    @property
    def port(self) -> int:
        """HTTP's port."""
        return self._listening["http"].port

    def delivered(self, span_ids: Collection[str], timeout_s: float = 240.0) -> list[LLMCall]:
        """The calls of these spans, once all of them were delivered."""
        end = time.monotonic() + timeout_s
        while missing := set(span_ids) - {call.span_id for call in self.sink.calls}:
            assert time.monotonic() < end, f"{len(missing)} calls were not delivered in time"
            time.sleep(0.02)
        return [call for call in self.sink.calls if call.span_id in span_ids]

    def read(self, timeout_s: float = 240.0) -> bool:
        """Read all that was answered; whether it was within the time."""
        assert self._server is not None
        return self._server.intake.drain(timeout_s)

    @property
    def inbox(self) -> Inbox:
        """Where what was answered waits to be read."""
        assert self._server is not None
        return self._server.intake._inbox

    def flush(self, timeout_s: float = 240.0) -> bool:
        """Read and deliver all that was answered; whether it was within the time."""
        return self.read(timeout_s) and self.pipeline.flush(timeout_s)

    def stop(self) -> None:
        """Stop gracefully, as SIGTERM does."""
        if self._loop is not None and self._server is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._server.stop)
        self._thread.join(240)

    def __enter__(self) -> Receiver:
        export_metrics()
        self._thread.start()
        assert self._is_listening.wait(240)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        assert not self._thread.is_alive()
        self.pipeline.close(timeout_s=0)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except LabelStudioExportError as error:
            self.error = error

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._server = ReceiverServer(self._settings, self.pipeline, self._say_listening)
        # A busy machine's disk answers late; that of one that never does has tests of its own
        self._server.intake._readiness._timeout_s = DISK_TIMEOUT_S
        await self._server.serve()

    def _say_listening(self, listening: Mapping[str, Address]) -> None:
        self._listening.update(listening)
        self._is_listening.set()


class Process:
    """A receiver in a process of its own: ``command`` runs it, with a log in JSON lines on standard error."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "LABEL_STUDIO_"))}
        self.process = subprocess.Popen(
            command, stderr=subprocess.PIPE, text=True, env={**clean, **(environment or {})}
        )
        self.log: list[dict[str, Any]] = []
        self._listening = threading.Event()
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()
        assert self._listening.wait(240), f"it does not listen: {self.log}"

    @property
    def http(self) -> str:
        """Where HTTP listens, as a URL without a path."""
        return f"http://{self._where('http')}"

    @property
    def grpc(self) -> str:
        """Where gRPC listens."""
        return self._where("grpc")

    @property
    def peak_memory(self) -> int:
        """Bytes; the most that the process has held. Skips the test where the system does not say."""
        return self._status("VmHWM") * 1024

    @property
    def open_files(self) -> int:
        """Connections and the few files besides. Skips the test where the system does not say."""
        self._status("FDSize")
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def kill(self) -> None:
        """With SIGKILL, if it still runs."""
        self.wait_after(signal.SIGKILL)

    def wait_after(self, number: signal.Signals, timeout_s: float = 240.0) -> int:
        """Send it a signal; its exit status."""
        self.process.send_signal(number)
        return self.exit_status(timeout_s)

    def exit_status(self, timeout_s: float = 240.0) -> int:
        """Once it has ended, and all that it has said is in the log."""
        status = self.process.wait(timeout_s)
        self._reader.join(240)
        return status

    def _status(self, name: str) -> int:
        status = Path(f"/proc/{self.process.pid}/status")
        if not status.exists():
            pytest.skip("no /proc here")
        (line,) = (line for line in status.read_text(encoding="ascii").splitlines() if line.startswith(f"{name}:"))
        return int(line.split()[1])

    def _where(self, transport: str) -> str:
        return next(str(entry[transport]) for entry in self.log if transport in entry)

    def _read_log(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as lines:
            for line in lines:
                self.log.append(json.loads(line) if line.startswith("{") else {"message": line})
                if "http" in self.log[-1]:
                    self._listening.set()
        self._listening.set()


@contextmanager
def serve_command(
    *arguments: str, program: Sequence[str] = ("-m", "otel_labelstudio"), **environment: str
) -> Iterator[Process]:
    """``otel-labelstudio serve`` with these arguments, on free ports; killed at the end if it still runs."""
    ports = [f"--{name}={address}" for name, address in ANY_PORTS.items()]
    command = [sys.executable, *program, "serve", "--log-format=json", *ports, *arguments]
    made = Process(command, environment)
    try:
        yield made
    finally:
        made.kill()


def post(
    url: str, body: bytes, content_type: str = "application/x-protobuf", method: str = "POST", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers (lower case) and body of the answer, whatever it is."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(
        url, body if method == "POST" else None, {"Content-Type": content_type, **named}, method=method
    )
    opener = urllib.request.build_opener(_KeepErrors)
    with opener.open(request, timeout=240) as answer:
        return answer.status, {name.lower(): value for name, value in answer.headers.items()}, answer.read()


class _KeepErrors(urllib.request.HTTPErrorProcessor):
    def http_response(self, request: Any, response: Any) -> Any:
        return response

    https_response = http_response

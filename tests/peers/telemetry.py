"""Takes OTLP over HTTP and keeps each request's body as a file, as a door of the project reads them."""

from __future__ import annotations

import gzip
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.served import LOOPBACK, Served


class Capture(Served):
    """A server that writes ``N-traces.pb`` and ``N-logs.pb``, numbered as they arrive; a context manager."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._server = _Server((LOOPBACK, 0), _Handler)
        self._server.directory = directory
        super().__init__(self._server)

    @property
    def endpoint(self) -> str:
        """For ``OTEL_EXPORTER_OTLP_ENDPOINT``."""
        return f"http://{self.address}"

    @property
    def files(self) -> list[Path]:
        """What has come so far."""
        return sorted(self.directory.glob("*.pb"))


class _Server(ThreadingHTTPServer):
    directory: Path

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(address, handler)
        self._lock = threading.Lock()
        self._count = 0

    def keep(self, signal: str, body: bytes) -> None:
        with self._lock:
            self._count += 1
            passing = self.directory / f"{self._count:04d}-{signal}.part"
            passing.write_bytes(body)
            passing.rename(passing.with_suffix(".pb"))


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        is_compressed = self.headers.get("Content-Encoding") == "gzip"
        signal = self.path.rpartition("/")[2]
        if signal in ("traces", "logs"):
            self.server.keep(signal, gzip.decompress(body) if is_compressed else body)
        self.send_response(200)
        self.send_header("Content-Type", "application/x-protobuf")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
        """Nothing: what has come is in the files."""

"""What really went over the wire between an application and an LLM's API."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from tests.served import LOOPBACK, Served


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its answer, whole or streamed."""

    path: str
    request: dict[str, Any]
    status: int
    body: bytes

    @property
    def choices(self) -> list[dict[str, Any]]:
        """Each choice's ``text`` and ``tool_calls`` (name and arguments), a stream's pieces joined."""
        objects = self._streamed() if self.request.get("stream") else [json.loads(self.body)]
        choices: dict[int, dict[str, Any]] = {}
        for piece in (choice for each in objects for choice in each.get("choices", ())):
            said = piece.get("message") or piece.get("delta") or {"content": piece.get("text")}
            choice = choices.setdefault(piece["index"], {"text": "", "tool_calls": {}})
            choice["text"] += said.get("content") or ""
            for position, call in enumerate(said.get("tool_calls") or ()):
                known = choice["tool_calls"].setdefault(call.get("index", position), {"name": "", "arguments": ""})
                known["name"] += call["function"].get("name") or ""
                known["arguments"] += call["function"].get("arguments") or ""
        return [{**choice, "tool_calls": list(choice["tool_calls"].values())} for _, choice in sorted(choices.items())]

    def _streamed(self) -> list[dict[str, Any]]:
        lines = [line.removeprefix("data: ") for line in self.body.decode().splitlines() if line.startswith("data: ")]
        return [json.loads(line) for line in lines if line != "[DONE]"]


class RecordingProxy(Served):
    """Passes requests on to another server and keeps them with their answers; a context manager."""

    def __init__(self, target_url: str) -> None:
        self._server = _Server((LOOPBACK, 0), _Handler)
        self._server.target = urlsplit(target_url).netloc
        self._path = urlsplit(target_url).path
        super().__init__(self._server)

    @property
    def url(self) -> str:
        return f"http://{self.address}{self._path}"

    @property
    def exchanges(self) -> list[Exchange]:
        """What was asked and answered so far."""
        return list(self._server.exchanges)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    target = ""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.exchanges: list[Exchange] = []


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        upstream = http.client.HTTPConnection(self.server.target, timeout=240)
        upstream.request("POST", self.path, content, {"Content-Type": "application/json"})
        answer = upstream.getresponse()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.headers.get("Content-Type", ""))
        self.end_headers()  # HTTP/1.0: the body ends with the connection
        body = b""
        while piece := answer.read1(65536):
            body += piece
            self.wfile.write(piece)
            self.wfile.flush()
        upstream.close()
        self.server.exchanges.append(Exchange(self.path, json.loads(content), answer.status, body))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the standard library's name
        """Nothing: it is all in `RecordingProxy.exchanges`."""

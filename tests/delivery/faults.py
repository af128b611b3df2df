"""A real HTTP server on loopback that stands before a Label Studio and goes wrong on demand.

It forwards every request. A fault, once planned, replaces that for the requests of its kind: it may answer by itself,
be late, break the connection, or forward first and then break it, as a proxy or a dying server does.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeAlias
from urllib.parse import urlsplit

HTML = b"<html><body><h1>Sign in</h1></body></html>"


@dataclass
class Exchange:
    """One request, and the ways in which it can be answered."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    handler: BaseHTTPRequestHandler
    upstream: str
    status: int | None = None

    @property
    def kind(self) -> str:
        """What the request is about: its last path segments without ids, such as ``import`` or ``projects``."""
        if "commit_to_project=false" in self.path:
            return "projects/import/trial"
        names = [part for part in urlsplit(self.path).path.split("/") if part and not part.isdigit()]
        return "/".join(names[names.index("api") + 1 :]) if "api" in names else "/".join(names)

    def forward(self) -> tuple[int, dict[str, str], bytes]:
        """Have Label Studio answer."""
        target = urlsplit(self.upstream)
        connection = http.client.HTTPConnection(target.hostname or "", target.port, timeout=240)
        kept = {n: v for n, v in self.headers.items() if n.lower() not in ("host", "connection", "content-length")}
        connection.request(self.method, self.path, self.body or None, {**kept, "Connection": "close"})
        answer = connection.getresponse()
        headers = {"Content-Type": answer.headers.get("Content-Type", "application/json")}
        body = answer.read()
        connection.close()
        return answer.status, headers, body

    def answer(self, status: int, headers: dict[str, str], body: bytes, *, length: int | None = None) -> None:
        """Answer; ``length`` may promise more than there is."""
        self.status = status
        self.handler.send_response(status)
        for name, value in headers.items():
            self.handler.send_header(name, value)
        self.handler.send_header("Content-Length", str(len(body) if length is None else length))
        self.handler.end_headers()
        self.handler.wfile.write(body)

    def reset(self) -> None:
        """Break the connection: the client gets a reset, not an end."""
        self.handler.close_connection = True
        self.handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.handler.connection.close()


Fault: TypeAlias = Callable[[Exchange], None]


def answers(status: int, body: Any = None, **headers: str) -> Fault:
    """Answer by itself; Label Studio does not hear of the request."""
    content = body if isinstance(body, bytes) else json.dumps(body if body is not None else {"detail": "no"}).encode()
    kind = "text/html" if isinstance(body, bytes) else "application/json"
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda exchange: exchange.answer(status, {"Content-Type": kind, **named}, content)


def after_forwarding(fault: Fault) -> Fault:
    """Label Studio does its work; its answer is lost."""

    def lose(exchange: Exchange) -> None:
        exchange.forward()
        fault(exchange)

    return lose


def reset(exchange: Exchange) -> None:
    exchange.reset()


def late(seconds: float, then: Fault | None = None) -> Fault:
    """Wait, then forward, or go wrong in another way."""

    def wait(exchange: Exchange) -> None:
        time.sleep(seconds)
        (then or forwarded)(exchange)

    return wait


def forwarded(exchange: Exchange) -> None:
    """No fault."""
    exchange.answer(*exchange.forward())


def truncated(exchange: Exchange) -> None:
    """Half of the answer, and then the end."""
    status, headers, body = exchange.forward()
    exchange.answer(status, headers, body[: len(body) // 2], length=len(body))
    exchange.handler.close_connection = True


def without_predictions(exchange: Exchange) -> None:
    """As Label Studio on SQLite does when somebody else writes at the same moment: tasks stored, predictions lost."""
    tasks = json.loads(exchange.body)
    exchange.body = json.dumps([{k: v for k, v in task.items() if k != "predictions"} for task in tasks]).encode()
    forwarded(exchange)


@dataclass
class Plan:
    """A fault for the next ``times`` requests of a kind (`Exchange.kind`; None: of every kind)."""

    fault: Fault
    kind: str | None
    times: float


@dataclass
class FaultyServer:
    """Stands before ``upstream``; a context manager. ``prefix`` is the path below which it answers, ``tls`` is of its
    certificate."""

    upstream: str
    prefix: str = ""
    tls: ssl.SSLContext | None = None
    seen: list[Exchange] = field(default_factory=list)
    most_imports_at_once: int = 0

    def __post_init__(self) -> None:
        self._plans: list[Plan] = []
        self._lock = threading.Lock()
        self.imports_under_way = 0
        """Requests that are not answered yet."""
        self._imports_at_work = 0  # those that Label Studio works on
        self._server: ThreadingHTTPServer | None = None
        self._port = 0

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self._port}{self.prefix}"

    def plan(self, fault: Fault, kind: str | None = "projects/import", times: float = 1) -> None:
        """Go wrong at the next requests of a kind; the plans of one kind are used up in their order."""
        with self._lock:
            self._plans.append(Plan(fault, kind, times))

    def count(self, kind: str) -> int:
        """How many requests of a kind came."""
        return sum(exchange.kind == kind for exchange in list(self.seen))

    def start(self) -> FaultyServer:
        """Listen, on the same port as before."""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *args: Any) -> None:
                pass

            def do_GET(self) -> None:
                outer._answer(self)

            do_POST = do_PATCH = do_DELETE = do_GET  # noqa: N815

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False

            def handle_error(self, request: Any, client_address: Any) -> None:
                pass  # the client went away, as some tests want

        self._server = Server(("127.0.0.1", self._port), Handler)
        self._port = self._server.server_port
        if self.tls is not None:
            self._server.socket = self.tls.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def stop(self) -> None:
        """Listen no more: connections are refused."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def __enter__(self) -> FaultyServer:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        path = handler.path.removeprefix(self.prefix)
        exchange = Exchange(handler.command, path, dict(handler.headers), body, handler, self.upstream)
        self.seen.append(exchange)
        if not handler.path.startswith(f"{self.prefix}/api/"):
            return exchange.answer(404, {"Content-Type": "text/html"}, HTML)
        with self._counted(exchange):
            self._fault_for(exchange)(exchange)
        return None

    def _fault_for(self, exchange: Exchange) -> Fault:
        with self._lock:
            for plan in self._plans:
                if plan.kind in (None, exchange.kind) and plan.times > 0:
                    plan.times -= 1
                    return plan.fault
        return forwarded

    @contextmanager
    def _counted(self, exchange: Exchange) -> Iterator[None]:
        is_import, forward = exchange.kind == "projects/import", exchange.forward

        def forward_and_count() -> tuple[int, dict[str, str], bytes]:
            with self._lock:
                self._imports_at_work += is_import
                self.most_imports_at_once = max(self.most_imports_at_once, self._imports_at_work)
            try:
                return forward()
            finally:
                with self._lock:
                    self._imports_at_work -= is_import

        exchange.forward = forward_and_count  # type: ignore[method-assign]
        with self._lock:
            self.imports_under_way += is_import
        try:
            yield
        finally:
            with self._lock:
                self.imports_under_way -= is_import

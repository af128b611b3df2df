"""A real forward proxy on loopback, as companies have it: CONNECT for https, whole addresses for http."""

from __future__ import annotations

import base64
import http.client
import select
import socket
import ssl
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from tests.served import LOOPBACK, Served


class ForwardProxy(Served):
    """A context manager; ``login`` is the ``user:password`` that it asks for, ``tls`` how it is reached by TLS.
    ``asked`` is what it was asked for."""

    def __init__(self, login: str | None = None, tls: ssl.SSLContext | None = None) -> None:
        self.asked: list[str] = []
        self._login = f"Basic {base64.b64encode(login.encode()).decode()}" if login else None
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args: Any) -> None:
                pass

            def do_GET(self) -> None:
                outer._pass_on(self)

            do_POST = do_PATCH = do_DELETE = do_GET  # noqa: N815

            def do_CONNECT(self) -> None:
                outer._connect(self)

        server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        super().__init__(server)

    def _is_refused(self, handler: BaseHTTPRequestHandler) -> bool:
        self.asked.append(handler.path)
        handler.close_connection = True
        if self._login in (None, handler.headers.get("Proxy-Authorization")):
            return False
        handler.send_response(407, "Proxy Authentication Required")
        handler.send_header("Proxy-Authenticate", "Basic")
        handler.send_header("Content-Length", "0")
        handler.end_headers()
        return True

    def _pass_on(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        if self._is_refused(handler):
            return
        target = urlsplit(handler.path)
        connection = http.client.HTTPConnection(target.netloc, timeout=240)
        headers = {n: v for n, v in handler.headers.items() if n.lower() not in ("connection", "proxy-authorization")}
        connection.request(handler.command, target._replace(scheme="", netloc="").geturl(), body or None, headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        handler.send_response(answer.status)
        handler.send_header("Content-Type", answer.headers.get("Content-Type", ""))
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    def _connect(self, handler: BaseHTTPRequestHandler) -> None:
        if self._is_refused(handler):
            return
        host, _, port = handler.path.rpartition(":")
        with socket.create_connection((host, int(port)), timeout=240) as target:
            handler.send_response(200)
            handler.end_headers()
            pump(handler.connection, target)


def pump(one: socket.socket, other: socket.socket) -> None:
    """Until either side ends."""
    peers = {one: other, other: one}
    while True:
        for readable in select.select([one, other], [], [], 60)[0]:
            data = readable.recv(65536)
            if not data:
                return
            peers[readable].sendall(data)

"""A real SOCKS5 proxy on loopback (RFC 1928), with a login (RFC 1929) where it is to ask for one."""

from __future__ import annotations

import socket
import socketserver

from tests.delivery.label_studio.forward_proxy import pump
from tests.served import LOOPBACK, Served

_IPV4, _NAME = 1, 3
_NO_LOGIN, _LOGIN, _NONE_ACCEPTED = 0, 2, 255
_SUCCEEDED, _CONNECTION_REFUSED = 0, 5
TIMEOUT_S = 60


class SocksProxy(Served):
    """A context manager; ``login`` is the ``user:password`` that it asks for, ``refusal`` the code with which it
    refuses every server; ``says`` is all that it says instead. ``asked`` is what it was asked for."""

    def __init__(self, login: str | None = None, refusal: int | None = None, says: bytes | None = None) -> None:
        self.asked: list[str] = []
        self._login, self._refusal, self._says = login, refusal, says
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            timeout = TIMEOUT_S

            def handle(self) -> None:
                if outer._lets_in(self):
                    outer._connect(self)

        super().__init__(socketserver.ThreadingTCPServer((LOOPBACK, 0), Handler))

    def _lets_in(self, handler: socketserver.StreamRequestHandler) -> bool:
        read, write = handler.rfile.read, handler.wfile.write
        method = _LOGIN if self._login else _NO_LOGIN
        if method not in read(read(2)[1]) or self._says is not None:
            write(bytes((5, _NONE_ACCEPTED)) if self._says is None else self._says)
            return False
        write(bytes((5, method)))
        if self._login is None:
            return True
        user = read(read(2)[1])
        is_known = f"{user.decode()}:{read(read(1)[0]).decode()}" == self._login
        write(bytes((1, not is_known)))
        return is_known

    def _connect(self, handler: socketserver.StreamRequestHandler) -> None:
        host = self._read_host(handler)
        port = int.from_bytes(handler.rfile.read(2), "big")
        self.asked.append(f"{host}:{port}")
        if self._refusal is not None:
            _reply(handler, self._refusal)
            return
        try:
            target = socket.create_connection((host, port), timeout=TIMEOUT_S)
        except OSError:
            _reply(handler, _CONNECTION_REFUSED)
            return
        with target:
            _reply(handler, _SUCCEEDED)
            pump(handler.connection, target)

    def _read_host(self, handler: socketserver.StreamRequestHandler) -> str:
        read = handler.rfile.read
        kind = read(4)[3]
        if kind == _IPV4:
            return socket.inet_ntoa(read(4))
        assert kind == _NAME
        return read(read(1)[0]).decode()


def _reply(handler: socketserver.StreamRequestHandler, code: int) -> None:
    handler.wfile.write(bytes((5, code, 0, _IPV4, 0, 0, 0, 0, 0, 0)))

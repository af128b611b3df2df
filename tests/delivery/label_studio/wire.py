"""A server on loopback that answers as no HTTP library would: byte by byte, without an end, or not at all."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
# Its socket takes no more than this from a client that it does not read
_RECEIVE_BUFFER_BYTES = 64 * 1024


@dataclass
class Wire:
    """Answers each connection with ``answer``; a context manager. All threads are joined at its end.

    ``answer`` may take as long as it likes, if it looks at ``is_over``.
    """

    answer: Callable[[Exchange], None]
    paths: list[str] = field(default_factory=list)
    sent_bytes: int = 0

    def __post_init__(self) -> None:
        self.is_over = threading.Event()
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen()
        self._threads = [threading.Thread(target=self._accept)]
        self._connections: list[socket.socket] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Wire:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self.is_over.set()
        with socket.create_connection(self._listener.getsockname()):
            pass  # so that accept() returns
        self._threads[0].join()
        for connection in self._connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            if self.is_over.is_set():
                connection.close()
                return
            self._connections.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            received = b""
            while b"\r\n\r\n" not in received:
                part = connection.recv(1024)
                if not part:
                    return
                received += part
            head, _, body = received.partition(b"\r\n\r\n")
            path = head.split(b" ", 2)[1].decode()
            self.paths.append(path)
            self.answer(Exchange(self, connection, path, head, body))


@dataclass
class Exchange:
    """One request, whose head was read."""

    wire: Wire
    connection: socket.socket
    path: str
    head: bytes
    body: bytes

    def send(self, data: bytes) -> None:
        """Raises OSError once the client has gone."""
        self.connection.sendall(data)
        self.wire.sent_bytes += len(data)

    def read(self) -> bytes:
        """The whole body of the request."""
        length = re.search(rb"(?i)content-length: (\d+)", self.head)
        while length and len(self.body) < int(length[1]):
            if not (part := self.connection.recv(65536)):
                raise ConnectionError("the client has gone")
            self.body += part
        return self.body

    def send_json(self, body: bytes) -> None:
        """A whole answer."""
        self.answer(200, {"Content-Type": "application/json"}, body)

    def answer(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """A whole answer, once the whole request was read."""
        self.read()
        lines = [f"HTTP/1.1 {status} Said", *(f"{name}: {value}" for name, value in headers.items())]
        lines += [f"Content-Length: {len(body)}", "Connection: close", "", ""]
        self.send("\r\n".join(lines).encode() + body)

    def drip(self, data: bytes, pause_s: float = 0.02) -> None:
        """A byte now and then."""
        for byte in data:
            self.send(bytes([byte]))
            if self.wire.is_over.wait(pause_s):
                return

    def flood(self, data: bytes) -> None:
        """The same again and again, until the client goes."""
        while not self.wire.is_over.is_set():
            self.send(data)

"""A back end that answers as a test has written, for what real ones do not do on demand."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TypeAlias


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


@dataclass(frozen=True)
class Said:
    """An answer; with status 0 the connection is closed without one."""

    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)


Script: TypeAlias = Callable[[Asked], Said]


class BackEndServer:
    """Answers each request by the next of ``answers``, and by ``otherwise`` when none is left. A context manager."""

    def __init__(self, *answers: Said | Script, otherwise: Said | Script = Said()) -> None:
        self._answers, self._otherwise = list(answers), otherwise
        self._lock = threading.Lock()
        self.asked: list[Asked] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = False
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> BackEndServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(240)

    def _answer(self, asked: Asked) -> Said:
        with self._lock:
            self.asked.append(asked)
            answer = self._answers.pop(0) if self._answers else self._otherwise
        return answer if isinstance(answer, Said) else answer(asked)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        back_end = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                said = back_end._answer(Asked(self.command, self.path, headers, body))
                self.close_connection = True
                if not said.status:
                    return
                self.send_response(said.status)
                for name, value in {
                    "content-length": str(len(said.body)),
                    "connection": "close",
                    **said.headers,
                }.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(said.body)

            do_DELETE = do_GET = do_POST  # noqa: N815 - the names are the library's

            def log_message(self, *_: object) -> None:
                pass

        return Handler

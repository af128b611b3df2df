"""A stand-in for OpenAI's API on loopback that keeps what went over the wire, scenario by scenario."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.peers import chat_answers, response_answers
from tests.peers.scenarios import UNKNOWN_MODEL, Json
from tests.served import LOOPBACK, Served


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and its whole answer; of a stream it is the answer that the pieces were cut from."""

    path: str
    request: Json
    status: int
    answer: Json


@dataclass(frozen=True, slots=True)
class _Endpoint:
    whole: Callable[[Json, str], Json]
    pieces: Callable[[Json, Json], Iterable[Json]] | None = None
    is_named: bool = False
    """Whether each event of the stream has its type as its name, and none says that it was the last."""


_ENDPOINTS = {
    "/v1/chat/completions": _Endpoint(chat_answers.chat_completion, chat_answers.chat_chunks),
    "/v1/completions": _Endpoint(chat_answers.text_completion, chat_answers.text_chunks),
    "/v1/embeddings": _Endpoint(chat_answers.embeddings),
    "/v1/responses": _Endpoint(response_answers.response, response_answers.response_events, is_named=True),
}
_NOT_FOUND = {"message": "The model does not exist", "type": "invalid_request_error", "code": "model_not_found"}


class StandIn(Served):
    """A server in a thread of this process; a context manager."""

    def __init__(self) -> None:
        self._server = _Server((LOOPBACK, 0), _Handler)
        super().__init__(self._server)

    @property
    def url(self) -> str:
        """What to give an OpenAI client as its base URL."""
        return f"http://{self.address}/v1"

    def exchanges(self, trace_id: str) -> list[Exchange]:
        """What went over the wire in a scenario's trace."""
        return [exchange for of, exchange in list(self._server.exchanges) if of == trace_id]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(address, handler)
        self.exchanges: list[tuple[str, Exchange]] = []


class _Handler(BaseHTTPRequestHandler):
    # HTTP/1.0, the default: a stream ends with its connection
    server: _Server

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        endpoint = _ENDPOINTS[self.path]
        is_known = request["model"] != UNKNOWN_MODEL
        answer = endpoint.whole(request, f"{len(self.server.exchanges):08x}") if is_known else {"error": _NOT_FOUND}
        exchange = Exchange(self.path, request, 200 if is_known else 404, answer)
        self.server.exchanges.append((self.headers.get("X-Scenario", ""), exchange))
        self._send(exchange, endpoint)

    def _send(self, exchange: Exchange, endpoint: _Endpoint) -> None:
        is_stream = exchange.status == 200 and endpoint.pieces is not None and exchange.request.get("stream")
        self.send_response(exchange.status)
        self.send_header("Content-Type", "text/event-stream" if is_stream else "application/json")
        self.end_headers()
        if is_stream and endpoint.pieces is not None:
            self._stream(endpoint.pieces(exchange.request, exchange.answer), is_named=endpoint.is_named)
        else:
            self.wfile.write(json.dumps(exchange.answer).encode())

    def _stream(self, pieces: Iterable[Json], *, is_named: bool) -> None:
        """In one write: a gateway that passes it on has all of it, also where the application reads only a part."""
        stream = ""
        for piece in pieces:
            stream += f"event: {piece['type']}\n" if is_named else ""
            stream += f"data: {json.dumps(piece)}\n\n"
        with suppress(ConnectionError):  # the application has read as much as it wanted
            self.wfile.write((stream if is_named else f"{stream}data: [DONE]\n\n").encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
        """Nothing: it is all in `StandIn.exchanges`."""

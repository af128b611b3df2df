"""uvicorn's HTTP, with bounds where its parser has none.

httptools takes heads, trailers and chunk extensions of any size, from anybody. So what it is fed is counted, what comes
out of it as a body is taken off again, and the rest is framing: of that there may be so much for each request, in so
many fields. What is too much is answered with 431, and the connection ends.

An offer to upgrade is one more thing that the parser believes: it takes the body for that of the other protocol, and
drops it. Here such a request is read once more without the offer, as a server that speaks HTTP/1.1 alone may do
(RFC 9110, 7.8). Java's client makes one with each first request.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from otel_labelstudio.receiver.connections import ConnectionGuard
from otel_labelstudio.receiver.metrics import ReceiverMetrics
from otel_labelstudio.receiver.status import ANSWERS, Outcome

# What other servers take: 64 KiB as h11, 100 fields as Apache. A sender's head has less than one and some twenty
MAX_FRAMING_BYTES = 64 * 2**10
MAX_FIELDS = 100
# Requests that wait for the answer to the one before; no exporter sends any
MAX_PIPELINED = 16
# What is fed is counted before anybody knows what it is, so that the limits are as exact as this
FED_AT_ONCE = 16 * 2**10

# So much of what comes after a refusal is thrown away: a connection that ends while something comes is a reset, which
# may take the answer with it. Who sends more than that does not read it
_MOST_AFTER_REFUSAL = 256 * 2**10

_OF_UPGRADES = frozenset({b"connection", b"upgrade", b"http2-settings"})


class GuardedProtocol(HttpToolsProtocol):
    """One connection, which tells its guard what happens on it."""

    guard: ConnectionGuard
    metrics: ReceiverMetrics

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._framing = self._fields = self._after_refusal = 0
        self._is_in_body = self._is_refused = False
        self.guard.connected(self)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.guard.lost(self)

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        for start in range(0, len(data), FED_AT_ONCE):
            if self._is_refused:
                self._throw_away(len(data) - start)
                return
            if self.transport.is_closing():
                return
            self._feed(data[start : start + FED_AT_ONCE])

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._fields = 0
        self.guard.head_began(self)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields += 1
        if self._fields > MAX_FIELDS:
            raise ValueError("too many fields")
        if not self._is_in_body:  # what a trailer says comes too late
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if self.parser.should_upgrade():
            return
        if len(self.pipeline) >= MAX_PIPELINED:
            raise ValueError("too many requests without waiting for an answer")
        self._is_in_body = True
        self.guard.head_came(self)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        # Twice: a chunk of five bytes has as many of framing. What is left over is not saved up for a long trailer
        self._framing = max(0, self._framing - 2 * len(body))
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade():
            return
        self._framing = 0
        self._is_in_body = False
        super().on_message_complete()
        self.guard.body_came(self)
        if self.cycle.response_complete:
            self.guard.answered(self)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self.guard.answered(self)

    def _feed(self, data: bytes) -> None:
        self._framing += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._ignore_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self._refuse(Outcome.HEAD_TOO_LARGE if self._fields > MAX_FIELDS else Outcome.BAD_HTTP)
        else:
            if self._framing > MAX_FRAMING_BYTES:
                self._refuse(Outcome.HEAD_TOO_LARGE)

    def _ignore_upgrade(self, rest: bytes) -> None:
        method, version = self.parser.get_method(), self.parser.get_http_version().encode()
        if method == b"CONNECT":
            self._refuse(Outcome.BAD_HTTP)
            return
        fields = [name + b": " + value + b"\r\n" for name, value in self.headers if name not in _OF_UPGRADES]
        head = b"".join((method, b" ", self.url, b" HTTP/", version, b"\r\n", *fields, b"\r\n"))
        self._framing = 0
        self.parser = httptools.HttpRequestParser(self)
        self._feed(head + rest)

    def _refuse(self, outcome: Outcome) -> None:
        """Answer, where it is the turn of that, and let go of the connection."""
        self._is_refused = True
        self.metrics.count_request(outcome, time.perf_counter())
        if not self._may_answer():
            self.guard.close(self)
            return
        if self.cycle is not None:  # whoever reads its body is told that no more comes, and says nothing
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        status = HTTPStatus(ANSWERS[outcome].http_status)
        answer = f"HTTP/1.1 {status.value} {status.phrase}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
        self.transport.write(answer.encode())
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.guard.refused(self)

    def _throw_away(self, size: int) -> None:
        self._after_refusal += size
        if self._after_refusal > _MOST_AFTER_REFUSAL:
            self.guard.close(self)

    def _may_answer(self) -> bool:
        if self.cycle is None:
            return True
        if self._is_in_body:
            return not self.cycle.response_started and not self.pipeline
        return self.cycle.response_complete


def guarded(guard: ConnectionGuard, metrics: ReceiverMetrics) -> Callable[..., GuardedProtocol]:
    """What makes a protocol for each connection, as uvicorn's setting ``http``."""

    def protocol(**arguments: Any) -> GuardedProtocol:
        made = GuardedProtocol(**arguments)
        made.guard, made.metrics = guard, metrics
        return made

    return protocol

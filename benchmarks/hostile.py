"""How long an ordinary sender waits for its answer while ten others send what costs most, beside when it is alone.

    python benchmarks/hostile.py [--seconds 6] [--only KIND...]

A receiver in a process of its own, anew for each kind, with nothing behind it. The ordinary sender sends a request of
10 LLM spans (25 KB), compressed with gzip, ten times a second. The hostile ones, in one process of their own, send the
same body again whenever they have an answer, each at most 20 times a second. What they send is small on the wire and,
once inflated, just below the limits. The time given is that of the answer, success or not.
"""

from __future__ import annotations

import argparse
import gzip
import http.client
import multiprocessing
import socket
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

from measuring import cpu_s, peak_mib
from receiver_load import request_body
from serving import Serve

_MIB = 2**20
_SENDERS = 10
_PROTOBUF, _JSON = "application/x-protobuf", "application/json"
_HEAD = b"POST /v1/traces HTTP/1.1\r\nHost: localhost\r\n"


def _field(tag: int, content: bytes) -> bytes:
    """A field that holds a message."""
    size, length = len(content), b""
    while size >= 128:
        length += bytes([size & 127 | 128])
        size >>= 7
    return bytes([tag]) + length + bytes([size]) + content


def _in_json_span(key: str, item: str, count: int) -> bytes:
    items = ",".join([item] * count)
    return f'{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"{key}":[{items}]}}]}}]}}]}}'.encode()


def _json_values(item: str, count: int) -> bytes:
    value = f'{{"key":"a","value":{{"arrayValue":{{"values":[{",".join([item] * count)}]}}}}}}'
    return _in_json_span("attributes", value, 1)


# What is sent compressed: content type, and the body
_BODIES: dict[str, tuple[str, Callable[[], bytes]]] = {
    "unknown numbers": (_PROTOBUF, lambda: b"\x88\x01\x00" * 2_600_000),
    "unknown fields": (_PROTOBUF, lambda: b"\x82\x01\x00" * 2_600_000),
    "empty spans": (_PROTOBUF, lambda: _field(0x0A, _field(0x12, b"\x12\x00" * 1_990_000))),
    "empty attributes, 64 MiB": (_PROTOBUF, lambda: _field(0x0A, _field(0x12, _field(0x12, b"\x4a\x00" * 32 * _MIB)))),
    "values in values": (
        _PROTOBUF,
        lambda: _field(
            0x0A, _field(0x12, _field(0x12, _field(0x4A, _field(0x12, _field(0x2A, b"\x0a\x02\x2a\x00" * 990_000)))))
        ),
    ),
    "text, 64 MiB": (_PROTOBUF, lambda: _field(0x0A, _field(0x0A, _field(0x0A, b"z\n" * (32 * _MIB - 50))))),
    "zeros, 1 GiB": (_PROTOBUF, lambda: bytes(1024 * _MIB)),
    "JSON, empty spans": (
        _JSON,
        lambda: b'{"resourceSpans":[{"scopeSpans":[{"spans":[' + b"{}," * 249_000 + b"{}]}]}]}",
    ),
    "JSON, empty events": (_JSON, lambda: _in_json_span("events", "{}", 990_000)),
    "JSON, values": (_JSON, lambda: _json_values('{"boolValue":1}', 990_000)),
    "JSON, null values and half a surrogate": (
        _JSON,
        lambda: _json_values("null", 7_900_000).replace(b'"a"', b'"\\ud800"'),
    ),
    "JSON, brackets": (_JSON, lambda: b'{"resourceSpans":' + b"[" * 1_900_000),
}
# What is sent as it is, for as long as somebody takes it
_STREAMS: dict[str, tuple[bytes, bytes]] = {
    "a head of many fields": (_HEAD, b"a: b\r\n" * 10_000),
    "a head of one field": (_HEAD + b"a: ", b"x" * _MIB),
    "an extension of a chunk": (_HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;", b"x" * _MIB),
    "requests that wait for no answer": (b"", (_HEAD + b"Content-Length: 0\r\n\r\n") * 5_000),
}


def main() -> None:
    """Measures and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=6.0, help="for each kind")
    parser.add_argument("--only", nargs="+", choices=("nobody", *_BODIES, *_STREAMS))
    options = parser.parse_args()
    print(
        "| ten of these at once | on the wire | ms, median | max | answers | CPU | MiB |\n|---|---|---|---|---|---|---|"
    )
    for kind in options.only or ("nobody", *_BODIES, *_STREAMS):
        _measure(kind, options.seconds)


def _measure(kind: str, seconds: float) -> None:
    with tempfile.TemporaryDirectory() as directory, Serve(Path(directory) / "outbox.db").started() as serve:
        _ordinary(serve.url, 1.0)  # what happens once
        used = cpu_s(serve.pid)
        with _hostile(kind, serve.url) as size:
            times, statuses = _ordinary(serve.url, seconds)
        said = ", ".join(f"{status}: {count}" for status, count in statuses.items())
        print(
            f"| {kind} | {size:,} | {1000 * median(times):.1f} | {1000 * max(times):,.0f} | {said} "
            f"| {cpu_s(serve.pid) - used:.1f} s | {peak_mib(serve.pid):,.0f} |",
            flush=True,
        )


def _ordinary(url: str, seconds: float) -> tuple[list[float], Counter[int]]:
    bodies = [gzip.compress(request_body("small", 10, number), 1) for number in range(int(seconds * 10))]
    times: list[float] = []
    statuses: Counter[int] = Counter()
    end = time.monotonic() + seconds
    for body in bodies:
        began = time.monotonic()
        if began > end:
            break
        statuses[_posted(url, body, _PROTOBUF)] += 1
        times.append(time.monotonic() - began)
        time.sleep(0.1)
    return times, statuses


def _posted(url: str, body: bytes, content_type: str) -> int:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=120)
    try:
        connection.request("POST", "/v1/traces", body, {"Content-Type": content_type, "Content-Encoding": "gzip"})
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


@contextmanager
def _hostile(kind: str, url: str) -> Iterator[int]:
    """What they send, in bytes on the wire; while they send it."""
    content_type, made = _BODIES.get(kind, ("", lambda: b""))
    body = gzip.compress(made(), 9) if content_type else b"".join(_STREAMS.get(kind, (b"", b"")))
    sending = multiprocessing.get_context("fork").Process(target=_attack, args=(kind, url, body), daemon=True)
    if kind != "nobody":
        sending.start()
        time.sleep(0.3)
    yield len(body)
    if kind != "nobody":
        sending.kill()
        sending.join()


def _attack(kind: str, url: str, body: bytes) -> None:
    threads = [threading.Thread(target=_send_for_ever, args=(kind, url, body)) for _ in range(_SENDERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _send_for_ever(kind: str, url: str, body: bytes) -> None:
    while True:
        if kind in _BODIES:
            _posted(url, body, _BODIES[kind][0])
        else:
            with suppress(OSError):
                _stream(url, *_STREAMS[kind])
        time.sleep(0.05)


def _stream(url: str, head: bytes, piece: bytes) -> None:
    where = urlsplit(url)
    with socket.create_connection((where.hostname or "", where.port or 0), timeout=30) as sock:
        sock.sendall(head)
        while True:
            sock.sendall(piece)


if __name__ == "__main__":
    main()

"""What a body may cost, and that no bytes whatever bring a decoder to anything but telemetry or a refusal."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import time
import tracemalloc
import zlib
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_labelstudio.errors import DecodeError
from otel_labelstudio.receiver.inflate import ContentEncoding, inflated
from otel_labelstudio.receiver.requests import MAX_ITEMS, Request, Signal, count_items, decoded, uncompressed
from otel_labelstudio.receiver.status import JSON, PROTOBUF, Outcome, RefusedError
from tests.receiver.requests_made import as_json, ids, traces, zstd_compressed

MIB = 2**20


def inside(tag: int, content: bytes) -> bytes:
    """A field of protobuf that holds a message."""
    size = len(content)
    return bytes([tag, size & 127 | 128, size >> 7 & 127 | 128, size >> 14 & 127 | 128, size >> 21]) + content


def free(_: int) -> None:
    """Memory without end."""


@pytest.mark.parametrize("encoding", [ContentEncoding.GZIP, ContentEncoding.DEFLATE, ContentEncoding.ZSTD])
def test_a_bomb_takes_no_more_than_the_limit(encoding: ContentEncoding) -> None:
    """Of 256 MiB in a quarter of one, one limit is inflated and no more."""
    bomb = _BOMBS[encoding]()
    tracemalloc.start()
    with pytest.raises(RefusedError) as refused:
        inflated(bomb, encoding, 8 * MIB, free)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert refused.value.outcome is Outcome.TOO_LARGE
    assert peak < 12 * MIB


_BOMBS: dict[ContentEncoding, Callable[[], bytes]] = {
    ContentEncoding.GZIP: lambda: _bomb(31),
    ContentEncoding.DEFLATE: lambda: _bomb(15),
    ContentEncoding.ZSTD: lambda: zstd_compressed(bytes(256 * MIB)),
}


def _bomb(window_bits: int) -> bytes:
    stream = zlib.compressobj(9, zlib.DEFLATED, window_bits)
    return b"".join(stream.compress(bytes(MIB)) for _ in range(256)) + stream.flush()


@pytest.mark.parametrize(
    ("encoding", "compressed"), [(ContentEncoding.GZIP, gzip.compress), (ContentEncoding.ZSTD, zstd_compressed)]
)
def test_streams_of_nothing(encoding: ContentEncoding, compressed: Callable[[bytes], bytes]) -> None:
    """A million empty members one after the other end where the memory that they might take does."""
    empty = compressed(b"")
    left = [64 * MIB]

    def reserve(size: int) -> None:
        left[0] -= size
        if left[0] < 0:
            raise RefusedError(Outcome.BUSY, "busy")

    with pytest.raises(RefusedError):
        inflated(empty * 1_000_000, encoding, 64 * MIB, reserve)


def test_memory_is_reserved_before_it_is_taken() -> None:
    """Where there is none left, inflating stops."""
    taken: list[int] = []

    def reserve(size: int) -> None:
        taken.append(size)
        if sum(taken) > MIB:
            raise RefusedError(Outcome.BUSY, "busy")

    with pytest.raises(RefusedError) as refused:
        inflated(gzip.compress(bytes(64 * MIB)), ContentEncoding.GZIP, 64 * MIB, reserve)
    assert refused.value.outcome is Outcome.BUSY


# Bodies of ``n`` bytes in two-byte messages, ``v`` writes a length
EMPTY = {
    "resources": "b'\\x0a\\x00' * (n // 2)",
    "spans": "inside(0x0A, inside(0x12, b'\\x12\\x00' * (n // 2)))",
    "attributes": "inside(0x0A, inside(0x12, inside(0x12, b'\\x4a\\x00' * (n // 2))))",
    "lengths longer than needed": "inside(0x0A, inside(0x12, b'\\x12\\x80\\x00' * (n // 3)))",
    "tags longer than needed": "inside(0x0A, inside(0x12, b'\\x92\\x00\\x00' * (n // 3)))",
    "values in values": "inside(0x0A, inside(0x12, inside(0x12, many(field(0x4A, field(0x12, deep(40)))))))",
}


@pytest.mark.parametrize("body", EMPTY.values(), ids=list(EMPTY))
def test_small_messages_that_are_huge_in_memory(body: str) -> None:
    """60 MiB of empty messages would take gigabytes; they are refused before that."""
    script = f"""
import resource
from otel_labelstudio.receiver.requests import Signal, decoded
from otel_labelstudio.receiver.status import PROTOBUF, Outcome, RefusedError
n = {60 * MIB}
def inside(tag, content):
    size = len(content)
    return bytes([tag, size & 127 | 128, size >> 7 & 127 | 128, size >> 14 & 127 | 128, size >> 21]) + content
def field(tag, content):
    size = len(content)
    return (bytes([tag, size]) if size < 128 else bytes([tag, size & 127 | 128, size >> 7])) + content
def deep(levels):
    content = b'x' * 40
    for _ in range(levels):
        content = field(0x2A, field(0x0A, content))
    return content
def many(content):
    return content * (n // len(content))
body = {body}
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    decoded(Signal.TRACES, PROTOBUF, body)
except RefusedError as refused:
    assert refused.outcome is Outcome.TOO_LARGE
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert int(run.stdout) * (1 if sys.platform == "darwin" else 1024) < 32 * MIB


# Seven megabytes and more in a few kilobytes on the wire, within all limits
CHEAP = {
    "numbers of fields that nobody knows": b"\x88\x01\x00" * 2_600_000,
    "texts of fields that nobody knows": b"\x82\x01\x00" * 2_600_000,
    "what looks like fields": inside(0x0A, inside(0x0A, b"z\n*" * 2_600_000)),
    "zeros in an attribute": inside(0x0A, inside(0x0A, inside(0x0A, b"\x0a\x01a\x12\x05\x3a" + bytes(4)))) * 400_000,
}


@pytest.mark.parametrize("body", CHEAP.values(), ids=list(CHEAP))
def test_no_body_takes_much_longer_than_another_of_its_size(body: bytes) -> None:
    """In time of the processor: whatever it holds, it takes at most some times that of ordinary calls."""
    ordinary = traces(*["Ordinary?"] * 100, padding=len(body) // 100).SerializeToString()

    def seconds(content: bytes) -> float:
        began = time.thread_time()
        with suppress(DecodeError, RefusedError):
            count_items(Signal.TRACES, PROTOBUF, content)
        return time.thread_time() - began

    assert min(seconds(body) for _ in range(3)) < 100 * min(seconds(ordinary) for _ in range(3))


@pytest.mark.parametrize("space", [b"", b" ", b"\r\n\t "], ids=["none", "a blank", "a line"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_json_of_many_objects(space: bytes, encoding: str) -> None:
    """However they are written, more than a million are refused."""
    body = '{"a":[' + f"{{{space.decode()}}}," * 1_000_000 + "{}]}"
    with pytest.raises(RefusedError) as refused:
        count_items(Signal.TRACES, JSON, body.encode(encoding))
    assert refused.value.outcome is Outcome.TOO_LARGE


def test_code_in_texts_is_not_taken_for_objects() -> None:
    """Braces in what people and models write count for little."""
    text = json.dumps({"a": json.dumps([{"b": {}}] * 10) + "if (x) { return {y} }" * 300_000})
    assert count_items(Signal.TRACES, JSON, f'{{"resourceSpans":[],"other":{text}}}'.encode()) == 0


@pytest.mark.parametrize("signal", Signal)
@pytest.mark.parametrize("content_type", [PROTOBUF, JSON])
def test_more_items_than_a_request_may_have(signal: Signal, content_type: str) -> None:
    """As many as there may be are counted, one more is refused."""
    for count, expected in ((MAX_ITEMS, "read"), (MAX_ITEMS + 1, "too_large")):
        if content_type == PROTOBUF:
            body = inside(0x0A, inside(0x12, b"\x12\x00" * count))
        else:
            names = ("resourceLogs", "scopeLogs", "logRecords") if signal is Signal.LOGS else _JSON_NAMES
            body = json.dumps({names[0]: [{names[1]: [{names[2]: [{}] * count}]}]}).encode()
        assert outcome(lambda: count_items(signal, content_type, body)) == expected  # noqa: B023


_JSON_NAMES = ("resourceSpans", "scopeSpans", "spans")


def test_as_much_as_a_collector_sends_at_once() -> None:
    """8,192 spans of 15 attributes, its default for a batch, in both encodings."""
    request = traces(*["Batch?"] * 8192, attributes={f"http.request.header.{n}": str(n) for n in range(10)})
    for content_type, body in (
        (PROTOBUF, request.SerializeToString()),
        (JSON, json.dumps(as_json(request)).encode()),
    ):
        assert count_items(Signal.TRACES, content_type, body) == 8192


def test_json_of_many_values() -> None:
    """The same in JSON."""
    body = b'{"resourceSpans":[' + b"{}," * (4 * MIB) + b"{}]}"
    with pytest.raises(RefusedError) as refused:
        decoded(Signal.TRACES, JSON, body)
    assert refused.value.outcome is Outcome.TOO_LARGE


@pytest.mark.parametrize("depth", [60, 900, 100_000])
def test_json_that_is_deep(depth: int) -> None:
    """Values in values, beyond what protobuf allows, are bad data; Python's stack is not the limit that tells."""
    value = '{"arrayValue":{"values":[' * depth + "]}}" * depth
    resource = '{"attributes":[{"key":"a","value":' + value + "}]}"
    body = '{"resourceSpans":[{"resource":' + resource + ',"scopeSpans":[{"spans":[{}]}]}]}'
    with pytest.raises(DecodeError):
        decoded(Signal.TRACES, JSON, body.encode())


def test_a_large_request_of_ordinary_spans_is_read() -> None:
    """The bound on small messages lets through what senders send."""
    request = traces(*map(str, range(3000)), padding=3000)
    body = request.SerializeToString()
    assert len(body) > 8 * MIB
    assert len(decoded(Signal.TRACES, PROTOBUF, body).spans) == 3000


def test_both_encodings_read_alike() -> None:
    """Equal spans from protobuf and from JSON, but for those that the former passes over."""
    request = traces("Alike?", others=3)
    protobuf = decoded(Signal.TRACES, PROTOBUF, request.SerializeToString())
    text = decoded(Signal.TRACES, JSON, json.dumps(as_json(request)).encode())
    assert [span.span_id for span in protobuf.spans] == ids(request)
    assert len(protobuf.other_spans) == 3
    assert len(text) == len(protobuf) == 4
    assert list(protobuf.spans) == [span for span in text.spans if span.span_id in ids(request)]


def outcome(read: Callable[[], Any]) -> str:
    """What came of it; any error that is no refusal is raised."""
    try:
        read()
    except RefusedError as refused:
        return refused.outcome.value
    except DecodeError:
        return "bad data"
    return "read"


ENCODINGS = st.sampled_from(list(ContentEncoding))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300), st.sampled_from([PROTOBUF, JSON]), ENCODINGS, st.sampled_from(list(Signal)))
def test_any_bytes(body: bytes, content_type: str, encoding: ContentEncoding, signal: Signal) -> None:
    """Whatever is sent, however it says that it is encoded."""
    request = Request(signal, content_type, body, encoding)
    outcome(lambda: decoded(signal, content_type, uncompressed(request, 4096, free)))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_damaged_requests(data: st.DataObject) -> None:
    """A request with some of its bytes changed, taken away or doubled, compressed or not."""
    body = bytearray(data.draw(st.sampled_from(SEEDS)))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(body) - 1))
        match data.draw(st.integers(0, 2)):
            case 0:
                body[at] = data.draw(st.integers(0, 255))
            case 1:
                del body[at : at + data.draw(st.integers(1, 20))]
                body = body or bytearray(b"x")
            case _:
                body[at:at] = body[at : at + 20]
    for content_type in (PROTOBUF, JSON):
        for encoding in ContentEncoding:
            request = Request(Signal.TRACES, content_type, bytes(body), encoding)
            outcome(lambda: decoded(Signal.TRACES, content_type, uncompressed(request, MIB, free)))  # noqa: B023


_ONE = traces("Damaged?")
SEEDS = (
    _ONE.SerializeToString(),
    json.dumps(as_json(_ONE)).encode(),
    gzip.compress(_ONE.SerializeToString()),
    zstd_compressed(_ONE.SerializeToString()),
)
_LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
_NAMES = (
    "resourceSpans scopeSpans spans resource attributes key value arrayValue kvlistValue values intValue doubleValue "
    "stringValue traceId spanId events status code scope resourceLogs scopeLogs logRecords body timeUnixNano "
    "startTimeUnixNano name"
)
_KEYS = st.sampled_from(_NAMES.split())
_JSON = st.recursive(
    _LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=4), max_leaves=30
)


@settings(max_examples=500, deadline=None)
@given(st.dictionaries(_KEYS, _JSON), st.sampled_from(list(Signal)))
def test_json_of_the_right_names_and_any_values(record: dict[str, Any], signal: Signal) -> None:
    """OTLP's own names with values that have no business there."""
    outcome(lambda: decoded(signal, JSON, json.dumps(record).encode()))

"""The form of the files that the Collector's file exporter writes, and what a crash leaves of it.

JSON is an object a line. Protobuf is one message after the other, each after its length in four bytes, the highest
first (opentelemetry-collector-contrib, exporter/fileexporter/file_writer.go). A Collector that is killed while it
writes leaves the beginning of a message, and after its restart appends the next one to that. A file that is being
written ends in such a beginning. What is whole is found again behind it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_LENGTH_BYTES = 4
# The first byte of every request that is not empty: its field 1. As the first of a length it would mean 160 MiB or more
_FIRST = 0x0A
_ZSTD = b"\x28\xb5\x2f\xfd"
_OBJECT = re.compile(rb'\{"resource(?:Spans|Logs)":\[\{')


@dataclass(frozen=True, slots=True)
class Torn:
    """What is no whole message: bytes from ``start`` to before ``end``. ``is_last`` where nothing comes after it."""

    start: int
    end: int
    is_last: bool


def is_compressed_with_zstd(body: bytes) -> bool:
    """Whether its messages, or the file as a whole, are compressed with zstd."""
    return body.startswith(_ZSTD) or body[_LENGTH_BYTES:].startswith(_ZSTD)


def is_framed(body: bytes) -> bool:
    """Whether these are protobuf messages with their lengths, and not the body of one request."""
    return bool(body) and body[0] < _FIRST


def holds_object(line: bytes) -> bool:
    """Whether an object of OTLP begins in a line, as the Collector writes its JSON: no text in it can look so."""
    return bool(_OBJECT.search(line))


def messages(body: bytes, is_readable: Callable[[bytes], bool]) -> Iterator[bytes | Torn]:
    """The messages of a framed file, also those that cannot be read; of a torn one only where it is.

    ``is_readable`` says whether bytes are a request that holds something.
    """
    start = 0
    while start < len(body):
        end = _end(body, start)
        message = body[start + _LENGTH_BYTES : end] if end is not None else b""
        if end is not None and _is_followed(body, end):
            # Chance may have put something behind a torn one that looks like a length: then another starts within it
            other = end if is_readable(message) else _next_within(body, start + 1, end, is_readable)
        else:
            # Damage, here or in the next one: this one is torn where another starts within its length
            other = _next_whole(body, start + 1, is_readable)
            if end is not None and other >= end and is_readable(message):
                other = end
        yield message if other == end else Torn(start, other, is_last=other == len(body))
        start = other


def json_objects(line: bytes) -> Iterator[bytes | Torn]:
    """The OTLP objects of a line that is not one: those that are whole, one after the other or behind a torn one."""
    start = 0
    while start < len(line):
        found = _OBJECT.search(line, start + 1)
        end = found.start() if found else len(line)
        yield line[start:end] if is_json(line[start:end]) else Torn(start, end, is_last=not found)
        start = end


def is_json(text: bytes) -> bool:
    """Whether it is one whole JSON value."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _end(body: bytes, start: int) -> int | None:
    """Where the message that starts there ends; None where none does, or where its end is beyond the file."""
    head = body[start : start + _LENGTH_BYTES + 1]
    if len(head) <= _LENGTH_BYTES or head[0] >= _FIRST or head[_LENGTH_BYTES] != _FIRST:
        return None
    end = start + _LENGTH_BYTES + int.from_bytes(head[:_LENGTH_BYTES], "big")
    return end if start + _LENGTH_BYTES < end <= len(body) else None


def _is_followed(body: bytes, end: int) -> bool:
    """Whether what seems to be a message ends where another one starts, or the file ends."""
    return end == len(body) or _end(body, end) is not None


def _next_whole(body: bytes, start: int, is_readable: Callable[[bytes], bool]) -> int:
    """Where the next whole message starts, or the file ends."""
    candidates = _candidates(body, start, len(body))
    return next((at for at, end in candidates if is_readable(body[at + _LENGTH_BYTES : end])), len(body))


def _next_within(body: bytes, start: int, before: int, is_readable: Callable[[bytes], bool]) -> int:
    """Where a whole message starts before a place, or that place. Only one that is followed counts: a file of another
    signal, in which no message can be read, is searched in full, and each look at bytes copies them."""
    candidates = ((at, end) for at, end in _candidates(body, start, before) if _is_followed(body, end))
    return next((at for at, end in candidates if is_readable(body[at + _LENGTH_BYTES : end])), before)


def _candidates(body: bytes, start: int, before: int) -> Iterator[tuple[int, int]]:
    """What looks like messages by its first bytes: where each starts, and where it would end."""
    while 0 <= (first := body.find(_FIRST, start + _LENGTH_BYTES)) < before + _LENGTH_BYTES:
        start = first - _LENGTH_BYTES
        end = _end(body, start)
        if end is not None:
            yield start, end
        start += 1

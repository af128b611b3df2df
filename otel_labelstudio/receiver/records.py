"""How a request is written down in the inbox, and read again.

=========  ===========================================================================================
frame      the length of what follows, and checksums of that length and of what follows
head       when it came, its kind, and by their numbers its content type and its content encoding
body       as it came
=========  ===========================================================================================

The upper four bits of the kind's byte are the format, so that each record says by itself how it is read. In the first
format (0) the encoding stands as text between head and body, and the head's last byte is the length of that text:
records of that format wait in inboxes that an earlier version has left. Numbers are never given another meaning. A
record of a format or with a number that is not known here was written by a newer version: it is no damage, and kept.
"""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TypeVar

from otel_labelstudio.receiver.inflate import ContentEncoding
from otel_labelstudio.receiver.requests import Request, Signal
from otel_labelstudio.receiver.status import JSON, PROTOBUF, RefusedError

_Value = TypeVar("_Value")

_FRAME = struct.Struct("<III")
_HEAD = struct.Struct("<dBBB")
FRAME_BYTES, HEAD_BYTES = _FRAME.size, _HEAD.size

# Where a frame may begin: a length of less than 80 MiB, so that few places of a body look like one
_MAYBE_FRAME = re.compile(rb"(?=[\s\S]{3}[\x00-\x04])")

# The place in each is the number
_SIGNALS = (Signal.TRACES, Signal.LOGS)
_CONTENT_TYPES = (PROTOBUF, JSON)
_ENCODINGS = (ContentEncoding.IDENTITY, ContentEncoding.GZIP, ContentEncoding.DEFLATE, ContentEncoding.ZSTD)
_NOTHING = 15
# The kind of a record without a request in the first format, whatever its upper bits would say
_FIRST_NOTHING = 255


class Format(IntEnum):
    """The formats that can be read."""

    ENCODING_AS_TEXT = 0
    ENCODING_AS_NUMBER = 1


class UnknownFormatError(Exception):
    """A record that is whole and that this version cannot read."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands before a record: the length of its rest, and the checksum of that."""

    length: int
    checksum: int

    @classmethod
    def loads(cls, content: bytes) -> Frame | None:
        """None for bytes that are no frame: then nobody can tell where the record ends."""
        length, checksum_of_length, checksum = _FRAME.unpack(content)
        return cls(length, checksum) if checksum_of_length == _checksum_of(length) else None


@dataclass(frozen=True, slots=True)
class Record:
    """What stands behind a frame. ``text`` is the name of the encoding in the first format."""

    head: bytes
    text: bytes
    body: bytes = field(repr=False)

    def is_whole(self, frame: Frame) -> bool:
        """Whether these are the bytes that were written."""
        return frame.checksum == zlib.crc32(self.body, zlib.crc32(self.head + self.text))

    def request(self) -> tuple[Request, float] | None:
        """The request and when it came (seconds since 1970); None where there is none. Raises `UnknownFormatError`."""
        if len(self.head) < HEAD_BYTES:
            raise UnknownFormatError("a head that is too short")
        received_at, kind, content_type, encoding = _HEAD.unpack(self.head)
        if kind == _FIRST_NOTHING or kind == Format.ENCODING_AS_NUMBER << 4 | _NOTHING:
            return None
        if kind >> 4 == Format.ENCODING_AS_TEXT:
            named = _encoding_of_text(self.text, encoding)
        elif kind >> 4 == Format.ENCODING_AS_NUMBER:
            named = _numbered(_ENCODINGS, encoding)
        else:
            raise UnknownFormatError(f"format {kind >> 4}")
        signal = _numbered(_SIGNALS, kind & 15)
        return Request(signal, _numbered(_CONTENT_TYPES, content_type), self.body, named), received_at


def packed(request: Request, received_at: float) -> list[bytes]:
    """A request's record, in pieces."""
    kind = Format.ENCODING_AS_NUMBER << 4 | _SIGNALS.index(request.signal)
    encoding = _ENCODINGS.index(request.content_encoding)
    head = _HEAD.pack(received_at, kind, _CONTENT_TYPES.index(request.content_type), encoding)
    return [_frame(head, request.body) + head, request.body]


def packed_nothing() -> list[bytes]:
    """The record of no request: it only shows that there can be one."""
    head = _HEAD.pack(0.0, Format.ENCODING_AS_NUMBER << 4 | _NOTHING, 0, 0)
    return [_frame(head, b"") + head]


def text_bytes(head: bytes) -> int:
    """How many bytes of text stand between this head and the body."""
    if len(head) < HEAD_BYTES:
        return 0
    _, kind, _, length = _HEAD.unpack(head)
    return int(length) if kind >> 4 == Format.ENCODING_AS_TEXT else 0


def next_frame(content: bytes) -> int:
    """Where the next frame begins in bytes whose own is damaged; their end, if there is none."""
    for found in _MAYBE_FRAME.finditer(content):
        frame = content[found.start() : found.start() + FRAME_BYTES]
        if len(frame) == FRAME_BYTES and Frame.loads(frame) is not None:
            return found.start()
    return len(content)


def _frame(head: bytes, body: bytes) -> bytes:
    length = len(head) + len(body)
    return _FRAME.pack(length, _checksum_of(length), zlib.crc32(body, zlib.crc32(head)))


def _checksum_of(length: int) -> int:
    return zlib.crc32(length.to_bytes(4, "little"))


def _encoding_of_text(text: bytes, length: int) -> ContentEncoding:
    """As the first version read it, which took more off than HTTP's white space."""
    if len(text) != length:
        raise UnknownFormatError("an encoding that is longer than its record")
    try:
        return ContentEncoding.of_header(text.decode().strip().encode())
    except (UnicodeDecodeError, RefusedError):
        raise UnknownFormatError("an unknown encoding") from None


def _numbered(values: tuple[_Value, ...], number: int) -> _Value:
    if number >= len(values):
        raise UnknownFormatError(f"an unknown number {number}")
    return values[number]

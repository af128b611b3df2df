"""Segments of the inbox: files to which records are appended.

A record is a frame (the length of what follows, and checksums of that length and of what follows), a head (when it
came, signal, content type, the length of the content encoding), the content encoding, and the body as it came. Offsets
count bytes over all segments, as if they were one file.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from otel_labelstudio.receiver.requests import Request, Signal
from otel_labelstudio.receiver.status import JSON, PROTOBUF

_FRAME = struct.Struct("<III")
_HEAD = struct.Struct("<dBBB")
_SIGNALS = (Signal.TRACES, Signal.LOGS)
_CONTENT_TYPES = (PROTOBUF, JSON)
_NOTHING = 255
# As many pieces as one call of the system takes
_PIECES = 512


@dataclass(frozen=True, slots=True)
class StoredRequest:
    """A request that waits to be read; ``received_at`` is seconds since 1970, ``end`` the offset behind it."""

    request: Request = field(repr=False)
    received_at: float
    end: int


@dataclass(frozen=True, slots=True)
class Nothing:
    """A record without a request, or the beginning of one that was never written whole."""

    end: int


@dataclass(frozen=True, slots=True)
class Damage:
    """Bytes that were written and cannot be read."""

    offset: int
    content: bytes = field(repr=False)
    end: int


def packed(request: Request, received_at: float) -> list[bytes]:
    """A request's record, in pieces."""
    encoding = request.content_encoding.encode()[:255]
    signal, content_type = _SIGNALS.index(request.signal), _CONTENT_TYPES.index(request.content_type)
    head = _HEAD.pack(received_at, signal, content_type, len(encoding)) + encoding
    return [_frame(head, request.body) + head, request.body]


def packed_nothing() -> list[bytes]:
    """The record of no request: it only shows that there can be one."""
    head = _HEAD.pack(0.0, _NOTHING, 0, 0)
    return [_frame(head, b"") + head]


def _frame(head: bytes, body: bytes) -> bytes:
    length = len(head) + len(body)
    return _FRAME.pack(length, _checksum_of(length), zlib.crc32(body, zlib.crc32(head)))


def _checksum_of(length: int) -> int:
    return zlib.crc32(length.to_bytes(4, "little"))


class Segment:
    """A file that exists. Raises `OSError`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.offset = int(path.name.partition(".")[0])
        self.size = path.stat().st_size
        self._file: int | None = None

    @classmethod
    def made(cls, path: Path) -> Segment:
        """A new one, readable by its owner only, which survives a crash of the machine."""
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
        return cls(path)

    @property
    def end(self) -> int:
        """The offset behind its last byte."""
        return self.offset + self.size

    def append(self, pieces: Sequence[bytes]) -> None:
        """All of the pieces are on the disk afterwards, or, if it raises, the file is as before as far as can be."""
        file = self._opened()
        try:
            for at in range(0, len(pieces), _PIECES):
                _write(file, pieces[at : at + _PIECES])
            os.fdatasync(file)
        except OSError:
            with suppress(OSError):
                os.ftruncate(file, self.size)
            self.size = os.fstat(file).st_size
            raise
        self.size += sum(map(len, pieces))

    def read(self, offset: int) -> StoredRequest | Nothing | Damage:
        """The record at an offset below the segment's end."""
        frame = self._bytes(offset, _FRAME.size)
        if len(frame) < _FRAME.size:
            return Nothing(self.end)
        length, checksum_of_length, checksum = _FRAME.unpack(frame)
        if checksum_of_length != _checksum_of(length):
            return self._unreadable(offset, self.end)  # nobody can tell where the next record begins
        head_at, end = offset + _FRAME.size, offset + _FRAME.size + length
        if end > self.end:
            return Nothing(self.end)
        head = self._bytes(head_at, _HEAD.size)
        received_at, signal, content_type, encoding_length = _HEAD.unpack(head)
        encoding = self._bytes(head_at + _HEAD.size, encoding_length)
        body = self._bytes(head_at + _HEAD.size + encoding_length, length - _HEAD.size - encoding_length)
        if zlib.crc32(body, zlib.crc32(head + encoding)) != checksum:
            return self._unreadable(offset, end)
        if signal == _NOTHING:
            return Nothing(end)
        request = Request(_SIGNALS[signal], _CONTENT_TYPES[content_type], body, encoding.decode())
        return StoredRequest(request, received_at, end)

    def remove(self) -> None:
        """The file goes."""
        self.close()
        self.path.unlink(missing_ok=True)

    def close(self) -> None:
        """The file stays."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _unreadable(self, offset: int, end: int) -> Nothing | Damage:
        content = self._bytes(offset, end - offset)
        # Where the machine crashed, a file may have become longer without what was written to it
        return Damage(offset, content, end) if any(content) else Nothing(end)

    def _bytes(self, offset: int, length: int) -> bytes:
        at = offset - self.offset
        return os.pread(self._opened(), max(0, min(length, self.size - at)), at)

    def _opened(self) -> int:
        if self._file is None:
            self._file = os.open(self.path, os.O_RDWR | os.O_APPEND)
        return self._file


def _write(file: int, pieces: Sequence[bytes]) -> None:
    written = os.writev(file, pieces)
    if written < sum(map(len, pieces)):  # the disk is full, or nearly
        rest = memoryview(b"".join(pieces))[written:]
        while rest:
            rest = rest[os.write(file, rest) :]

"""Segments of the inbox: files to which records (`records`) are appended.

Offsets count bytes over all segments, as if they were one file; a segment's name is the offset of its first byte.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from otel_labelstudio.receiver.durable import sync_directory
from otel_labelstudio.receiver.records import (
    FRAME_BYTES,
    HEAD_BYTES,
    Frame,
    Record,
    UnknownFormatError,
    next_frame,
    text_bytes,
)
from otel_labelstudio.receiver.requests import Request
from otel_labelstudio.receiver.set_aside import Reason

_NAME = re.compile(r"(\d{20})\.segment")
_OPEN_FLAGS = os.O_RDWR | os.O_APPEND
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
class Unreadable:
    """Bytes that were written and give no request."""

    offset: int
    content: bytes = field(repr=False)
    end: int
    reason: Reason


class Segment:
    """A file that exists. Raises `OSError`."""

    def __init__(self, path: Path, file: int | None = None) -> None:
        self.path = path
        self.offset = int(path.name.partition(".")[0])
        self.size = path.stat().st_size
        # Whether what was written in part could not be taken back: nothing may be appended to that
        self.is_torn = False
        # Whether the disk does not give something of it
        self.is_to_be_kept = False
        self._file = file

    @classmethod
    def made(cls, directory: Path, offset: int) -> Segment:
        """A new one, readable by its owner only, which survives a crash of the machine."""
        path = directory / f"{offset:020}.segment"
        file = os.open(path, os.O_CREAT | _OPEN_FLAGS, 0o600)
        try:
            sync_directory(directory)
            return cls(path, file)
        except OSError:
            os.close(file)
            raise

    @classmethod
    def all_in(cls, directory: Path) -> list[Segment]:
        """Those that are there, in their order; files of other names are somebody else's."""
        paths = sorted(path for path in directory.iterdir() if _NAME.fullmatch(path.name) and path.is_file())
        segments = [cls(path) for path in paths]
        for segment, following in itertools.pairwise(segments):  # the first may have been torn
            segment.size = min(segment.size, following.offset - segment.offset)
        return segments

    @property
    def end(self) -> int:
        """The offset behind its last byte."""
        return self.offset + self.size

    @property
    def is_gone(self) -> bool:
        """Whether somebody has removed or moved the file: the next process would not find what is appended."""
        try:
            return not os.path.samestat(os.fstat(self._opened()), os.stat(self.path))
        except FileNotFoundError:
            return True

    def append(self, pieces: Sequence[bytes]) -> None:
        """All of the pieces are on the disk afterwards, or, if it raises, the file is as before as far as can be."""
        file = self._opened()
        try:
            for at in range(0, len(pieces), _PIECES):
                _write(file, pieces[at : at + _PIECES])
            os.fdatasync(file)
        except BaseException:
            self.is_torn = True
            with suppress(OSError):
                os.ftruncate(file, self.size)
                self.is_torn = False
            raise
        self.size += sum(map(len, pieces))

    def read(self, offset: int) -> StoredRequest | Nothing | Unreadable:
        """The record at an offset below the segment's end."""
        content = self._bytes(offset, FRAME_BYTES)
        if len(content) < FRAME_BYTES:
            return Nothing(self.end)
        frame = Frame.loads(content)
        if frame is None:
            return self._damaged(offset, offset + 1 + next_frame(self._bytes(offset + 1, self.size)))
        end = offset + FRAME_BYTES + frame.length
        if end > self.end:
            return Nothing(self.end)
        record = self._record(offset + FRAME_BYTES, frame.length)
        if not record.is_whole(frame):
            return self._damaged(offset, end)
        try:
            read = record.request()
        except UnknownFormatError:
            return Unreadable(offset, self._bytes(offset, end - offset), end, Reason.UNKNOWN_FORMAT)
        return StoredRequest(*read, end) if read else Nothing(end)

    def end_of_record(self, offset: int) -> int:
        """Where the record ends whose content the disk does not give, or the segment, where that cannot be told."""
        with suppress(OSError):
            content = self._bytes(offset, FRAME_BYTES)
            frame = Frame.loads(content) if len(content) == FRAME_BYTES else None
            if frame is not None:
                return min(self.end, offset + FRAME_BYTES + frame.length)
        return self.end

    def remove(self) -> None:
        """The file goes."""
        self.close()
        self.path.unlink(missing_ok=True)

    def close(self) -> None:
        """The file stays."""
        if self._file is not None:
            file, self._file = self._file, None
            os.close(file)

    def _damaged(self, offset: int, end: int) -> Nothing | Unreadable:
        content = self._bytes(offset, end - offset)
        # Where the machine crashed, a file may have become longer without what was written to it
        return Unreadable(offset, content, end, Reason.DAMAGED) if any(content) else Nothing(end)

    def _record(self, at: int, length: int) -> Record:
        head = self._bytes(at, min(length, HEAD_BYTES))
        text = self._bytes(at + len(head), min(length - len(head), text_bytes(head)))
        read = len(head) + len(text)
        return Record(head, text, self._bytes(at + read, length - read))

    def _bytes(self, offset: int, length: int) -> bytes:
        at = offset - self.offset
        return os.pread(self._opened(), max(0, min(length, self.size - at)), at)

    def _opened(self) -> int:
        if self._file is None:
            self._file = os.open(self.path, _OPEN_FLAGS)
        return self._file


def _write(file: int, pieces: Sequence[bytes]) -> None:
    written = os.writev(file, pieces)
    if written < sum(map(len, pieces)):  # the disk is full, or nearly
        rest = memoryview(b"".join(pieces))[written:]
        while rest:
            rest = rest[os.write(file, rest) :]

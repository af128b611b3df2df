"""The inbox: requests that were answered with success and are not read yet, as they came, in a directory of their own.

Reading a request takes many times as long as storing it, and no sender has to wait for that. So a request is on the
disk when it is answered, and is read from there into the outbox (`reader`). That happens once: the outbox notes how far
was read in the transaction that stores what was read there.

It is a log. Requests are appended to segments (`segments`), files whose names are the offsets of their first bytes; a
segment that was read is removed. A process begins a segment of its own and changes no other, so that what an earlier
one left is taken as it is: a request that it did not come to write whole was never answered, and is passed over.
"""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from filelock import FileLock

from otel_labelstudio.errors import ConfigError, OutboxError, OutboxFullError
from otel_labelstudio.printable import logger
from otel_labelstudio.receiver.requests import Request
from otel_labelstudio.receiver.segments import Damage, Segment, StoredRequest, packed, packed_nothing

_logger = logger(__name__)

_SEGMENT_BYTES = 64 * 2**20
# What was read of the last segment is given back to the disk from this size on
_SHRINK_FROM_BYTES = 2**20
# A receiver that is being stopped while the next one starts
_LOCK_WAIT_S = 15.0
_ID, _LOCK = "id", "lock"
_SEGMENT, _UNREADABLE, _DAMAGED = ".segment", ".unreadable", ".damaged"


def path_beside(outbox: str | None) -> Path:
    """Where the inbox of an outbox is. Raises `ConfigError` for an outbox in memory."""
    if outbox is None:
        raise ConfigError("outbox: a receiver needs a file, so that what it has answered survives it; name one.")
    return Path(f"{outbox}.inbox")


class Inbox:
    """One process's. Thread-safe, if one thread puts and one takes. ``max_bytes`` bounds what waits to be read;
    ``clock`` gives seconds since 1970. Raises `OutboxError` where the disk cannot be written or read."""

    def __init__(self, directory: Path, max_bytes: int, clock: Callable[[], float] = time.time) -> None:
        """Raises `ConfigError` for a directory that cannot be used."""
        self.max_bytes, self._clock = max_bytes, clock
        self._directory = directory
        self._writing = threading.Lock()
        self._lock = _locked(directory)
        try:
            self.id = _identity(directory)
            self._segments = [Segment(path) for path in sorted(directory.glob(f"*{_SEGMENT}"))]
        except OSError as error:
            raise _unusable(directory, error) from None
        self._end = self._segments[-1].end if self._segments else 0
        self._read_to = self._segments[0].offset if self._segments else 0
        self._active: Segment | None = None

    def put(self, requests: Sequence[Request]) -> list[OutboxFullError | None]:
        """The requests are on the disk afterwards, with one sync for all of them, but for those that did not fit."""
        now = self._clock()
        pieces: list[bytes] = []
        refused: list[OutboxFullError | None] = []
        room = self.max_bytes - self.size
        for request in requests:
            record = packed(request, now)
            size = sum(map(len, record))
            is_taken = size <= room
            refused.append(
                None if is_taken else OutboxFullError("the inbox is full", is_hopeless=size > self.max_bytes)
            )
            if is_taken:
                room -= size
                pieces += record
        self._append(pieces)
        return refused

    def check_room(self, size: int) -> None:
        """Raises `OutboxError` where ``size`` bytes cannot be put now: for want of room, or because of the disk."""
        if self.size + size > self.max_bytes:
            raise OutboxFullError("the inbox is full")
        self._append(packed_nothing())

    def skip_to(self, offset: int) -> None:
        """What lies before has been read by an earlier process."""
        self._read_to = max(self._read_to, offset)
        self._end = max(self._end, offset)
        self._remove_read()

    def next(self) -> StoredRequest | None:
        """The oldest request that was not read; the same one again until it is `done`. None if there is none."""
        try:
            while self._segments and self._read_to < self._end:
                segment = self._segments[0]
                found = segment.read(self._read_to) if self._read_to < segment.end else None
                if isinstance(found, StoredRequest):
                    return found
                if isinstance(found, Damage):
                    self._set_aside_damaged(found)
                self._read_to = found.end if found else segment.end
                self._remove_read()
        except OSError as error:
            raise _cannot_be("read", error) from None
        return None

    def done(self, stored: StoredRequest) -> None:
        """A request was read into the outbox, or is kept elsewhere."""
        self._read_to = stored.end
        self._remove_read()

    def set_aside(self, stored: StoredRequest, reason: str) -> None:
        """A request cannot be read as things are: it stays in a file of its own, and holds up no other."""
        path = self._directory / f"{stored.end:020}.{reason}{_UNREADABLE}"
        try:
            _write_for_owner_only(path, b"".join(packed(stored.request, stored.received_at)))
        except OSError as error:
            raise _cannot_be("written", error) from None
        self.done(stored)

    def forget(self) -> None:
        """What was read is on the disk no more; for a quiet moment, since the next request begins another segment."""
        with self._writing:
            if self._active is not None and self._read_to >= self._active.end:
                self._active = None
        self._remove_read()

    @property
    def size(self) -> int:
        """Bytes that wait to be read."""
        return self._end - self._read_to

    @property
    def read_to(self) -> int:
        """The offset of the next byte to be read."""
        return self._read_to

    def close(self) -> None:
        """Nothing may be asked of the inbox afterwards."""
        self.forget()
        for segment in self._segments:
            segment.close()
        self._lock.release()

    def _append(self, pieces: Sequence[bytes]) -> None:
        if not pieces:
            return
        with self._writing:
            try:
                segment = self._writable()
                segment.append(pieces)
            except OSError as error:
                if self._active is not None and self._active.end != self._end:
                    self._active = None  # what was written in part could not be taken back
                raise _cannot_be("written", error) from None
            self._end = segment.end

    def _writable(self) -> Segment:
        if self._active is None or self._active.size > _SEGMENT_BYTES:
            offset = max(self._end, self._segments[-1].end if self._segments else 0)
            self._active = Segment.made(self._directory / f"{offset:020}{_SEGMENT}")
            self._segments.append(self._active)
        return self._active

    def _remove_read(self) -> None:
        """Segments that were read go; of the one that is written to, if it is worth it."""
        if not self._segments or self._read_to < self._segments[0].end:
            return
        with self._writing:
            active = self._active
            if active is not None and self._read_to >= active.end and active.size > _SHRINK_FROM_BYTES:
                self._active = None
            while self._segments and self._segments[0] is not self._active and self._read_to >= self._segments[0].end:
                self._segments.pop(0).remove()

    def _set_aside_damaged(self, damage: Damage) -> None:
        kept = self._directory / f"{damage.offset:020}{_DAMAGED}"
        _write_for_owner_only(kept, damage.content)
        _logger.error("The inbox is damaged: %d bytes that cannot be read are kept in %s.", len(damage.content), kept)


def _locked(directory: Path) -> FileLock:
    try:
        directory.mkdir(mode=0o700, exist_ok=True)
        lock = FileLock(directory / _LOCK, thread_local=False)
        lock.acquire(timeout=_LOCK_WAIT_S)
    except TimeoutError:
        raise ConfigError(f"inbox {directory}: another receiver is at work in it. Name another outbox.") from None
    except OSError as error:
        raise _unusable(directory, error) from None
    return lock


def _identity(directory: Path) -> str:
    """By what the outbox knows this inbox: another directory in its place counts from nothing again."""
    path = directory / _ID
    if not path.exists():
        _write_for_owner_only(path.with_suffix(".new"), secrets.token_hex(8).encode())
        os.replace(path.with_suffix(".new"), path)
    return path.read_text(encoding="ascii")


def _write_for_owner_only(path: Path, content: bytes) -> None:
    with open(os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _cannot_be(done: str, error: OSError) -> OutboxError:
    return OutboxError(f"the inbox cannot be {done}: {error.strerror or error}")


def _unusable(directory: Path, error: OSError) -> ConfigError:
    return ConfigError(
        f"inbox {directory}: cannot be used ({error.strerror or error}). It lies beside the outbox: name an outbox on "
        "a local disk, in a directory that this process may write to."
    )

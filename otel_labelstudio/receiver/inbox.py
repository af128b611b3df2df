"""The inbox: requests that were answered with success and are not read yet, as they came, in a directory of their own.

Reading a request takes many times as long as storing it, and no sender has to wait for that. So a request is on the
disk when it is answered, and is read from there into the outbox (`reader`). That happens once: the outbox notes how far
was read in the transaction that stores what was read there.

It is a log. Requests are appended to segments (`segments`), files whose names are the offsets of their first bytes; a
segment that was read is removed. A process begins a segment of its own and changes no other, so that what an earlier
one left is taken as it is: a request that it did not come to write whole was never answered, and is passed over.

Removing is housekeeping: where it fails, reading goes on, and it is tried again later.
"""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from filelock import FileLock

from otel_labelstudio.errors import ConfigError, OutboxError, OutboxFullError
from otel_labelstudio.printable import logger
from otel_labelstudio.receiver.durable import sync_directory, write_for_owner_only
from otel_labelstudio.receiver.records import packed, packed_nothing
from otel_labelstudio.receiver.requests import Request
from otel_labelstudio.receiver.segments import Segment, StoredRequest, Unreadable
from otel_labelstudio.receiver.set_aside import Reason, SetAside

_logger = logger(__name__)

_SEGMENT_BYTES = 64 * 2**20
# What was read of the last segment is given back to the disk from this size on
_SHRINK_FROM_BYTES = 2**20
# A receiver that is being stopped while the next one starts
_LOCK_WAIT_S = 15.0
_ID, _LOCK = "id", "lock"
_ID_BYTES = 8


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
            self._segments = Segment.all_in(directory)
        except OSError as error:
            self._lock.release()
            raise _unusable(directory, error) from None
        self.set_aside_files = SetAside(directory)
        self._end = self._segments[-1].end if self._segments else 0
        self._read_to = self._segments[0].offset if self._segments else 0
        self._moved_at = time.monotonic()
        self._active: Segment | None = None
        # What was read and is not removed yet
        self._leftover: list[Segment] = []
        self._can_remove = True

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
        self._end = max(self._end, offset)
        self._move(max(self._read_to, offset))

    def next(self) -> StoredRequest | None:
        """The oldest request that was not read; the same one again until it is `done`. None if there is none."""
        try:
            while self._segments and self._read_to < self._end:
                segment = self._segments[0]
                offset = max(self._read_to, segment.offset)
                found = segment.read(offset) if offset < segment.end else None
                if isinstance(found, StoredRequest):
                    return found
                if isinstance(found, Unreadable):
                    self._keep(found)
                self._move(found.end if found else segment.end)
        except OSError as error:
            raise _cannot_be("read", error) from None
        self._moved_at = time.monotonic()
        return None

    def following(self, stored: StoredRequest, max_bytes: int) -> StoredRequest | None:
        """The request behind one that `next` gave, to be read with it; None where there is none of that size, or where
        it takes `next` to tell what is there."""
        segment = self._segments[0]
        if not segment.offset <= stored.end < min(segment.end, self._end):
            return None
        try:
            if segment.end_of_record(stored.end) - stored.end > max_bytes:
                return None
            found = segment.read(stored.end)
        except OSError as error:
            raise _cannot_be("read", error) from None
        return found if isinstance(found, StoredRequest) else None

    def done(self, stored: StoredRequest) -> None:
        """A request was read into the outbox, or is kept elsewhere."""
        self._move(stored.end)

    def set_aside(self, stored: StoredRequest, reason: Reason, error_type: str) -> None:
        """A request cannot be read as things are: it stays in a file of its own, and holds up no other."""
        try:
            self.set_aside_files.keep(stored.end, packed(stored.request, stored.received_at), reason, error_type)
        except OSError as error:
            raise _cannot_be("written", error) from None
        self.done(stored)

    def pass_over(self) -> None:
        """The disk does not give what `next` should be: reading goes on behind it, and its segment's file is kept."""
        if not self._segments or self._read_to >= self._end:
            return
        segment = self._segments[0]
        segment.is_to_be_kept = True
        self.set_aside_files.counts[Reason.DISK] += 1
        _logger.error(
            "A request in %s cannot be read from the disk: it is skipped, and the file is kept.", segment.path
        )
        self._move(segment.end_of_record(self._read_to))

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

    @property
    def stalled_s(self) -> float:
        """For how many seconds something has waited while nothing was read; 0 where nothing waits."""
        return max(0.0, time.monotonic() - self._moved_at) if self.size else 0.0

    def close(self) -> None:
        """Nothing may be asked of the inbox afterwards."""
        self.forget()
        for segment in self._segments:
            with suppress(OSError):
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
                raise _cannot_be("written", error) from None
            if not self.size:
                self._moved_at = time.monotonic()  # from now on something waits
            self._end = segment.end

    def _writable(self) -> Segment:
        active = self._active
        if active is None or active.size > _SEGMENT_BYTES or active.is_torn or active.is_gone:
            active = self._active = Segment.made(self._directory, self._next_offset())
            self._segments.append(active)
        return active

    def _next_offset(self) -> int:
        if not self._segments:
            return self._end
        last = self._segments[-1]
        return max(self._end, last.end + last.is_torn)  # a torn one may be empty, and must not get its name again

    def _move(self, offset: int) -> None:
        self._read_to = offset
        self._moved_at = time.monotonic()
        if self._segments and offset >= self._segments[0].end:
            self._remove_read()

    def _remove_read(self) -> None:
        """Segments that were read go; of the one that is written to, if it is worth it."""
        with self._writing:
            active = self._active
            if active is not None and self._read_to >= active.end and active.size > _SHRINK_FROM_BYTES:
                self._active = None
            while self._segments and self._segments[0] is not self._active and self._read_to >= self._segments[0].end:
                self._leftover.append(self._segments.pop(0))
        self._leftover = [segment for segment in self._leftover if not self._is_removed(segment)]

    def _is_removed(self, segment: Segment) -> bool:
        try:
            if segment.is_to_be_kept:
                segment.close()
                self.set_aside_files.keep_file(segment.path)
            else:
                segment.remove()
        except FileNotFoundError:
            return True
        except OSError as error:
            if self._can_remove:
                _logger.error("What was read stays in the inbox for now (%s).", error.strerror or error)  # noqa: TRY400
            self._can_remove = False
            return False
        self._can_remove = True
        return True

    def _keep(self, found: Unreadable) -> None:
        path = self.set_aside_files.keep(found.offset, [found.content], found.reason)
        _logger.error(
            "Something in the inbox cannot be read (%s): %d bytes are kept in %s.",
            found.reason.value,
            len(found.content),
            path,
        )


def _locked(directory: Path) -> FileLock:
    try:
        directory.mkdir(mode=0o700, exist_ok=True)
        lock = FileLock(directory / _LOCK, thread_local=False)
        lock.acquire(timeout=_LOCK_WAIT_S)
    except TimeoutError:
        raise ConfigError(f"inbox {directory}: another receiver uses it. Name another outbox.") from None
    except OSError as error:
        raise _unusable(directory, error) from None
    return lock


def _identity(directory: Path) -> str:
    """By what the outbox knows this inbox: another directory in its place counts from nothing again."""
    path = directory / _ID
    found = path.read_bytes() if path.exists() else b""
    if len(found) != 2 * _ID_BYTES or not found.isalnum():
        if found:
            _logger.warning("%s is damaged: the inbox is read again from its beginning.", path)
        found = secrets.token_hex(_ID_BYTES).encode()
        write_for_owner_only(path.with_suffix(".new"), [found])
        os.replace(path.with_suffix(".new"), path)
        sync_directory(directory)
    return found.decode("ascii")


def _cannot_be(done: str, error: OSError) -> OutboxError:
    return OutboxError(f"the inbox cannot be {done}: {error.strerror or error}")


def _unusable(directory: Path, error: OSError) -> ConfigError:
    return ConfigError(
        f"inbox {directory}: cannot be used ({error.strerror or error}). It lies beside the outbox: name an outbox on "
        "a local disk, in a directory that this process may write to."
    )

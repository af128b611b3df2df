"""A lock that one process holds at a time, on a file. The operating system frees it when that process dies.

By the system's own call, and not by filelock, because it is held within applications, which may fork at any moment:
filelock 4 has a fork wait until no thread makes or takes a lock, refuses it on Python 3.12 and newer while another
thread forks, and ends a child after a fork that waited for too long.
"""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress

from otel_labelstudio.errors import OutboxError
from otel_labelstudio.outbox.open_files import file_at

# What systems answer where another process holds it
_HELD_ELSEWHERE = (BlockingIOError, PermissionError)


class LockFile:
    """Thread-safe. Not for a child of a fork, which lets go of it by `close_in_child`."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._file: int | None = None
        self._changing = threading.Lock()

    @property
    def is_held(self) -> bool:
        """Whether this process has it."""
        return self._file is not None

    @property
    def is_in_place(self) -> bool:
        """Whether the file that this process has locked is the one that others find."""
        return self._file is not None and _is_at(self._path, self._file)

    def take(self) -> bool:
        """Whether this process has it now; never waits. Raises `OutboxError` where nobody can have it."""
        with self._changing:
            try:
                self._file = self._file if self._file is not None else _locked(self._path)
            except OSError as error:
                why = error.strerror or type(error).__name__
                raise OutboxError(f"the file {self._path} cannot be locked: {why}") from None
            return self._file is not None

    def release(self) -> None:
        """Let another process have it; nothing happens where this one has not."""
        with self._changing:
            file, self._file = self._file, None
            if file is not None:
                _unlock(file)
                os.close(file)

    def before_fork(self) -> None:
        """No thread opens the file while the process is copied."""
        self._changing.acquire()

    def after_fork_in_parent(self) -> None:
        """The end of `before_fork`."""
        self._changing.release()

    def close_in_child(self) -> None:
        """The parent has it; without this the child would keep it from others when the parent has died."""
        file, self._file = self._file, None
        if file is not None:
            with suppress(OSError):
                os.close(file)
        self._changing.release()


def _locked(path: str) -> int | None:
    """The file, opened and locked; None where another process has locked it, or it was removed meanwhile."""
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    is_locked = False
    try:
        _lock(file)
        is_locked = _is_at(path, file)
    except _HELD_ELSEWHERE:
        return None
    finally:
        if not is_locked:
            os.close(file)
    return file if is_locked else None


def _is_at(path: str, file: int) -> bool:
    found = os.fstat(file)
    return file_at(path) == (found.st_dev, found.st_ino)


if sys.platform == "win32":
    import msvcrt

    def _lock(file: int) -> None:
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)

    def _unlock(file: int) -> None:
        msvcrt.locking(file, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _lock(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _unlock(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_UN)

"""Which of the processes that share an outbox delivers: the one that holds the lock beside the file.

The operating system frees the lock when its holder dies, and the next process takes over. Where the outbox's files were
removed, replaced or moved, nobody does: a lock that is free then says nothing of who delivers, since it may be another
file, and to make it anew would be in the way of a directory that is moved back. A lock's file that alone was removed,
since it looks like something that a dead process has left, is made anew by its holder, as a rule before another process
can. A memory outbox has one process, which delivers.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from otel_labelstudio.outbox.open_files import file_at

if TYPE_CHECKING:
    from filelock import FileLock


class Election:
    """Not shared between threads, and not between processes: after a fork, make a new one. ``is_in_place`` tells
    whether the files that this process has open are those of the path."""

    def __init__(self, outbox_path: str | None, is_in_place: Callable[[], bool]) -> None:
        self._make_lock = _lock_beside(outbox_path) if outbox_path else None
        self._is_in_place = is_in_place
        self._lock: FileLock | None = None
        self._locked_file: tuple[int, int] | None = None

    def is_won(self) -> bool:
        """Whether this process delivers; asks again each time, and never waits."""
        if self._make_lock is None:
            return True
        # Not before: to make or take one may wait for a fork, which waits for whoever opens an outbox
        lock = self._lock = self._lock or self._make_lock()
        if not self._is_in_place():
            return lock.is_locked
        if lock.is_locked:
            if self._locked_file is not None and file_at(lock.lock_file) == self._locked_file:
                return True
            lock.release(force=True)
        return self._take(lock)

    def resign(self) -> None:
        """Let another process deliver."""
        if self._lock is not None:
            self._lock.release(force=True)

    def _take(self, lock: FileLock) -> bool:
        try:
            lock.acquire(timeout=0)
        except TimeoutError:  # filelock.Timeout is one
            return False
        self._locked_file = file_at(lock.lock_file)
        return True


def _lock_beside(outbox_path: str) -> Callable[[], FileLock]:
    from filelock import FileLock  # an exporter with its outbox in memory does without

    return partial(FileLock, f"{outbox_path}.lock", thread_local=False)

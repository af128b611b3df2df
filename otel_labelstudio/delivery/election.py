"""Which of the processes that share an outbox delivers: the one that holds the lock beside the file.

The operating system frees the lock when its holder dies, and the next process takes over. Where the outbox's files were
removed, replaced or moved, nobody does: a lock that is free then says nothing of who delivers, since it may be another
file, and to make it anew would be in the way of a directory that is moved back. A memory outbox has one process, which
delivers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from filelock import FileLock


class Election:
    """Not shared between threads, and not between processes: after a fork, make a new one. ``is_in_place`` tells
    whether the files that this process has open are those of the path."""

    def __init__(self, outbox_path: str | None, is_in_place: Callable[[], bool]) -> None:
        self._lock = _lock_beside(outbox_path) if outbox_path else None
        self._is_in_place = is_in_place

    def is_won(self) -> bool:
        """Whether this process delivers; asks again each time, and never waits."""
        if self._lock is None or self._lock.is_locked:
            return True
        if not self._is_in_place():
            return False
        try:
            self._lock.acquire(timeout=0)
        except TimeoutError:  # filelock.Timeout is one
            return False
        return True

    def resign(self) -> None:
        """Let another process deliver."""
        if self._lock is not None:
            self._lock.release(force=True)


def _lock_beside(outbox_path: str) -> FileLock:
    from filelock import FileLock  # an exporter with its outbox in memory does without

    return FileLock(f"{outbox_path}.lock", thread_local=False)

"""Which of the processes that share an outbox delivers: the one that holds the lock beside the file.

The operating system frees the lock when its holder dies, and the next process takes over. A memory outbox has one
process, which delivers.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from filelock import FileLock


class Election:
    """Not shared between threads, and not between processes: after a fork, make a new one."""

    def __init__(self, outbox_path: str | None) -> None:
        self._lock = _lock_beside(outbox_path) if outbox_path else None
        self._directory = os.path.dirname(os.path.abspath(outbox_path)) if outbox_path else ""

    def is_won(self) -> bool:
        """Whether this process delivers; asks again each time, and never waits."""
        if self._lock is None or self._lock.is_locked:
            return True
        if not os.path.isdir(self._directory):
            return True  # removed or moved: a lock would make it again, and be in its way when it is moved back
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

"""Which of the processes that share an outbox delivers: the one that holds the lock beside the file.

The operating system frees the lock when its holder dies, and the next process takes over. Where the outbox's files were
removed, replaced or moved, nobody does: a lock that is free then says nothing of who delivers, since it may be another
file, and to make it anew would be in the way of a directory that is moved back. A lock's file that alone was removed,
since it looks like something that a dead process has left, is made anew by its holder, as a rule before another process
can. A memory outbox has one process, which delivers.
"""

from __future__ import annotations

from collections.abc import Callable

from otel_labelstudio.delivery.lock_file import LockFile


class Election:
    """Not shared between processes: after a fork, make a new one. ``is_in_place`` tells whether the files that this
    process has open are those of the path. Raises `OutboxError` where no process can deliver."""

    def __init__(self, outbox_path: str | None, is_in_place: Callable[[], bool]) -> None:
        self._lock = LockFile(f"{outbox_path}.lock") if outbox_path else None
        self._is_in_place = is_in_place

    def is_won(self) -> bool:
        """Whether this process delivers; asks again each time, and never waits."""
        if self._lock is None:
            return True
        if not self._is_in_place():
            return self._lock.is_held
        if not self._lock.is_in_place:
            self._lock.release()
        return self._lock.take()

    def resign(self) -> None:
        """Let another process deliver."""
        if self._lock is not None:
            self._lock.release()

    def before_fork(self) -> None:
        """Nothing changes while the process is copied."""
        if self._lock is not None:
            self._lock.before_fork()

    def after_fork_in_parent(self) -> None:
        """The end of `before_fork`."""
        if self._lock is not None:
            self._lock.after_fork_in_parent()

    def leave_to_parent(self) -> None:
        """In a child, as the end of `before_fork`: it is the parent that delivers."""
        if self._lock is not None:
            self._lock.close_in_child()

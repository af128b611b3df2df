"""Whether the outbox on the disk is the one that this process has open.

Where somebody removes or replaces its files, or moves their directory, the open ones work on without a name, and end
with the processes that have them open. So they are compared with what stands under their names before anything is
accepted: three calls of `os.stat` in each transaction (measured: 0.04 ms, where its sync takes 8 ms). The write-ahead
log counts as well: until SQLite takes it over into the file, it alone has what was accepted last.
"""

from __future__ import annotations

import os

from otel_labelstudio.errors import OutboxGoneError

# SQLite names its further files after the one that a symbolic link leads to
_FURTHER = ("-wal", "-shm")


class OpenFiles:
    """The files of an outbox that was just opened; ``path`` is None for one in memory, which is always in place."""

    def __init__(self, path: str | None) -> None:
        names = () if path is None else (path, *(f"{os.path.realpath(path)}{suffix}" for suffix in _FURTHER))
        self._opened = {name: file for name in names if (file := file_at(name)) is not None}

    @property
    def are_in_place(self) -> bool:
        """Whether the next process that opens this path gets the same files."""
        return not self._missing()

    def check(self) -> None:
        """Raises `OutboxGoneError` where they are not in place."""
        missing = self._missing()
        if missing:
            raise OutboxGoneError(
                f"{missing} was removed, replaced or moved while this process had it open. Nothing new is stored; what "
                "waits in it is delivered as long as this process runs. Stop all processes that use this outbox and "
                "start them again, or move the file back"
            )

    def _missing(self) -> str:
        return next((name for name, file in self._opened.items() if file_at(name) != file), "")


def file_at(name: str) -> tuple[int, int] | None:
    """Which file has this name, on which device; None where there is none."""
    try:
        found = os.stat(name)
    except OSError:
        return None
    return found.st_dev, found.st_ino

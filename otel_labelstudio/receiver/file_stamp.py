"""Whether a file has changed since it was read."""

from __future__ import annotations

import os


def file_stamp(path: str) -> tuple[int, int, int]:
    """Another one for a file that was written or replaced, also behind a symbolic link. Raises `OSError`."""
    found = os.stat(path)
    return (found.st_mtime_ns, found.st_size, found.st_ino)

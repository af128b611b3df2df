"""Files that survive a crash of the machine."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path


def write_for_owner_only(path: Path, content: Sequence[bytes]) -> None:
    """All of it is on the disk afterwards, and can be read by the owner of this process only. Raises `OSError`."""
    with open(os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as file:
        file.writelines(content)
        file.flush()
        os.fsync(file.fileno())
    sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """What was made, renamed or removed in it stays so. Raises `OSError`."""
    file = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)

"""What could not be read from the inbox: files beside the segments, for a person to look at, which hold up nothing.

``*.unreadable`` is a record that is whole, ``*.damaged`` what the disk has changed or does not give. They stay until
that person removes them.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from enum import Enum
from pathlib import Path

from otel_labelstudio.receiver.durable import sync_directory, write_for_owner_only

_UNREADABLE, _DAMAGED = ".unreadable", ".damaged"


class Reason(str, Enum):
    """Why something was set aside; the values stand in metrics."""

    FAULT = "fault"  # ours: something raised on it
    TOO_LARGE = "too_large"  # one call of it is larger than the whole outbox
    UNKNOWN_FORMAT = "unknown_format"  # a newer version has written it
    DAMAGED = "damaged"  # the disk has changed it
    DISK = "disk_error"  # the disk does not give it


class SetAside:
    """The files of one directory; ``counts`` has how many requests or pieces of the disk were set aside, by reason,
    since it was made. Raises `OSError`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.counts: Counter[Reason] = Counter(dict.fromkeys(Reason, 0))

    def keep(self, offset: int, content: Sequence[bytes], reason: Reason, error_type: str = "") -> Path:
        """Write down what was at an offset, with the reason or the error in the file's name."""
        suffix = _DAMAGED if reason is Reason.DAMAGED else f".{error_type or reason.value}{_UNREADABLE}"
        path = self._directory / f"{offset:020}{suffix}"
        write_for_owner_only(path, content)
        self.counts[reason] += 1
        return path

    def keep_file(self, path: Path) -> None:
        """A file of the directory of which something cannot be read gets another name."""
        os.replace(path, path.with_suffix(_DAMAGED))
        sync_directory(self._directory)

    def number_of_files(self) -> int:
        """How many files lie there, from earlier runs too, of which nobody has taken care."""
        with os.scandir(self._directory) as entries:
            return sum(entry.name.endswith((_UNREADABLE, _DAMAGED)) for entry in entries)

"""What could not be read: kept by its reason, for its owner only, and on the disk before anything counts as read."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import NoReturn

import pytest

from otel_labelstudio.receiver.set_aside import Reason, SetAside


def test_what_is_kept_is_named_for_its_reason(tmp_path: Path) -> None:
    """Or for the error's type, where somebody will look for a fault."""
    set_aside = SetAside(tmp_path)
    set_aside.keep(1, [b"a", b"b"], Reason.FAULT, "ValueError")
    set_aside.keep(2, [b"c"], Reason.UNKNOWN_FORMAT)
    set_aside.keep(3, [b"d"], Reason.DAMAGED)
    kept = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert kept == {
        f"{1:020}.ValueError.unreadable": b"ab",
        f"{2:020}.unknown_format.unreadable": b"c",
        f"{3:020}.damaged": b"d",
    }
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}
    assert set_aside.number_of_files() == 3


def test_all_reasons_are_counted_from_the_start(tmp_path: Path) -> None:
    """At 0; what could not be kept is not counted."""

    def fail(_: int) -> NoReturn:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    set_aside = SetAside(tmp_path)
    assert set_aside.counts == dict.fromkeys(Reason, 0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="No space"):
            set_aside.keep(1, [b"a"], Reason.FAULT, "ValueError")
    assert set_aside.counts[Reason.FAULT] == 0
    set_aside.keep(1, [b"a"], Reason.FAULT, "ValueError")
    assert set_aside.counts[Reason.FAULT] == 1
    assert set_aside.number_of_files() == 1


def test_a_file_is_kept_as_a_whole(tmp_path: Path) -> None:
    """Under another name, by which nobody reads it again."""
    segment = tmp_path / f"{7:020}.segment"
    segment.write_bytes(b"all of it")
    SetAside(tmp_path).keep_file(segment)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [(f"{7:020}.damaged", b"all of it")]

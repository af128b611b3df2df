"""The directory of a dataset: whether it is ours to replace, and its replacement as a whole.

A dataset is written beside the earlier one, in the state's directory, flushed to the disk, and exchanged with it in one
step, so that a reader sees either and a run that is killed at any moment leaves one of them whole. Where the system
cannot exchange two directories, the earlier one is moved away first, and put back by the next run if that was its end.
"""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from otel_labelstudio.annotations.datasets.options import Kind
from otel_labelstudio.annotations.datasets.splitting import SPLITS
from otel_labelstudio.errors import ConfigError

CARD, PROVENANCE = "README.md", "provenance.jsonl"
# In the card of each dataset: by this a directory is known to be ours
MARK = "<!-- Written by otel-labelstudio dataset: the next run replaces all files here. -->"
_OURS = frozenset({CARD, PROVENANCE, *(f"{kind.value}/{split}.jsonl" for kind in Kind for split in SPLITS)})
_OUR_DIRECTORIES = frozenset(kind.value for kind in Kind)
# As many foreign files as an error names
_NAMED = 5
# linux/fs.h and linux/fcntl.h
_RENAME_EXCHANGE, _AT_FDCWD = 2, -100


class Output:
    """The dataset at ``directory``; raises `ConfigError` where something else is there.

    Its ``state`` stands beside it, so that it is not published with it.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory = directory.resolve()  # the name of ".", and the target of a symbolic link
        self.state = directory.with_name(directory.name + ".state")
        self._new, self._old = self.state / "new", self.state / "old"
        self._check()
        self.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.state.chmod(0o700)

    def recover(self) -> None:
        """Put the earlier dataset back where a run was killed between two renames; only under the lock, since another
        run may be between them now."""
        if self._old.exists() and not self.directory.exists():
            self._old.rename(self.directory)

    def prepare(self) -> Path:
        """An empty directory to write the new dataset to."""
        shutil.rmtree(self._new, ignore_errors=True)
        self._new.mkdir(mode=0o700)
        return self._new

    def publish(self) -> None:
        """Put what was prepared in the place of the earlier dataset."""
        _sync(self._new)
        self._check()  # somebody may have put a file there meanwhile
        if not self.directory.exists():
            self._new.rename(self.directory)
        elif not _exchange(self._new, self.directory):
            shutil.rmtree(self._old, ignore_errors=True)
            self.directory.rename(self._old)
            self._new.rename(self.directory)
        _sync_directory(self.directory.parent)
        for left_over in (self._new, self._old):
            shutil.rmtree(left_over, ignore_errors=True)

    def _check(self) -> None:
        if not self.directory.exists():
            return
        if not self.directory.is_dir():
            raise ConfigError(f"{self.directory} is a file; name a directory that is absent or empty")
        foreign = sorted(_foreign(self.directory))
        if foreign:
            named = ", ".join(foreign[:_NAMED]) + (", ..." if len(foreign) > _NAMED else "")
            raise ConfigError(
                f"{self.directory} has files that are not of a dataset written by this command: {named}. "
                "Move them away, or name another directory"
            )


def _foreign(directory: Path) -> Iterator[str]:
    """All that the exchange would delete and that no run of ours has written: links and directories too."""
    is_marked = _is_marked(directory)
    for path in directory.rglob("*"):
        name = path.relative_to(directory).as_posix()
        if not (is_marked and _is_ours(path, name)):
            yield name


def _is_ours(path: Path, name: str) -> bool:
    return not path.is_symlink() and name in (_OUR_DIRECTORIES if path.is_dir() else _OURS)


def _is_marked(directory: Path) -> bool:
    try:
        return MARK in (directory / CARD).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two directories in one step; False where the system cannot."""
    if not sys.platform.startswith("linux"):
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "renameat2"):
        return False
    paths = (os.fsencode(one), os.fsencode(other))
    if libc.renameat2(_AT_FDCWD, paths[0], _AT_FDCWD, paths[1], _RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in (errno.EINVAL, errno.ENOSYS, errno.EPERM):
        return False
    mounted = "; it must not be a mount point" if number in (errno.EBUSY, errno.EXDEV) else ""
    raise ConfigError(f"cannot replace {other}: {os.strerror(number)}{mounted}")


def _sync(directory: Path) -> None:
    for path in directory.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
    _sync_directory(directory)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

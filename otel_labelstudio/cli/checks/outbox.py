"""The file of the outbox: whether it is one, can be written, and who delivers from it now."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from otel_labelstudio.cli.checks.finding import Finding, fail, note, ok
from otel_labelstudio.delivery.lock_file import LockFile
from otel_labelstudio.errors import ConfigError, OutboxError
from otel_labelstudio.outbox.opening import format_of_file
from otel_labelstudio.outbox.schema import FORMAT_VERSION


def outbox_findings(path: str | None, *, is_made_with_its_folder: bool) -> Iterator[Finding]:
    """Of the outbox at ``path``; None: in memory. A receiver makes the file's directory as well. Changes nothing."""
    if path is None:
        yield ok("outbox: in memory, without what waits when the process is killed; outbox= names a file that keeps it")
        return
    folder = Path(path).parent
    if is_made_with_its_folder:
        folder = next(parent for parent in Path(path).parents if os.path.exists(parent))
    why_not = _why_no_folder(folder) or _why_no_file(Path(path))
    if why_not is not None:
        yield fail(f"outbox {path}: {why_not}")
    elif os.path.exists(path):
        yield from _of_file(path)
    else:
        yield ok(f"outbox: {path} will be made")


def _why_no_folder(folder: Path) -> str | None:
    """SQLite makes further files beside the outbox. Asked of `os.path`: `Path` raises, before Python 3.14, where
    a directory above may not be entered."""
    if not os.path.isdir(folder):
        return f"there is no directory {folder}; make it, or name another file"
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"this user may not write to the directory {folder}; change its owner, or name another file"
    return None


def _why_no_file(path: Path) -> str | None:
    if os.path.isdir(path):
        return "it is a directory; name a file in it"
    if os.path.exists(path) and not os.access(path, os.R_OK | os.W_OK):
        return "this user may not read and write it; change its owner, or name another file"
    return None


def _of_file(path: str) -> Iterator[Finding]:
    try:
        is_present = format_of_file(path) in (0, FORMAT_VERSION)
    except ConfigError as error:
        yield fail(str(error))
        return
    taken_over = "" if is_present else ", of an older version, is taken over when it is next opened"
    yield ok(f"outbox: {path}{taken_over}")
    yield from _of_lock(f"{path}.lock")


def _of_lock(path: str) -> Iterator[Finding]:
    """That of who delivers; none is made where there is none."""
    if not os.path.exists(path):
        return
    lock = LockFile(path)
    try:
        is_free = lock.take()
    except OutboxError as error:
        yield fail(f"outbox: {error}; change its owner, or remove it")
        return
    lock.release()
    if not is_free:
        yield note("another process delivers from this outbox now; what others accept into it is delivered by that one")

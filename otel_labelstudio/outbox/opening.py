"""How a file is opened as an outbox, or only looked at."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path

from otel_labelstudio.errors import ConfigError
from otel_labelstudio.outbox.schema import APPLICATION_ID, FORMAT_VERSION, OLDER_FORMATS, create, migrate
from otel_labelstudio.sqlite_connection import ClosingConnection

# Python raises the second where SQLite's own message repeats bytes of a damaged file
SQLITE_ERRORS = (sqlite3.Error, UnicodeDecodeError)
# How long another process may keep us from writing
_BUSY_TIMEOUT_S = 30.0


def open_outbox_file(path: str | None) -> sqlite3.Connection:
    """The database, made where there is none; raises `ConfigError` for a file that is no outbox of this version."""
    try:
        _make_for_owner_only(path)
        db = _connected(path or ":memory:")
    except (sqlite3.Error, OSError) as error:
        raise _unusable(path, error) from None
    try:
        _prepare(db, path)
    except BaseException as error:
        db.close()
        if isinstance(error, SQLITE_ERRORS):
            raise _unusable(path, error) from None
        raise
    return db


def open_to_look(path: str) -> sqlite3.Connection:
    """The database of a file that is not changed: one of an older format is read into memory, and converted there.
    Raises `ConfigError` for a file that is no outbox of this version or an earlier one."""
    try:
        db = _read_only(path)
        if _format_of(db, path) != FORMAT_VERSION:
            with closing(db) as file:
                db = _connected(":memory:")
                file.backup(db)
            _prepare(db, None)
        db.execute("PRAGMA query_only = ON")
    except SQLITE_ERRORS as error:
        raise _unusable(path, error) from None
    return db


def format_of_file(path: str) -> int:
    """The format of an outbox file, 0 where it is empty; nothing is changed in it. Raises `ConfigError` as
    `open_to_look` does."""
    try:
        with closing(_read_only(path)) as db:
            return _format_of(db, path)
    except SQLITE_ERRORS as error:
        raise _unusable(path, error) from None


def _read_only(path: str) -> sqlite3.Connection:
    # At its end, a connection that may write moves what a killed process has left in FILE-wal into the file; one that
    # may not leaves a FILE-wal where there was none
    path = os.path.realpath(path)  # beside which SQLite keeps its other files
    mode = "ro" if os.path.exists(f"{path}-wal") else "rw"
    address = f"{Path(path).absolute().as_uri()}?mode={mode}"
    return _connected(address, is_uri=True)


def _connected(address: str, *, is_uri: bool = False) -> sqlite3.Connection:
    return sqlite3.connect(
        address,
        uri=is_uri,
        check_same_thread=False,
        isolation_level=None,
        timeout=_BUSY_TIMEOUT_S,
        factory=ClosingConnection,
    )


def _prepare(db: sqlite3.Connection, path: str | None) -> None:
    # Looked at before anything is changed: the file may be another program's
    version = _format_of(db, path)
    if path is None:
        db.execute("PRAGMA temp_store = MEMORY")  # or much content is sorted in a file, where nobody expects any
    else:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
    if version != FORMAT_VERSION:
        db.execute("BEGIN IMMEDIATE")
        version = _format_of(db, path)  # two processes may open one file at the same moment
        if version == 0:
            create(db)
        elif version != FORMAT_VERSION:
            migrate(db, version, time.time())
        db.execute("COMMIT")


def _format_of(db: sqlite3.Connection, path: str | None) -> int:
    """The format of the outbox, 0 where the database is new and empty; raises `ConfigError` where it is neither."""
    application_id = db.execute("PRAGMA application_id").fetchone()[0]
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    if application_id == APPLICATION_ID and (version == FORMAT_VERSION or version in OLDER_FORMATS):
        return version
    if (application_id, version) == (0, 0) and not db.execute("SELECT 1 FROM sqlite_master").fetchone():
        return 0
    if application_id == APPLICATION_ID and version > FORMAT_VERSION:
        raise ConfigError(
            f"outbox {path}: a newer version wrote this file (format {version}), this version reads format "
            f"{FORMAT_VERSION}. Deliver what it holds with the version that wrote it, or name another file."
        )
    raise ConfigError(f"outbox {path}: the file is not an outbox. Name another file.")


def _make_for_owner_only(path: str | None) -> None:
    """What people asked and models answered is not for every user of the machine; SQLite's other files follow."""
    if path is not None and not os.path.exists(path):
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def _unusable(path: str | None, error: Exception) -> ConfigError:
    why = error.strerror if isinstance(error, OSError) else str(error)
    return ConfigError(
        f"outbox {path}: cannot be used as an outbox ({why}). Name a file, on a local disk, in a directory that exists "
        "and that this process may write to."
    )

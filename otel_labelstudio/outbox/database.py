"""The outbox's database: one connection for all threads, and how a file is opened as an outbox."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

from otel_labelstudio.errors import ConfigError, OutboxError
from otel_labelstudio.outbox.open_files import OpenFiles
from otel_labelstudio.outbox.schema import APPLICATION_ID, FORMAT_VERSION, OLDER_FORMATS, create, migrate

# Python raises the second where SQLite's own message repeats bytes of a damaged file
_SQLITE_ERRORS = (sqlite3.Error, UnicodeDecodeError)
# These are of what was to be written, not of the disk: whoever writes sets that aside
_FAULTS_OF_VALUES = (sqlite3.InterfaceError, sqlite3.DataError, sqlite3.ProgrammingError, sqlite3.NotSupportedError)

# How long another process may keep us from writing
_BUSY_TIMEOUT_S = 30.0


class Database:
    """One connection for all threads. Raises `OutboxError` where SQLite can neither store nor read."""

    def __init__(self, path: str | None) -> None:
        """Raises `ConfigError` for a file that is no outbox of this version."""
        self._path = path
        self._lock = threading.RLock()
        self._depth = 0
        self._connection: sqlite3.Connection | None = None
        self._connection = open_outbox_file(path)
        self._files = OpenFiles(path)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All that is done inside is on the disk when it ends, or, if it raises, not at all."""
        with self._lock, _as_outbox_error("written"):
            if self._depth:
                yield self._connected()
                return
            self._depth += 1
            try:
                yield from _committed(self._connected())
            finally:
                self._depth -= 1

    @property
    def is_in_place(self) -> bool:
        """Whether the file that is open, if one is, is the one on the disk (`open_files`)."""
        return self._connection is None or self._files.are_in_place

    def check_in_place(self) -> None:
        """Raises `OutboxGoneError` where what is written now would end with this process."""
        self._files.check()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Nobody writes meanwhile."""
        with self._lock, _as_outbox_error("read"):
            yield self._connected()

    def total(self, what: str) -> tuple[int, int]:
        """How many there are, and their bytes, of what is "waiting", "held", "dead" or "kept"."""
        with self.reading() as db:
            calls, size = db.execute("SELECT calls, bytes FROM totals WHERE what = ?", (what,)).fetchone()
        return int(calls), int(size)

    def close(self) -> None:
        """Close the connection for good."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()

    def __del__(self) -> None:
        self.close()  # an exporter may be asked for its dead letters after its shutdown, until nobody is left to ask

    def close_and_lock(self) -> None:
        """For a fork: SQLite's connections to files must not be carried into another process. Waits until nobody is at
        work in here, and keeps everybody out until `unlock`, by the same thread; the next use connects again.

        A file that is not in place stays open: what waits in it would be gone. The child leaves that connection alone.
        """
        self._lock.acquire()
        if self._path is not None and self._connection is not None and self.is_in_place:
            connection, self._connection = self._connection, None
            with suppress(sqlite3.Error):
                connection.close()

    def unlock(self) -> None:
        """The end of `close_and_lock`."""
        self._lock.release()

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            try:
                connection = open_outbox_file(self._path)
            except ConfigError as error:
                raise OutboxError(str(error)) from None
            self._files, self._connection = OpenFiles(self._path), connection
        return self._connection


def open_outbox_file(path: str | None) -> sqlite3.Connection:
    """The database, made where there is none; raises `ConfigError` for a file that is no outbox of this version."""
    try:
        _make_for_owner_only(path)
        db = sqlite3.connect(path or ":memory:", check_same_thread=False, isolation_level=None, timeout=_BUSY_TIMEOUT_S)
    except (sqlite3.Error, OSError) as error:
        raise _unusable(path, error) from None
    try:
        _prepare(db, path)
    except BaseException as error:
        db.close()
        if isinstance(error, _SQLITE_ERRORS):
            raise _unusable(path, error) from None
        raise
    return db


def has_present_format(path: str) -> bool:
    """Whether a file is an outbox of this version's format; nothing is changed in it. Raises `ConfigError` for a file
    that is no outbox of this version or an earlier one."""
    try:
        with closing(sqlite3.connect(path, timeout=_BUSY_TIMEOUT_S)) as db:
            return _format_of(db, path) == FORMAT_VERSION
    except _SQLITE_ERRORS as error:
        raise _unusable(path, error) from None


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


@contextmanager
def _as_outbox_error(done: str) -> Iterator[None]:
    try:
        yield
    except _FAULTS_OF_VALUES:
        raise
    except _SQLITE_ERRORS as error:
        raise OutboxError(f"the outbox cannot be {done}: {error}") from None


def _committed(db: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield db
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise

"""The outbox's database: one connection for all threads."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from otel_labelstudio.errors import ConfigError, OutboxError
from otel_labelstudio.outbox.open_files import OpenFiles
from otel_labelstudio.outbox.opening import SQLITE_ERRORS, open_outbox_file, open_to_look

# These are of what was to be written, not of the disk: whoever writes sets that aside
_FAULTS_OF_VALUES = (sqlite3.InterfaceError, sqlite3.DataError, sqlite3.ProgrammingError, sqlite3.NotSupportedError)


class Database:
    """One connection for all threads. Raises `OutboxError` where SQLite can neither store nor read."""

    def __init__(self, path: str | None, *, is_read_only: bool = False) -> None:
        """Raises `ConfigError` for a file that is no outbox of this version or an earlier one."""
        self._path, self._is_read_only = path, is_read_only
        self._lock = threading.RLock()
        self._depth = 0
        self._connection: sqlite3.Connection | None = None
        self._connection = self._opened()
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

    def clear_total(self, what: str) -> None:
        """There is nothing of it, whatever the disk has made of the total."""
        with self.transaction() as db:
            db.execute("UPDATE totals SET calls = 0, bytes = 0 WHERE what = ?", (what,))

    def close(self) -> None:
        """Close the connection for good."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()

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
                connection = self._opened()
            except ConfigError as error:
                raise OutboxError(str(error)) from None
            self._files, self._connection = OpenFiles(self._path), connection
        return self._connection

    def _opened(self) -> sqlite3.Connection:
        if self._path is not None and self._is_read_only:
            return open_to_look(self._path)
        return open_outbox_file(self._path)


@contextmanager
def _as_outbox_error(done: str) -> Iterator[None]:
    try:
        yield
    except _FAULTS_OF_VALUES:
        raise
    except SQLITE_ERRORS as error:
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

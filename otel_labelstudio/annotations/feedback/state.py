"""What was written where: the state of feedback, a SQLite file that only its owner may read.

It moves with what a back end has confirmed and with nothing else, so that a run that is killed at any moment goes on
where it was: what was sent and not yet noted is sent again. An evaluation is known by its key and, as it was sent, by
its fingerprint; no text that people wrote stands here. The key of the annotators' hash does, and whoever has it can
tell who is who.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from otel_labelstudio.annotations.annotators import new_annotator_key
from otel_labelstudio.annotations.records import AnnotatedProject
from otel_labelstudio.annotations.watermarks import controls_digest, read_until
from otel_labelstudio.errors import ConfigError
from otel_labelstudio.sqlite_connection import ClosingConnection

_FORMAT = 2
# SQLite's application_id: "fbck"
_MARK = 0x6662636B
# A file of fewer bytes would be overwritten as an empty database
_SMALLEST = 512
_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS secrets (name TEXT PRIMARY KEY, value BLOB NOT NULL)",
    """CREATE TABLE IF NOT EXISTS evaluations (
        target TEXT NOT NULL,       -- the back end and where it is
        source TEXT NOT NULL,       -- the Label Studio server and project
        task_id INTEGER NOT NULL,
        key TEXT NOT NULL,
        name TEXT NOT NULL,
        fingerprint TEXT NOT NULL,  -- of what was sent last
        refused TEXT,               -- why the back end did not take it; NULL where it did
        PRIMARY KEY (target, source, task_id, key)
    ) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS watermarks (
        target TEXT NOT NULL,
        source TEXT NOT NULL,
        updated_at TEXT NOT NULL,
        controls TEXT,              -- a digest of those with which the project was read
        PRIMARY KEY (target, source)
    ) WITHOUT ROWID""",
)
# From the format before
_UPGRADES = {1: "ALTER TABLE watermarks ADD COLUMN controls TEXT"}


@dataclass(frozen=True, slots=True)
class Noted:
    """An evaluation as it was sent last."""

    source: str
    task_id: int
    key: str
    name: str
    fingerprint: str
    refused: str | None = None


class FeedbackState:
    """The file at ``path``, in memory where there is none. Raises `ConfigError` where it cannot be used.

    One run at a time: a second one would send everything twice.
    """

    def __init__(self, path: str | os.PathLike[str] | None) -> None:
        self._connection = sqlite3.connect(
            ":memory:" if path is None else _private(Path(path)),
            timeout=0,
            isolation_level=None,
            factory=ClosingConnection,
        )
        try:
            self._connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            with self._transaction():
                self._check(path)
                for statement in _SCHEMA:
                    self._connection.execute(statement)
                self.annotator_key = self._kept_key()
        except (ConfigError, sqlite3.DatabaseError) as error:
            self._connection.close()
            if isinstance(error, sqlite3.OperationalError):
                raise ConfigError(f"--state {path}: another run uses it, or it cannot be written") from None
            raise ConfigError(f"--state {path}: this is no state of feedback, or a newer version wrote it") from None

    def close(self) -> None:
        self._connection.close()

    def of_task(self, target: str, source: str, task_id: int) -> dict[str, Noted]:
        """What was sent of a task, by key."""
        rows = self._connection.execute(
            "SELECT source, task_id, key, name, fingerprint, refused FROM evaluations"
            " WHERE target = ? AND source = ? AND task_id = ?",
            (target, source, task_id),
        )
        return {noted.key: noted for noted in (Noted(*row) for row in rows)}

    def task_ids(self, target: str, source: str) -> set[int]:
        """The tasks of which something was sent."""
        rows = self._connection.execute(
            "SELECT DISTINCT task_id FROM evaluations WHERE target = ? AND source = ?", (target, source)
        )
        return {task_id for (task_id,) in rows}

    def note(self, target: str, items: Iterable[Noted]) -> None:
        """These were answered, with success or a refusal."""
        with self._transaction():
            self._connection.executemany(
                "INSERT OR REPLACE INTO evaluations (target, source, task_id, key, name, fingerprint, refused)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                [(target, i.source, i.task_id, i.key, i.name, i.fingerprint, i.refused) for i in items],
            )

    def forget(self, target: str, items: Iterable[Noted]) -> None:
        """These are no longer at the back end, or nothing can be done about them."""
        with self._transaction():
            self._connection.executemany(
                "DELETE FROM evaluations WHERE target = ? AND source = ? AND task_id = ? AND key = ?",
                [(target, item.source, item.task_id, item.key) for item in items],
            )

    def read_until(self, target: str, project: AnnotatedProject) -> datetime | None:
        """Tasks that were updated before this time need not be read again; None where all are to be read."""
        kept = self._connection.execute(
            "SELECT updated_at, controls FROM watermarks WHERE target = ? AND source = ?", (target, project.key)
        ).fetchone()
        return read_until(project, datetime.fromisoformat(kept[0]), kept[1]) if kept else None

    def advance(self, target: str, project: AnnotatedProject, updated_at: datetime) -> None:
        """All tasks of a project, as it is now, that were updated before this time are answered."""
        with self._transaction():
            self._connection.execute(
                "INSERT OR REPLACE INTO watermarks (target, source, updated_at, controls) VALUES (?, ?, ?, ?)",
                (target, project.key, updated_at.isoformat(), controls_digest(project)),
            )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN EXCLUSIVE")
        with self._connection:
            yield

    def _check(self, path: str | os.PathLike[str] | None) -> None:
        """A file of somebody else's is not written to."""
        (tables,) = self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        (mark,) = self._connection.execute("PRAGMA application_id").fetchone()
        (found,) = self._connection.execute("PRAGMA user_version").fetchone()
        if tables and (mark != _MARK or found not in (_FORMAT, *_UPGRADES)):
            raise ConfigError(f"--state {path}")
        if path is not None:
            _close_to_others(path)
        if found in _UPGRADES:
            self._connection.execute(_UPGRADES[found])
        self._connection.execute(f"PRAGMA application_id = {_MARK}")
        self._connection.execute(f"PRAGMA user_version = {_FORMAT}")

    def _kept_key(self) -> bytes:
        self._connection.execute("INSERT OR IGNORE INTO secrets VALUES ('annotators', ?)", (new_annotator_key(),))
        (key,) = self._connection.execute("SELECT value FROM secrets WHERE name = 'annotators'").fetchone()
        return bytes(key)


def _private(path: Path) -> Path:
    """The file, made if need be, for its owner alone; SQLite gives its journal the same mode."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        size = path.stat().st_size
    except OSError as error:
        raise ConfigError(f"--state {path}: {error.strerror}") from None
    if 0 < size < _SMALLEST:
        raise ConfigError(f"--state {path}: this is no state of feedback")
    return path


def _close_to_others(path: str | os.PathLike[str]) -> None:
    """A file that was copied or restored may be one that others can read; its key tells who is who."""
    try:
        if stat.S_IMODE(os.stat(path).st_mode) & 0o077:
            os.chmod(path, 0o600)
    except OSError as error:
        raise ConfigError(f"--state {path}: others can read it ({error.strerror})") from None

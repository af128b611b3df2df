"""The rows of every task that was ever read, in a SQLite file beside the dataset.

A dataset is written anew from it each time: files of lines cannot express that an annotation changed or is gone. It
keeps memory flat at a million rows, since grouping, finding duplicates and sorting happen there; what is sorted are
digests and numbers, so that no content gets into SQLite's temporary files. Each batch is committed, and a task's rows
are replaced together: a run that is killed leaves a state from which the next one goes on.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable
from contextlib import closing
from itertools import islice
from pathlib import Path

from otel_labelstudio.annotations.datasets.left_out import REASONS, LeftOut
from otel_labelstudio.annotations.datasets.rows import Row, TaskRows
from otel_labelstudio.errors import LabelStudioExportError
from otel_labelstudio.sqlite_connection import ClosingConnection

# Of this file's tables and of what is in the rows: another version's rows are made anew
_VERSION = "3"
_BATCH = 500

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tasks (
    id INTEGER PRIMARY KEY,
    project TEXT NOT NULL,
    task INTEGER NOT NULL,
    run INTEGER NOT NULL,
    start INTEGER NOT NULL,
    span TEXT NOT NULL,
    own_group BLOB NOT NULL,
    prompt BLOB NOT NULL,
    UNIQUE (project, task)
);
CREATE INDEX IF NOT EXISTS tasks_in_order ON tasks (start, span, project, task);
CREATE INDEX IF NOT EXISTS tasks_by_group ON tasks (own_group);
CREATE INDEX IF NOT EXISTS tasks_by_prompt ON tasks (prompt);
CREATE TABLE IF NOT EXISTS beginnings (
    digest BLOB NOT NULL, of INTEGER NOT NULL REFERENCES tasks ON DELETE CASCADE
);
CREATE INDEX IF NOT EXISTS beginnings_by_digest ON beginnings (digest);
CREATE INDEX IF NOT EXISTS beginnings_of ON beginnings (of);
CREATE TABLE IF NOT EXISTS endings (
    digest BLOB NOT NULL, of INTEGER NOT NULL REFERENCES tasks ON DELETE CASCADE
);
CREATE INDEX IF NOT EXISTS endings_of ON endings (of);
CREATE TABLE IF NOT EXISTS reasons (
    of INTEGER NOT NULL REFERENCES tasks ON DELETE CASCADE,
    kind TEXT NOT NULL,
    reason TEXT NOT NULL,
    count INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS reasons_of ON reasons (of);
CREATE TABLE IF NOT EXISTS rows (
    id INTEGER PRIMARY KEY,
    of INTEGER NOT NULL REFERENCES tasks ON DELETE CASCADE,
    kind TEXT NOT NULL,
    start INTEGER NOT NULL,
    span TEXT NOT NULL,
    project TEXT NOT NULL,
    task INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    content BLOB NOT NULL,
    pair BLOB,
    is_forward INTEGER NOT NULL,
    label INTEGER,
    has_tools INTEGER NOT NULL,
    line TEXT NOT NULL,
    provenance TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS rows_in_order ON rows (kind, start, span, project, task, ordinal);
CREATE INDEX IF NOT EXISTS rows_of ON rows (of);
"""


class StateError(LabelStudioExportError):
    """The state beside a dataset cannot be used."""


class RowStore:
    """The state. Rows depend on the options' ``fingerprint``: those that were made with others are not there."""

    def __init__(self, directory: Path, fingerprint: str) -> None:
        self._file = directory / "rows.sqlite"
        self._file.touch(mode=0o600)
        self._file.chmod(0o600)  # one that was copied or restored may have another mode
        try:
            self.connection = sqlite3.connect(self._file, isolation_level=None, factory=ClosingConnection)
            self.connection.execute("PRAGMA journal_mode=WAL")
            self.connection.execute("PRAGMA synchronous=NORMAL")
            self.connection.execute("PRAGMA foreign_keys=ON")
            self.connection.executescript(_SCHEMA)
            self._prepare(f"{_VERSION} {fingerprint}")
        except sqlite3.Error as error:
            raise self.error_of(error) from error

    def close(self) -> None:
        self.connection.close()

    def error_of(self, error: sqlite3.Error) -> StateError:
        """What to do about an error of SQLite's: a damaged file is removed, for the rest SQLite's own words must do."""
        if isinstance(error, sqlite3.OperationalError):
            return StateError(f"{self._file} cannot be used: {error}")
        return StateError(
            f"{self._file} cannot be read ({error}); remove it, and the next run reads all annotations again"
        )

    def watermarks(self) -> list[tuple[int, str]]:
        """How far each project was read, by its id."""
        found = self.connection.execute("SELECT name, value FROM meta WHERE name LIKE 'watermark %'")
        return [(int(name.split()[1]), value) for name, value in found]

    def controls(self, project: int) -> str | None:
        """A digest of the controls with which a project was read."""
        return self._value(f"controls {project}")

    def keep_watermark(self, project: int, watermark: str, controls: str) -> None:
        """Keep how far a project was read, and with which controls: when all of it up to there was."""
        self.connection.execute("BEGIN IMMEDIATE")
        self._keep(f"watermark {project}", watermark)
        self._keep(f"controls {project}", controls)
        self.connection.execute("COMMIT")

    def replace(self, tasks: Iterable[tuple[str, int, TaskRows]]) -> None:
        """Put what tasks give now in the place of what they gave before, some at a time."""
        waiting = iter(tasks)
        while batch := list(islice(waiting, _BATCH)):
            self._in_transaction(batch)

    def has(self, project: str, task: int) -> bool:
        """Whether a task of a project was ever taken in."""
        found = self.connection.execute("SELECT 1 FROM tasks WHERE project = ? AND task = ?", (project, task))
        return found.fetchone() is not None

    def remove(self, project: str, tasks: Iterable[int]) -> None:
        """Remove tasks of a project."""
        self.connection.execute("BEGIN IMMEDIATE")
        ours = ((project, task) for task in tasks)
        self.connection.executemany("DELETE FROM tasks WHERE project = ? AND task = ?", ours)
        self.connection.execute("COMMIT")

    def remove_other_projects(self, projects: Collection[str]) -> None:
        """Remove the tasks of all other projects, and how far these were read: once named again, they are read anew."""
        known = [project for (project,) in self.connection.execute("SELECT DISTINCT project FROM tasks")]
        others = [(project,) for project in known if project not in projects]
        ids = {int(project.rpartition(" ")[2]) for project in projects}
        unread = [(f"watermark {id_}",) for id_, _ in self.watermarks() if id_ not in ids]
        self.connection.execute("BEGIN IMMEDIATE")
        self.connection.executemany("DELETE FROM tasks WHERE project = ?", others)
        self.connection.executemany("DELETE FROM meta WHERE name = ?", unread)
        self.connection.execute("COMMIT")

    def remove_unless_read(self) -> None:
        """Remove the tasks that this run has not read, and which thus are no longer there."""
        self.connection.execute("DELETE FROM tasks WHERE run <> ?", (self._run,))

    def remove_absent(self, project: str, present: Iterable[int]) -> None:
        """Remove the tasks of a project that are not among those present."""
        self.connection.execute("CREATE TEMP TABLE present (task INTEGER PRIMARY KEY)")
        self.connection.execute("BEGIN")
        self.connection.executemany("INSERT OR IGNORE INTO present VALUES (?)", ((task,) for task in present))
        self.connection.execute("COMMIT")
        absent = "DELETE FROM tasks WHERE project = ? AND task NOT IN (SELECT task FROM present)"
        self.connection.execute(absent, (project,))
        self.connection.execute("DROP TABLE present")

    def reasons(self) -> dict[tuple[str, LeftOut], int]:
        """How often something was left out, by kind and reason."""
        found = self.connection.execute("SELECT kind, reason, SUM(count) FROM reasons GROUP BY 1, 2 ORDER BY 1, 2")
        return {(kind, REASONS[reason]): count for kind, reason, count in found}

    def count_of(self, table: str) -> int:
        """How many rows or tasks there are."""
        statement = {"rows": "SELECT COUNT(*) FROM rows", "tasks": "SELECT COUNT(*) FROM tasks"}[table]
        return int(self.connection.execute(statement).fetchone()[0])

    def _value(self, name: str) -> str | None:
        row = self.connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return str(row[0]) if row else None

    def _keep(self, name: str, value: str) -> None:
        self.connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))

    def _prepare(self, fingerprint: str) -> None:
        if self._value("fingerprint") != fingerprint:
            self.connection.execute("DELETE FROM tasks")
            self.connection.execute("DELETE FROM meta")
            self._keep("fingerprint", fingerprint)
        self._run = int(self._value("run") or 0) + 1
        self._keep("run", str(self._run))

    def _in_transaction(self, batch: list[tuple[str, int, TaskRows]]) -> None:
        with closing(self.connection.cursor()) as cursor:
            cursor.execute("BEGIN IMMEDIATE")
            try:
                for project, task, rows in batch:
                    self._put(cursor, project, task, rows)
            except BaseException:
                if self.connection.in_transaction:  # where the disk is full, SQLite has rolled it back
                    cursor.execute("ROLLBACK")
                raise
            cursor.execute("COMMIT")

    def _put(self, cursor: sqlite3.Cursor, project: str, task: int, rows: TaskRows) -> None:
        cursor.execute("DELETE FROM tasks WHERE project = ? AND task = ?", (project, task))
        cursor.execute(
            "INSERT INTO tasks (project, task, run, start, span, own_group, prompt) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (project, task, self._run, rows.start_time_unix_nano, rows.span_id, rows.group, rows.messages),
        )
        of = cursor.lastrowid
        reasons = [(of, kind, reason.code, count) for (kind, reason), count in rows.reasons.items()]
        cursor.executemany("INSERT INTO reasons VALUES (?, ?, ?, ?)", reasons)
        if not rows.rows:
            return
        cursor.executemany("INSERT INTO beginnings VALUES (?, ?)", [(one, of) for one in rows.beginnings])
        cursor.executemany("INSERT INTO endings VALUES (?, ?)", [(one, of) for one in rows.with_answers])
        place = (rows.start_time_unix_nano, rows.span_id, project, task)
        cursor.executemany(
            "INSERT INTO rows VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [_columns(of, row, place, ordinal) for ordinal, row in enumerate(rows.rows)],
        )


def _columns(of: int | None, row: Row, place: tuple[int, str, str, int], ordinal: int) -> tuple[object, ...]:
    digests = (row.content, row.pair, row.is_forward, row.label, row.has_tools)
    return (of, row.kind.value, *place, ordinal, *digests, row.line, row.provenance)

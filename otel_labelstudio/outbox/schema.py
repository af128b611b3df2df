"""The outbox's tables, and how a file of an older format is taken over."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from typing import Any

# "OLSO": tells an outbox from any other SQLite file
APPLICATION_ID = 0x4F4C534F
FORMAT_VERSION = 3
OLDER_FORMATS = (1, 2)

_TABLES = """
CREATE TABLE readings (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL UNIQUE,
    call_id TEXT NOT NULL,
    state TEXT NOT NULL,
    destination TEXT NOT NULL,
    body TEXT,
    size INTEGER NOT NULL,
    accepted_at REAL NOT NULL,
    due_at REAL NOT NULL,
    not_before REAL NOT NULL DEFAULT 0,
    outcome_unknown INTEGER NOT NULL DEFAULT 0,
    sent_at REAL,
    after_task_id INTEGER NOT NULL DEFAULT 0,
    task_id INTEGER,
    done_at REAL,
    recheck_at REAL,
    reason TEXT,
    import_ids TEXT NOT NULL DEFAULT '',
    failures INTEGER NOT NULL DEFAULT 0,
    started_at INTEGER,
    resource TEXT NOT NULL DEFAULT '',
    other_keys TEXT NOT NULL DEFAULT ''
);
-- What a settled call's readings say, and when they began, so that of many that say the same the nearest are found
CREATE TABLE fingerprints (
    fingerprint TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    call_id TEXT NOT NULL,
    PRIMARY KEY (fingerprint, started_at, call_id)
) WITHOUT ROWID;
CREATE INDEX fingerprints_by_call ON fingerprints (call_id);
CREATE TABLE notes (name TEXT PRIMARY KEY, value TEXT NOT NULL, at REAL NOT NULL);
-- What waits, what is held, what is dead, and what is kept to recognise late duplicate readings; kept by triggers
CREATE TABLE totals (what TEXT PRIMARY KEY, calls INTEGER NOT NULL, bytes INTEGER NOT NULL);
INSERT INTO totals VALUES ('waiting', 0, 0), ('held', 0, 0), ('dead', 0, 0), ('kept', 0, 0);
"""

# Of format 2, beside what format 1 had
_TABLES_OF_2 = """
-- Spans and log records that are no readings yet. A log record's times are both the time at which it was written
CREATE TABLE held (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    trace_id TEXT NOT NULL,
    span_id TEXT NOT NULL,
    scope TEXT NOT NULL,
    start_unix_nano INTEGER NOT NULL,
    end_unix_nano INTEGER NOT NULL,
    body TEXT NOT NULL,
    size INTEGER NOT NULL,
    due_at REAL NOT NULL,
    expires_at REAL NOT NULL
);
CREATE INDEX held_by_due ON held (due_at);
CREATE INDEX held_by_span ON held (span_id, trace_id);
CREATE INDEX held_spans_by_trace ON held (trace_id) WHERE kind = 'span';
CREATE INDEX held_by_scope ON held (scope, kind, start_unix_nano);
-- What became of the spans of LLM calls that came, so that their log records wait for them no longer
CREATE TABLE seen_spans (
    trace_id TEXT NOT NULL,
    span_id TEXT NOT NULL,
    fate TEXT NOT NULL,
    seen_at REAL NOT NULL,
    PRIMARY KEY (trace_id, span_id)
) WITHOUT ROWID;
CREATE INDEX seen_spans_by_time ON seen_spans (seen_at);
-- Where calls were delivered to, and which of these projects were created for them
CREATE TABLE destinations (destination TEXT PRIMARY KEY, delivered_at REAL NOT NULL, created_at REAL) WITHOUT ROWID;
"""

# To which projects calls of a destination were sent: by its title a renamed one is not found any more. Some files of
# format 2 have it
_SENT_TO = """
CREATE TABLE IF NOT EXISTS sent_to (
    destination TEXT NOT NULL,
    project_id INTEGER NOT NULL,
    sent_at REAL NOT NULL,
    PRIMARY KEY (destination, project_id)
) WITHOUT ROWID
"""

_INDEXES = """
CREATE INDEX readings_by_state ON readings (state, destination);
CREATE INDEX readings_put_off ON readings (not_before) WHERE state = 'pending' AND not_before > 0;
CREATE INDEX readings_by_due ON readings (due_at) WHERE state = 'settling';
CREATE INDEX readings_by_call ON readings (call_id);
CREATE INDEX readings_by_end ON readings (state, done_at) WHERE done_at IS NOT NULL;
CREATE INDEX readings_kept ON readings (done_at) WHERE body IS NOT NULL AND state IN ('delivered', 'folded');
CREATE INDEX readings_by_age ON readings (accepted_at) WHERE state IN ('settling', 'pending', 'in_flight');
CREATE INDEX readings_to_recheck ON readings (recheck_at) WHERE recheck_at IS NOT NULL;
CREATE TRIGGER reading_comes AFTER INSERT ON readings WHEN NEW.state <> 'dead' BEGIN
    UPDATE totals SET calls = calls + 1, bytes = bytes + NEW.size WHERE what = 'waiting';
END;
CREATE TRIGGER dead_letter_comes AFTER INSERT ON readings WHEN NEW.state = 'dead' BEGIN
    UPDATE totals SET calls = calls + 1, bytes = bytes + NEW.size WHERE what = 'dead';
END;
CREATE TRIGGER reading_changes AFTER UPDATE OF size ON readings WHEN NEW.state = 'settling' BEGIN
    UPDATE totals SET bytes = bytes + NEW.size - OLD.size WHERE what = 'waiting';
END;
CREATE TRIGGER reading_ends AFTER UPDATE OF state ON readings
WHEN OLD.state IN ('settling', 'pending', 'in_flight') AND NEW.state IN ('delivered', 'folded', 'dead') BEGIN
    UPDATE totals SET calls = calls - 1, bytes = bytes - OLD.size WHERE what = 'waiting';
    UPDATE totals SET calls = calls + 1, bytes = bytes + NEW.size
        WHERE what = CASE NEW.state WHEN 'dead' THEN 'dead' ELSE 'kept' END;
END;
CREATE TRIGGER reading_returns AFTER UPDATE OF state ON readings
WHEN OLD.state = 'dead' AND NEW.state = 'pending' BEGIN
    UPDATE totals SET calls = calls + 1, bytes = bytes + NEW.size WHERE what = 'waiting';
    UPDATE totals SET calls = calls - 1, bytes = bytes - OLD.size WHERE what = 'dead';
END;
CREATE TRIGGER reading_is_forgotten AFTER UPDATE OF body ON readings
WHEN OLD.body IS NOT NULL AND NEW.body IS NULL BEGIN
    UPDATE totals SET calls = calls - 1, bytes = bytes - OLD.size WHERE what = 'kept';
END;
CREATE TRIGGER reading_goes AFTER DELETE ON readings WHEN OLD.body IS NOT NULL BEGIN
    UPDATE totals SET calls = calls - 1, bytes = bytes - OLD.size
        WHERE what = CASE OLD.state WHEN 'dead' THEN 'dead' ELSE 'kept' END;
    DELETE FROM fingerprints WHERE call_id = OLD.call_id;
END;
CREATE TRIGGER held_comes AFTER INSERT ON held BEGIN
    UPDATE totals SET bytes = bytes + NEW.size WHERE what = 'waiting';
    UPDATE totals SET calls = calls + 1, bytes = bytes + NEW.size WHERE what = 'held';
END;
CREATE TRIGGER held_goes AFTER DELETE ON held BEGIN
    UPDATE totals SET bytes = bytes - OLD.size WHERE what = 'waiting';
    UPDATE totals SET calls = calls - 1, bytes = bytes - OLD.size WHERE what = 'held';
END;
"""

# As format 1 had them
_DROPPED_FROM_1 = (
    *("TRIGGER reading_comes", "TRIGGER reading_changes", "TRIGGER reading_ends", "TRIGGER reading_returns"),
    *("TRIGGER reading_is_forgotten", "TRIGGER reading_goes", "TRIGGER held_comes", "TRIGGER held_goes"),
    *("INDEX readings_by_state", "INDEX readings_put_off", "INDEX readings_by_due", "INDEX readings_by_call"),
    *("INDEX readings_by_end", "INDEX readings_kept", "INDEX readings_to_audit", "INDEX held_by_due"),
)
_CHANGED_FROM_1 = (
    "ALTER TABLE readings RENAME COLUMN in_doubt TO outcome_unknown",
    "ALTER TABLE readings RENAME COLUMN doubted_at TO sent_at",
    "ALTER TABLE readings RENAME COLUMN audit_at TO recheck_at",
    "ALTER TABLE readings ADD COLUMN import_ids TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE readings ADD COLUMN failures INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE held RENAME TO held_of_1",
)
# Of readings that an older version wrote it is not known when their spans began, and what their resources were
_CHANGED_FROM_2 = (
    "ALTER TABLE readings ADD COLUMN started_at INTEGER",
    "ALTER TABLE readings ADD COLUMN resource TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE readings ADD COLUMN other_keys TEXT NOT NULL DEFAULT ''",
    """
    UPDATE readings SET other_keys = COALESCE(
        (SELECT GROUP_CONCAT(of_call.key, ' ') FROM readings AS of_call
        WHERE of_call.call_id = readings.call_id AND of_call.key <> readings.call_id), ''
    ) WHERE state IN ('pending', 'in_flight', 'delivered')
    """,
)
# How long what an older version held may wait for its span from now on
_HELD_FOR_S = 3600.0


def create(db: sqlite3.Connection) -> None:
    """Make the tables, inside of the caller's transaction."""
    for statement in (*_statements(_TABLES + _TABLES_OF_2 + _INDEXES), _SENT_TO):
        db.execute(statement)
    _stamp(db)


def migrate(db: sqlite3.Connection, version: int, now: float) -> None:
    """Take over a file of an older format, inside of the caller's transaction."""
    if version == 1:
        _migrate_from_1(db, now)
    for statement in (*_CHANGED_FROM_2, _SENT_TO):
        db.execute(statement)
    _stamp(db)


def _migrate_from_1(db: sqlite3.Connection, now: float) -> None:
    """To format 2; what cannot be read becomes a dead letter."""
    for what in _DROPPED_FROM_1:
        db.execute(f"DROP {what}")
    for statement in (*_CHANGED_FROM_1, *_statements(_TABLES_OF_2), *_statements(_INDEXES)):
        db.execute(statement)
    _take_over_held(db, now)
    db.execute("DROP TABLE held_of_1")
    db.execute(
        "INSERT INTO destinations SELECT destination, MAX(done_at), NULL FROM readings"
        " WHERE state = 'delivered' AND done_at IS NOT NULL GROUP BY destination"
    )


def _take_over_held(db: sqlite3.Connection, now: float) -> None:
    db.execute(
        "UPDATE totals SET bytes = bytes - (SELECT bytes FROM totals WHERE what = 'held') WHERE what = 'waiting'"
    )
    db.execute("UPDATE totals SET calls = 0, bytes = 0 WHERE what = 'held'")
    rows = db.execute("SELECT seq, kind, body, due_at FROM held_of_1 ORDER BY seq").fetchall()
    for seq, kind, body, due_at in rows:
        try:
            found = held_columns(kind, json.loads(body))
        except Exception as error:  # whatever the disk or another version has made of it
            bury_held(db, seq, body, f"cannot be read ({type(error).__name__})", now)
            continue
        db.execute(INSERT_HELD, (kind, *found, body, len(body), due_at, now + _HELD_FOR_S))


INSERT_HELD = (
    "INSERT INTO held (kind, trace_id, span_id, scope, start_unix_nano, end_unix_nano, body, size, due_at, expires_at)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


def held_columns(kind: str, record: dict[str, Any]) -> tuple[str, str, str, int, int]:
    """The ids, scope and times by which a held span or log record, as JSON, is found; raises where it has none."""
    start, end = ("start_time_unix_nano", "end_time_unix_nano") if kind == "span" else ("time_unix_nano",) * 2
    ids = known_ids(str(record["trace_id"]), str(record["span_id"]))
    return (*ids, str(record["scope"]["name"]), bounded(record[start]), bounded(record[end]))


def known_ids(trace_id: str, span_id: str) -> tuple[str, str]:
    """The ids, empty where they are zeros, which say that there is none."""
    return trace_id if trace_id.strip("0") else "", span_id if span_id.strip("0") else ""


def bounded(number: int) -> int:
    """The number, or the nearest that SQLite holds as an integer."""
    return max(-(2**63), min(int(number), 2**63 - 1))


def bury_held(db: sqlite3.Connection, seq: int, body: str, reason: str, now: float) -> None:
    """Keep what was held as a dead letter, with its bytes."""
    key = f"held-{seq}-{now:.6f}"
    db.execute(
        "INSERT INTO readings (key, call_id, state, destination, body, size, accepted_at, due_at, done_at, reason)"
        " VALUES (?, ?, 'dead', '{}', ?, ?, ?, ?, ?, ?)",
        (key, key, body, len(body), now, now, now, reason),
    )


def _stamp(db: sqlite3.Connection) -> None:
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    db.execute(f"PRAGMA user_version = {FORMAT_VERSION}")


def _statements(script: str) -> Iterator[str]:
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""

"""A file of an earlier version is taken over: whole, in one transaction, with all that is known of each call."""

from __future__ import annotations

import itertools
import json
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from otel_labelstudio.errors import ConfigError
from otel_labelstudio.outbox import Outbox
from otel_labelstudio.outbox.entry import CallToRecheck, Put
from otel_labelstudio.outbox.opening import open_outbox_file
from otel_labelstudio.outbox.serialization import call_to_text, key_of, telemetry_to_text
from otel_labelstudio.spans.model import LogRecord, Span
from tests.outbox.calls import DESTINATION, ROOMY, drained, number_of, numbered

FORMAT_1, FORMAT_2 = ((Path(__file__).parent / f"format_{number}.sql").read_text(encoding="utf-8") for number in (1, 2))
NOW = time.time()
SETTLING, PENDING, IN_FLIGHT, UNKNOWN, RECHECKED, DEAD, DAMAGED = range(1, 8)


def insert(db: sqlite3.Connection, number: int, state: str, scope: str = "framework", **columns: Any) -> None:
    call = numbered(number, scope)
    body = columns.pop("body", call_to_text(call))
    values = {
        "key": key_of(call),
        "call_id": key_of(call),
        "state": "settling",
        "destination": DESTINATION,
        "body": body,
        "size": len(body),
        "accepted_at": NOW,
        "due_at": NOW,
        **columns,
    }
    names = ", ".join(values)
    db.execute(f"INSERT INTO readings ({names}) VALUES ({', '.join('?' * len(values))})", tuple(values.values()))
    if state != "settling":
        db.execute("UPDATE readings SET state = ? WHERE key = ?", (state, values["key"]))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A call in each state, held telemetry, and rows that the disk has damaged."""
    path = tmp_path / "calls.outbox"
    with closing(sqlite3.connect(path)) as db:
        db.executescript(FORMAT_1)
        insert(db, SETTLING, "settling")
        insert(db, PENDING, "pending")
        insert(db, IN_FLIGHT, "in_flight", in_doubt=1, doubted_at=NOW - 5, after_task_id=7)
        insert(db, UNKNOWN, "pending", in_doubt=1, doubted_at=NOW - 50, after_task_id=9)
        insert(db, RECHECKED, "delivered", done_at=NOW - 30, audit_at=NOW + 60, task_id=11)
        insert(db, DEAD, "dead", done_at=NOW - 10, reason="it does not fit")
        insert(db, DAMAGED, "pending", body='{"trace_id": [cut')
        span = Span(trace_id="ab" * 16, span_id="cd" * 8, name="held", start_time_unix_nano=2**64 - 1)
        for kind, text in (
            ("span", telemetry_to_text(span)),
            ("log_record", telemetry_to_text(LogRecord(event_name="gen_ai.choice"))),
            ("span", '{"trace_id": "cut'),
        ):
            db.execute("INSERT INTO held (kind, body, size, due_at) VALUES (?, ?, ?, ?)", (kind, text, len(text), NOW))
        db.execute("INSERT INTO notes VALUES ('read to, inbox', '42', ?)", (NOW,))
        db.commit()
    return path


@pytest.fixture
def path_2(tmp_path: Path) -> Path:
    """Two calls that were told of twice, one of them delivered, and one that settles."""
    path = tmp_path / "calls-2.outbox"
    with closing(sqlite3.connect(path)) as db:
        db.executescript(FORMAT_2)
        insert(db, SETTLING, "settling")
        for number, state, recheck_at in ((PENDING, "pending", None), (RECHECKED, "delivered", NOW + 60)):
            call_id = key_of(numbered(number, "client"))
            insert(db, number, state, call_id=call_id, done_at=NOW, recheck_at=recheck_at)
            insert(db, number, "folded", "client", call_id=call_id, done_at=NOW)
        db.commit()
    return path


def test_the_keys_of_a_calls_other_readings_are_known(path_2: Path) -> None:
    """Of a call that waits, and of one that is to be looked up again; each is delivered once."""
    outbox = Outbox(str(path_2), clock=lambda: NOW, **ROOMY)
    (entry,) = outbox.queue.take(DESTINATION, limit=10, max_bytes=2**30)
    assert entry.keys == (key_of(numbered(PENDING, "client")), key_of(numbered(PENDING)))
    outbox.queue.put_back([entry])
    assert sorted(drained(outbox)) == [SETTLING, PENDING]
    later = Outbox(str(path_2), clock=lambda: NOW + 61, **ROOMY)
    ids = key_of(numbered(RECHECKED, "client")), key_of(numbered(RECHECKED))
    assert later.queue.due_rechecks(5) == {DESTINATION: [CallToRecheck(ids[0], (), other_keys=ids[1:])]}


def test_a_reading_of_an_earlier_version_that_comes_again_is_known(path_2: Path) -> None:
    """Although it is not written down when its span began."""
    outbox = Outbox(str(path_2), clock=lambda: NOW, **ROOMY)
    for reading in (numbered(SETTLING), numbered(PENDING), numbered(RECHECKED, "client")):
        assert outbox.accepting.put(reading, DESTINATION, due_at=NOW) is Put.KNOWN


def test_all_that_was_known_is_known(path: Path) -> None:
    """Calls in every state, what is known of their imports, rechecks, notes and held telemetry."""
    outbox = Outbox(str(path), clock=lambda: NOW, **ROOMY)
    assert outbox.notes.read("read to, inbox") == "42"
    assert outbox.database.total("held")[0] == 2
    assert outbox.queue.known() == {DESTINATION}
    assert outbox.queue.next_recheck_in_s() == pytest.approx(60)
    outbox.queue.recover()
    entries = {number_of(e.call): e for e in outbox.queue.take(DESTINATION, limit=10, max_bytes=2**30)}
    assert set(entries) == {PENDING, IN_FLIGHT, UNKNOWN}
    assert (entries[UNKNOWN].is_outcome_unknown, entries[UNKNOWN].sent_at) == (True, NOW - 50)
    assert (entries[IN_FLIGHT].after_task_id, entries[PENDING].is_outcome_unknown) == (7, False)
    outbox.queue.put_back(entries.values())
    assert sorted(drained(outbox)) == [SETTLING, PENDING, IN_FLIGHT, UNKNOWN]
    later = Outbox(str(path), clock=lambda: NOW + 61, **ROOMY)
    assert later.queue.due_rechecks(5) == {DESTINATION: [CallToRecheck(key_of(numbered(RECHECKED)), ())]}


def test_what_cannot_be_read_stays_as_a_dead_letter_with_its_bytes(path: Path) -> None:
    """Of a held span at once, of a call when it is to be delivered."""
    outbox = Outbox(str(path), clock=lambda: NOW, **ROOMY)
    outbox.queue.recover()
    drained(outbox)
    dead = {letter.reason: letter.call for letter in outbox.dead_letters.all()}
    assert dead.pop("it does not fit") == numbered(DEAD)
    assert set(dead) == {"cannot be read (JSONDecodeError)"}
    with closing(sqlite3.connect(path)) as db:
        bodies = {body for (body,) in db.execute("SELECT body FROM readings WHERE state = 'dead'")}
    assert bodies == {call_to_text(numbered(DEAD)), '{"trace_id": [cut', '{"trace_id": "cut'}


def test_totals_are_those_of_the_rows(path: Path) -> None:
    """Bounds go on being kept by the triggers."""
    outbox = Outbox(str(path), clock=lambda: NOW, **ROOMY)
    with closing(sqlite3.connect(path)) as db:
        waiting = db.execute(
            "SELECT COUNT(*), SUM(size) FROM readings WHERE state IN ('settling', 'pending', 'in_flight')"
        ).fetchone()
        held = db.execute("SELECT COUNT(*), SUM(size) FROM held").fetchone()
        dead = db.execute("SELECT COUNT(*), SUM(size) FROM readings WHERE state = 'dead'").fetchone()
    assert outbox.database.total("waiting") == (waiting[0], waiting[1] + held[1])
    assert outbox.database.total("held") == held
    assert outbox.database.total("dead") == dead


DYING = """
import os, sqlite3, sys
from otel_labelstudio.outbox import schema
from otel_labelstudio.outbox.opening import open_outbox_file

class Counted(sqlite3.Connection):
    left = int(sys.argv[2])
    def execute(self, *arguments):
        if self.in_transaction:
            Counted.left -= 1
            if Counted.left == 0:
                os._exit(9)
        return super().execute(*arguments)

connect = sqlite3.connect
sqlite3.connect = lambda *arguments, **named: connect(*arguments, **{**named, "factory": Counted})
open_outbox_file(sys.argv[1]).close()
"""


@pytest.mark.parametrize(("fixture", "every", "waiting"), [("path", 7, 5), ("path_2", 1, 2)])
def test_a_process_killed_at_any_step_leaves_the_file_as_it_was(
    fixture: str, every: int, waiting: int, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Between any two statements: the old format, nothing missing; the next start takes it over."""
    path: Path = request.getfixturevalue(fixture)
    before = content(path)
    for step in itertools.count(1, every):
        copy = tmp_path / "copy.outbox"
        for file in tmp_path.glob("copy.outbox*"):
            file.unlink()
        shutil.copy(path, copy)
        done = subprocess.run([sys.executable, "-c", DYING, copy, str(step)], check=False, timeout=600)
        if done.returncode == 0:
            break
        assert done.returncode == 9
        assert content(copy) == before
    assert step > 3 * every
    assert Outbox(str(copy), clock=lambda: NOW, **ROOMY).database.total("waiting")[0] == waiting


def content(path: Path) -> list[Any]:
    with closing(sqlite3.connect(path)) as db:
        tables = sorted(name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'"))
        version = db.execute("PRAGMA user_version").fetchone()
        return [version, [(table, db.execute(f"SELECT * FROM {table}").fetchall()) for table in tables]]


@pytest.mark.parametrize("is_there", [False, True])
@pytest.mark.parametrize("fixture", ["path", "path_2"])
def test_it_is_remembered_from_then_on_to_which_projects_calls_are_sent(
    fixture: str, is_there: bool, request: pytest.FixtureRequest
) -> None:
    """Where the file did not hold that; what some files of format 2 hold of it is known."""
    path: Path = request.getfixturevalue(fixture)
    known = {(DESTINATION, 7)} if is_there else set()
    with closing(sqlite3.connect(path)) as db:
        if is_there:
            db.execute(
                "CREATE TABLE sent_to (destination TEXT NOT NULL, project_id INTEGER NOT NULL, sent_at REAL NOT NULL,"
                " PRIMARY KEY (destination, project_id)) WITHOUT ROWID"
            )
            db.execute("INSERT INTO sent_to VALUES (?, 7, ?)", (DESTINATION, NOW))
            db.commit()
    outbox = Outbox(str(path), clock=lambda: NOW, **ROOMY)
    assert outbox.sent_to.all() == known
    outbox.sent_to.note(DESTINATION, 9)
    assert outbox.sent_to.all() == known | {(DESTINATION, 9)}


def test_a_newer_format_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    """With words that say what to do."""
    path = tmp_path / "calls.outbox"
    Outbox(str(path), **ROOMY).close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 4")
        db.execute("PRAGMA journal_mode = DELETE")
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="a newer version wrote this file \\(format 4\\)"):
        open_outbox_file(str(path))
    assert path.read_bytes() == before


def test_held_telemetry_of_the_old_format_settles(path: Path) -> None:
    """It is found by its ids, whatever its times."""
    outbox = Outbox(str(path), clock=lambda: NOW, **ROOMY)
    assert outbox.settling.due_groups(NOW, 10) == [("ab" * 16, "cd" * 8), ("", "")]
    (item,) = outbox.settling.held_of(("ab" * 16, "cd" * 8))
    assert json.loads(item.body)["name"] == "held"

"""The state of feedback: a file that moves with what was confirmed, and with nothing else."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from otel_labelstudio.annotations.feedback import FeedbackState, SinkOptions, evaluations_of
from otel_labelstudio.annotations.feedback.evaluation import Evaluation
from otel_labelstudio.annotations.feedback.langfuse import open_sink
from otel_labelstudio.annotations.feedback.state import Noted
from otel_labelstudio.annotations.records import AnnotatedProject
from otel_labelstudio.errors import ConfigError
from tests.annotations.annotated import NOON
from tests.annotations.feedback.back_end import Asked, BackEndServer, Said
from tests.annotations.feedback.judged import RULES, SERVER, call, rated, send
from tests.annotations.feedback.test_langfuse import KEYS, Contract

# As it was written
FORMAT_1 = """
    CREATE TABLE secrets (name TEXT PRIMARY KEY, value BLOB NOT NULL);
    CREATE TABLE evaluations (
        target TEXT NOT NULL, source TEXT NOT NULL, task_id INTEGER NOT NULL, key TEXT NOT NULL, name TEXT NOT NULL,
        fingerprint TEXT NOT NULL, refused TEXT, PRIMARY KEY (target, source, task_id, key)
    ) WITHOUT ROWID;
    CREATE TABLE watermarks (
        target TEXT NOT NULL, source TEXT NOT NULL, updated_at TEXT NOT NULL, PRIMARY KEY (target, source)
    ) WITHOUT ROWID;
    PRAGMA application_id = 0x6662636B;
    PRAGMA user_version = 1;
"""
CHILD = Path(__file__).with_name("killed.py")


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    """It has the key of the annotators' hash; and it has no text that people wrote."""
    path = tmp_path / "feedback.db"
    with closing(FeedbackState(path)) as state:
        state.note("otlp", [Noted("server 5", 1, "k", "rating", "f")])
        modes = {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    assert modes == {0o600}


def test_a_state_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    """As after a restore; what is not ours keeps its mode."""
    path, other = tmp_path / "feedback.db", tmp_path / "notes.txt"
    FeedbackState(path).close()
    other.write_bytes(b"no database" * 100)
    for file in (path, other):
        file.chmod(0o644)
    FeedbackState(path).close()
    with pytest.raises(ConfigError):
        FeedbackState(other)
    assert [stat.S_IMODE(file.stat().st_mode) for file in (path, other)] == [0o600, 0o644]


def test_the_annotators_key_is_kept(tmp_path: Path) -> None:
    """Drawn once for each file."""
    keys = []
    for name in ("one", "one", "other"):
        with closing(FeedbackState(tmp_path / name)) as state:
            keys.append(state.annotator_key)
    assert keys[0] == keys[1] != keys[2]


def test_a_state_of_the_format_before_is_taken_over(tmp_path: Path) -> None:
    """It has no word of the controls with which a project was read: that is read again, and then known."""
    path, project = tmp_path / "feedback.db", AnnotatedProject(1, url="http://localhost:8080")
    with closing(FeedbackState(path)) as state:
        state.advance("otlp", project, NOON)
        assert state.read_until("otlp", project) == NOON
    with closing(sqlite3.connect(path)) as former:
        former.executescript("ALTER TABLE watermarks DROP COLUMN controls; PRAGMA user_version = 1")
    with closing(FeedbackState(path)) as state:
        assert state.read_until("otlp", project) is None
        state.advance("otlp", project, NOON)
    with closing(FeedbackState(path)) as state:
        assert state.read_until("otlp", project) == NOON
        assert state.read_until("langfuse", project) is None


def test_what_a_state_of_the_format_before_has_is_not_sent_again(tmp_path: Path) -> None:
    """It was noted without the scale of a rating: only one that is not the usual one is news."""
    path, calls, contract = tmp_path / "feedback.db", [call(), call()], Contract()
    contents = [evaluations_of(one, RULES)[0] for one in rated(calls)]
    with BackEndServer(otherwise=contract) as server:
        with closing(sqlite3.connect(path)) as former, former:
            former.executescript(FORMAT_1)
            rows = [(f"langfuse {server.url}", one.task_id, one.key, said_in_format_1(one)) for one in contents]
            former.executemany(f"INSERT INTO evaluations VALUES (?, '{SERVER} 5', ?, ?, 'rating', ?, NULL)", rows)
        with (
            closing(FeedbackState(path)) as state,
            closing(open_sink(SinkOptions(endpoint=server.url, credentials=KEYS))) as sink,
        ):
            assert send(rated(calls), sink, state, RULES).counts == {"unchanged": 2}
            assert send(rated(calls, max_value=10), sink, state, RULES).counts == {"sent": 2}
            assert send(rated(calls, max_value=10), sink, state, RULES).counts == {"unchanged": 2}


def said_in_format_1(one: Evaluation) -> str:
    said = (one.name, one.score, one.label, one.explanation, one.corrected, one.annotator, one.span_id)
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def test_one_run_at_a_time(tmp_path: Path) -> None:
    """A second one would send everything twice."""
    with closing(FeedbackState(tmp_path / "s")), pytest.raises(ConfigError, match="another run"):
        FeedbackState(tmp_path / "s")


@pytest.mark.parametrize("content", [b"no database at all, but long enough to be read as one" * 20, b"x"])
def test_a_file_that_is_something_else_is_left_alone(tmp_path: Path, content: bytes) -> None:
    """It is said, and not overwritten."""
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="no state of feedback"):
        FeedbackState(path)
    assert path.read_bytes() == content


def test_another_database_is_left_alone(tmp_path: Path) -> None:
    """Such as an outbox."""
    path = tmp_path / "outbox.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE calls (id)")
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="no state of feedback"):
        FeedbackState(path)
    assert path.read_bytes() == before


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    """With what the system says."""
    with pytest.raises(ConfigError, match="No such file or directory"):
        FeedbackState(tmp_path / "nowhere" / "feedback.db")


def test_a_task_is_looked_up_without_reading_the_others(state: FeedbackState) -> None:
    """So that a run takes as long a task with 100,000 as with a hundred: SQLite's own steps are counted."""
    state.note("a", [Noted("s", number, f"k{number}", "rating", "f") for number in range(5000)])
    steps: list[None] = []
    state._connection.set_progress_handler(lambda: steps.append(None), 100)
    assert len(state.of_task("a", "s", 2500)) == 1
    assert len(steps) < 5


def test_back_ends_are_told_apart(state: FeedbackState) -> None:
    """One file serves several: what one has, another does not."""
    state.note("a", [Noted("s", 1, "k", "rating", "f")])
    assert (len(state.of_task("a", "s", 1)), state.of_task("b", "s", 1), state.task_ids("a", "s")) == (1, {}, {1})
    state.forget("b", [Noted("s", 1, "k", "rating", "f")])
    assert state.task_ids("a", "s") == {1}
    state.forget("a", [Noted("s", 1, "k", "rating", "f")])
    assert state.of_task("a", "s", 1) == {}


def test_a_run_that_is_killed_at_any_request_loses_nothing(tmp_path: Path) -> None:
    """A process is killed in the middle of each of its requests, and the next goes on from its state: in the end each
    score is there, once, and no request was made more often than it was cut off."""
    contract, calls = Contract(), [call(trace_id=f"{n:032x}", span_id=f"{n:016x}") for n in range(1, 5)]
    running: list[subprocess.Popen[bytes]] = []

    def killing(asked: Asked) -> Said:
        """Stored, but never answered."""
        contract(asked)
        running[-1].send_signal(signal.SIGKILL)
        running[-1].wait()
        return Said(0)

    environment = {**os.environ, **KEYS, "PYTHONPATH": os.getcwd()}
    with BackEndServer(killing, contract, killing, killing, otherwise=contract) as server:
        for _ in range(4):
            command = [sys.executable, str(CHILD), str(tmp_path / "feedback.db"), server.url]
            with subprocess.Popen(command, env=environment) as process:
                running.append(process)
        assert [process.returncode for process in running] == [-signal.SIGKILL] * 3 + [0]
        with (
            closing(FeedbackState(tmp_path / "feedback.db")) as state,
            closing(open_sink(SinkOptions(endpoint=server.url, credentials=KEYS))) as sink,
        ):
            summary = send(rated(calls), sink, state, RULES)
    assert summary.counts == {"unchanged": 4}
    assert {score["observationId"] for score in contract.scores.values()} == {one.span_id for one in calls}
    assert (len(contract.scores), len(server.asked)) == (4, 7)

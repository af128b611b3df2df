"""``otel-labelstudio outbox``: a look into an outbox file."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from otel_labelstudio.cli import main
from otel_labelstudio.delivery.results import Dead, Delivered, Result
from otel_labelstudio.delivery.sink import Terms
from otel_labelstudio.outbox import Outbox
from otel_labelstudio.outbox.entry import OutboxEntry
from otel_labelstudio.pipeline import Pipeline
from otel_labelstudio.recordings import read_calls
from otel_labelstudio.settings import Settings
from otel_labelstudio.testing import RecordingSink
from tests.outbox.calls import DESTINATION, ROOMY, Clock, in_trouble
from tests.outbox.test_migration import FORMAT_1, FORMAT_2, NOW, insert

CALLS = read_calls([Path(__file__).parent / "data" / "langchain-tools.pb"])


class RefusingSink(RecordingSink):
    """Refuses the first call, and delivers the rest."""

    def deliver(self, destination: str, entries: Sequence[OutboxEntry], terms: Terms) -> Iterator[Result]:
        yield Dead(entries[0], "it does not fit", "refused")
        yield Delivered(entries[1:])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """An outbox that has delivered all calls but one, which is dead."""
    path = tmp_path / "calls.db"
    settings = Settings.resolve({"settle_s": 3600, "outbox": str(path)}, needs_server=False)
    pipeline = Pipeline(settings, sink=RefusingSink())
    pipeline.accept_calls(CALLS)
    assert pipeline.close(240)
    return path


def test_status_counts_by_state(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For people, and as JSON for programs."""
    assert main(["outbox", "status", str(path)]) == 0
    lines = dict(line.rsplit("  ", 1) for line in capsys.readouterr().out.splitlines())
    counts = {name.strip(): value.strip() for name, value in lines.items()}
    assert (counts["dead"], counts["delivered"]) == ("1", str(len(CALLS) - 1))
    assert main(["outbox", "status", str(path), "--json"]) == 0
    status = json.loads(capsys.readouterr().out)
    assert (status["states"]["dead"], status["delivered_last_minute"]) == (1, len(CALLS) - 1)


def test_status_tells_a_present_trouble_and_a_past_error_apart(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What fails now, with its destination; an error after which delivery has resumed, with the time of that."""
    clock = Clock()
    outbox = Outbox(str(path), **ROOMY, clock=clock)

    def told() -> tuple[str, Any]:
        assert main(["outbox", "status", str(path)]) == 0
        text = capsys.readouterr().out
        assert main(["outbox", "status", str(path), "--json"]) == 0
        return text, json.loads(capsys.readouterr().out)

    failed = str(datetime.fromtimestamp(clock()))
    in_trouble(outbox, DESTINATION, "the server is down", is_paused=False)
    text, record = told()
    assert 'retried: project "calls"' in text
    assert text.splitlines()[-1].endswith(f"{failed} the server is down")
    assert (record["retried"], record["last_error_over_at"]) == ({DESTINATION: "the server is down"}, None)
    clock.now += 60
    outbox.notes.delivery_resumed(DESTINATION)
    resumed = str(datetime.fromtimestamp(clock()))
    text, record = told()
    assert "retried" not in text
    assert text.splitlines()[-1].endswith(f"{failed} the server is down (over since {resumed})")
    assert (record["retried"], record["last_error_over_at"]) == ({}, clock())
    outbox.close()


def test_many_troubles_are_counted(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The newest hundred are named."""
    outbox = Outbox(str(path), **ROOMY)
    with outbox.transaction():
        for number in range(150):
            in_trouble(outbox, f'{{"title":"{number}"}}', "the server is down", is_paused=False)
    outbox.close()
    assert main(["outbox", "status", str(path)]) == 0
    text = capsys.readouterr().out
    assert text.count('retried: project "') == 100
    assert "50 further destinations" in text


@pytest.mark.parametrize("number", [1, 2])
def test_looking_changes_nothing_in_a_file_of_an_older_version(
    number: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not a byte, and nothing is left beside it; it is said what it is, and counted as it will be once converted."""
    path = tmp_path / "old.outbox"
    with closing(sqlite3.connect(path)) as db:
        db.executescript({1: FORMAT_1, 2: FORMAT_2}[number])
        insert(db, 1, "pending")
        insert(db, 2, "dead", done_at=NOW, reason="it does not fit")
        db.commit()
    before = path.read_bytes()
    assert main(["outbox", "status", str(path)]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"Format {number}, of an older version:")
    assert main(["outbox", "status", str(path), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["format"], record["states"]["pending"], record["states"]["dead"]) == (number, 1, 1)
    assert main(["outbox", "list", str(path)]) == 0
    assert "it does not fit" in capsys.readouterr().out
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {"old.outbox": before}


KILLED = """
import os, sys
from otel_labelstudio.outbox import Outbox
from tests.outbox.calls import ROOMY, numbered

outbox = Outbox(sys.argv[1], **ROOMY)
outbox.accepting.put(numbered(1), "{}", due_at=0)
os._exit(9)
"""


def test_looking_leaves_what_a_killed_process_has_left(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is in FILE-wal is counted and stays there: neither of the two files changes, also where a link names the
    file."""
    path = tmp_path / "calls.db"
    assert subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False, timeout=600).returncode == 9
    files = path, path.with_name(f"{path.name}-wal")
    before = [file.read_bytes() for file in files]
    link = tmp_path / "link.db"
    link.symlink_to(path)
    for name in (path, link):
        assert main(["outbox", "list", str(name)]) == 0
        assert main(["outbox", "status", str(name), "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["states"]["settling"] == 1
        assert [file.read_bytes() for file in files] == before


def test_list_names_the_dead_and_shows_no_content(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """When, where to, which call, why."""
    assert main(["outbox", "list", str(path)]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.endswith("it does not fit")
    assert CALLS[0].trace_id in line
    assert "weather" not in line.lower()


def test_every_action_has_json(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For programs: the dead letters with the same facts as for people, and how many were retried or removed."""

    def told(action: str) -> Any:
        assert main(["outbox", action, str(path), "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    (letter,) = told("list")
    assert letter.keys() == {"died_at", "destination", "call_id", "reason"}
    assert (letter["reason"], CALLS[0].trace_id in letter["call_id"]) == ("it does not fit", True)
    assert told("retry") == {"retried": 1}
    assert told("list") == []
    assert told("purge") == {"removed": 0}


def test_retry_delivers_after_all(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Once the cause is mended, the next start delivers what was dead."""
    assert main(["outbox", "retry", str(path)]) == 0
    assert capsys.readouterr().out == "To be delivered again: 1 dead letter.\n"
    sink = RecordingSink()
    pipeline = Pipeline(Settings.resolve({"outbox": str(path)}, needs_server=False), sink=sink)
    assert pipeline.flush(240)
    assert [call.span_id for call in sink.calls] == [CALLS[0].span_id]
    assert pipeline.close(240)


def test_purge_forgets(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is dead is gone, and nothing else."""
    assert main(["outbox", "purge", str(path)]) == 0
    assert main(["outbox", "list", str(path)]) == 0
    assert capsys.readouterr().out == "Removed: 1 dead letter.\n"


@pytest.mark.parametrize("content", [None, b"", b"no database at all, but some text"])
def test_another_file_is_refused(content: bytes | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A path that is mistyped makes no outbox, and a file of another kind is left alone."""
    path = tmp_path / "other"
    if content is not None:
        path.write_bytes(content)
    assert main(["outbox", "status", str(path)]) == (0 if content == b"" else 1)
    if content is not None:
        assert path.read_bytes() == content
    if content:
        assert "outbox" in capsys.readouterr().err


def test_a_file_that_the_system_does_not_look_at(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Is one that is not there, as one below a directory that may not be entered: here its name is too long."""
    path = tmp_path / ("a" * 300)
    assert main(["outbox", "status", str(path)]) == 1
    assert f"outbox {path}: there is no such file" in capsys.readouterr().err

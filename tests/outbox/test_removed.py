"""The outbox's files are removed, replaced or moved while a process has them open: what is accepted is on the disk
where the next process finds it, or it is not accepted."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from opentelemetry.sdk.trace.export import SpanExportResult

from otel_labelstudio import LabelStudioSpanExporter
from otel_labelstudio.delivery.election import Election
from otel_labelstudio.errors import OutboxGoneError, PausedDeliveryError
from otel_labelstudio.outbox import Outbox
from otel_labelstudio.outbox.open_files import OpenFiles
from otel_labelstudio.pipeline import Pipeline
from otel_labelstudio.settings import Settings
from otel_labelstudio.testing import RecordingSink
from tests.delivery.pipelines import until
from tests.delivery.telemetry import trace_chat, tracer_with
from tests.outbox.calls import DESTINATION, ROOMY, drained, number_of, numbered


def remove(path: Path, *suffixes: str) -> None:
    for suffix in suffixes:
        path.with_name(path.name + suffix).unlink()


def replace_by_another(path: Path) -> None:
    other = path.with_name("other")
    Outbox(str(other), **ROOMY).close()
    other.replace(path)


def move_directory(path: Path) -> None:
    path.parent.rename(path.parent.with_name("moved"))


def replace_directory(path: Path) -> None:
    move_directory(path)
    path.parent.mkdir()
    Outbox(str(path), **ROOMY).close()


def lead_link_elsewhere(path: Path) -> None:
    Outbox(str(path.with_name("other")), **ROOMY).close()
    path.unlink()
    path.symlink_to(path.with_name("other"))


def remove_directory(path: Path) -> None:
    """As `rm -r` does when it is run again where a file has come meanwhile: the election's lock, for one."""
    while path.parent.exists():
        shutil.rmtree(path.parent, ignore_errors=True)


HOW: dict[str, Callable[[Path], None]] = {
    "all files": lambda path: remove(path, "", "-wal", "-shm"),
    "the file": lambda path: remove(path, ""),
    "the write-ahead log": lambda path: remove(path, "-wal"),
    "the shared memory": lambda path: remove(path, "-shm"),
    "the directory": remove_directory,
    "another file in its place": replace_by_another,
    "the directory moved": move_directory,
    "another directory in its place": replace_directory,
    "a link that leads elsewhere": lead_link_elsewhere,
}
pytestmark = pytest.mark.skipif(os.name == "nt", reason="an open file cannot be removed there")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "state").mkdir()
    return tmp_path / "state" / "calls.outbox"


@pytest.mark.parametrize("how", HOW)
def test_nothing_is_accepted_and_the_log_says_what_to_do(
    path: Path, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    """`export` is a failure, counted, with one line that names the file and the cure; the application goes on."""
    if how == "a link that leads elsewhere":
        real = path.with_name("real")
        path.symlink_to(real)
    exporter = LabelStudioSpanExporter(api_key="key", url="http://127.0.0.1:1", outbox=str(path), settle_s=600)
    results = []
    export = exporter.export
    exporter.export = lambda spans: results.append(export(spans)) or results[-1]  # type: ignore[method-assign,func-returns-value]
    tracer = tracer_with(exporter)
    trace_chat(tracer)
    until(lambda: exporter._pipeline._worker._is_elected)  # type: ignore[union-attr]
    HOW[how](path)
    for _ in range(3):
        trace_chat(tracer)
    assert results == [SpanExportResult.SUCCESS, *[SpanExportResult.FAILURE] * 3]
    assert exporter.counts["calls.accepted"] == 1
    assert exporter.counts["calls.dropped[outbox_error]"] == 3
    (error,) = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert str(path) in error
    assert "removed, replaced or moved" in error
    assert "start them again" in error
    exporter.shutdown(timeout_millis=0)


@pytest.mark.parametrize("how", HOW)
def test_what_waits_is_delivered_while_the_process_lives(path: Path, how: str) -> None:
    """The open files can be read still: what was accepted before is delivered, each call once."""
    if how == "a link that leads elsewhere":
        path.symlink_to(path.with_name("real"))
    sink = RecordingSink()
    settings = Settings.resolve({"api_key": "key", "url": "http://127.0.0.1:1", "outbox": str(path), "settle_s": 600})
    pipeline = Pipeline(settings, sink=sink)
    assert pipeline.accept_calls([numbered(number) for number in range(1, 21)])
    until(lambda: pipeline._worker._is_elected)
    HOW[how](path)
    assert not pipeline.accept_calls([numbered(21)])
    assert pipeline.flush(240)
    pipeline.close(0)
    assert sorted(number_of(call) for call in sink.calls) == list(range(1, 21))


@pytest.mark.parametrize("how", [*HOW, "all files and the lock"])
def test_a_process_that_does_not_deliver_does_not_begin_to(path: Path, how: str) -> None:
    """Two share the files: only the one that held the lock delivers what waits, whether the other has asked before or
    not; a second one would take calls over that are under way."""
    if how == "a link that leads elsewhere":
        path.symlink_to(path.with_name("real"))

    def process() -> Election:
        outbox = Outbox(str(path), **ROOMY)
        return Election(str(path), lambda: outbox.is_kept)

    holder, loser, late = process(), process(), process()
    assert (holder.is_won(), loser.is_won()) == (True, False)
    if how in HOW:
        HOW[how](path)
    else:
        remove(path, "", "-wal", "-shm", ".lock")
    assert (holder.is_won(), loser.is_won(), late.is_won()) == (True, False, False)
    holder.resign()


def test_what_is_left_at_the_end_is_said_to_be_lost(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """There is no next start for it: it is counted as dropped, and not said to stay."""
    sink = RecordingSink(*[PausedDeliveryError("Label Studio is away")] * 100)
    settings = Settings.resolve({"api_key": "key", "url": "http://127.0.0.1:1", "outbox": str(path), "settle_s": 600})
    pipeline = Pipeline(settings, sink=sink)
    pipeline.accept_calls([numbered(number) for number in range(1, 4)])
    remove(path, "", "-wal", "-shm")
    assert not pipeline.close(0.1)
    assert pipeline.telemetry.counts()["calls.dropped[shutdown]"] == 3
    said = [record.getMessage() for record in caplog.records]
    assert any("Lost at the shutdown: 3 calls " in text for text in said)
    assert not any("for the next start." in text for text in said)


def test_files_that_are_back_take_calls_again(path: Path) -> None:
    """A directory that was moved by mistake is moved back: nothing was lost, and no restart is needed."""
    settings = Settings.resolve({"api_key": "key", "url": "http://127.0.0.1:1", "outbox": str(path), "settle_s": 600})
    sink = RecordingSink()
    pipeline = Pipeline(settings, sink=sink)
    assert pipeline.accept_calls([numbered(1)])
    until(lambda: pipeline._worker._is_elected)
    move_directory(path)
    assert not pipeline.accept_calls([numbered(2)])
    path.parent.with_name("moved").rename(path.parent)
    assert pipeline.accept_calls([numbered(3)])
    assert pipeline.flush(240)
    pipeline.close(0)
    assert sorted(number_of(call) for call in sink.calls) == [1, 3]
    assert Outbox(str(path), **ROOMY).figures.status().states["delivered"] == 2


def test_a_fork_keeps_what_waits_in_removed_files(path: Path) -> None:
    """Before a fork the database is closed, but for one whose files are gone: it could not be opened again."""
    outbox = Outbox(str(path), **ROOMY)
    outbox.accepting.put(numbered(1), DESTINATION, due_at=0)
    remove(path, "", "-wal", "-shm")
    outbox.lock()
    outbox.unlock()
    assert drained(outbox) == [1]
    assert not path.exists()


def test_a_process_that_ends_leaves_the_files_of_the_next_one_alone(path: Path) -> None:
    """The old process closes its removed files while the next has new ones of the same names: those take calls."""
    old = Outbox(str(path), **ROOMY)
    old.accepting.put(numbered(1), DESTINATION, due_at=0)
    remove(path, "", "-wal", "-shm")
    new = Outbox(str(path), **ROOMY)
    new.accepting.put(numbered(2), DESTINATION, due_at=0)
    old.close()
    new.check_in_place()
    new.accepting.put(numbered(3), DESTINATION, due_at=0)
    assert drained(new) == [2, 3]


def test_the_commands_say_so_too(path: Path) -> None:
    """What `outbox retry` and `purge` would change in a file that is gone is not changed, and said."""
    outbox = Outbox(str(path), **ROOMY)
    remove(path, "", "-wal", "-shm")
    for change in (outbox.dead_letters.retry, outbox.dead_letters.purge):
        with pytest.raises(OutboxGoneError, match="removed"):
            change()


def test_an_outbox_in_memory_is_always_in_place() -> None:
    """It has no file."""
    files = OpenFiles(None)
    files.check()
    assert files.are_in_place

"""What a disk can do to an outbox: be full, fail, tear a file, hold another's file or none."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from opentelemetry.sdk.trace.export import SpanExportResult

from otel_labelstudio import LabelStudioSpanExporter
from otel_labelstudio.errors import ConfigError, OutboxError
from otel_labelstudio.outbox import Outbox
from otel_labelstudio.outbox.entry import OutboxEntry
from otel_labelstudio.outbox.serialization import call_to_text
from otel_labelstudio.pipeline import Pipeline
from otel_labelstudio.settings import Settings
from otel_labelstudio.testing import RecordingSink
from tests.delivery.telemetry import trace_chat, tracer_with
from tests.outbox.calls import DESTINATION, ROOMY, drained, number_of, numbered, settle, taken


def pages(path: Path) -> int:
    db = sqlite3.connect(path)
    try:
        return int(db.execute("PRAGMA page_count").fetchone()[0])
    finally:
        db.close()


@contextmanager
def full(outbox: Outbox, path: Path, spare_pages: int = 0) -> Iterator[None]:
    """SQLite finds no room for more pages, as on a full disk."""
    with outbox.database.reading() as db:
        db.execute(f"PRAGMA max_page_count = {pages(path) + spare_pages}")
    try:
        yield
    finally:
        with outbox.database.reading() as db:
            db.execute("PRAGMA max_page_count = 1073741823")


def test_a_full_disk_costs_nothing_that_was_accepted(tmp_path: Path) -> None:
    """A batch that does not fit is refused whole, the calls before it stay, and it goes on when there is room."""
    path = tmp_path / "calls.outbox"
    outbox = Outbox(str(path), **ROOMY)
    accepted: list[int] = []

    def accept_all() -> None:
        for first in range(0, 10_000, 10):
            with outbox.transaction():
                for number in range(first, first + 10):
                    outbox.accepting.put(numbered(number), DESTINATION, due_at=0)
            accepted.extend(range(first, first + 10))

    with full(outbox, path, spare_pages=20), pytest.raises(OutboxError, match="full"):
        accept_all()
    assert 0 < len(accepted) < 1000
    assert outbox.accepting.put(numbered(20_000), DESTINATION, due_at=0).value == "accepted"
    again = Outbox(str(path), **ROOMY)
    assert sorted(drained(again)) == [*accepted, 20_000]


def test_a_full_disk_while_delivering_loses_nothing_and_goes_on(tmp_path: Path) -> None:
    """What is in flight when marks cannot be written is taken up again, each call delivered once."""
    path = tmp_path / "calls.outbox"
    sink = RecordingSink()
    settings = Settings.resolve({"api_key": "key", "url": "http://127.0.0.1:1", "outbox": str(path), "settle_s": 0})
    pipeline = Pipeline(settings, sink=sink)
    outbox = pipeline._outbox
    outbox.queue.mark_delivered = fail_once(outbox.queue.mark_delivered)  # type: ignore[method-assign,assignment]
    assert pipeline.accept_calls([numbered(number) for number in range(1, 6)])
    assert pipeline.flush(240)
    assert {number_of(call) for call in sink.calls} == set(range(1, 6))
    assert pipeline._outbox.figures.status().states["delivered"] == 5
    pipeline.close(0)


def fail_once(mark: Callable[[Iterable[OutboxEntry]], None]) -> Callable[[Iterable[OutboxEntry]], None]:
    """The disk is full at one mark."""
    failures = [OutboxError("the outbox cannot be written: database or disk is full")]

    def fails(entries: Iterable[OutboxEntry]) -> None:
        if failures:
            raise failures.pop()
        mark(entries)

    return fails


def test_an_export_that_cannot_be_stored_is_a_failure_and_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The application goes on; as long as the disk is full, one line says so, and one more when that happens again."""
    path = tmp_path / "calls.outbox"
    exporter = LabelStudioSpanExporter(api_key="key", url="http://127.0.0.1:1", outbox=str(path), settle_s=600)
    results = []
    export = exporter.export
    exporter.export = lambda spans: results.append(export(spans)) or results[-1]  # type: ignore[method-assign,func-returns-value]
    tracer = tracer_with(exporter)
    assert exporter._pipeline is not None
    trace_chat(tracer)
    for _ in range(2):
        with full(exporter._pipeline._outbox, path):
            for _ in range(3):
                trace_chat(tracer, "x" * 20_000)
        trace_chat(tracer)
    success, failure = SpanExportResult.SUCCESS, SpanExportResult.FAILURE
    assert results == [success, *[failure] * 3, success, *[failure] * 3, success]
    errors = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert len(errors) == 2
    assert all("disk is full" in error for error in errors)
    assert exporter.counts["calls.dropped[outbox_error]"] == 6
    exporter.shutdown(timeout_millis=0)


IN_A_PROCESS = """
import ctypes, resource, struct, sys
from otel_labelstudio.outbox import Outbox
from otel_labelstudio.errors import OutboxError
from tests.outbox.calls import DESTINATION, ROOMY, numbered

def no_more_writes():
    resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))

def no_more_syncs():
    # A seccomp filter: fsync and fdatasync fail with EIO
    fsync, fdatasync = {"x86_64": (74, 75), "aarch64": (82, 83)}[__import__("platform").machine()]
    program = b"".join(struct.pack("HBBI", *step) for step in [
        (0x20, 0, 0, 0), (0x15, 1, 0, fsync), (0x15, 0, 1, fdatasync),
        (0x06, 0, 0, 0x00050000 | 5), (0x06, 0, 0, 0x7FFF0000)])
    steps = ctypes.create_string_buffer(program)
    filter = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(steps))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, filter, 0, 0):
        sys.exit(77)

outbox = Outbox(sys.argv[1], **ROOMY)
for number in range(10):
    outbox.accepting.put(numbered(number), DESTINATION, due_at=0)
    print(number, flush=True)
globals()[sys.argv[2]]()
refused = 0
for number in range(10, 300):
    try:
        outbox.accepting.put(numbered(number), DESTINATION, due_at=0)
        print(number, flush=True)
    except OutboxError as error:
        refused += 1
        print(error, file=sys.stderr)
sys.exit(0 if refused else 1)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits and filters of Linux")
@pytest.mark.parametrize("fault", ["no_more_writes", "no_more_syncs"])
def test_a_disk_that_fails_is_an_error_and_no_crash(tmp_path: Path, fault: str) -> None:
    """Writes or syncs fail with the operating system's error: each is said, and what was accepted is on the disk."""
    path = tmp_path / "calls.outbox"
    done = subprocess.run(
        [sys.executable, "-c", IN_A_PROCESS, path, fault], capture_output=True, text=True, check=False, timeout=600
    )
    if done.returncode == 77:
        pytest.skip("no seccomp here")
    assert done.returncode == 0, done.stderr
    assert "cannot be written" in done.stderr
    accepted = {int(line) for line in done.stdout.split()}
    stored = drained(Outbox(str(path), **ROOMY))
    # What was refused may be there all the same; the sender that repeats it finds it known
    assert accepted <= set(stored)
    assert len(stored) == len(set(stored))


def accepted_batches(path: Path) -> list[tuple[int, int]]:
    """Accept batches of three; after each, how many calls there are and how long the write-ahead log is."""
    outbox = Outbox(str(path), **ROOMY)
    wal = path.with_name(path.name + "-wal")
    found = []
    for first in range(0, 90, 3):
        with outbox.transaction():
            for number in range(first, first + 3):
                outbox.accepting.put(numbered(number), DESTINATION, due_at=0)
        found.append((first + 3, wal.stat().st_size))
    found.append((90, 0))
    globals().setdefault("_kept", []).append(outbox)  # closing it would write the log into the file
    return found


@pytest.mark.parametrize("damage", ["cut", "garbled"])
@pytest.mark.parametrize("seed", range(12))
def test_a_torn_log_costs_nothing_that_was_written_before_the_tear(tmp_path: Path, seed: int, damage: str) -> None:
    """The write-ahead log is cut or garbled anywhere: each batch before that is there whole, none in part."""
    rng = random.Random(seed)
    whole, torn = tmp_path / "whole", tmp_path / "torn"
    batches = accepted_batches(whole)[:-1]
    content = bytearray((tmp_path / "whole-wal").read_bytes())
    at = rng.randrange(len(content))
    content[at:] = b"" if damage == "cut" else rng.randbytes(min(64, len(content) - at)) + content[at + 64 :]
    shutil.copy(whole, torn)
    (tmp_path / "torn-wal").write_bytes(content)
    outbox = Outbox(str(torn), **ROOMY)
    numbers = drained(outbox)
    assert numbers == list(range(len(numbers)))
    assert len(numbers) % 3 == 0
    assert len(numbers) >= max((calls for calls, size in batches if size <= at), default=0)


@pytest.mark.parametrize("seed", range(40))
def test_a_garbled_file_raises_nothing_into_the_application(
    tmp_path: Path, seed: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Bytes of the file are changed: it is refused with a clear word, or every call of the exporter returns."""
    rng = random.Random(seed)
    path = tmp_path / "calls.outbox"
    outbox = Outbox(str(path), **ROOMY)
    for number in range(60):
        outbox.accepting.put(numbered(number), DESTINATION, due_at=0)
    outbox.lock()  # closes the file
    outbox.unlock()
    content = bytearray(path.read_bytes())
    for _ in range(rng.choice([1, 20, 400])):
        content[rng.randrange(len(content))] = rng.randrange(256)
    path.write_bytes(content)
    settings = Settings.resolve({"api_key": "key", "url": "http://127.0.0.1:1", "outbox": str(path), "settle_s": 0})
    try:
        pipeline = Pipeline(settings, sink=RecordingSink())
    except ConfigError as error:
        refusal = str(error)
        pipeline = None
    if pipeline is None:
        assert str(path) in refusal
        return
    for number in range(100, 110):
        assert pipeline.accept_calls([numbered(number)]) in (True, False)
    pipeline.flush(0.5)
    pipeline.close(0.2)


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda path: path.write_text("name,price\nbell,12\n" * 100), "not a database"),
        (lambda path: path.mkdir(), "unable to open"),
        (lambda path: make_customers(path), "not an outbox"),
        (lambda path: set_format(path, 999), "format 999"),
        (lambda path: path.parent.rmdir(), "a directory that exists"),
    ],
    ids=["a text file", "a directory", "another program's database", "another version's", "no such directory"],
)
def test_a_file_that_is_no_outbox_is_refused_and_left_alone(tmp_path: Path, make: object, word: str) -> None:
    """At start, with the file's name and what is wrong; not a byte of it is changed."""
    directory = tmp_path / "files"
    directory.mkdir()
    path = directory / "calls.outbox"
    make(path)  # type: ignore[operator]
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(ConfigError) as refusal:
        LabelStudioSpanExporter(api_key="key", url="http://127.0.0.1:1", outbox=str(path))
    assert word in str(refusal.value)
    assert str(path) in str(refusal.value)
    assert before is None or path.read_bytes() == before
    assert not directory.exists() or {file.name for file in directory.iterdir()} <= {path.name}


def make_customers(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE customers (name)")


def set_format(path: Path, version: int) -> None:
    Outbox(str(path), **ROOMY).lock()
    db = sqlite3.connect(path)
    db.execute(f"PRAGMA user_version = {version}")
    db.execute("PRAGMA journal_mode = DELETE")
    db.close()


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
def test_a_new_outbox_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    """It holds what people asked and models answered."""
    path = tmp_path / "calls.outbox"
    outbox = Outbox(str(path), **ROOMY)
    outbox.accepting.put(numbered(1), DESTINATION, due_at=0)
    assert {file.name: file.stat().st_mode & 0o077 for file in tmp_path.iterdir()} == {
        "calls.outbox": 0,
        "calls.outbox-wal": 0,
        "calls.outbox-shm": 0,
    }


@pytest.mark.parametrize("is_settled", [False, True])
def test_what_cannot_be_read_any_more_is_a_dead_letter(tmp_path: Path, is_settled: bool) -> None:
    """The disk has changed what was written of one call, before or after it settled: the others go through, and what is
    left of it is kept, with why."""
    path = tmp_path / "calls.outbox"
    outbox = Outbox(str(path), **ROOMY)
    for number in range(3):
        outbox.accepting.put(numbered(number), DESTINATION, due_at=0)
    if is_settled:
        settle(outbox, 0)
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE readings SET body = replace(body, '{', '[') WHERE seq = 2")
        (before,) = db.execute("SELECT body FROM readings WHERE seq = 2").fetchone()
        db.commit()
    assert drained(outbox) == [0, 2]
    (dead,) = outbox.dead_letters.all()
    assert (dead.call, dead.reason) == (None, "cannot be read (JSONDecodeError)")
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT body FROM readings WHERE state = 'dead'").fetchall() == [(before,)]


def test_a_total_that_the_disk_has_changed_ends_nothing(tmp_path: Path) -> None:
    """What is forgotten until there is room has an end: with nothing left to forget, the total is right again."""
    path = tmp_path / "calls.outbox"
    outbox = Outbox(str(path), **ROOMY)
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE totals SET bytes = 1 << 60 WHERE what IN ('kept', 'dead')")
        db.commit()
    (entry,) = taken(outbox, numbered(1))
    outbox.dead_letters.bury([(entry.seq, "refused")])
    assert len(outbox.dead_letters.all()) == 1
    assert [outbox.database.total(what) for what in ("kept", "dead")] == [(0, 0), (1, len(call_to_text(entry.call)))]


def test_surrogates_in_a_response_id_hold_nothing_up(tmp_path: Path) -> None:
    """What SQLite cannot store as text must not stop the calls behind it."""
    outbox = Outbox(str(tmp_path / "calls.outbox"), **ROOMY)
    outbox.accepting.put(numbered(1, response_id="\ud800"), DESTINATION, due_at=0)
    outbox.notes.write("last_error", "\udfff")
    assert drained(outbox) == [1]


def test_a_killed_process_leaves_a_whole_file(tmp_path: Path) -> None:
    """SIGKILL while it writes: what it said was accepted is there, and SQLite finds nothing wrong."""
    for delay_s in (0.4, 0.55, 0.7):
        path = tmp_path / f"calls-{delay_s}"
        script = (
            IN_A_PROCESS.split("globals()")[0]
            + "for number in range(10, 1_000_000):\n"
            + "    outbox.accepting.put(numbered(number), DESTINATION, due_at=0)\n"
            + "    print(number, flush=True)\n"
        )
        process = subprocess.Popen([sys.executable, "-c", script, path], stdout=subprocess.PIPE)
        try:
            process.wait(delay_s)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
        output = process.communicate()[0]
        accepted = {int(line) for line in output.split(b"\n")[:-1]}
        db = sqlite3.connect(path)
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        db.close()
        assert accepted <= set(drained(Outbox(str(path), **ROOMY)))

"""The inbox: what was put is taken, in its order, whatever happens to the process, the disk and the files."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import NoReturn

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_labelstudio.errors import ConfigError, OutboxError, OutboxFullError
from otel_labelstudio.receiver import inbox as inbox_module
from otel_labelstudio.receiver.inbox import Inbox
from otel_labelstudio.receiver.inflate import ContentEncoding
from otel_labelstudio.receiver.requests import Request, Signal
from otel_labelstudio.receiver.set_aside import Reason
from otel_labelstudio.receiver.status import JSON, PROTOBUF

ROOM = 2**30
CLOCK = 1_700_000_000.25


def numbered(number: int, size: int = 10) -> Request:
    return Request(Signal.TRACES, PROTOBUF, f"{number:{size}}".encode())


def taken(inbox: Inbox) -> list[Request]:
    """All that waits, in its order."""
    found = []
    while stored := inbox.next():
        found.append(stored.request)
        inbox.done(stored)
    return found


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[..., Inbox]]:
    """Opens the same inbox as another process would, after the one before was killed."""
    made: list[Inbox] = []

    def open_it(max_bytes: int = ROOM) -> Inbox:
        if made:
            made[-1]._lock.release()
        made.append(Inbox(tmp_path / "inbox", max_bytes, lambda: CLOCK))
        return made[-1]

    yield open_it
    made[-1].close()


def segment_files(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "inbox").glob("*.segment"))


def test_requests_come_out_as_they_went_in(opened: Callable[..., Inbox]) -> None:
    """With all that was known of them, also by the next process."""
    requests = [
        Request(Signal.TRACES, PROTOBUF, b"\x00\xff", ContentEncoding.GZIP),
        Request(Signal.LOGS, JSON, b"{}"),
        Request(Signal.TRACES, JSON, b""),
    ]
    inbox = opened()
    assert inbox.put(requests) == [None, None, None]
    stored = inbox.next()
    assert stored is not None
    assert stored.received_at == CLOCK
    assert taken(inbox) == taken(opened()) == requests


def test_what_the_outbox_has_is_not_taken_again(opened: Callable[..., Inbox]) -> None:
    """A process that died between storing what it read and saying so here."""
    inbox = opened()
    inbox.put([numbered(1), numbered(2)])
    first = inbox.next()
    assert first is not None
    inbox = opened()
    inbox.skip_to(first.end)
    assert taken(inbox) == [numbered(2)]


@settings(deadline=None)  # the disk's time is not what is tested
@given(cut=st.integers(1, 60))
def test_a_record_that_was_cut_off_is_passed_over(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    """Killed while it wrote: that request was never answered; those before and after it are there."""
    directory = tmp_path_factory.mktemp("cut")
    inbox = Inbox(directory / "inbox", ROOM)
    inbox.put([numbered(1, 50)])
    inbox.put([numbered(2, 50)])
    inbox.close()
    (file,) = segment_files(directory)
    os.truncate(file, file.stat().st_size - cut)
    inbox = Inbox(directory / "inbox", ROOM)
    inbox.put([numbered(3, 50)])
    assert taken(inbox) == [numbered(1, 50), numbered(3, 50)]
    assert not inbox.size
    inbox.close()


@settings(deadline=None)
@given(at=st.integers(0, 72), flipped=st.integers(1, 255))
def test_damage_is_kept_and_costs_no_more(tmp_path_factory: pytest.TempPathFactory, at: int, flipped: int) -> None:
    """A byte of a record that the disk changed: what can be read is, and the rest is set aside, not thrown away."""
    directory = tmp_path_factory.mktemp("damage")
    inbox = Inbox(directory / "inbox", ROOM)
    inbox.put([numbered(1, 50)])
    inbox.put([numbered(2, 50)])
    inbox.close()
    (file,) = segment_files(directory)
    content = bytearray(file.read_bytes())
    second = len(content) // 2
    content[second + at] ^= flipped
    file.write_bytes(content)
    inbox = Inbox(directory / "inbox", ROOM)
    inbox.put([numbered(3, 50)])
    assert taken(inbox) == [numbered(1, 50), numbered(3, 50)]
    (kept,) = (directory / "inbox").glob("*.damaged")
    assert kept.read_bytes() == content[second:]
    inbox.close()


def test_zeros_that_a_crash_of_the_machine_left(opened: Callable[..., Inbox], tmp_path: Path) -> None:
    """A file may have become longer without its content: nothing of that was answered."""
    opened().put([numbered(1)])
    (file,) = segment_files(tmp_path)
    os.truncate(file, file.stat().st_size + 5000)
    inbox = opened()
    inbox.put([numbered(2)])
    assert taken(inbox) == [numbered(1), numbered(2)]
    assert not list((tmp_path / "inbox").glob("*.damaged"))


@pytest.mark.parametrize("written", [0, 1, 30])
@pytest.mark.parametrize("can_truncate", [True, False])
def test_a_full_disk_costs_nothing_that_was_stored(
    opened: Callable[..., Inbox], monkeypatch: pytest.MonkeyPatch, written: int, can_truncate: bool
) -> None:
    """Whatever of a batch was written before the disk was full, and even where that cannot be taken back."""
    inbox = opened()
    inbox.put([numbered(1)])

    def full(file: int, pieces: Sequence[bytes]) -> int:
        os.write(file, b"".join(pieces)[:written])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def no_truncating(file: int, size: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(os, "writev", full)
        if not can_truncate:
            patch.setattr(os, "ftruncate", no_truncating)
        with pytest.raises(OutboxError, match="No space left"):
            inbox.put([numbered(2)])
        with pytest.raises(OutboxError, match="No space left"):
            inbox.check_room(1)
    inbox.put([numbered(3)])
    inbox.check_room(1)
    assert taken(inbox) == [numbered(1), numbered(3)]
    inbox.put([numbered(4)])
    assert taken(opened())[-1] == numbered(4)


def test_the_bound(opened: Callable[..., Inbox]) -> None:
    """What does not fit is refused by itself; what never would says so; there is room again when something was read."""
    inbox = opened(200)
    small, large = numbered(1), numbered(2, 100)
    never = numbered(3, 300)
    refused = inbox.put([small, never, large, large, small])
    assert [error and error.is_hopeless for error in refused] == [None, True, None, False, None]
    assert inbox.size <= 200
    assert taken(inbox) == [small, large, small]
    assert inbox.put([large]) == [None]


def test_a_full_inbox_has_no_room(opened: Callable[..., Inbox]) -> None:
    """As `/readyz` asks."""
    inbox = opened(100)
    inbox.check_room(100)
    assert taken(inbox) == []
    assert inbox.put([numbered(1)]) == [None]
    inbox.check_room(10)
    with pytest.raises(OutboxFullError):
        inbox.check_room(100)


def test_the_disk_is_given_back(opened: Callable[..., Inbox], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments that were read go, and after a burst not much is left."""
    monkeypatch.setattr(inbox_module, "_SEGMENT_BYTES", 2**20)
    inbox = opened()
    for number in range(50):
        inbox.put([numbered(number, 200_000)])
    assert len(segment_files(tmp_path)) > 5
    assert len(taken(inbox)) == 50
    assert sum(file.stat().st_size for file in segment_files(tmp_path)) < 2**20
    inbox.put([numbered(51)])
    assert taken(inbox) == [numbered(51)]


def test_what_was_read_can_be_forgotten(opened: Callable[..., Inbox], tmp_path: Path) -> None:
    """And is when the process ends: what people asked does not lie about; what waits stays."""
    inbox = opened()
    inbox.put([numbered(1)])
    inbox.forget()
    assert taken(inbox) == [numbered(1)]
    inbox.forget()
    assert segment_files(tmp_path) == []
    inbox.put([numbered(2)])
    assert taken(inbox) == [numbered(2)]
    read_to = inbox.read_to
    inbox.close()
    assert segment_files(tmp_path) == []
    inbox = opened()
    inbox.skip_to(read_to)
    inbox.put([numbered(3)])
    inbox = opened()
    inbox.skip_to(read_to)
    assert taken(inbox) == [numbered(3)]


def test_another_process_is_kept_out(opened: Callable[..., Inbox], tmp_path: Path) -> None:
    """Two would take the same requests; the message names the directory."""
    opened()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inbox_module, "_LOCK_WAIT_S", 0.1)
        with pytest.raises(ConfigError, match="another receiver"):
            Inbox(tmp_path / "inbox", ROOM)


def test_a_directory_that_cannot_be_used(tmp_path: Path) -> None:
    """One error that says what to do."""
    (tmp_path / "inbox").write_text("a file")
    with pytest.raises(ConfigError, match="name an outbox"):
        Inbox(tmp_path / "inbox", ROOM)


def test_an_inbox_that_was_removed_is_another(opened: Callable[..., Inbox], tmp_path: Path) -> None:
    """How far the old one was read says nothing of the new one; of the old one it does, also when all was read."""
    inbox = opened()
    before = inbox.id
    inbox.put([numbered(1), numbered(2)])
    taken(inbox)
    read_to = inbox.read_to
    assert opened().id == before
    for file in segment_files(tmp_path):
        file.unlink()
    inbox = opened()
    inbox.skip_to(read_to)
    inbox.put([numbered(3)])
    assert taken(inbox) == [numbered(3)]
    (tmp_path / "inbox" / "id").unlink()
    assert opened().id != before


def test_a_segment_that_cannot_be_removed_holds_up_nothing(
    opened: Callable[..., Inbox], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Removing is housekeeping: reading goes on, it is said once, and the files go when they can."""

    def refuse(*_: object, **__: object) -> NoReturn:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(inbox_module, "_SEGMENT_BYTES", 1)
    inbox = opened()
    for number in range(5):
        inbox.put([numbered(number)])
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refuse)
        assert len(taken(inbox)) == 5
        inbox.forget()
        assert inbox.size == 0
        assert len(segment_files(tmp_path)) == 5
    assert caplog.text.count("stays in the inbox for now (Operation not permitted)") == 1
    inbox.forget()
    assert segment_files(tmp_path) == []


def test_what_could_not_be_removed_is_not_taken_again(opened: Callable[..., Inbox], tmp_path: Path) -> None:
    """By the next process neither: the outbox knows how far was read."""
    inbox = opened()
    inbox.put([numbered(1)])
    content = segment_files(tmp_path)[0].read_bytes()
    taken(inbox)
    inbox.forget()
    (tmp_path / "inbox" / f"{0:020}.segment").write_bytes(content)
    inbox_after = opened()
    inbox_after.skip_to(inbox.read_to)
    inbox_after.put([numbered(2)])
    assert taken(inbox_after) == [numbered(2)]


def test_what_the_disk_does_not_give_is_passed_over(
    opened: Callable[..., Inbox], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others of its segment are read, and its file stays."""
    inbox = opened()
    inbox.put([numbered(1)])
    inbox.put([numbered(2), numbered(3)])
    with monkeypatch.context() as patch:
        patch.setattr(os, "pread", _fails_behind_the_frame(os.pread))
        with pytest.raises(OutboxError, match="cannot be read"):
            inbox.next()
        inbox.pass_over()
    assert taken(inbox) == [numbered(2), numbered(3)]
    inbox.forget()
    assert segment_files(tmp_path) == []
    assert [path.name for path in (tmp_path / "inbox").glob("*.damaged")] == [f"{0:020}.damaged"]
    assert inbox.set_aside_files.counts[Reason.DISK] == 1


def _fails_behind_the_frame(pread: Callable[[int, int, int], bytes]) -> Callable[[int, int, int], bytes]:
    def read(file: int, size: int, at: int) -> bytes:
        if at:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return pread(file, size, at)

    return read


def test_nothing_is_passed_over_where_nothing_waits(opened: Callable[..., Inbox]) -> None:
    """A fault that has passed meanwhile."""
    inbox = opened()
    inbox.pass_over()
    inbox.put([numbered(1)])
    assert taken(inbox) == [numbered(1)]
    inbox.pass_over()
    assert inbox.set_aside_files.counts[Reason.DISK] == 0


@pytest.mark.parametrize("has_directory", [True, False])
def test_a_file_that_somebody_removed_takes_no_more(
    opened: Callable[..., Inbox], tmp_path: Path, has_directory: bool
) -> None:
    """What is answered must be on the disk: a new file is begun, or the sender told to come again; what was stored
    before is still read, while this process lives."""
    inbox = opened()
    inbox.put([numbered(1)])
    (file,) = segment_files(tmp_path)
    file.unlink()
    if not has_directory:
        shutil.rmtree(tmp_path / "inbox")
        with pytest.raises(OutboxError, match="No such file"):
            inbox.put([numbered(2)])
        (tmp_path / "inbox").mkdir()
    inbox.put([numbered(3)])
    assert len(segment_files(tmp_path)) == 1
    assert taken(inbox) == [numbered(1), numbered(3)]


def test_a_torn_segment_that_is_empty_gives_its_name_to_no_other(
    opened: Callable[..., Inbox], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The very first request failed, and could not be taken back: what comes after is read."""

    def half(file: int, pieces: Sequence[bytes]) -> NoReturn:
        os.write(file, b"".join(pieces)[:30])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def refuse(*_: object) -> NoReturn:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    inbox = opened()
    with monkeypatch.context() as patch:
        patch.setattr(os, "writev", half)
        patch.setattr(os, "ftruncate", refuse)
        with pytest.raises(OutboxError):
            inbox.put([numbered(1)])
    inbox.put([numbered(2), numbered(3)])
    first = inbox.next()
    assert first is not None
    inbox.done(first)
    read_to = inbox.read_to
    assert taken(inbox) == [numbered(3)]
    inbox = opened()
    inbox.skip_to(read_to)
    assert taken(inbox) == [numbered(3)]


def test_how_long_something_waits_and_nothing_is_read(
    opened: Callable[..., Inbox], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From when it came or something was read last, and 0 while nothing waits, however long that is."""
    now = [1000.0]
    monkeypatch.setattr(inbox_module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    inbox = opened()
    now[0] += 3600
    assert inbox.stalled_s == 0
    inbox.put([numbered(1), numbered(2)])
    assert inbox.stalled_s == 0
    now[0] += 60
    assert inbox.stalled_s == 60
    first = inbox.next()
    assert first is not None
    inbox.done(first)
    assert inbox.stalled_s == 0
    now[0] += 30
    assert inbox.stalled_s == 30
    taken(inbox)
    assert inbox.stalled_s == 0


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"short", b"longer than it ever was"])
def test_an_identity_that_is_damaged(opened: Callable[..., Inbox], tmp_path: Path, content: bytes) -> None:
    """It gets another one: what waits is read from its beginning, and nothing is lost."""
    inbox = opened()
    inbox.put([numbered(1)])
    before = inbox.id
    (tmp_path / "inbox" / "id").write_bytes(content)
    inbox = opened()
    assert inbox.id != before
    assert opened().id == inbox.id
    assert taken(opened()) == [numbered(1)]


def test_what_was_set_aside_is_counted_across_runs(opened: Callable[..., Inbox]) -> None:
    """By its reason since the start, and as files for as long as somebody leaves them there."""
    inbox = opened()
    inbox.put([numbered(1), numbered(2)])
    for reason, error_type in ((Reason.FAULT, "ValueError"), (Reason.TOO_LARGE, "LargerThanOutbox")):
        stored = inbox.next()
        assert stored is not None
        inbox.set_aside(stored, reason, error_type)
    assert inbox.set_aside_files.counts[Reason.FAULT] == inbox.set_aside_files.counts[Reason.TOO_LARGE] == 1
    assert inbox.set_aside_files.number_of_files() == 2
    inbox = opened()
    assert inbox.set_aside_files.counts[Reason.FAULT] == 0
    assert inbox.set_aside_files.number_of_files() == 2


def test_only_the_owner_may_look(opened: Callable[..., Inbox], tmp_path: Path) -> None:
    """What people asked and models answered is not for every user of the machine."""
    inbox = opened()
    inbox.put([numbered(1)])
    stored = inbox.next()
    assert stored is not None
    inbox.set_aside(stored, Reason.FAULT, "ValueError")
    inbox.put([numbered(2)])
    modes = {path.suffix: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "inbox").iterdir()}
    assert modes[".segment"] == modes[".unreadable"] == 0o600
    assert stat.S_IMODE((tmp_path / "inbox").stat().st_mode) == 0o700

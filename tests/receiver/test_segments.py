"""Segments: what was appended is read, whatever else lies in the file or became of it."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_labelstudio.receiver.records import packed, packed_nothing
from otel_labelstudio.receiver.requests import Request, Signal
from otel_labelstudio.receiver.segments import Nothing, Segment, StoredRequest, Unreadable
from otel_labelstudio.receiver.set_aside import Reason
from otel_labelstudio.receiver.status import PROTOBUF


def record(body: bytes) -> list[bytes]:
    return packed(Request(Signal.TRACES, PROTOBUF, body), 1.0)


def length(body: bytes) -> int:
    return sum(map(len, record(body)))


def fail(*_: object) -> NoReturn:
    raise OSError(errno.EIO, os.strerror(errno.EIO))


@pytest.fixture
def segment(tmp_path: Path) -> Iterator[Segment]:
    """A new one that begins at offset 100."""
    made = Segment.made(tmp_path, 100)
    yield made
    made.close()


def found(segment: Segment) -> list[StoredRequest | Nothing | Unreadable]:
    """All that is in it, one after the other."""
    offset, records = segment.offset, []
    while offset < segment.end:
        records.append(segment.read(offset))
        assert records[-1].end > offset
        offset = records[-1].end
    return records


def bodies(segment: Segment) -> list[bytes]:
    return [one.request.body for one in found(segment) if isinstance(one, StoredRequest)]


def test_damage_costs_the_record_that_is_damaged(segment: Segment) -> None:
    """Also where nobody can tell how long it is: the next one is found by its frame."""
    for body in (b"one", b"two", b"three"):
        segment.append(record(body))
    content = bytearray(segment.path.read_bytes())
    content[length(b"one")] ^= 0xFF  # the length of the second
    segment.path.write_bytes(content)
    one, two, three = found(segment)
    assert bodies(segment) == [b"one", b"three"]
    assert isinstance(two, Unreadable)
    assert two.reason is Reason.DAMAGED
    assert two.content == bytes(content[length(b"one") : length(b"one") + length(b"two")])
    assert (one.end, three.end) == (100 + length(b"one"), segment.end)


@settings(max_examples=300, deadline=None)
@given(damage=st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=8), cut=st.integers(0, 60))
def test_reading_goes_through_any_damage(
    tmp_path_factory: pytest.TempPathFactory, damage: list[tuple[int, int]], cut: int
) -> None:
    """Nothing is raised, each step goes forward, and all bytes are requests, nothing, or kept."""
    segment = Segment.made(tmp_path_factory.mktemp("segment"), 0)
    for body in (b"one", b"two" * 20, b"three"):
        segment.append(record(body))
    content = bytearray(segment.path.read_bytes())
    for at, value in damage:
        content[at % len(content)] = value
    segment.path.write_bytes(content)
    os.truncate(segment.path, len(content) - cut)  # while it is open, so that less is there than it was
    found(segment)
    segment.close()


def test_a_record_that_cannot_be_written_leaves_the_file_as_it_was(
    segment: Segment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever raises: what was written in part is taken back, and the next one stands where it should."""

    def half(file: int, pieces: Sequence[bytes]) -> NoReturn:
        os.write(file, b"".join(pieces)[:7])
        raise MemoryError

    segment.append(record(b"one"))
    with monkeypatch.context() as patch:
        patch.setattr(os, "writev", half)
        with pytest.raises(MemoryError):
            segment.append(record(b"two"))
    assert not segment.is_torn
    segment.append(record(b"three"))
    assert bodies(segment) == [b"one", b"three"]


def test_what_cannot_be_taken_back_tears_the_segment(segment: Segment, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing may be appended to it any longer; what was there before is read."""
    segment.append(record(b"one"))
    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", fail)
        patch.setattr(os, "ftruncate", fail)
        with pytest.raises(OSError, match="Input/output"):
            segment.append(record(b"two"))
    assert segment.is_torn
    assert bodies(segment) == [b"one"]


def test_the_next_segment_bounds_a_torn_one(tmp_path: Path) -> None:
    """What lies beyond was never answered, and must not be read instead of what was."""
    first = Segment.made(tmp_path, 0)
    first.append(record(b"one"))
    second = Segment.made(tmp_path, first.end)
    second.append(record(b"two"))
    with open(first.path, "ab") as file:
        file.write(b"".join(record(b"never answered")))
    for segment in (first, second):
        segment.close()
    segments = Segment.all_in(tmp_path)
    assert [bodies(segment) for segment in segments] == [[b"one"], [b"two"]]
    for segment in segments:
        segment.close()


def test_files_of_other_names_are_left_alone(tmp_path: Path) -> None:
    """A copy that somebody made, or a directory, is no segment."""
    Segment.made(tmp_path, 0).close()
    (tmp_path / "copy of 00000000000000000000.segment").write_bytes(b"")
    (tmp_path / f"{7:020}.segment").mkdir()
    assert [segment.offset for segment in Segment.all_in(tmp_path)] == [0]


def test_a_file_that_was_removed_says_so(segment: Segment) -> None:
    """What is appended to it would be gone with the process."""
    assert not segment.is_gone
    segment.path.unlink()
    assert segment.is_gone


def test_where_a_record_ends_that_the_disk_does_not_give(segment: Segment, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its frame where that can be read, else nobody knows what else is there."""
    segment.append(record(b"one"))
    segment.append(packed_nothing())
    assert segment.end_of_record(100) == 100 + length(b"one")
    with monkeypatch.context() as patch:
        patch.setattr(os, "pread", fail)
        assert segment.end_of_record(100) == segment.end


def files_open_in(directory: Path) -> list[str]:
    """By this process, where the system tells."""
    links = Path("/proc/self/fd")
    found = [os.path.realpath(link) for link in links.iterdir()] if links.is_dir() else []
    return [path for path in found if path.startswith(str(directory))]


def test_a_directory_that_cannot_be_synced_makes_no_segment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file's name might be lost in a crash of the machine; no file stays open."""
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="Input/output"):
            Segment.made(tmp_path, 0)
    assert files_open_in(tmp_path) == []

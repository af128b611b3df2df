"""Records of the inbox: those of this version and of the one before are read, and all others are told apart."""

from __future__ import annotations

import base64
import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_labelstudio.receiver.inbox import Inbox
from otel_labelstudio.receiver.inflate import ContentEncoding
from otel_labelstudio.receiver.records import Frame, next_frame, packed
from otel_labelstudio.receiver.requests import Request, Signal
from otel_labelstudio.receiver.segments import Segment, StoredRequest, Unreadable
from otel_labelstudio.receiver.set_aside import Reason
from otel_labelstudio.receiver.status import JSON, PROTOBUF

# A segment's file as the version wrote it that stored encodings as text, with eight requests and a record of none
FIRST_VERSION = zlib.decompress(
    base64.b64decode(
        "eNoTYGBgaO6ILdSXSDZgYFD4EONxyxEoVJCTmJknCmRsrGh223XoljFMjpGRIzMlNa8ks6Syuham4HCHwxe4ZkaW9KrMAiAqSE0RBirIVX+RvON9"
        "kybCdPZDC6KCQ1wUqvgYGRgkDkUe+DpLYRlC+v+hBSMaZiTmpMEC7t/b2HvwoGdgT0lNy0ksSU0RAkpzOITclnmzVh0hzVahCwr6Cm6grGyE6zfG"
        "VvmrDFDwn4GBH0h5nVevzL0lX4bQxJCTWFwCABMABDI="
    )
)
CAME_AT = 1_763_800_000.5


def taken(inbox: Inbox) -> list[Request]:
    """All that waits, in its order."""
    found = []
    while stored := inbox.next():
        found.append(stored.request)
        inbox.done(stored)
    return found


def record(head: bytes, rest: bytes = b"") -> bytes:
    """A record that is whole, whatever it holds."""
    content = head + rest
    length = struct.pack("<I", len(content))
    return length + struct.pack("<II", zlib.crc32(length), zlib.crc32(content)) + content


def read(tmp_path: Path, content: bytes) -> object:
    """What is read of a segment with these bytes alone."""
    path = tmp_path / f"{0:020}.segment"
    path.write_bytes(content)
    segment = Segment(path)
    try:
        return segment.read(0)
    finally:
        segment.close()


def test_what_the_first_version_left_is_read(tmp_path: Path) -> None:
    """Requests with every encoding as it wrote them down, also with the white space that it let through; of one it cut
    the encoding off in the middle of a character, and that is kept by itself."""
    (tmp_path / f"{0:020}.segment").write_bytes(FIRST_VERSION)
    inbox = Inbox(tmp_path, 2**20)
    first = inbox.next()
    assert first is not None
    assert first.received_at == CAME_AT
    assert taken(inbox) == [
        Request(Signal.TRACES, PROTOBUF, b"plain"),
        Request(Signal.LOGS, JSON, b"{}"),
        Request(Signal.TRACES, JSON, b"zipped", ContentEncoding.GZIP),
        Request(Signal.TRACES, PROTOBUF, b"z", ContentEncoding.ZSTD),
        Request(Signal.LOGS, PROTOBUF, b"d", ContentEncoding.DEFLATE),
        Request(Signal.LOGS, PROTOBUF, b"x", ContentEncoding.GZIP),
        Request(Signal.LOGS, PROTOBUF, b"last"),
    ]
    inbox.close()
    (kept,) = tmp_path.glob("*.unreadable")
    assert kept.read_bytes() in FIRST_VERSION
    assert kept.read_bytes().endswith(b"half")


@pytest.mark.parametrize("signal", Signal)
@pytest.mark.parametrize("content_type", [PROTOBUF, JSON])
@pytest.mark.parametrize("encoding", ContentEncoding)
def test_what_is_written_is_read(tmp_path: Path, signal: Signal, content_type: str, encoding: ContentEncoding) -> None:
    """Every signal with every content type and every encoding."""
    request = Request(signal, content_type, b"\x00body\xff", encoding)
    stored = read(tmp_path, b"".join(packed(request, CAME_AT)))
    assert isinstance(stored, StoredRequest)
    assert (stored.request, stored.received_at) == (request, CAME_AT)


@pytest.mark.parametrize(
    "content",
    [
        struct.pack("<dBBB", CAME_AT, 2 << 4 | 0, 0, 0) + b"body",
        struct.pack("<dBBB", CAME_AT, 14 << 4 | 1, 0, 0) + b"body",
        struct.pack("<dBBB", CAME_AT, 1 << 4 | 2, 0, 0) + b"body",
        struct.pack("<dBBB", CAME_AT, 1 << 4 | 0, 2, 0) + b"body",
        struct.pack("<dBBB", CAME_AT, 1 << 4 | 0, 0, 4) + b"body",
        struct.pack("<dBBB", CAME_AT, 7, 0, 0) + b"body",
        struct.pack("<dBBB", CAME_AT, 0, 0, 200) + b"gzip",
        struct.pack("<dBBB", CAME_AT, 0, 0, 2) + b"br" + b"body",
        struct.pack("<dBBB", CAME_AT, 0, 0, 1) + b"\xc2" + b"body",
        b"short",
        b"",
    ],
    ids=[
        "a newer format",
        "a much newer format",
        "another signal",
        "another content type",
        "another encoding",
        "another signal as the first version wrote them",
        "an encoding longer than the record",
        "an unknown name of an encoding",
        "half a character",
        "no head",
        "nothing at all",
    ],
)
def test_what_is_whole_and_not_known_is_kept_with_its_bytes(tmp_path: Path, content: bytes) -> None:
    """A newer version may have written it, which can read it again; what comes after it is read."""
    strange, known = record(content), b"".join(packed(Request(Signal.TRACES, PROTOBUF, b"known"), CAME_AT))
    found = read(tmp_path, strange + known)
    assert isinstance(found, Unreadable)
    assert found.content == strange
    assert found.reason is Reason.UNKNOWN_FORMAT
    inbox = Inbox(tmp_path, 2**20)
    assert [request.body for request in taken(inbox)] == [b"known"]
    assert inbox.set_aside_files.counts[Reason.UNKNOWN_FORMAT] == 1
    inbox.close()
    (kept,) = tmp_path.glob("*.unreadable")
    assert kept.read_bytes() == strange


@settings(max_examples=500, deadline=None)
@given(head=st.binary(max_size=30), rest=st.binary(max_size=30))
def test_no_record_whatever_raises(tmp_path_factory: pytest.TempPathFactory, head: bytes, rest: bytes) -> None:
    """Bytes whose checksums are right, of any version or none."""
    read(tmp_path_factory.mktemp("record"), record(head, rest))


@settings(max_examples=500, deadline=None)
@given(content=st.binary(max_size=200))
def test_no_bytes_whatever_raise(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """Bytes that the disk made up."""
    read(tmp_path_factory.mktemp("bytes"), content)


def test_the_next_frame_is_found_behind_any_bytes() -> None:
    """Also where they look like one, and where there is none at all."""
    one = b"".join(packed(Request(Signal.TRACES, PROTOBUF, b"body"), CAME_AT))
    junk = b"junk\x00\x00\x00\x00" * 10
    assert next_frame(junk + one) == len(junk)
    assert next_frame(one) == 0
    assert next_frame(junk) == len(junk)
    assert next_frame(b"") == 0
    assert Frame.loads(one[:12]) is not None

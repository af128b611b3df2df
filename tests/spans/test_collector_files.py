"""Files as the Collector's file exporter writes them, whole, being written, and torn by a crash."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_labelstudio.errors import DecodeError, LabelStudioExportError
from otel_labelstudio.recordings import decode_files
from tests.receiver.requests_made import as_json, events, ids, traces

REQUESTS = [traces(f"Question {number}?", others=number % 3, padding=number * 97) for number in range(8)]
IDS = [ids(request)[0] for request in REQUESTS]


def framed(request: ExportTraceServiceRequest) -> bytes:
    body = request.SerializeToString()
    return len(body).to_bytes(4, "big") + body


def line(request: ExportTraceServiceRequest) -> bytes:
    return json.dumps(as_json(request), separators=(",", ":")).encode() + b"\n"


FORMS = {"traces.pb": [framed(one) for one in REQUESTS], "traces.jsonl": [line(one) for one in REQUESTS]}


def read(path: Path, body: bytes) -> tuple[list[str], list[str]]:
    """The ids of the LLM spans, and what could not be read."""
    path.write_bytes(body)
    errors: list[LabelStudioExportError] = []
    spans = decode_files(path, on_error=errors.append).spans
    return [span.span_id for span in spans if span.name.startswith("chat")], [str(error) for error in errors]


@pytest.mark.parametrize("name", FORMS)
def test_a_whole_file(tmp_path: Path, name: str) -> None:
    """Every message, in its order; with gzip too; and nothing of an empty file."""
    body = b"".join(FORMS[name])
    assert read(tmp_path / name, body) == (IDS, [])
    assert read(tmp_path / f"{name}.gz", gzip.compress(body)) == (IDS, [])
    assert read(tmp_path / name, b"") == ([], [])


def test_one_message_alone_is_told_from_a_request() -> None:
    """No request begins as a message with its length does, and no such file as a request."""
    assert {framed(one)[0] for one in REQUESTS} == {0}
    assert {one.SerializeToString()[0] for one in REQUESTS} == {0x0A}


@pytest.mark.parametrize("name", FORMS)
def test_a_file_that_is_being_written(tmp_path: Path, name: str) -> None:
    """Wherever the end is missing, all before it is read, and the error says what has happened."""
    last = FORMS[name][-1]
    for cut in (*range(1, 12), *range(12, len(last) - 1, 101), len(last) - 2):
        found, errors = read(tmp_path / name, b"".join(FORMS[name][:-1]) + last[:cut])
        assert found == IDS[:-1]
        (error,) = errors
        assert "the end is missing" in error
        assert f"{tmp_path / name}, {'message' if name.endswith('pb') else 'line'} 8" in error


@pytest.mark.parametrize("name", FORMS)
@settings(max_examples=60, deadline=None)
@given(torn=st.integers(0, len(REQUESTS) - 1), part=st.floats(0, 1, exclude_max=True))
@example(torn=2, part=0.08203125)  # where the torn one seems to end, chance has put what looks like the next
def test_a_torn_message_costs_itself_alone(
    tmp_path_factory: pytest.TempPathFactory, name: str, torn: int, part: float
) -> None:
    """A killed writer leaves a beginning, and goes on right behind it: every other message is read."""
    parts = list(FORMS[name])
    parts[torn] = parts[torn][: max(1, int(part * (len(parts[torn]) - 1)))]
    _assert_all_but(tmp_path_factory.getbasetemp() / name, parts, torn)


def _assert_all_but(path: Path, parts: Sequence[bytes], torn: int) -> None:
    found, errors = read(path, b"".join(parts))
    whole_without_its_end = path.suffix == ".jsonl" and len(parts[torn]) == len(FORMS[path.name][torn]) - 1
    expected = IDS if whole_without_its_end else [*IDS[:torn], *IDS[torn + 1 :]]
    assert found == expected
    assert len(errors) == (0 if whole_without_its_end else 1)


def test_a_message_that_is_no_request_costs_itself_alone(tmp_path: Path) -> None:
    """Its length is right, its content is not: the error names it."""
    bad = b"\x0a\xff\xff\xff"
    parts = [*FORMS["traces.pb"][:2], len(bad).to_bytes(4, "big") + bad, *FORMS["traces.pb"][2:]]
    found, (error,) = read(tmp_path / "traces.pb", b"".join(parts))
    assert found == IDS
    assert "message 3" in error


def test_logs_by_the_name_of_the_file(tmp_path: Path) -> None:
    """As with single requests, the bytes do not tell."""
    body = events("Where?", b"t" * 16, b"s" * 8).SerializeToString()
    (tmp_path / "logs.pb").write_bytes((len(body).to_bytes(4, "big") + body) * 2)
    assert len(decode_files(tmp_path / "logs.pb").log_records) == 2


@pytest.mark.parametrize("body", [b"\x28\xb5\x2f\xfd\x04", b"\x00\x00\x00\x05\x28\xb5\x2f\xfd\x04"])
@pytest.mark.parametrize("name", FORMS)
def test_zstd_is_named(tmp_path: Path, name: str, body: bytes) -> None:
    """What cannot be read says what to do."""
    (tmp_path / name).write_bytes(body)
    with pytest.raises(DecodeError, match="zstd"):
        decode_files(tmp_path / name)

"""Recorded OTLP files to spans and log records, and to calls.

==========================  ===========================================================================================
``*.pb``                    the body of one export request, or several with their lengths, as the Collector's file
                            exporter writes them in ``format: proto``; traces, or logs where ``logs`` is in the file's
                            name (their bytes do not tell: the field numbers are the same), or what ``signal`` says
``*.json``, ``*.jsonl``     OTLP JSON: one object, or one a line as the Collector's file exporter writes them
``-``                       standard input: JSON where it starts with a brace, else protobuf
==========================  ===========================================================================================

Each may be compressed with gzip, whatever its name. What cannot be read does not stop the rest from being read: it is
handed to ``on_error``, with the file and the line; without one, the first error is raised. Such is the end of a file
that is still being written, and what a crash of its writer has torn.
"""

from __future__ import annotations

import gzip
import os
import sys
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Literal, TypeAlias

from otel_labelstudio.calls import LLMCall
from otel_labelstudio.dialects import SkipReason
from otel_labelstudio.errors import ConfigError, DecodeError, LabelStudioExportError
from otel_labelstudio.settle.fold import FoldedCall
from otel_labelstudio.settle.fold_recorded import FoldedRecording
from otel_labelstudio.settle.recorded import RecordedTelemetry
from otel_labelstudio.spans.collector_files import (
    Torn,
    holds_object,
    is_compressed_with_zstd,
    is_framed,
    is_json,
    json_objects,
    messages,
)
from otel_labelstudio.spans.from_otlp import from_json, log_records_from_protobuf, spans_from_protobuf
from otel_labelstudio.spans.model import LogRecord, Span

Signal: TypeAlias = Literal["traces", "logs"]
StrPath: TypeAlias = "str | os.PathLike[str]"
OnError: TypeAlias = Callable[[LabelStudioExportError], None]


@dataclass(slots=True)
class Recording:
    """The telemetry of one or more files, in their order; ``is_protobuf`` where any of it was read as that."""

    spans: list[Span] = field(default_factory=list)
    log_records: list[LogRecord] = field(default_factory=list)
    is_protobuf: bool = field(default=False, compare=False)


@dataclass(slots=True)
class RecordedCalls:
    """The calls of a recording, each once, how many spans gave none, by reason, and how many readings of calls came
    without valid ids."""

    folded: list[FoldedCall]
    skipped: Counter[SkipReason]
    without_valid_ids: int = 0

    @property
    def calls(self) -> list[LLMCall]:
        """The calls in the order in which they started."""
        return [folded.call for folded in self.folded]


def read_calls(
    paths: Iterable[StrPath] | StrPath, *, signal: Signal | None = None, failed_calls: bool = False
) -> list[LLMCall]:
    """The LLM calls that recorded OTLP files tell of, each once, in the order in which they started.

    ``paths`` are files as the head of `otel_labelstudio.recordings` lists them. ``signal`` says what protobuf files
    hold, whatever their names. ``failed_calls``: those that failed before any answer came as well, with their
    ``error_type`` and without ``output_messages``. Raises `ConfigError` for a file that cannot be opened and
    `DecodeError` for one that is not OTLP.
    """
    return read_recording(decode_files(paths, signal=signal), takes_failed_calls=failed_calls).calls


def read_recording(recording: Recording, *, takes_failed_calls: bool = False) -> RecordedCalls:
    """Joins log records to their spans, reads each span, and folds the readings of one call into one. What any of that
    fails on costs itself alone, and counts as skipped (`SkipReason.FAULT`)."""
    recorded = RecordedTelemetry(recording.spans, recording.log_records, takes_failed_calls=takes_failed_calls)
    folded = FoldedRecording(recorded)
    return RecordedCalls(folded.calls, recorded.skipped, folded.without_valid_ids)


def decode_files(
    paths: Iterable[StrPath] | StrPath, *, signal: Signal | None = None, on_error: OnError | None = None
) -> Recording:
    """The spans and log records of all files together: a call's records may stand in another file than its span."""
    if signal not in (None, "traces", "logs"):
        raise ConfigError(f'signal is "traces" or "logs", not {signal!r}')
    recording = Recording()
    for path in [paths] if isinstance(paths, str | os.PathLike) else paths:
        for part in _decode_file(os.fspath(path), signal):
            if isinstance(part, Recording):
                recording.spans += part.spans
                recording.log_records += part.log_records
                recording.is_protobuf |= part.is_protobuf
            elif on_error is None:
                raise part
            else:
                on_error(part)
    return recording


def _decode_file(path: str, signal: Signal | None) -> Iterator[Recording | LabelStudioExportError]:
    name = "standard input" if path == "-" else path
    try:
        body = _bytes(path)
    except (gzip.BadGzipFile, EOFError, zlib.error):
        yield DecodeError(f"{name}: the gzip stream is damaged")
        return
    except OSError as error:
        yield ConfigError(f"{name}: {error.strerror or error}")
        return
    if is_compressed_with_zstd(body):
        yield DecodeError(f"{name}: compressed with zstd; leave `compression` out in the Collector, and use gzip later")
    elif _is_json(path, body):
        yield from _decode_json(name, body)
    elif is_framed(body):
        yield from _decode_framed(name, body, signal or _signal_of(path))
    else:
        yield _decode_protobuf(name, body, signal or _signal_of(path))


def _bytes(path: str) -> bytes:
    body = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    return gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body


def _is_json(path: str, body: bytes) -> bool:
    suffixes = {suffix.lower() for suffix in Path(path).suffixes[-2:]}
    if suffixes & {".json", ".jsonl", ".ndjson"}:
        return True
    # A protobuf request starts with its first field, 0x0A; a brace would be a group, which OTLP has none of
    return ".pb" not in suffixes and body.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r").startswith(b"{")


def _signal_of(path: str) -> Signal:
    return "logs" if "logs" in Path(path).name.lower() else "traces"


def _decode_protobuf(name: str, body: bytes, signal: Signal) -> Recording | DecodeError:
    found = _decode_message(body, signal)
    return found if isinstance(found, Recording) else DecodeError(f"{name}: {found}")


def _decode_message(body: bytes, signal: Signal) -> Recording | DecodeError:
    try:
        if signal == "logs":
            return Recording(log_records=log_records_from_protobuf(body), is_protobuf=True)
        return Recording(spans=spans_from_protobuf(body), is_protobuf=True)
    except DecodeError as error:
        other = "traces" if signal == "logs" else "logs"
        return DecodeError(f'{error}; if it holds {other}, say so with signal="{other}"')


def _decode_framed(name: str, body: bytes, signal: Signal) -> Iterator[Recording | DecodeError]:
    # Asked for the same message twice in turn: whether it is whole, and what it holds
    decode = lru_cache(maxsize=1)(partial(_decode_message, signal=signal))
    for number, message in enumerate(messages(body, lambda one: _holds_something(decode(one))), start=1):
        place = f"{name}, message {number}"
        if isinstance(message, Torn):
            yield _torn(place, message.is_last)
            continue
        found = decode(message)
        yield found if isinstance(found, Recording) else DecodeError(f"{place}: {found}")


def _holds_something(found: Recording | DecodeError) -> bool:
    return isinstance(found, Recording) and bool(found.spans or found.log_records)


def _decode_json(name: str, body: bytes) -> Iterator[Recording | DecodeError]:
    text = body.removeprefix(b"\xef\xbb\xbf")
    lines = [(number, line) for number, line in enumerate(text.split(b"\n"), start=1) if line.strip()]
    is_of_lines = any(holds_object(line) or is_json(line) for _, line in lines[:2])
    if lines and not is_of_lines:
        lines = [(lines[0][0], text)]  # one object, over several lines
    for index, (number, line) in enumerate(lines, start=1):
        may_come = index == len(lines) and not text.endswith(b"\n")
        yield from _decode_json_line(f"{name}, line {number}", line.strip(), may_come)


def _decode_json_line(name: str, line: bytes, may_come: bool) -> Iterator[Recording | DecodeError]:
    """``may_come`` where the rest of the line may not have been written yet."""
    whole = _decode_json_object(name, line)
    is_damaged = not isinstance(whole, Recording) and not is_json(line)
    if not is_damaged or not (holds_object(line) or (may_come and line.startswith(b"{"))):
        yield whole
        return
    for found in json_objects(line):
        if isinstance(found, Torn):
            yield _torn(name, found.is_last and may_come)
        else:
            yield _decode_json_object(name, found)


def _torn(name: str, is_last: bool) -> DecodeError:
    if is_last:
        return DecodeError(f"{name}: the end is missing; the file is being written, or its writer was killed")
    return DecodeError(
        f"{name}: damaged at one place, probably because its writer was killed; what comes after it is read"
    )


def _decode_json_object(name: str, text: bytes) -> Recording | DecodeError:
    try:
        return Recording(*from_json(text))
    except DecodeError as error:
        return DecodeError(f"{name}: {error}")

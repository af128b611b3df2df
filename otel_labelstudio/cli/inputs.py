"""Recorded OTLP files as a command's input, and what came of them as a summary on standard error."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TextIO

from otel_labelstudio.errors import LabelStudioExportError
from otel_labelstudio.filters.call_filter import FILTER_FAILED, FILTERED
from otel_labelstudio.joining import Join, joined
from otel_labelstudio.printable import printable
from otel_labelstudio.recordings import RecordedCalls, decode_files, read_recording
from otel_labelstudio.settings import Settings
from otel_labelstudio.telemetry import Telemetry

LEFT_OUT, FAILED_FILTER = "filtered", "filter failed"
_LEFT_OUT_WHERE_NONE = (
    *(LEFT_OUT, FAILED_FILTER, "calls joined into others", "calls without valid ids"),
    "unreadable inputs",
)


def add_input_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "inputs",
        nargs="+",
        metavar="INPUT",
        help="an OTLP file: protobuf (.pb), JSON (.json) or JSON lines (.jsonl), as the Collector's file exporter "
        "writes them or one request alone, each also with gzip; - is standard input",
    )
    parser.add_argument(
        "--join",
        choices=tuple(join.value for join in Join),
        help="calls that become one task: `input` for several models' answers to the same input (layout compare), "
        "`trace` for the calls of one trace (layout agent); the call filter sees the joined call",
    )
    parser.add_argument(
        "--signal",
        choices=("traces", "logs"),
        help="what all protobuf inputs hold, whatever their names; an error where all inputs are JSON",
    )
    parser.add_argument("--json", action="store_true", help="the summary as one line of JSON")


@dataclass(slots=True)
class Input:
    """The calls of the input files, how many of them were joined into others, and how many parts of the files could
    not be read."""

    calls: RecordedCalls
    unreadable: int
    joined: int = 0


def read_input(options: argparse.Namespace, settings: Settings) -> Input:
    """Read all that can be read; each part that cannot is a line on standard error."""
    errors: list[LabelStudioExportError] = []

    def report(error: LabelStudioExportError) -> None:
        errors.append(error)
        print(printable(f"otel-labelstudio: {error}"), file=sys.stderr)

    recording = decode_files(options.inputs, signal=options.signal, on_error=report)
    if options.signal and not recording.is_protobuf and not errors:
        options.usage_error("--signal does not apply: it says what a protobuf file holds, and all of this is JSON")
    recorded = read_recording(recording, takes_failed_calls=settings.failed_calls)
    calls = joined(recorded.folded, Join(options.join) if options.join else None)
    return Input(replace(recorded, folded=calls), len(errors), len(recorded.folded) - len(calls))


def dropped_by_filter(telemetry: Telemetry) -> dict[str, int]:
    """For the summary: how many calls the call filter left out, and on how many it failed."""
    counts = telemetry.counts()
    names = {LEFT_OUT: FILTERED, FAILED_FILTER: FILTER_FAILED}
    return {name: counts.get(f"calls.dropped[{reason}]", 0) for name, reason in names.items()}


def print_summary(title: str, found: Input, counts: Mapping[str, int], *, json_to: TextIO | None) -> None:
    """How many calls there were, and how many spans gave none, by reason: on standard error for people, without what
    there is none of; or all of it as a line of JSON."""
    summary = {
        "calls": len(found.calls.folded),
        **counts,
        "calls joined into others": found.joined,
        "calls without valid ids": found.calls.without_valid_ids,
        "unreadable inputs": found.unreadable,
    }
    skipped = {reason.value: number for reason, number in sorted(found.calls.skipped.items())}
    if json_to is not None:
        named = {name.replace(" ", "_"): number for name, number in summary.items()}
        print(json.dumps({**named, "spans_skipped": skipped}), file=json_to)
        return
    lines = [(name, number) for name, number in summary.items() if number or name not in _LEFT_OUT_WHERE_NONE]
    lines += [(f"spans skipped: {reason}", number) for reason, number in skipped.items()]
    width = max(len(name) for name, _ in lines)
    print(title, file=sys.stderr)
    for name, number in lines:
        print(f"  {name:{width}}  {number}", file=sys.stderr)

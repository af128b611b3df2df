"""Look into an outbox file, and deal with its dead letters.

status  counts by state, the oldest call's age, the rate, where delivery is in trouble now and why, and whether the
        last error is over
list    the dead letters, one a line: when, where to, which call, why (no content)
retry   deliver the dead letters after all, once their cause is corrected: the exporter that runs does it, or the next
        one that starts
purge   forget the dead letters

status and list change nothing in the file; one of an older version is read as it is. The others convert it first.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from otel_labelstudio.destinations.destination import Destination
from otel_labelstudio.errors import ConfigError
from otel_labelstudio.outbox import Outbox
from otel_labelstudio.outbox.entry import DeadLetter
from otel_labelstudio.outbox.opening import format_of_file
from otel_labelstudio.outbox.schema import OLDER_FORMATS
from otel_labelstudio.outbox.status import OutboxStatus, TroubledDestination
from otel_labelstudio.printable import counted, printable

_UNBOUNDED = 2**62


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=tuple(_ACTIONS))
    parser.add_argument("path", metavar="FILE", help="the outbox: what OTEL_EXPORTER_LABELSTUDIO_OUTBOX names")
    parser.add_argument("--json", action="store_true", help="as one line of JSON")


def run(options: argparse.Namespace) -> int:
    if not os.path.isfile(options.path):
        raise ConfigError(f"outbox {options.path}: there is no such file")
    is_read_only = options.action in _LOOKING
    outbox = Outbox(options.path, max_calls=_UNBOUNDED, max_bytes=_UNBOUNDED, is_read_only=is_read_only)
    try:
        _ACTIONS[options.action](outbox, options)
    finally:
        outbox.close()
    return 0


def _status(outbox: Outbox, options: argparse.Namespace) -> None:
    status, file_format = outbox.figures.status(), format_of_file(options.path)
    if options.json:
        print(json.dumps({"format": file_format, **_status_record(status)}))
        return
    if file_format in OLDER_FORMATS:
        print(f"Format {file_format}, of an older version: the next exporter that opens this file converts it.\n")
    lines = [(state.replace("_", " "), str(number)) for state, number in status.states.items()]
    lines += [("content awaiting its span", str(status.held)), *_further(status)]
    width = max(len(name) for name, _ in lines)
    for name, value in lines:
        print(printable(f"{name:{width}}  {value}"))


def _status_record(status: OutboxStatus) -> dict[str, Any]:
    """Without the dead letters, which `list` tells."""
    record = asdict(status)
    del record["dead_letters"]
    return {**record, "paused": _reasons(status.paused), "retried": _reasons(status.retried)}


def _reasons(troubled: Sequence[TroubledDestination]) -> dict[str, str]:
    return {trouble.destination: trouble.reason for trouble in troubled}


def _further(status: OutboxStatus) -> list[tuple[str, str]]:
    return [
        ("bytes waiting", str(status.waiting_bytes)),
        ("oldest waits for", "-" if status.oldest_age_s is None else f"{status.oldest_age_s:.0f} s"),
        ("delivered in the last minute", str(status.delivered_last_minute)),
        ("last delivery", _when(status.last_delivered_at)),
        ("last looked at by an exporter", _when(status.delivery_seen_at)),
        *_troubled("paused", status.paused, status.paused_count),
        *_troubled("retried", status.retried, status.retried_count),
        ("last error", _last_error(status)),
    ]


def _troubled(how: str, shown: Sequence[TroubledDestination], number: int) -> Iterator[tuple[str, str]]:
    """What is in trouble now, and when it was tried last."""
    for trouble in shown:
        yield f"{how}: {Destination.loads(trouble.destination)}", f"{_time(trouble.tried_at)} {trouble.reason}"
    if number > len(shown):
        yield how, f"{number - len(shown)} further destinations"


def _last_error(status: OutboxStatus) -> str:
    if status.last_error_at is None:
        return "none"
    over = "" if status.last_error_over_at is None else f" (over since {_time(status.last_error_over_at)})"
    return f"{_time(status.last_error_at)} {status.last_error}{over}"


def _when(seconds: float | None) -> str:
    return "never" if seconds is None else _time(seconds)


def _list(outbox: Outbox, options: argparse.Namespace) -> None:
    letters = outbox.dead_letters.all()
    if options.json:
        print(json.dumps([_record(letter) for letter in letters]))
        return
    for letter in letters:
        where = Destination.loads(letter.destination)
        print(printable(f"{_time(letter.died_at)}  {where}  {letter.call_id}  {letter.reason}"))


def _record(letter: DeadLetter) -> dict[str, Any]:
    """Without the call, which is content."""
    where = str(Destination.loads(letter.destination))
    return {"died_at": letter.died_at, "destination": where, "call_id": letter.call_id, "reason": letter.reason}


def _retry(outbox: Outbox, options: argparse.Namespace) -> None:
    count = outbox.dead_letters.retry()
    letters = counted(count, "dead letter")
    print(json.dumps({"retried": count}) if options.json else f"To be delivered again: {letters}.")


def _purge(outbox: Outbox, options: argparse.Namespace) -> None:
    count = outbox.dead_letters.purge()
    letters = counted(count, "dead letter")
    print(json.dumps({"removed": count}) if options.json else f"Removed: {letters}.")


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).isoformat(sep=" ", timespec="seconds")


_LOOKING = ("status", "list")
_ACTIONS: dict[str, Callable[[Outbox, argparse.Namespace], None]] = {
    "status": _status,
    "list": _list,
    "retry": _retry,
    "purge": _purge,
}

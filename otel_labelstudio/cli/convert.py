"""Recorded OTLP files to Label Studio tasks, as JSON lines on standard output; needs no server.

Counts, by reason, go to standard error. Exit status 1 where an input could not be read or the call filter failed on a
call; the rest is converted.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

from otel_labelstudio.calls import LLMCall
from otel_labelstudio.cli.inputs import (
    FAILED_FILTER,
    add_input_arguments,
    dropped_by_filter,
    print_summary,
    read_input,
)
from otel_labelstudio.cli.settings import CALLS, add_setting_arguments, flag_of, settings_from
from otel_labelstudio.filters.call_filter import filtered
from otel_labelstudio.filters.large_media import without_large_media
from otel_labelstudio.identity import with_valid_ids
from otel_labelstudio.outbox.serialization import key_text
from otel_labelstudio.printable import logger, printable
from otel_labelstudio.routing import rules_of
from otel_labelstudio.settings import Settings
from otel_labelstudio.settle.fold import FoldedCall
from otel_labelstudio.tasks.build import build_task
from otel_labelstudio.tasks.mend import mend
from otel_labelstudio.telemetry import Telemetry

_logger = logger(__name__)

# How tasks are made of calls
_OF_TASKS = ("project_config", "answer_tag", "require_prediction", "mode", "layout", "model_version")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_input_arguments(parser)
    parser.add_argument("--format", choices=("tasks", "calls"), default="tasks", help="tasks, or the calls themselves")
    add_setting_arguments(parser, (*_OF_TASKS, *CALLS))


def run(options: argparse.Namespace) -> int:
    for name in _OF_TASKS if options.format == "calls" else ():
        if getattr(options, name) is not None:
            options.usage_error(f"{flag_of(name)} says how tasks are made: it does not apply to --format calls")
    settings = settings_from(options, needs_server=False)
    found = read_input(options, settings)
    telemetry = Telemetry()
    calls = _storable(found.calls.folded, settings, telemetry)
    refusals: list[str] = []
    if options.format == "calls":
        records: Iterator[dict[str, Any]] = (mend(call.to_dict()) for call, _ in calls)
    else:
        records = _tasks(calls, settings, refusals)
    written = 0
    for record in records:
        sys.stdout.write(json.dumps(record, allow_nan=False) + "\n")
        written += 1
    sys.stdout.flush()
    if refusals:
        print(printable(f"otel-labelstudio: {refusals[0]}"), file=sys.stderr)
    dropped = dropped_by_filter(telemetry)
    counts = {"written": written, "refused": len(refusals), **dropped}
    print_summary("Converted", found, counts, json_to=sys.stderr if options.json else None)
    return 1 if found.unreadable or dropped[FAILED_FILTER] else 0


def _storable(calls: Iterable[FoldedCall], settings: Settings, telemetry: Telemetry) -> list[tuple[LLMCall, str]]:
    """The calls as an exporter with these settings would store them, each with its ``call_id``."""
    warn = lru_cache(_logger.warning)  # each text once
    return [
        (without_large_media(call, settings.media_max_bytes), key_text(folded.keys_of(call)[0]))
        for folded in calls
        for call in map(
            with_valid_ids,
            filtered([folded.call], settings.call_filter, telemetry, warn, folded.resource_attributes),
        )
    ]


def _tasks(calls: Iterable[tuple[LLMCall, str]], settings: Settings, refusals: list[str]) -> Iterator[dict[str, Any]]:
    rules = rules_of(settings)
    binding = rules.binding(rules.label_config)
    for call, call_id in calls:
        why = rules.refusal(binding, is_chat=call.is_chat, project=settings.project_title(), is_made=False)
        if why is None:
            try:
                task = build_task(call, binding, call_id=call_id, model_version_template=settings.model_version)
            except Exception as error:  # one call that cannot be built must not keep the rest from being converted
                why = f"a call cannot be made into a task ({type(error).__name__})"
            else:
                yield task.to_dict()
        if why is not None:
            refusals.append(why)

"""Recorded OTLP files to Label Studio tasks, as JSON lines on standard output; needs no server.

Counts, by reason, go to standard error. Exit status 1 where an input could not be read; the rest is converted.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from typing import Any

from otel_labelstudio.cli.inputs import Input, add_input_arguments, print_summary, read_input
from otel_labelstudio.cli.settings import add_setting_arguments, settings_from
from otel_labelstudio.config import Settings
from otel_labelstudio.delivery.written import key_of
from otel_labelstudio.media import without_large_media
from otel_labelstudio.routing import rules_of
from otel_labelstudio.tasks.binding import binding_from_label_config
from otel_labelstudio.tasks.build import build_task, is_chat
from otel_labelstudio.tasks.mend import mend


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_input_arguments(parser)
    parser.add_argument("--format", choices=("tasks", "calls"), default="tasks", help="tasks, or the calls themselves")
    add_setting_arguments(parser, ("project_config", "mode", "model_version"))


def run(options: argparse.Namespace) -> int:
    settings = settings_from(options, needs_server=False)
    found = read_input(options)
    refusals: list[str] = []
    if options.format == "calls":
        records: Iterator[dict[str, Any]] = (mend(call.to_dict()) for call in found.calls.calls)
    else:
        records = _tasks(found, settings, refusals)
    written = 0
    for record in records:
        sys.stdout.write(json.dumps(record, allow_nan=False) + "\n")
        written += 1
    sys.stdout.flush()
    if refusals:
        print(f"otel-labelstudio: {refusals[0]}", file=sys.stderr)
    print_summary("Converted", found, written=written, refused=len(refusals))
    return 1 if found.unreadable else 0


def _tasks(found: Input, settings: Settings, refusals: list[str]) -> Iterator[dict[str, Any]]:
    rules = rules_of(settings)
    binding = binding_from_label_config(rules.label_config)
    for call in found.calls.calls:
        why = rules.refusal(binding, is_chat=is_chat(call), project=settings.project_title(), is_made=False)
        if why is None:
            call = without_large_media(call, settings.media_max_bytes)
            task = build_task(call, binding, call_id=key_of(call), model_version_template=settings.model_version)
            yield task.to_dict()
        else:
            refusals.append(why)

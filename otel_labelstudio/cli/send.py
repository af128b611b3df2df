"""Recorded OTLP files, delivered to Label Studio as tasks.

May be repeated: a call that an earlier run has delivered is found by its call_id and not sent again, also where its
project was renamed since. Waits for a server that is down or busy; ends where only a person can help: the key, the
project, its labeling interface. Counts, by reason, go to standard error, or with --json to standard output. Exit status
1 where an input could not be read or a call was not delivered, unless the call filter left it out.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from otel_labelstudio.cli.inputs import LEFT_OUT, add_input_arguments, dropped_by_filter, print_summary, read_input
from otel_labelstudio.cli.sent_before import SentBefore
from otel_labelstudio.cli.settings import CALLS, IMPORTS, PROJECT, SERVER, add_setting_arguments, settings_from
from otel_labelstudio.pipeline import Pipeline
from otel_labelstudio.printable import printable
from otel_labelstudio.settle.fold import FoldedCall

_POLL_S = 0.5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_input_arguments(parser)
    add_setting_arguments(parser, (*PROJECT, *SERVER, *CALLS, *IMPORTS))


def run(options: argparse.Namespace) -> int:
    # An outbox that an application shares would deliver, or already know, what is to be sent here
    settings = settings_from(options)
    found = read_input(options, settings)
    pipeline = Pipeline(replace(settings, outbox=None))
    calls = found.calls.folded
    try:
        _deliver(pipeline, calls, SentBefore(settings), batch_size=settings.batch_size)
    except KeyboardInterrupt:
        print("Interrupted. Run the same command again: what was delivered is not sent twice.", file=sys.stderr)
        return 130
    pipeline.close(timeout_s=0, is_kept_elsewhere=True)
    dead = pipeline.dead_letters()
    for reason in dict.fromkeys(letter.reason for letter in dead):
        print(printable(f"otel-labelstudio: {reason}"), file=sys.stderr)
    delivered = pipeline.telemetry.counts().get("tasks.delivered", 0)
    dropped = dropped_by_filter(pipeline.telemetry)
    counts = {"delivered": delivered, "refused": len(dead), **dropped}
    print_summary(f"Sent to {settings.url}", found, counts, json_to=sys.stdout if options.json else None)
    wanted = len(calls) - dropped[LEFT_OUT]
    return 1 if found.unreadable or delivered < wanted else 0


def _deliver(pipeline: Pipeline, calls: Sequence[FoldedCall], sent_before: SentBefore, *, batch_size: int) -> None:
    """Hand over a batch at a time, so that the outbox never fills, and wait however long Label Studio takes; end where
    delivery is paused, which the worker has logged."""
    for destination, project_id in sent_before.all():
        pipeline.sent_to.note(destination, project_id)
    columns = (TextColumn("Sending"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bar = progress.add_task("send", total=len(calls))
        for start in range(0, len(calls), batch_size):
            batch = calls[start : start + batch_size]
            pipeline.accept_calls(batch, may_be_stored=True)
            is_done = False
            while not is_done:
                is_done = pipeline.flush(_POLL_S)
                sent_before.remember(pipeline.sent_to.all())
                if not is_done and pipeline.telemetry.counts().get("deliveries.failed[PausedDeliveryError]"):
                    return
            progress.advance(bar, len(batch))

"""What people did in Label Studio, as files to train and to evaluate with.

Writes OUT_DIR/{sft,dpo,kto,eval}/{train,test}.jsonl, a README.md by which datasets.load_dataset(OUT_DIR, "sft") loads
them, and provenance.jsonl, which says of each row where it comes from. Run it again when more is labeled: it reads what
has changed, and replaces the files as a whole. What it has read is in OUT_DIR.state, which is not to be published.
Exit status 1 where it failed, and with --strict where a row could not be written.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from otel_labelstudio.annotations.collecting import Source, collect
from otel_labelstudio.annotations.datasets import Contents, Dataset
from otel_labelstudio.cli.collecting import add_collecting_arguments, opened_source, since_of
from otel_labelstudio.cli.dataset_options import add_option_arguments, options_from
from otel_labelstudio.cli.progress import shown_progress
from otel_labelstudio.cli.settings import SERVER, settings_from


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("out_dir", metavar="OUT_DIR", type=Path, help="absent, empty, or written by this command")
    add_option_arguments(parser)
    add_collecting_arguments(parser, (*SERVER, "call_filter"))
    parser.add_argument("--strict", action="store_true", help="exit with status 1 if a row could not be written")
    parser.add_argument("--json", action="store_true", help="the summary as one line of JSON")


def run(options: argparse.Namespace) -> int:
    wanted = options_from(options)
    # Of an export file only the ids of its projects are known
    of = "a file" if options.input else settings_from(options, needs_server=False).url
    with opened_source(options) as source, Dataset(options.out_dir, wanted, of=of) as dataset:
        contents = _written(dataset, source, options)
        tasks = dataset.count_of_tasks()
    print(_as_json(tasks, contents)) if options.json else _print(tasks, contents, options.out_dir)
    return 1 if options.strict and any(not reason.is_choice for _, reason in contents.reasons) else 0


def _written(dataset: Dataset, source: Source, options: argparse.Namespace) -> Contents:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with shown_progress(*columns) as progress:
        reading = progress.add_task("Reading tasks", total=None)
        since = since_of(options, dataset.read_until)
        for batch in collect(source, since=since, watermarks=dataset.read_until):
            dataset.take_in(batch)
            progress.advance(reading, len(batch.tasks))
        progress.update(reading, total=progress.tasks[0].completed)
        writing = progress.add_task("Writing rows", total=dataset.count_of_rows())
        contents = dataset.write(lambda rows: progress.advance(writing, rows))
        progress.update(writing, total=progress.tasks[1].completed)
    return contents


def _print(tasks: int, contents: Contents, directory: Path) -> None:
    """Tables for people, on standard error as all summaries."""
    console = Console(stderr=True)
    print(f"Written to {directory}, of {tasks:,} annotated {'task' if tasks == 1 else 'tasks'}:", file=sys.stderr)
    rows = Table("rows", "file", box=None)
    for kind, splits in contents.rows.items():
        for split, count in splits.items():
            rows.add_row(f"{count:,}", f"{kind.value}/{split}.jsonl")
    console.print(rows)
    if contents.reasons:
        left_out = Table("left out", "of", "why", box=None)
        for (of, reason), count in contents.reasons.items():
            left_out.add_row(f"{count:,}", of or "all kinds", reason.meaning)
        console.print(left_out)


def _as_json(tasks: int, contents: Contents) -> str:
    return json.dumps(
        {
            "tasks": tasks,
            "rows": {kind.value: dict(splits) for kind, splits in contents.rows.items()},
            "left_out": [
                {"kind": kind or None, "reason": reason.code, "count": count}
                for (kind, reason), count in contents.reasons.items()
            ],
        }
    )

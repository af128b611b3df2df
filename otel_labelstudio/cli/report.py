"""Evaluate the answers by what people did with them: a page, JSON or text.

Of each model, service, prompt version or any other field: how many answers were left as they were, edited or removed,
how they were rated and why, which of several was preferred, each with an interval; how far annotators agree; the edits
that people make most; and what changed from one period to another.

The page holds answers, corrections and comments: its mode is 0600. It needs otel-labelstudio[report].
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.progress import MofNCompleteColumn, SpinnerColumn, TextColumn

from otel_labelstudio.annotations import JudgedCall, NotJudged, collect
from otel_labelstudio.annotations.collecting import Source
from otel_labelstudio.annotations.judging import judged_or_left_out
from otel_labelstudio.cli.collecting import add_collecting_arguments, opened_source, since_of
from otel_labelstudio.cli.progress import shown_progress
from otel_labelstudio.errors import ConfigError
from otel_labelstudio.printable import counted

if TYPE_CHECKING:
    from otel_labelstudio.annotations.report import Period, Report

FORMATS = ("html", "json", "text")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "output", nargs="?", metavar="OUT", help="the file; without one JSON and text go to standard output"
    )
    parser.add_argument("--format", choices=FORMATS, default="html", help="default: html")
    parser.add_argument(
        "--by",
        type=_fields,
        metavar="FIELD,...",
        help="fields of the calls, a table each; FIELD+FIELD makes groups of both; model, service, prompt_version, "
        "project, provider, operation, finish_reason, tags, user_id, metadata.KEY, request.PARAMETER and more "
        "(default: model,service,prompt_version,project where they tell calls apart)",
    )
    periods = parser.add_mutually_exclusive_group()
    periods.add_argument(
        "--compare", metavar="FROM..TO,FROM..TO", help="what changed between two periods in which the calls began (UTC)"
    )
    periods.add_argument("--before", metavar="DATE", help="the same: before that date (UTC), and from then on")
    parser.add_argument("--title", metavar="TEXT", help="of the page")
    add_collecting_arguments(parser, since="all")


def run(options: argparse.Namespace) -> int:
    if options.format == "html" and options.output is None:
        options.usage_error("name the file of the page, such as report.html, or choose --format text")
    _ensure_extra()
    from otel_labelstudio.annotations.report import TITLE, Format, shown, write_report

    report = _report(options)
    form = Format(options.format)
    if options.output is None:
        sys.stdout.write(shown(report, form))
        return 0
    write_report(report, options.output, form, title=options.title or TITLE)
    judged = report.total.calls
    print(f"{counted(judged, 'judged call')}: {options.output}", file=sys.stderr)
    return 0


def _report(options: argparse.Namespace) -> Report:
    from otel_labelstudio.annotations.report import report_of

    by, compare = _asked_for(options)
    with opened_source(options) as source:
        return report_of(_judged(source, options), by=by, compare=compare)


def _asked_for(options: argparse.Namespace) -> tuple[Sequence[str], tuple[Period, Period] | None]:
    """Fields and periods. Which there are, the report knows; what is wrong is a wrong command line all the same."""
    from otel_labelstudio.annotations.report.fields import DEFAULT, checked

    try:
        by = DEFAULT if options.by is None else tuple(map(checked, options.by))
        return by, _periods(options)
    except ConfigError as error:
        options.usage_error(str(error))
        raise  # for type checkers: the line above ends the command


def _judged(source: Source, options: argparse.Namespace) -> Iterator[JudgedCall | NotJudged]:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), MofNCompleteColumn())
    with shown_progress(*columns) as progress:
        bar = progress.add_task("annotated tasks", total=None)
        for batch in collect(source, since=since_of(options)):
            yield from map(judged_or_left_out, batch.tasks)
            progress.advance(bar, len(batch.tasks))


def _periods(options: argparse.Namespace) -> tuple[Period, Period] | None:
    from otel_labelstudio.annotations.report import periods

    if options.before is not None:
        return periods(f"..{options.before},{options.before}..")
    return None if options.compare is None else periods(options.compare)


def _fields(text: str) -> Sequence[str]:
    return tuple(field.strip() for field in text.split(",") if field.strip())


def _ensure_extra() -> None:
    """Of the package nothing else needs what the extra brings, so that it is imported here and not before."""
    try:
        import otel_labelstudio.annotations.report  # noqa: F401
    except ModuleNotFoundError as error:
        raise ConfigError(f"{error.name} is missing: pip install 'otel-labelstudio[report]'") from None

"""A report as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from io import StringIO

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from otel_labelstudio.annotations.report import words
from otel_labelstudio.annotations.report.records import Breakdown, Comparison, Group, Report, TaskLink
from otel_labelstudio.printable import printable

_WIDTH = 120
_SHOWN_VALUES = 4


def to_text(report: Report, *, width: int = _WIDTH) -> str:
    """The report as plain text, ``width`` characters wide."""
    output = StringIO()
    console = Console(file=output, width=width, color_system=None, highlight=False, legacy_windows=False)
    for table in _tables(report):
        console.print(table)
    return "\n".join(line.rstrip() for line in output.getvalue().splitlines()) + "\n"


def _tables(report: Report) -> Iterator[Table]:
    yield _groups("Human feedback: " + (", ".join(report.projects) or "no project"), "", [report.total])
    for breakdown in report.breakdowns:
        yield _groups(f"By {breakdown.field}", _left_out(breakdown), breakdown.groups)
    if report.disregarded:
        yield _table("Annotations that are nobody's judgement", ["reason", "annotations"], report.disregarded)
    if report.matches:
        won = [
            (m.model, m.other, words.share(m.won), words.share_interval(m.won.interval), m.won.calls)
            for m in report.matches
        ]
        yield _table("Preferred", ["answers of", "to those of", "in", "95 %", "of calls"], won)
    if report.agreement:
        rows = [
            (a.control, a.level, words.alpha(a.alpha), words.alpha_interval(a.interval), a.units, a.pairs)
            for a in report.agreement
        ]
        yield _table("Agreement: Krippendorff's alpha", ["control", "level", "alpha", "95 %", "units", "pairs"], rows)
    if report.comparison:
        yield _comparison(report.comparison)
    if report.edits:
        edits = [(e.calls, e.removed, e.inserted, _link(e.example)) for e in report.edits]
        yield _table("The most frequent edits", ["calls", "removed", "written", "example"], edits)
    if report.remarkable:
        tasks = [(_link(r.task), r.model, r.why, r.comment) for r in report.remarkable]
        yield _table("Tasks to look at", ["task", "model", "why", "comment"], tasks)


def _groups(title: str, caption: str, groups: Sequence[Group]) -> Table:
    columns = ["", "calls", "people", "unchanged", "95 %", "edited", "removed", "edit size", "said"]
    rows = [
        (
            group.name,
            group.calls,
            group.annotators,
            words.share(group.unchanged),
            words.share_interval(group.unchanged.interval),
            words.share(group.edited),
            words.share(group.removed),
            words.size(group.edit_size.median) if group.edit_size else words.NOTHING,
            "\n".join(_said(group)),
        )
        for group in groups
    ]
    return _table(title, columns, rows, caption)


def _said(group: Group) -> Iterator[str]:
    for rated in group.numbers:
        yield f"{rated.control}: {words.mean(rated.distribution)} (n={rated.distribution.calls})"
    for chosen in group.choices:
        shown = chosen.values[:_SHOWN_VALUES]
        values = ", ".join(f"{words.choice(value)} {words.share(share)}" for value, share in shown)
        yield f"{chosen.control}: {values}"
    for place in group.places:
        yield f"answer {place.index + 1} first: {words.share(place.first)}"


def _comparison(comparison: Comparison) -> Table:
    rows = [
        (
            name,
            found.figure,
            words.before(found),
            words.after(found),
            words.difference(found),
            words.difference_interval(found),
        )
        for name, differences in comparison.groups
        for found in differences
    ]
    title = f"What changed: {words.period(comparison.before)} / {words.period(comparison.after)}"
    return _table(title, ["calls", "figure", "before", "after", "difference", "95 %"], rows)


def _table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], caption: str = "") -> Table:
    table = Table(title=_plain(title), caption=_plain(caption), box=SIMPLE_HEAD, title_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*map(_plain, row))
    return table


def _plain(value: object) -> Text:
    """Of labelers and models: neither rich's markup nor a control character in it counts."""
    return Text("\n".join(printable(line) for line in str(value).split("\n")))


def _link(task: TaskLink) -> str:
    return task.url or f"{task.project}, task {task.task_id}"


def _left_out(breakdown: Breakdown) -> str:
    return f"and {breakdown.left_out} more" if breakdown.left_out else ""

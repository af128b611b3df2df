"""A report as a file: whole or not at all, and for its owner's eyes only, since it holds what people wrote."""

from __future__ import annotations

import os
import tempfile
from enum import Enum
from pathlib import Path

from otel_labelstudio.annotations.report.as_json import to_json
from otel_labelstudio.annotations.report.as_text import to_text
from otel_labelstudio.annotations.report.page import TITLE, to_html
from otel_labelstudio.annotations.report.records import Report
from otel_labelstudio.errors import ConfigError


class Format(str, Enum):
    """How a report is shown."""

    HTML = "html"
    JSON = "json"
    TEXT = "text"


def shown(report: Report, form: Format, *, title: str = TITLE) -> str:
    """The report in this format; only a page has a title."""
    if form is Format.HTML:
        return to_html(report, title=title)
    return to_json(report) if form is Format.JSON else to_text(report)


def write_report(
    report: Report, path: str | os.PathLike[str], form: Format = Format.HTML, *, title: str = TITLE
) -> None:
    """Write the report to a file of mode 0600, beside it first, so that nobody ever reads half of one.

    Raises:
        ConfigError: the file cannot be written.
    """
    target = Path(path)
    content = shown(report, form, title=title)
    try:
        _replace(target, content)
    except OSError as error:
        raise ConfigError(f"Cannot write the report to {target}: {error.strerror or error}.") from error


def _replace(target: Path, content: str) -> None:
    # mkstemp makes files of mode 0600
    descriptor, aside = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(content)
        os.replace(aside, target)
    except BaseException:
        os.unlink(aside)
        raise

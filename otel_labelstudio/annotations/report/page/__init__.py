"""A report as one HTML page that needs nothing else: styles and plots stand in it, and no script.

Everything that people or models wrote is escaped by Jinja, and a policy at the page's head forbids to load or run
anything, should that ever fail.
"""

from __future__ import annotations

from importlib import resources

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from otel_labelstudio.annotations.report import words
from otel_labelstudio.annotations.report.page import plots
from otel_labelstudio.annotations.report.records import Report

TITLE = "Human feedback"
# What HTML cannot hold: control characters, and halves of surrogate pairs from damaged telemetry
_UNSHOWABLE = {
    **{code: "\ufffd" for code in (*range(32), 127, *range(0xD800, 0xE000)) if chr(code) not in "\t\n"},
    # Marks of direction would turn around what stands beside them
    **dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A)), "\ufffd"),
}


def to_html(report: Report, *, title: str = TITLE) -> str:
    """The whole page."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_showable
    )
    environment.globals.update(words=words, plots=plots, style=Markup(_read("style.css")))  # noqa: S704
    return environment.from_string(_read("report.html.jinja")).render(report=report, title=title) + "\n"


def _showable(value: object) -> object:
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return value.translate(_UNSHOWABLE)


def _read(name: str) -> str:
    return (resources.files("otel_labelstudio.annotations.report.page") / name).read_text(encoding="utf-8")

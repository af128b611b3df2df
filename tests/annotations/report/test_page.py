"""The page of a report, as text; in Chromium it is opened by tests/browser/test_report.py."""

from __future__ import annotations

import json
import re

import pytest

from otel_labelstudio.annotations.report.as_json import to_json
from otel_labelstudio.annotations.report.as_text import to_text
from otel_labelstudio.annotations.report.build import report_of
from otel_labelstudio.annotations.report.comparing import periods
from otel_labelstudio.annotations.report.page import to_html
from otel_labelstudio.annotations.report.records import Report
from tests.annotations.report import team
from tests.annotations.report.judged import answer, comment, judged, judgement, many, rating

COMPARED = periods("..2026-12-03T12:00,2026-12-03T12:00..")


@pytest.fixture(scope="module")
def report() -> Report:
    return report_of(team.calls(), compare=COMPARED)


def test_the_page_names_nothing_outside_but_the_tasks(report: Report) -> None:
    """Addresses are links to tasks and XML namespaces; there is no script, and a policy that forbids all but styles."""
    page = to_html(report)
    addresses = set(re.findall(r"https?://[^\s\"'<>&)]+", page))
    tasks = r"http://labels\.example:8080/projects/\d+/data\?task=\d+|http://www\.w3\.org/(2000/svg|1999/xlink)"
    assert addresses
    assert [address for address in addresses if not re.fullmatch(tasks, address)] == []
    assert "<script" not in page
    assert "default-src &#39;none&#39;" in page or "default-src 'none'" in page


def test_the_page_is_the_same_each_time() -> None:
    """Byte for byte, plots included, and no id stands in it twice."""
    calls = list(team.calls())
    page = to_html(report_of(calls, compare=COMPARED))
    assert page == to_html(report_of(iter(calls), compare=COMPARED))
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids)) > 50


def test_json_has_every_figure(report: Report) -> None:
    """By the records' names, with three digits after the point, shares with their values."""
    found = json.loads(to_json(report))
    unchanged = found["total"]["unchanged"]
    assert unchanged["calls"] == 200
    assert unchanged["value"] == round(unchanged["count"] / 200, 3)
    assert set(unchanged["interval"]) == {"low", "high"}
    assert {breakdown["field"] for breakdown in found["breakdowns"]} == {"model", "prompt_version", "project"}
    assert found["agreement"][0]["control"] == "answer text"
    assert found["comparison"]["after"]["start"] == "2026-12-03T12:00:00+00:00"
    assert re.search(r"\d\.\d{4}", to_json(report)) is None


def test_text_has_every_table(report: Report) -> None:
    """As wide as asked for."""
    text = to_text(report, width=100)
    for title in ("By model", "Agreement", "What changed", "The most frequent edits", "Tasks to look at"):
        assert re.search(rf"^{title}", text, re.MULTILINE)
    assert max(map(len, text.splitlines())) <= 100


def test_few_calls_are_shown_without_percents() -> None:
    """3 of 4 is all that can be said, on the page and in the terminal."""
    calls = [*many(3, answer(), says=[rating(4)]), judged(judgement(says=[rating(1)]))]
    report = report_of(calls)
    assert "3 of 3" in to_text(report)
    assert "median 4 of 5" in to_text(report)
    assert "%" not in re.sub(r"95 %", "", to_text(report))
    assert "n too small for an interval" in to_html(report)


def test_a_report_of_nothing_says_so() -> None:
    """Whoever has no annotation yet gets a page and no error."""
    assert "Nobody has judged a call yet." in to_html(report_of([]))
    assert "all calls" in to_text(report_of([]))


def test_damaged_text_can_be_written_and_does_nothing_to_a_terminal() -> None:
    """Half of a surrogate pair, escape sequences, rich's markup and marks of direction."""
    hostile = "\ud800 \x1b[2J [bold]x[/bold] [/] \u202eltr"
    calls = many(2, answer(), says=[rating(1), comment(hostile)], model=hostile)
    report = report_of(calls)
    for shown in (to_html(report), to_text(report), to_json(report)):
        shown.encode("utf-8")
    text = to_text(report)
    assert "\x1b" not in text
    assert "[bold]x[/bold]" in text
    assert json.loads(to_json(report))["breakdowns"][0]["groups"][0]["name"] == hostile
    assert not set("\x1b\u202e") & set(to_html(report))

"""The page of a report, opened from its file in Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, Request

from otel_labelstudio.annotations.records import AnnotatedProject, JudgedCall
from otel_labelstudio.annotations.report.build import report_of
from otel_labelstudio.annotations.report.comparing import periods
from otel_labelstudio.annotations.report.page import to_html
from tests.annotations.report import team
from tests.annotations.report.judged import answer, chosen, comment, edited, judged, judgement, rating
from tests.browser.chromium import page_of
from tests.tasks.hostile_text import ADDRESS, PAYLOADS

_RAN_ALL = """
() => {
  document.querySelectorAll('details').forEach(fold => { fold.open = true })
  document.querySelectorAll('body *').forEach(element => {
    for (const name of ['mouseover', 'focus', 'toggle', 'load', 'error']) element.dispatchEvent(new Event(name))
  })
}"""
_FOREIGN = "script,img,iframe,object,embed,form,link,video,audio,base,foreignObject"


@pytest.fixture(scope="module")
def page(chromium: Path) -> Iterator[Page]:
    with page_of(chromium) as page:
        yield page


def opened(page: Page, file: Path) -> list[str]:
    """Opens the file; gives what was asked for beside it, which goes on being added to."""
    requests: list[str] = []

    def on_request(request: Request) -> None:
        if request.url != file.as_uri():
            requests.append(request.url)

    page.on("request", on_request)
    page.goto(file.as_uri())
    return requests


def hostile_calls() -> Iterator[JudgedCall]:
    """Each payload wherever people, models or an administrator can write something."""
    for text in PAYLOADS.values():
        project = AnnotatedProject(3, text, "http://labels.example:8080")
        says = [rating(1, name=text), chosen(text, name=text), comment(text)]
        for by in (1, 2):
            yield judged(
                judgement(edited(f"{text} other", 0.1, base=f"{text} words"), by=by, says=says),
                judgement(answer(), by=3, says=says),
                model=text,
                project=project,
                service_name=text,
                metadata={"prompt_version": text},
            )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_needs_nothing_else(page: Page, tmp_path: Path, scheme: str) -> None:
    """No request to anywhere, no error on the console; the plots have the scheme's colours; it fits 1280 pixels."""
    file = tmp_path / "report.html"
    file.write_text(to_html(report_of(team.calls(), compare=periods("..2026-12-03,2026-12-03.."))), encoding="utf-8")
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text))
    page.set_viewport_size({"width": 1280, "height": 900})
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    requests = opened(page, file)
    assert page.locator("h2").all_inner_texts()[0] == "By model"
    assert page.locator("svg:visible").count() > 8
    assert page.evaluate("document.documentElement.scrollWidth") == 1280
    label = page.locator("svg text", has_text="gpt-4o-mini").first
    text, back = (label.evaluate(f"element => getComputedStyle(element).{name}") for name in ("fill", "color"))
    assert text == page.evaluate("getComputedStyle(document.body).color") == back
    assert (requests, errors) == ([], [])


def test_hostile_texts_run_nothing(page: Page, tmp_path: Path) -> None:
    """In every field, with every fold open and every event fired: no script, no request, no foreign element; and what
    was written can be read."""
    file = tmp_path / "hostile.html"
    file.write_text(
        to_html(report_of(hostile_calls(), by=["model", "service", "prompt_version", "project"])), encoding="utf-8"
    )
    requests = opened(page, file)
    page.evaluate(_RAN_ALL)
    page.wait_for_timeout(500)
    assert page.evaluate("window.hostile") is None
    assert page.locator(_FOREIGN).count() == 0
    assert (requests, page.url) == ([], file.as_uri())
    assert page.evaluate("() => [...document.links].every(link => link.href.startsWith('http://labels.example:8080/'))")
    assert ADDRESS in page.locator("body").inner_text()


def test_a_raw_payload_would_be_stopped_by_the_policy(page: Page, tmp_path: Path) -> None:
    """The second wall: should escaping ever fail, the policy lets no script run and nothing load."""
    html = to_html(report_of(team.calls()))
    raw = f"{PAYLOADS['script']}{PAYLOADS['handler']}{PAYLOADS['remote']}</body>"
    file = tmp_path / "raw.html"
    file.write_text(html.replace("</body>", raw), encoding="utf-8")
    opened(page, file)
    page.wait_for_timeout(500)
    assert page.evaluate("window.hostile") is None
    file.write_text(raw, encoding="utf-8")
    page.goto(file.as_uri())
    page.wait_for_function("window.hostile === 1 || window.hostile === '1'")


def test_the_page_can_be_printed(page: Page, tmp_path: Path) -> None:
    """On paper it is dark on white, whatever the scheme, and what is folded on the screen is there."""
    file = tmp_path / "report.html"
    file.write_text(to_html(report_of(team.calls(), compare=periods("..2026-12-03,2026-12-03.."))), encoding="utf-8")
    page.emulate_media(media="print", color_scheme="dark")
    opened(page, file)
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    folded = page.locator("details td").first
    assert folded.is_visible()
    page.emulate_media(media="screen", color_scheme="light")
    assert not folded.is_visible()

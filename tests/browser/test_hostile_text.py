"""Text that would run, load, navigate or restyle something, in the labeling page of a real Label Studio.

First what Label Studio itself does with it: a watch that sees nothing anywhere would prove nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import pytest
from playwright.sync_api import Error, Frame, Page, Request

from otel_labelstudio.calls import LLMCall, Message, TextPart
from otel_labelstudio.demo.label_studio import EmbeddedLabelStudio
from otel_labelstudio.tasks.layouts import Layout
from tests.browser.delivered_calls import deliver
from tests.browser.labeling_page import LabelingPage
from tests.browser.layout_page import LayoutPage
from tests.browser.traced_calls import Sent
from tests.delivery.labeling import Labeling, fresh_title
from tests.tasks.hostile_text import ADDRESS, MARKDOWN, MARKUP, RUN, every_part, hostile_call

# Longer than what a page that is left takes to be left
_WAIT_MS = 1_500
_TRIES = 15
RAW = '<View><HyperText name="page" value="$page" inline="true"/><TextArea name="t" toName="page"/></View>'
_FOREIGN = """
() => [...document.querySelectorAll('.osl-dialogue, .osl-dialogue *')].filter(element =>
    element.hasAttribute('style') || element.id || element.shadowRoot
    || [...element.classList].some(name => !name.startsWith('osl-'))
    || getComputedStyle(element).position !== 'static'
    || ['A', 'IFRAME', 'IMG', 'SCRIPT', 'STYLE', 'FORM', 'INPUT', 'BUTTON', 'svg', 'META', 'LINK', 'BASE', 'EMBED',
        'VIDEO', 'AUDIO', 'TEMPLATE', 'math'].includes(element.tagName)
  ).map(element => element.outerHTML.slice(0, 200))"""
_CLICK_ALL = """
() => {
  document.querySelectorAll('.osl-dialogue details').forEach(fold => { fold.open = true })
  document.querySelectorAll('.osl-dialogue *').forEach(element => {
    for (const name of ['mouseover', 'click', 'focus']) element.dispatchEvent(new Event(name, { bubbles: true }))
  })
}"""


@dataclass
class Watch:
    """What a page did that it was not to do."""

    page: Page
    own: str
    requests: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("request", self._on_request)
        self.page.on("framenavigated", self._on_navigation)

    def stop(self) -> None:
        self.page.remove_listener("request", self._on_request)
        self.page.remove_listener("framenavigated", self._on_navigation)

    def sees_something(self) -> bool:
        """Whether a script has run or the address is asked for, within a time that a busy machine may need."""
        for _ in range(_TRIES):
            if any(ADDRESS in url for url in self.requests) or self.has_run():
                return True
            self.page.wait_for_timeout(_WAIT_MS)
        return False

    def has_run(self) -> bool:
        try:
            return bool(self.page.evaluate("window.hostile !== undefined"))
        except Error:  # the page is being left, which is a request
            return False

    def _on_request(self, request: Request) -> None:
        if not request.url.startswith((self.own, "data:image/", "blob:")) or "hostile" in request.url:
            self.requests.append(request.url[:200])

    def _on_navigation(self, frame: Frame) -> None:
        if not frame.url.startswith((self.own, "about:")):
            self.left.append(frame.url[:200])


@pytest.fixture
def watch(labeling: LabelingPage, label_studio: EmbeddedLabelStudio) -> Iterator[Watch]:
    """From a page of Label Studio that has nothing of it, until the test ends."""
    labeling.page.goto(f"{label_studio.url}/projects/")
    watch = Watch(labeling.page, label_studio.url)
    yield watch
    watch.stop()


def everything_hostile() -> LLMCall:
    """One call that holds every payload: in parts of every type, and all of them in each field beside the messages."""
    texts = [*MARKUP.values(), *MARKDOWN.values()]
    answers = (tuple(part for text in texts[start::3] for part in every_part(text)) for start in range(3))
    return replace(
        hostile_call("\n\n".join(texts)),
        system_instructions=tuple(map(TextPart, texts)),
        input_messages=(
            *(Message("user", every_part(text), name=text) for text in texts),
            *(Message("assistant", every_part(text)) for text in texts[::6]),
        ),
        output_messages=tuple(Message("assistant", parts) for parts in answers),
    )


@pytest.mark.parametrize("name", ["video srcdoc", "remote", "refresh"])
def test_label_studio_itself_lets_it_through(
    label_studio: EmbeddedLabelStudio, labeling: LabelingPage, watch: Watch, name: str
) -> None:
    """Raw in a HyperText, it runs, loads or leaves the page: what keeps it out of ours is what we send."""
    server = Labeling(label_studio.url, label_studio.api_key)
    project_id = server.make_project(fresh_title("Raw"), RAW)
    server.request("POST", f"/api/projects/{project_id}/import", [{"data": {"page": f"<p>x</p>{MARKUP[name]}"}}])
    [task] = server.tasks(project_id)
    labeling.open_page(project_id, task["id"])
    assert watch.sees_something()


@pytest.fixture(scope="module", params=list(Layout), ids=[layout.value for layout in Layout])
def sent(request: pytest.FixtureRequest, label_studio: EmbeddedLabelStudio) -> Sent:
    """The call in a project of each layout."""
    title = f"Browser: hostile {request.param.value}"
    return deliver(label_studio, {"all": everything_hostile()}, title=title, layout=request.param.value)


def test_hostile_text_does_nothing(labeling: LabelingPage, watch: Watch, sent: Sent) -> None:
    """Every payload in every field of one call, each element opened, hovered, clicked and focused: nothing runs,
    nothing is requested from elsewhere, nobody is led away, and no style or class of it is in the page."""
    LayoutPage(labeling).open(sent.project_id, sent.task_ids["all"])
    page, address = labeling.page, labeling.page.url
    assert RUN in str(page.locator(".osl").text_content())
    page.evaluate(_CLICK_ALL)
    page.wait_for_timeout(_WAIT_MS)
    assert not watch.has_run()
    assert (watch.requests, watch.left, page.url) == ([], [], address)
    assert page.evaluate(_FOREIGN) == []
    assert page.locator(".osl").is_visible()
    assert page.locator(".osl-dialogue object:not(.osl-image)").count() == 0

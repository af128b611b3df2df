"""The status page of `serve` in a real Chromium: hostile names do nothing, and its one button works."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

from otel_labelstudio.destinations.destination import Destination
from tests.browser.chromium import page_of
from tests.browser.test_hostile_text import Watch
from tests.outbox.calls import in_trouble
from tests.receiver.requests_made import traces
from tests.receiver.serving import Receiver, post
from tests.receiver.test_status_page import RefusingSink, bury, send, wait_for
from tests.tasks.hostile_text import PAYLOADS

_WAIT_MS = 500


@pytest.fixture(scope="module")
def browser(chromium: Path) -> Iterator[Page]:
    with page_of(chromium) as page:
        yield page


@pytest.fixture
def sink() -> RefusingSink:
    return RefusingSink()


@pytest.fixture
def receiver(tmp_path: Path, sink: RefusingSink) -> Iterator[Receiver]:
    with Receiver(tmp_path / "outbox.db", sink=sink) as made:
        yield made


def test_hostile_names_do_nothing(browser: Page, receiver: Receiver) -> None:
    """In service names, titles and reasons, of what is paused and what is dead: nothing runs, nothing is asked for,
    nobody is led away, and no script could run."""
    payloads = [text.encode("utf-8", "replace").decode() for text in PAYLOADS.values()][:25]
    request = traces()
    for text in payloads:
        request.MergeFrom(traces("x", service=text))
    assert post(f"{receiver.http}/v1/traces", request.SerializeToString())[0] == 200
    assert receiver.read()
    bury(receiver, *payloads)
    with receiver.pipeline._outbox.transaction():
        for text in payloads:
            destination = Destination(title=text).dumps()
            in_trouble(receiver.pipeline._outbox, destination, text)
    wait_for(receiver, waiting=len(payloads))
    watch = Watch(browser, receiver.http)
    browser.goto(f"{receiver.http}/status")
    browser.evaluate("document.querySelectorAll('td').forEach(cell => cell.click())")
    browser.wait_for_timeout(_WAIT_MS)
    watch.stop()
    assert not watch.has_run()
    assert (watch.requests, watch.left) == ([], [])
    assert browser.url == f"{receiver.http}/status"
    assert browser.locator("td *").count() == 0
    browser.locator("td", has_text="<script>").first.wait_for()


def test_dead_letters_are_delivered_by_the_button(browser: Page, receiver: Receiver, sink: RefusingSink) -> None:
    """As a person does it: the reason is mended, the button pressed, and the page says that all is well."""
    span_ids = send(receiver, "One?")
    wait_for(receiver, paused_count=1)
    bury(receiver, "refused for its size")
    wait_for(receiver, waiting=0)
    browser.goto(f"{receiver.http}/status")
    browser.locator("td", has_text="refused for its size").wait_for()
    sink.is_mended = True
    browser.get_by_role("button", name="Retry all 1").click()
    browser.wait_for_url(f"{receiver.http}/status")
    assert receiver.delivered(span_ids)
    wait_for(receiver, dead_letters=[], paused_count=0)
    browser.goto(f"{receiver.http}/status")
    browser.get_by_text("All is well").wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_loads_itself_again(browser: Page, receiver: Receiver, scheme: str) -> None:
    """With the colours that the browser prefers, and without a script."""
    browser.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    browser.goto(f"{receiver.http}/status")
    red, *_ = map(
        int, browser.evaluate("getComputedStyle(document.querySelector('.state')).backgroundColor.match(/\\d+/g)")
    )
    assert (red > 128) == (scheme == "light")
    assert browser.locator("meta[http-equiv=refresh]").get_attribute("content") == "10; url=status"
    assert browser.locator("script").count() == 0

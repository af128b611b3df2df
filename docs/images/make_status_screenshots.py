"""Makes the pictures of docs/receiver.md anew: the status page of a receiver that has seen something go wrong.

In the checkout, with the environment of ``make test``::

    .venv/bin/python -m docs.images.make_status_screenshots
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from otel_labelstudio.destinations.destination import Destination
from tests.browser.chromium import installed_chromium, page_of
from tests.receiver.requests_made import traces
from tests.receiver.serving import Receiver, post
from tests.receiver.test_status_page import RefusingSink, bury, wait_for

IMAGES = Path(__file__).parent
_KEY = (
    "POST http://localhost:8080/api/projects/3/import: HTTP status 401; check the API key (LABEL_STUDIO_API_KEY): a "
    "personal access token, or a legacy token where the organization allows them"
)


def main() -> None:
    """Overwrites the images beside this file."""
    chromium = installed_chromium()
    if chromium is None:
        sys.exit("There is no Chromium on this machine")
    sink = RefusingSink()
    with tempfile.TemporaryDirectory() as directory, Receiver(Path(directory) / "outbox.db", sink=sink) as receiver:
        _bring_about_trouble(receiver)
        with page_of(chromium) as page:
            page.set_viewport_size({"width": 1180, "height": 900})
            for scheme, image in (("light", "status.png"), ("dark", "status-dark.png")):
                page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
                page.goto(f"{receiver.http}/status")
                page.screenshot(path=IMAGES / image, full_page=True)


def _bring_about_trouble(receiver: Receiver) -> None:
    _send(receiver, "helpdesk", 2)
    bury(receiver, *["HTTP status 400: the task is larger than the server takes"] * 2)
    _send(receiver, "support-bot", 37, others=412)
    _send(receiver, "summarizer", 5, without_content=True)
    with receiver.pipeline._outbox.transaction():
        for title in ("support-bot 2026-11", "helpdesk 2026-11"):
            receiver.pipeline._outbox.notes.delivery_failed(Destination(title=title).dumps(), _KEY, is_paused=True)
    wait_for(receiver, waiting=37)


def _send(receiver: Receiver, service: str, number: int, *, others: int = 0, without_content: bool = False) -> None:
    request = traces(*map(str, range(number)), service=service, others=others)
    for span in request.resource_spans[0].scope_spans[0].spans if without_content else ():
        del span.attributes[3:]
    assert post(f"{receiver.http}/v1/traces", request.SerializeToString())[0] == 200  # noqa: S101 - as the tests
    receiver.read()


if __name__ == "__main__":
    main()

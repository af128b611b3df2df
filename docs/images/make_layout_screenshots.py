"""Makes the pictures of docs/layouts.md anew, from calls of the tests in a real Label Studio, here in Chromium.

In the checkout, with the environment of ``make test``::

    .venv/bin/python -m docs.images.make_layout_screenshots
"""

from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path

from otel_labelstudio.demo.label_studio import EmbeddedLabelStudio
from tests.browser.chromium import installed_chromium, page_of
from tests.browser.delivered_calls import agent_call, choices_call, deliver, long_call
from tests.browser.labeling_page import LabelingPage
from tests.browser.layout_page import LayoutPage
from tests.browser.traced_calls import Sent

IMAGES = Path(__file__).parent
SLOGANS = (
    "Every road, your road.",
    "Built for **the long way** home, and for the short way there.",
    "Two wheels. One horizon.",
)


def main() -> None:
    """Overwrites the images beside this file."""
    chromium = installed_chromium()
    if chromium is None:
        sys.exit("There is no Chromium on this machine")
    with EmbeddedLabelStudio() as server:
        review = deliver(server, {"agent": agent_call(), "long": long_call()}, title="Review", layout="review")
        compare = deliver(server, {"slogans": choices_call(*SLOGANS)}, title="Compare", layout="compare")
        agent = deliver(server, {"run": agent_call()}, title="Agent", layout="agent")
        with page_of(chromium) as page:
            page.set_viewport_size({"width": 1280, "height": 720})
            labeling = LabelingPage(page, server)
            labeling.open_data_manager(review.project_id)
            _take(labeling, review, "agent", "review.png", keys="25")
            _take(labeling, review, "long", "review-dark.png", keys="1", is_dark=True)
            _take(labeling, agent, "run", "agent.png", keys="14")
            _take(labeling, compare, "slogans", "compare.png", keys="2")


def _take(labeling: LabelingPage, sent: Sent, name: str, image: str, *, keys: str, is_dark: bool = False) -> None:
    shown = LayoutPage(labeling)
    with labeling.dark_theme() if is_dark else nullcontext():
        shown.open(sent.project_id, sent.task_ids[name])
        shown.press(*keys)
        labeling.page.mouse.move(0, 0)
        labeling.page.screenshot(path=IMAGES / image, animations="disabled")


if __name__ == "__main__":
    main()

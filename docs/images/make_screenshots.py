"""Makes the README's screenshots anew, from the demo's tasks in a real Label Studio, here in Chromium.

In the checkout, with the environment of ``make test``::

    .venv/bin/python -m docs.images.make_screenshots
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from otel_labelstudio.demo.label_studio import EmbeddedLabelStudio
from otel_labelstudio.demo.showing import PAGES, show
from tests.browser.chromium import installed_chromium, page_of
from tests.browser.labeling_page import LabelingPage

IMAGES = Path(__file__).parent

# Label Studio's side panels list regions, of which these tasks have none
_FOLD_SIDE_PANELS = """
() => {
  const state = JSON.parse(localStorage.panelState)
  state.collapsedSide.right = true
  localStorage.panelState = JSON.stringify(state)
}"""
_HEIGHT = """
() => {
  const box = selector => document.querySelector(selector).getBoundingClientRect()
  return Math.ceil(box('.ant-rate').bottom + box('.lsf-bottombar').height + 20)
}"""


def main() -> None:
    """Overwrites the images beside this file."""
    chromium = installed_chromium()
    if chromium is None:
        sys.exit("There is no Chromium on this machine")
    os.environ.pop("OPENAI_API_KEY", None)  # the same answers every time: the stand-in's
    with EmbeddedLabelStudio() as server:
        chat, prompt = (show(server, page) for page in PAGES if page.name in ("chat", "prompt"))
        with page_of(chromium) as page:
            labeling = LabelingPage(page, server)
            labeling.open_data_manager(chat.project_id)
            labeling.start_stream()
            page.evaluate(_FOLD_SIDE_PANELS)
            # The second call of the first conversation: a tool call and its result before the answer
            _take(labeling, chat.project_id, 1, IMAGES / "chat.png")
            _take(labeling, prompt.project_id, 0, IMAGES / "prompt.png")


def _take(labeling: LabelingPage, project_id: int, skipped: int, image: Path) -> None:
    labeling.open_data_manager(project_id)
    labeling.start_stream()
    for _ in range(skipped):
        labeling.next_task()
    labeling.rate(4)
    page = labeling.page
    page.mouse.move(0, 0)
    page.set_viewport_size({"width": 1400, "height": page.evaluate(_HEIGHT)})
    page.screenshot(path=image, animations="disabled")


if __name__ == "__main__":
    main()

"""A layout's page as a labeler uses it: by eye and by keyboard."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page

from tests.browser.labeling_page import LabelingPage

# Whether the first line of a text is what is on top at its place: not scrolled away, not covered, not folded
_IS_SEEN = """
(text) => {
  const walker = document.createTreeWalker(document.querySelector('.osl'), NodeFilter.SHOW_TEXT)
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const start = node.data.indexOf(text)
    if (start < 0) continue
    const range = document.createRange()
    range.setStart(node, start)
    range.setEnd(node, start + text.length)
    const [line] = range.getClientRects()
    if (!line) continue
    const top = document.elementFromPoint(line.x + line.width / 2, line.y + line.height / 2)
    if (top && (top.contains(node) || node.parentElement.contains(top))) return true
  }
  return false
}"""
_CHOSEN = """
() => [...document.querySelectorAll('.osl input')].filter(box => box.checked).map(box => box.name)"""


class LayoutPage:
    """A task in a project with a layout."""

    def __init__(self, labeling: LabelingPage) -> None:
        self.labeling = labeling

    @property
    def page(self) -> Page:
        return self.labeling.page

    def open(self, project_id: int, task_id: int) -> None:
        """Open a task as a click in the Data Manager does, and wait for dialogue and prediction."""
        self.labeling.open_page(project_id, task_id)
        self._wait()

    def sees(self, text: str) -> bool:
        """Whether a person sees the text's first line without scrolling or opening anything."""
        return bool(self.page.evaluate(_IS_SEEN, text))

    def text(self) -> str:
        """All that is shown of the call, what is folded included."""
        return "\n".join(self.page.locator(".osl .osl-dialogue").evaluate_all("all => all.map(one => one.textContent)"))

    def press(self, *keys: str) -> None:
        """One key after the other, wherever the focus is."""
        for key in keys:
            self.page.keyboard.press(key)

    def submit(self, *keys: str) -> Any:
        """Press the keys, the last of which submits; the annotation as the server answers it."""
        self.press(*keys[:-1])
        with self.page.expect_response(lambda answer: "/annotations" in answer.url) as caught:
            self.press(keys[-1])
        return caught.value.json()

    def chosen(self) -> list[str]:
        """The choices that are marked."""
        return list(self.page.evaluate(_CHOSEN))

    def _wait(self) -> None:
        self.page.locator(".osl .osl-turn:visible").first.wait_for()
        self.labeling.wait_for_prediction('.osl [data-testid="textarea-region"]', is_visible=False)


def results(annotation: Any) -> dict[str, Any]:
    """What an annotation says, by the control's name."""
    return {result["from_name"]: next(iter(result["value"].values())) for result in annotation["result"]}

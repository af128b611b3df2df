"""What people do with an answer in Label Studio's page, beyond accepting, editing and rating it."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from playwright.sync_api import Locator, Response
from playwright.sync_api import TimeoutError as PageTimeoutError

from tests.browser.labeling_page import LabelingPage

# How long a draft takes to be stored after the last change
_DRAFT_TIMEOUT_MS = 240_000
_TRIES, _HEARD_MS = 20, 10_000


class Acts:
    """By the hands of one person."""

    def __init__(self, labeling: LabelingPage) -> None:
        self.labeling, self.page = labeling, labeling.page

    def box(self, name: str) -> Locator:
        """The box of a TextArea in which something new is written."""
        return self.labeling.editor.locator(f'textarea[name="{name}"]')

    def write(self, name: str, text: str) -> None:
        """Write something new, and add it."""
        self.box(name).fill(text)
        self.box(name).press("Shift+Enter")

    def take_back(self, characters: int) -> None:
        """With the pencil, remove the end of the first answer."""
        region = self.labeling.editor.locator('[data-testid="textarea-region"]').first
        region.hover()
        region.get_by_role("button", name="Edit Region").click()
        box = region.locator('[data-testid="htx-textbox-input"]')
        box.press("Control+End")
        for _ in range(characters):
            box.press("Backspace")
        region.locator("button").first.click()

    def skip(self) -> Any:
        """Press the stream's button; the annotation as the server answers it."""
        with self.page.expect_response(_is_annotation) as caught:
            self.page.locator('[data-testid="bottombar-skip-button"]').click()
        return caught.value.json()

    def leave_a_draft(self, text: str) -> None:
        """Edit, wait until that is kept, and go elsewhere."""
        with self.page.expect_response(lambda answer: "/drafts" in answer.url, timeout=_DRAFT_TIMEOUT_MS):
            self.labeling.edit_answer(text)
        self.page.goto("about:blank")

    def duplicate(self) -> None:
        """Copy the annotation that is open."""
        self.page.locator(".lsf-annotation-button_selected").hover()
        self.page.locator(".lsf-annotation-button_selected .lsf-annotation-button__trigger").click()
        self.page.get_by_text("Duplicate Annotation").click()
        self.page.locator(".lsf-annotation-button").nth(2).wait_for()

    def move(self, item: str, place: str, *keys: str) -> None:
        """By keyboard, move an item of a Ranker that stands in a place."""
        lifted = f'[data-ranker-id="{item}"][style*="fixed"]'
        self.page.locator(f'[data-rbd-droppable-id="{place}"] [data-ranker-id="{item}"]').focus()
        self.page.keyboard.press("Space")
        self.page.locator(lifted).first.wait_for()
        for key in keys:
            before = self.page.locator(lifted).first.get_attribute("style")
            self._press_until(key, f"{lifted}:not([style={json.dumps(before)}])")
            self.page.wait_for_timeout(150)  # the next key is heard when it has arrived
        self.page.keyboard.press("Space")
        self.page.locator(lifted).first.wait_for(state="detached")

    def _press_until(self, key: str, selector: str) -> None:
        """A key that comes too early is not heard."""
        for _ in range(_TRIES):
            self.page.keyboard.press(key)
            with suppress(PageTimeoutError):
                self.page.locator(selector).first.wait_for(timeout=_HEARD_MS)
                return
        raise AssertionError(f"{key} does nothing")


def _is_annotation(answer: Response) -> bool:
    return "/annotations" in answer.url

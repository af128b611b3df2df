"""Label Studio's pages as a person uses them: what is read here is what is rendered, not what the DOM holds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Literal

from playwright.sync_api import Locator, Page
from playwright.sync_api import TimeoutError as PageTimeoutError

from otel_labelstudio.demo.label_studio import EmbeddedLabelStudio

# That of regions is drawn with a region only
_CONTROL = '[data-testid="textarea-control"]:visible'
_REGION = '[data-testid="textarea-region"]'
_SAVED = '[data-testid="htx-textbox-content"]'
# Beside it stands how many tasks were seen so far
_TASK_NUMBER = "() => document.querySelector('.lsf-current-task__task-id')?.firstChild.data"
# Of some 35 pages one, and only the first after a login, comes without the prediction; a reload brings it. A busy
# machine's page may only be late
_PREFILL_TIMEOUTS_MS = (5_000, 30_000, 240_000)
# Where Label Studio keeps the theme that was chosen with its switch
_THEME = "preferred-color-scheme"


class LabelingPage:
    """A browser's page, logged in."""

    def __init__(self, page: Page, server: EmbeddedLabelStudio) -> None:
        self.page = page
        self._url = server.url
        self.errors: list[str] = []
        """Uncaught JavaScript errors since the page's beginning."""
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.goto(f"{server.url}/user/login/")
        page.fill("input[name=email]", server.username)
        page.fill("input[name=password]", server.password)
        page.click("button[type=submit]")
        page.wait_for_url(lambda url: "/login" not in url)

    def open_task(self, project_id: int, task_id: int) -> None:
        """Open a task as a click in the Data Manager does, and wait for its answer."""
        self.open_page(project_id, task_id)
        self._wait_for_answer()

    def open_page(self, project_id: int, task_id: int) -> None:
        """The same, and wait for nothing."""
        self.page.goto(f"{self._url}/projects/{project_id}/data?task={task_id}")

    def open_data_manager(self, project_id: int) -> None:
        """Open the list of a project's tasks."""
        self.page.goto(f"{self._url}/projects/{project_id}/data")
        self.page.wait_for_selector(".lsf-table__cell")

    def start_stream(self) -> None:
        """In the Data Manager, label all tasks one after the other."""
        self.page.get_by_role("button", name="Label All Tasks").click()
        self._wait_for_answer()

    def next_task(self) -> None:
        """In the stream, pass on to the next task."""
        shown = self.page.evaluate(_TASK_NUMBER)
        self.page.locator('[data-testid="next-task"]').click()
        self.page.wait_for_function(f"shown => ![undefined, shown].includes(({_TASK_NUMBER})())", arg=shown)
        self.page.wait_for_selector(_REGION)

    @property
    def editor(self) -> Locator:
        """Where the labeling configuration is drawn."""
        return self.page.locator(".lsf-main-view")

    def columns(self) -> list[str]:
        """The heads of the Data Manager's columns."""
        return [text.split("\n")[0] for text in self.page.locator(".lsf-table-head .lsf-table__cell").all_inner_texts()]

    def turns(self) -> list[tuple[str, str]]:
        """Role and text of the dialogue's turns."""
        phrases = self.editor.locator('[data-testid^="phrase:"]').all()
        return [
            (
                phrase.locator('[class*="dialoguename"]').inner_text(),
                phrase.locator('[class*="dialoguetext"]').inner_text(),
            )
            for phrase in phrases
        ]

    def text(self) -> str:
        """What the first Text tag shows."""
        return self.editor.locator(".lsf-richtext__container").first.inner_text()

    def answers(self) -> list[str]:
        """The texts that stand in the answer's TextArea."""
        return self.editor.locator(_SAVED).all_inner_texts()

    def edit_answer(self, typed_at_the_end: str) -> None:
        """With the pencil, add to the first answer, and leave the box."""
        region = self.editor.locator(_REGION).first
        region.hover()
        region.get_by_role("button", name="Edit Region").click()
        box = region.locator('[data-testid="htx-textbox-input"]')
        box.press("Control+End")
        box.press_sequentially(typed_at_the_end)
        region.locator("button").first.click()
        self.editor.locator(_SAVED).first.wait_for()

    def delete_answer(self, index: int) -> None:
        """With the dustbin, remove one of the answers."""
        region = self.editor.locator(_REGION).nth(index)
        region.hover()
        region.get_by_role("button", name="Delete Region").click()

    def rate(self, stars: int) -> None:
        """Click on a star."""
        self.editor.locator(".ant-rate [role=radio]").nth(stars - 1).click()

    def rating(self) -> int:
        """How many stars are lit."""
        return self.editor.locator('.ant-rate [role=radio][aria-checked="true"]').count()

    def submit(self) -> Any:
        """Submit; the annotation as the server answers it."""
        with self.page.expect_response(lambda response: "/annotations" in response.url) as caught:
            self.page.locator('[data-testid="bottombar-submit-button"]').click()
        return caught.value.json()

    @contextmanager
    def dark_theme(self) -> Iterator[None]:
        """The pages opened meanwhile are dark."""
        self.page.evaluate(f"localStorage.setItem('{_THEME}', 'Dark')")
        try:
            yield
            assert self.page.evaluate("document.documentElement.dataset.colorScheme") == "dark"
        finally:
            self.page.evaluate(f"localStorage.removeItem('{_THEME}')")

    def wait_for_prediction(self, region: str, *, is_visible: bool = True) -> None:
        """Until it stands where the selector ``region`` says."""
        state: Literal["visible", "attached"] = "visible" if is_visible else "attached"
        *short, last = _PREFILL_TIMEOUTS_MS
        for timeout_ms in short:
            with suppress(PageTimeoutError):
                self.page.wait_for_selector(region, timeout=timeout_ms, state=state)
                return
            self.page.reload()
        self.page.wait_for_selector(region, timeout=last, state=state)

    def _wait_for_answer(self) -> None:
        self.page.wait_for_selector(_CONTROL)
        self.wait_for_prediction(_REGION)

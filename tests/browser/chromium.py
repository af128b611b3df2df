"""The Chromium that this machine has."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

NAMES = ("/usr/bin/chromium", "chromium", "chromium-browser", "google-chrome")

# A container has no sandbox to offer; and nothing is asked of the world outside
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
_TIMEOUT_MS = 240_000


def installed_chromium() -> Path | None:
    """Where it is."""
    return next((Path(found) for found in map(shutil.which, NAMES) if found), None)


@contextmanager
def page_of(chromium: Path) -> Iterator[Page]:
    """An empty page, 1400 pixels wide, in a browser of its own, without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=_ARGUMENTS, headless=True)
        try:
            context = browser.new_context(viewport={"width": 1400, "height": 1000})
            context.set_default_timeout(_TIMEOUT_MS)
            yield context.new_page()
        finally:
            browser.close()

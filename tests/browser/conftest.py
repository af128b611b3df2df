"""A real Chromium: one browser and one login for each module."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_labelstudio.demo.label_studio import EmbeddedLabelStudio
from tests.browser.chromium import NAMES, installed_chromium, page_of
from tests.browser.labeling_page import LabelingPage
from tests.missing import missing


@pytest.fixture(scope="session")
def chromium() -> Path:
    """Where Chromium is; where it must be there (CI), its absence is a failure."""
    found = installed_chromium()
    if found is None:
        missing(f"Chromium ({', '.join(NAMES)})")
    return found


# Not for the whole run: Playwright keeps an event loop running in this thread, which other tests may want for theirs
@pytest.fixture(scope="module")
def labeling(chromium: Path, label_studio: EmbeddedLabelStudio) -> Iterator[LabelingPage]:
    """Label Studio in Chromium, logged in."""
    with page_of(chromium) as page:
        yield LabelingPage(page, label_studio)

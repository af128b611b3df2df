"""Makes the picture of docs/report.md anew: the report of a made-up team, opened here in Chromium.

In the checkout, with the environment of ``make test``::

    .venv/bin/python -m docs.images.make_report_screenshot
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from otel_labelstudio.annotations import report_of, write_report
from tests.annotations.report import team
from tests.browser.chromium import installed_chromium, page_of

IMAGE = Path(__file__).with_name("report.png")


def main() -> None:
    """Overwrites the image beside this file."""
    chromium = installed_chromium()
    if chromium is None:
        sys.exit("Chromium is missing")
    with tempfile.TemporaryDirectory() as directory, page_of(chromium) as page:
        file = Path(directory) / "report.html"
        write_report(report_of(team.calls(), by=("model", "prompt_version")), file)
        page.set_viewport_size({"width": 1280, "height": 940})
        page.goto(file.as_uri())
        page.screenshot(path=IMAGE)


if __name__ == "__main__":
    main()

"""One Prometheus for alerts and dashboard, with receivers that are each in a trouble of their own."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_labelstudio.demo.label_studio import EmbeddedLabelStudio
from tests.deploy.prometheus import Prometheus
from tests.deploy.troubles import troubles
from tests.missing import missing

DEPLOY = Path(__file__).parents[2] / "deploy"
RULES = DEPLOY / "prometheus" / "otel-labelstudio.rules.yml"
_SCRAPED_S = 600.0


def hurried(rules: str) -> str:
    """The rules with seconds for minutes and hours, so that a test need not wait for them; all else as it is.

    An alert that waits does so for longer than a busy receiver that is well is missed by one look or two; what happens
    once is seen for a minute.
    """
    rules = re.sub(r"^( +for:) \d+m$", r"\1 20s", rules, flags=re.MULTILINE)
    rules = re.sub(r"\[\d+[mh]\]", "[60s]", rules)
    return re.sub(r"(_seconds\)?) > \d+$", r"\1 > 1", rules, flags=re.MULTILINE)


@pytest.fixture(scope="session")
def prometheus(tmp_path_factory: pytest.TempPathFactory, label_studio: EmbeddedLabelStudio) -> Iterator[Prometheus]:
    """It has seen each receiver well, and then its trouble."""
    if shutil.which("prometheus") is None:
        missing("Prometheus (Debian's package prometheus)")
    directory = tmp_path_factory.mktemp("prometheus")
    rules = directory / "rules.yml"
    rules.write_text(hurried(RULES.read_text(encoding="utf-8")), encoding="utf-8")
    with troubles(directory, label_studio) as made, Prometheus(directory, made.targets, rules) as prometheus:
        _wait_for(prometheus, 'up{job="otel-labelstudio"} == 1', len(made.targets))
        made.happen()
        # The first import begins its histogram, which rises with the second
        _wait_for(prometheus, 'otel_sdk_exporter_operation_duration_seconds_count{instance="healthy"}', 1)
        made.send("healthy")
        yield prometheus


def _wait_for(prometheus: Prometheus, query: str, least: int) -> None:
    """Until a query gives so many series."""
    end = time.monotonic() + _SCRAPED_S
    while len(found := prometheus.query(query)) < least:
        assert time.monotonic() < end, f"{query} gave {found}"
        time.sleep(0.2)

"""The dashboard is what Grafana's own builders make, and each of its queries gives data in a real Prometheus."""

from __future__ import annotations

import json
import runpy
import time

import pytest

from tests.deploy.conftest import DEPLOY
from tests.deploy.prometheus import Prometheus

FOLDER = DEPLOY / "grafana"
DASHBOARD = json.loads((FOLDER / "otel-labelstudio.json").read_text(encoding="utf-8"))
EXPRESSIONS = [(panel["title"], target["expr"]) for panel in DASHBOARD["panels"] for target in panel.get("targets", ())]
# As Grafana fills them in
VARIABLES = {"$__rate_interval": "1m", "$instance": ".*"}
DEADLINE_S = 240.0


@pytest.fixture(scope="module", autouse=True)
def _builders() -> None:
    pytest.importorskip("grafana_foundation_sdk", reason="Grafana's builders need Python 3.11")


def test_the_file_is_what_the_builders_make() -> None:
    """Nobody has changed it by hand."""
    made = runpy.run_path(str(FOLDER / "make_dashboard.py"))
    assert (FOLDER / "otel-labelstudio.json").read_text(encoding="utf-8") == made["dashboard_json"]()


def test_panels_do_not_overlap() -> None:
    """Each has its place on the grid of 24 columns."""
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, panel["title"]
        assert all(x < 24 for x, _ in cells)
        taken |= cells


@pytest.mark.parametrize(("title", "expression"), EXPRESSIONS)
def test_a_query_gives_data(prometheus: Prometheus, title: str, expression: str) -> None:
    """Numbers, from receivers that have something to tell."""
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    assert "$" not in expression
    # Whenever it was looked at since the start, which other tests may have made long ago: rates are there for a minute
    seen, end = f"max_over_time(({expression})[3h:2s]) >= 0", time.monotonic() + DEADLINE_S
    while not (found := prometheus.query(seen)):
        assert time.monotonic() < end, expression
        time.sleep(0.5)
    print(f"{title}: {len(found)} series")

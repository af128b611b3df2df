"""Each alert fires in a real Prometheus, for the receiver that is in that trouble; none fires where all is well."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.conftest import RULES, hurried
from tests.deploy.prometheus import Prometheus
from tests.missing import missing

GIVEN = RULES.read_text(encoding="utf-8")
# Which trouble each is there for
TROUBLES = {
    "Down": "killed",
    "ThreadDead": "ended thread",
    "DeliveryPaused": "wrong key",
    "NothingDelivered": "Label Studio stopped",
    "CallsWaitLong": "Label Studio stopped",
    "DeadLetters": "wrong project",
    "CallsDropped": "failing filter",
    "OutboxNearlyFull": "Label Studio stopped",
    "InboxNearlyFull": "Label Studio stopped",
    "InboxStalled": "Label Studio stopped",
    "RequestsSetAside": "call too large",
    "RequestsRefused": "healthy",  # somebody sent what is no OTLP
    "SendersToldToWait": "Label Studio stopped",
    "ContentNotCaptured": "healthy",
}
DEADLINE_S = 240.0


def rules_of(text: str) -> list[dict[str, Any]]:
    """All of a file's."""
    return [rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]


def test_every_alert_has_a_trouble() -> None:
    """And there is none in the file that is not provoked here."""
    assert [rule["alert"] for rule in rules_of(GIVEN)] == [f"OtelLabelStudio{name}" for name in TROUBLES]


def test_what_is_hurried_is_time_alone() -> None:
    """The rules that fire here are those of the file, but for how long they take."""
    given, hasty = rules_of(GIVEN), rules_of(hurried(GIVEN))
    times = re.compile(r"\[\w+\]|(?<=_seconds) > \d+|(?<=_seconds\)) > \d+")
    assert [times.sub("", rule["expr"]) for rule in given] == [times.sub("", rule["expr"]) for rule in hasty]
    assert [{**rule, "expr": "", "for": ""} for rule in given] == [{**rule, "expr": "", "for": ""} for rule in hasty]


@pytest.mark.parametrize("name", TROUBLES)
def test_it_fires(prometheus: Prometheus, name: str) -> None:
    """For the receiver in trouble, and not for one that is in none; what it says has all of its values."""
    alert, end = f"OtelLabelStudio{name}", time.monotonic() + DEADLINE_S
    while (alert, TROUBLES[name]) not in prometheus.fired():
        assert time.monotonic() < end, sorted(prometheus.fired())
        time.sleep(0.5)
    assert (alert, "quiet") not in prometheus.fired()
    for told in prometheus.alerts():
        print(f"{told['labels']['alertname']}: {told['annotations']['summary']}")
        assert all("<no value>" not in text for text in told["annotations"].values())


def test_promtool_has_no_word_to_say_against_the_files() -> None:
    """As they are."""
    if shutil.which("promtool") is None:
        missing("promtool")
    for command in (["rules", str(RULES)], ["config", str(RULES.with_name("prometheus.yml"))]):
        checked = subprocess.run(["promtool", "check", *command], capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stderr


def test_they_fire_when_they_are_to(tmp_path: Path) -> None:
    """The rules as they are, in hours that promtool makes up: not before their time, and not while all is well."""
    if shutil.which("promtool") is None:
        missing("promtool")
    tests = tmp_path / "rules_test.yml"
    given = Path(__file__).with_name("rules_test.yml").read_text(encoding="utf-8")
    tests.write_text(given.replace("[RULES]", f"[{RULES}]"), encoding="utf-8")
    tested = subprocess.run(["promtool", "test", "rules", str(tests)], capture_output=True, text=True, check=False)
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_the_readme_names_every_alert() -> None:
    """In its table, and no others."""
    table = (RULES.parents[1] / "README.md").read_text(encoding="utf-8").split("## Alerts")[1].split("## ")[0]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert [name for cell in cells for name in re.findall(r"`(\w+)`", cell)] == list(TROUBLES)

"""What docs/scaling.md says is so, and its sums are right."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from otel_labelstudio.cli import parser
from otel_labelstudio.cli.serve import DEFAULTS as SERVE_DEFAULTS
from otel_labelstudio.outbox.retention import MAX_KEYS
from otel_labelstudio.receiver.settings import VARIABLES as RECEIVER_VARIABLES
from otel_labelstudio.receiver.settings import ReceiverSettings
from otel_labelstudio.settings import VARIABLES

REPOSITORY = Path(__file__).parents[1]
PAGE = (REPOSITORY / "docs" / "scaling.md").read_text(encoding="utf-8")
COLLECTOR_CONFIG = {path.name: path.read_text(encoding="utf-8") for path in (REPOSITORY / "collector-config").iterdir()}
# Label Studio's rate that the page plans with
_PLANNED_PER_S = 400
_HOURS = {"min": 1 / 60, "h": 1.0, "days": 24.0}


def rows(header: str) -> list[list[str]]:
    """The cells of the table whose header begins so."""
    table = PAGE.split(f"| {header}", 1)[1].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


def number(text: str) -> float:
    """The first number of a cell."""
    return float(re.findall(r"[\d,]+(?:\.\d+)?", text)[0].replace(",", ""))


def hours(text: str) -> float:
    """A cell such as "83 min" or "5 days"."""
    return number(text) * _HOURS[text.split()[1]]


def bound(text: str) -> tuple[float, float]:
    """How many calls may wait, and how many bytes."""
    calls = re.findall(r"\(([\d,]+) in", text)
    gibibytes = re.findall(r"\((\d+) GiB\)", text)
    return (number(calls[0]) if calls else float("inf")), float(gibibytes[0]) * 2**30


def test_settings_are_there_with_these_defaults() -> None:
    """Each setting, variable of a Collector's file and limit that the page names."""
    names = {variable.name for variable in (*VARIABLES, *RECEIVER_VARIABLES)}
    assert set(re.findall(r"`([a-z]+(?:_[a-z]+)+)`", PAGE)) <= names
    variables = set(re.findall(r"\b((?:OTEL_LABELSTUDIO|KAFKA)_\w+)", PAGE))
    assert variables
    assert variables <= set(re.findall(r"\$\{env:(\w+)", "".join(COLLECTOR_CONFIG.values())))
    defaults = {variable.name: variable.default for variable in (*VARIABLES, *RECEIVER_VARIABLES)} | SERVE_DEFAULTS
    bounds = {row[0]: bound(row[2]) for row in rows("where | bytes of a call")[:3]}
    assert bounds["`serve`'s outbox"] == (defaults["outbox_max_calls"], defaults["outbox_max_bytes"])
    assert bounds["`serve`'s inbox"][1] == defaults["inbox_max_bytes"]
    (queue,) = re.findall(r"OTEL_LABELSTUDIO_QUEUE_BYTES:-(\d+)", COLLECTOR_CONFIG["sidecar.yaml"])
    assert bounds["each Collector's queue"][1] == int(queue)
    assert f"`settle_s` ({defaults['settle_s']:g} s)" in PAGE
    assert f"the last {MAX_KEYS:,} calls" in PAGE


def test_how_soon_a_disk_is_full_is_computed_from_its_row() -> None:
    """At each rate: the bound by the bytes of a call, or the bound in calls if that comes first."""
    for where, size, limit, *times in rows("where | bytes of a call")[:3]:
        calls, most_bytes = bound(limit)
        for rate, said in zip((2, 20, 200), times, strict=True):
            assert hours(said) == pytest.approx(min(calls, most_bytes / number(size)) / rate / 3600, rel=0.08), where


def test_a_day_of_calls_is_computed() -> None:
    """Gigabytes of a day at each rate and size."""
    for rate, *sizes in rows("calls a second | calls of 2.5 kB"):
        for kilobytes, said in zip((2.5, 10, 25), sizes, strict=True):
            assert number(said) == pytest.approx(number(rate) * kilobytes * 86_400 / 10**6, rel=0.08)


def test_the_time_after_an_outage_is_computed() -> None:
    """Eight hours, by the formula above the table, at the rate that the page plans with."""
    assert f"here it is {_PLANNED_PER_S} a second" in " ".join(PAGE.split())
    for rate, percent, said in rows("calls come at"):
        share = number(percent) / 100
        assert number(rate) / _PLANNED_PER_S == share
        assert hours(said) == pytest.approx(8 * share / (1 - share), rel=0.02)


def test_commands_can_be_given_so() -> None:
    """Flags exist, and a receiver takes the bounds that are recommended."""
    (command,) = re.findall(r"^otel-labelstudio (serve .*)$", PAGE, re.MULTILINE)
    options = parser().parse_args(shlex.split(command))
    assert ReceiverSettings.resolve({"inbox_max_bytes": options.inbox_max_bytes}).inbox_max_bytes < 2**31


def test_links_lead_somewhere() -> None:
    """To files, and to sections of them."""
    links = re.findall(r"\]\((?!https?://)([^)#]*)(?:#([^)]+))?\)", PAGE)
    assert links
    for file, section in links:
        target = (REPOSITORY / "docs" / file) if file else REPOSITORY / "docs" / "scaling.md"
        headings = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE)
        assert not section or section in {heading.lower().replace(" ", "-") for heading in headings}

"""What docs/receiver.md and deploy/ say of the receiver is so."""

from __future__ import annotations

import re
import shlex
from enum import Enum
from pathlib import Path

from otel_labelstudio import telemetry
from otel_labelstudio.cli import parser
from otel_labelstudio.receiver import metrics
from otel_labelstudio.receiver.config_file import ConfigFile
from otel_labelstudio.receiver.settings import VARIABLES, ReceiverSettings
from otel_labelstudio.receiver.status import ANSWERS, Outcome
from otel_labelstudio.settings import VARIABLES as EXPORTER_VARIABLES
from otel_labelstudio.settings import Settings, Variable

REPOSITORY = Path(__file__).parents[2]
NAME = re.compile(r"``((?:otel_labelstudio|otel\.sdk)\.[a-z_.]+)``")
DOCS = (REPOSITORY / "docs" / "receiver.md").read_text(encoding="utf-8")


def row(variable: Variable) -> str:
    """A setting as a row of the table."""
    default = variable.default.value if isinstance(variable.default, Enum) else variable.default
    default = f"{default:g}" if isinstance(default, float) else default
    shown = "" if default in (None, False, ()) else f"`{default}`"
    return f"| `{variable.name}` | `{variable.environment}` | {shown} | {variable.help} |"


def test_the_table_of_settings_is_that_of_the_code() -> None:
    """Every setting has its row, in the code's order and words."""
    table = DOCS.split("| setting | environment | default | meaning |\n|---|---|---|---|\n")[1].split("\n\n")[0]
    assert table.splitlines() == [row(variable) for variable in VARIABLES]


def test_the_file_can_be_read(tmp_path: Path) -> None:
    """The TOML block is a receiver's file."""
    (block,) = re.findall(r"^```toml\n(.*?)^```$", DOCS, re.DOTALL | re.MULTILINE)
    (tmp_path / "receiver.toml").write_text(block, encoding="utf-8")
    file = ConfigFile.read(str(tmp_path / "receiver.toml"))
    ReceiverSettings.resolve({}, file.receiver)
    settings = Settings.resolve({"api_key": "key"}, fallbacks=file.labelstudio)
    assert [route.name for route in file.resolved_routes(settings)] == ["support"]


def test_every_status_is_in_the_table() -> None:
    """Each HTTP status that the receiver answers with has its rows, with the outcomes as the metrics name them; and the
    hints are as said."""
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in DOCS.splitlines()]
    rows = [(int(row[1][:3]), row[-1]) for row in cells if len(row) == 5 and row[1][:3].isdigit()]
    told = {(status, outcome) for status, outcomes in rows for outcome in re.findall(r"`(\w+)`", outcomes)}
    assert told == {(answer.http_status, outcome.value) for outcome, answer in ANSWERS.items()}
    for outcome in (Outcome.FULL, Outcome.BUSY):
        assert f"`Retry-After: {ANSWERS[outcome].retry_after_s}`" in DOCS


def test_every_metric_is_one_of_the_code() -> None:
    """As Prometheus names it: a unit and ``_total`` may follow."""
    known = {
        name.replace(".", "_") for doc in (telemetry.__doc__, metrics.__doc__) for name in re.findall(NAME, doc or "")
    }
    known |= {
        f"otel_labelstudio_{name.replace('.', '_')}"
        for name in re.findall(r"^``([a-z_.]+)``", telemetry.__doc__ or "", re.MULTILINE)
    }
    shown = set(re.findall(r"`((?:otel_labelstudio|otel_sdk)_[a-z_]+)`", DOCS))
    assert len(shown) > 10
    assert {name for name in shown if re.sub(r"(_bytes|_seconds)?(_total)?$", "", name) not in known} == set()


def test_deployments_name_what_there_is() -> None:
    """Variables and flags of the Containerfile and the systemd unit exist."""
    names = {variable.environment for variable in (*VARIABLES, *EXPORTER_VARIABLES)}
    container = (REPOSITORY / "deploy" / "Containerfile").read_text(encoding="utf-8")
    assert set(re.findall(r"((?:OTEL|LABEL_STUDIO)_\w+)=", container)) <= names
    unit = (REPOSITORY / "deploy" / "otel-labelstudio.service").read_text(encoding="utf-8")
    (command,) = re.findall(r"^ExecStart=\S+ (.*)$", unit, re.MULTILINE)
    assert parser().parse_args(shlex.split(command)).config == "/etc/otel-labelstudio/receiver.toml"

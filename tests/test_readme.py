"""What the README says is so."""

from __future__ import annotations

import re
import subprocess
import sys
from enum import Enum
from pathlib import Path

import pytest
import yaml

from otel_labelstudio.cli import COMMANDS, parser
from otel_labelstudio.config import VARIABLES, Variable

REPOSITORY = Path(__file__).parents[1]
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


def row(variable: Variable) -> str:
    """A setting as a row of the README's table."""
    default = variable.default.value if isinstance(variable.default, Enum) else variable.default
    if isinstance(default, float):
        default = f"{default:g}"
    if isinstance(default, bool):
        default = str(default).lower()
    shown = "" if default is None else f"`{default}`"
    return f"| `{variable.name}` | `{variable.environment}` | {shown} | {variable.help} |"


def test_the_configuration_table_is_that_of_the_code() -> None:
    """Every setting has its row, in the code's order and words."""
    table = README.split("| parameter | environment | default | meaning |\n|---|---|---|---|\n")[1].split("\n\n")[0]
    assert table.splitlines() == [row(variable) for variable in VARIABLES]


def test_the_python_blocks_run(tmp_path: Path) -> None:
    """The examples run as they stand, one after the other; nothing is sent before the first span."""
    (tmp_path / "traces.jsonl").write_text("{}\n", encoding="utf-8")
    script = tmp_path / "readme.py"
    script.write_text("from __future__ import annotations\n" + "\n".join(blocks("python")), encoding="utf-8")
    run = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, cwd=tmp_path, timeout=120, check=False
    )
    assert (run.returncode, run.stderr) == (0, "")


def test_the_declarative_configuration_names_parameters() -> None:
    """Each key of the exporter in the YAML block is a setting."""
    (block,) = blocks("yaml")
    (processor,) = yaml.safe_load(block)["tracer_provider"]["processors"]
    assert processor["batch"]["exporter"]["labelstudio"].keys() <= {variable.name for variable in VARIABLES}


def test_every_command_is_named() -> None:
    """The table of commands has them all."""
    assert all(
        f"`otel-labelstudio {command} " in README or f"`otel-labelstudio {command}`" in README for command in COMMANDS
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """``--help`` says what a command does, and ends with success."""
    with pytest.raises(SystemExit) as end:
        parser().parse_args([command, "--help"])
    assert end.value.code == 0
    assert len(capsys.readouterr().out.splitlines()) > 5


def test_links_lead_somewhere() -> None:
    """Every file that the README links to is there."""
    links = re.findall(r"\]\((?!https?://)([^)#]+)\)", README)
    assert links
    assert [link for link in links if not (REPOSITORY / link).exists()] == []

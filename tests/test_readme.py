"""What the README, docs/configuration.md and docs/troubleshooting.md say is so. The README's first steps are run in
tests/first_steps, the recipes of docs/shutdown.md in tests/last_seconds."""

from __future__ import annotations

import re
import subprocess
import sys
from enum import Enum
from pathlib import Path

import pytest
import yaml

from otel_labelstudio import telemetry
from otel_labelstudio.cli import COMMANDS, parser
from otel_labelstudio.cli.settings import WITHOUT_FLAG
from otel_labelstudio.delivery.label_studio.causes import CAUSES
from otel_labelstudio.settings import VARIABLES, Variable

REPOSITORY = Path(__file__).parents[1]
PAGES = {
    name: (REPOSITORY / name).read_text(encoding="utf-8")
    for name in ("README.md", "docs/configuration.md", "docs/troubleshooting.md", "docs/shutdown.md")
}
README, CONFIGURATION, TROUBLESHOOTING, _ = PAGES.values()
FIRST_SETTINGS = ("api_key", "url", "project_name", "mode", "outbox")


def blocks(language: str, page: str = README) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)


def settings_table(page: str) -> list[str]:
    """The rows of its table of settings."""
    return (
        page.split("| parameter | environment | default | meaning |\n|---|---|---|---|\n")[1]
        .split("\n\n")[0]
        .splitlines()
    )


def row(variable: Variable) -> str:
    """A setting as a row of the README's table."""
    default = variable.default.value if isinstance(variable.default, Enum) else variable.default
    if isinstance(default, float):
        default = f"{default:g}"
    if isinstance(default, bool):
        default = str(default).lower()
    shown = "" if default in (None, ()) else f"`{default}`"
    return f"| `{variable.name}` | `{variable.environment}` | {shown} | {variable.help} |"


def test_the_table_of_all_settings_is_that_of_the_code() -> None:
    """Every setting has its row, in the code's order and words."""
    assert settings_table(CONFIGURATION) == [row(variable) for variable in VARIABLES]


def test_the_first_settings_are_those_of_the_code() -> None:
    """The README has five of them, with the same rows."""
    rows = {variable.name: row(variable) for variable in VARIABLES}
    assert settings_table(README) == [rows[name] for name in FIRST_SETTINGS]


def test_the_python_blocks_run(tmp_path: Path) -> None:
    """The examples run as they stand, one after the other, but for the applications, which tests/first_steps runs."""
    (tmp_path / "traces.jsonl").write_text("{}\n", encoding="utf-8")
    examples = [block for block in blocks("python") if not block.startswith("# application.py")]
    script = tmp_path / "readme.py"
    script.write_text(
        "from __future__ import annotations\n" + "\n".join([*examples, *blocks("python", CONFIGURATION)]),
        encoding="utf-8",
    )
    run = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, cwd=tmp_path, timeout=600, check=False
    )
    assert (run.returncode, run.stderr) == (0, "")


def test_every_example_sets_the_mode_and_the_services_name() -> None:
    """The default mode refuses chats, and titles rest on the name."""
    ways = README.split("\n## Three ways to use it\n")[1].split("\n## ")[0]
    for registration in ("LabelStudioSpanExporter(", "OTEL_TRACES_EXPORTER=labelstudio", "labelstudio:\n"):
        (example,) = (
            block for language in ("python", "sh", "yaml") for block in blocks(language, ways) if registration in block
        )
        assert re.search(r"mode(=|: )\"?chat|MODE=chat", example)
        assert re.search(r"service\.name\": \"|OTEL_SERVICE_NAME=|name: service\.name", example)
    assert "otel-labelstudio serve --mode " in ways


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


def test_the_settings_without_a_flag_are_named() -> None:
    """All others are flags too, as it says."""
    (sentence,) = re.findall(r"Settings are flags too, but for (.*?):", README)
    assert tuple(re.findall(r"`(\w+)`", sentence)) == WITHOUT_FLAG


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """``--help`` says what a command does, and ends with success."""
    with pytest.raises(SystemExit) as end:
        parser().parse_args([command, "--help"])
    assert end.value.code == 0
    assert len(capsys.readouterr().out.splitlines()) > 5


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    """Every file that the page links to is there."""
    links = re.findall(r"\]\((?!https?://)([^)#]+)(?:#[^)]*)?\)", PAGES[page])
    assert links
    assert [link for link in links if not ((REPOSITORY / page).parent / link).exists()] == []


def test_all_that_is_counted_is_explained() -> None:
    """Each counter has its row, which names the reasons."""
    table = TROUBLESHOOTING.split("| count | what |\n|---|---|\n")[1].splitlines()
    rows = dict(re.findall(r"^\| `([\w.]+)` \| (.*) \|$", "\n".join(table), re.MULTILINE))
    assert set(rows) == {*telemetry._PLAIN, *telemetry._REASONS}
    reasons = [(name, reason) for name, known in telemetry._REASONS.items() for reason in known if reason]
    assert [(name, reason) for name, reason in reasons if f"`{reason}`" not in rows[name]] == []


def test_every_cause_that_a_server_is_not_reached_is_explained() -> None:
    """What the line says is found on the page of troubleshooting, beside what to do."""
    table = TROUBLESHOOTING.split("\n## Label Studio is not reached\n")[1].split("\n## ")[0]
    said = {cause.what.split(" (")[0] for _, _, cause in CAUSES} - {"{said}"}
    assert [what for what in sorted(said) if what not in table] == []

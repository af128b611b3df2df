"""Every configuration passes the Collector's own check, as it stands and as an operator sets it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.collector.collector import CONFIGURATIONS

# Files that change others, and what they go on top of
OVERLAYS: dict[str, list[str]] = {
    "kafka-producer.yaml": ["sidecar.yaml"],
    "no-backend.yaml": ["sidecar.yaml"],
    "redact.yaml": ["sidecar.yaml"],
    "gateway-split.yaml": ["gateway.yaml"],
    "share.yaml": ["sidecar.yaml"],
}
# Values that an operator may well set, for variables where a word will not do
VALUES = {
    "BACKEND_OTLP_INSECURE": "false",
    "GATEWAYS": "[gateway-0.example.com:14317, gateway-1.example.com:14317]",
    "GATEWAYS_INSECURE": "false",
    "GATEWAY_DECISION_WAIT": "2m",
}
# Sections of the README with a table of variables, and the files whose they are
TABLES = {
    "Sidecar": ["sidecar.yaml"],
    "Gateway": ["gateway.yaml", "gateway-balancer.yaml", "gateway-split.yaml"],
    "Files": ["files.yaml"],
}
FILES = sorted(path.name for path in CONFIGURATIONS.glob("*.yaml") if path.name != "manifest.yaml")
_VARIABLE = re.compile(r"\$\{env:(\w+)(?::-([^}]*))?\}")


def variables(names: list[str]) -> dict[str, str]:
    """The environment variables of these files with their defaults; empty where there is none."""
    text = "".join((CONFIGURATIONS / name).read_text(encoding="utf-8") for name in names)
    return dict(_VARIABLE.findall(text))


def validate(otelcol: Path, names: list[str], environment: dict[str, str]) -> None:
    command = [str(otelcol), "validate", *(f"--config={CONFIGURATIONS / name}" for name in names)]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert run.returncode == 0, run.stderr


def set_by_an_operator(name: str, default: str) -> str:
    """Another value of the same kind."""
    if name in VALUES:
        return VALUES[name]
    if default.replace(".", "").isdigit():
        return "42"
    if default.startswith("/") or "STATE" in name:
        return "/srv/otelcol"
    return "http://collector.example.com:4319" if "://" in default else "collector.example.com:4319"


@pytest.mark.parametrize("name", FILES)
def test_it_is_valid(otelcol: Path, name: str) -> None:
    """With no variable set but those that have no default, and with each set to something else."""
    names = [*OVERLAYS.get(name, []), name]
    found = variables(names)
    without_default = {variable: "set" for variable, default in found.items() if not default}
    validate(otelcol, names, without_default)
    validate(otelcol, names, {variable: set_by_an_operator(variable, default) for variable, default in found.items()})


def test_there_are_some() -> None:
    """They are found where they are."""
    assert "sidecar.yaml" in FILES
    assert set(OVERLAYS) <= set(FILES)


@pytest.mark.parametrize("section", TABLES)
def test_the_readme_has_every_variable_with_its_default(section: str) -> None:
    """The table of the section is that of its files."""
    readme = (CONFIGURATIONS / "README.md").read_text(encoding="utf-8")
    text = readme.split(f"\n## {section}\n")[1].split("\n## ")[0]
    assert dict(re.findall(r"^\| `([A-Z_]+)` \| `([^`]*)` \|", text, re.MULTILINE)) == variables(TABLES[section])


def test_the_branch_can_be_cut_off(otelcol: Path) -> None:
    """The command that the README gives is valid, and no pipeline has the exporter then."""
    readme = (CONFIGURATIONS / "README.md").read_text(encoding="utf-8")
    (overlay,) = re.findall(r'--config sidecar.yaml --config "(yaml:[^"]+)"', readme)
    sidecar = CONFIGURATIONS / "sidecar.yaml"
    validated = subprocess.run(
        [str(otelcol), "validate", f"--config={sidecar}", f"--config={overlay}"], capture_output=True, check=False
    )
    assert validated.returncode == 0, validated.stderr
    pipelines = yaml.safe_load(sidecar.read_text(encoding="utf-8"))["service"]["pipelines"]
    branch = {name for name, pipeline in pipelines.items() if "otlp_http/labelstudio" in pipeline["exporters"]}
    assert set(yaml.safe_load(overlay.removeprefix("yaml:"))["service"]["pipelines"]) == branch


def test_links_of_the_readme_lead_somewhere() -> None:
    """To files here and to its own sections."""
    readme = (CONFIGURATIONS / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https?://)([^)]+)\)", readme)
    headings = {f"#{heading.lower().replace(' ', '-')}" for heading in re.findall(r"^#+ (.+)$", readme, re.MULTILINE)}
    assert [link for link in links if link not in headings and not (CONFIGURATIONS / link).exists()] == []

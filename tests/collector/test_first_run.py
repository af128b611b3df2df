"""The README's first run, as it stands there."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.collector.collector import CONFIGURATIONS
from tests.delivery.labeling import Labeling
from tests.missing import missing
from tests.ports import steady_port
from tests.terminals import terminal, wait_for

REPOSITORY = CONFIGURATIONS.parent
SECTION = (CONFIGURATIONS / "README.md").read_text(encoding="utf-8").split("\n## A first run\n")[1].split("\n## ")[0]


def commands(ports: dict[str, str]) -> list[str]:
    """What each terminal runs, as the README has it, on ports that are free here."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", SECTION, re.DOTALL | re.MULTILINE)
    return [re.sub(r"\b(\d{4,5})\b", lambda found: ports.get(found[1], found[1]), block) for block in blocks]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout whose `.venv` is the environment that these tests run in, instead of one from the package index."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt", "collector-config", "otel_labelstudio"):
        (tmp_path / name).symlink_to(REPOSITORY / name)
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "bin").symlink_to(Path(sys.executable).parent)
    (tmp_path / ".venv" / "installed").touch()
    return tmp_path


def answers(url: str) -> bool:
    """Whether somebody answers there, whatever the answer."""
    try:
        urllib.request.urlopen(url, timeout=5).close()
    except urllib.error.HTTPError as error:
        error.close()
        return True
    except OSError:
        return False
    return True


@pytest.mark.slow
@pytest.mark.usefixtures("otelcol")  # built already: that takes long
def test_it_ends_with_a_task(checkout: Path) -> None:
    """The commands of the four terminals, one after the other: Label Studio has the call as a task, once, also when it
    is sent twice."""
    if missing_tools := [tool for tool in ("make", "curl", "bash") if shutil.which(tool) is None]:
        missing(" and ".join(missing_tools))
    ports = {number: str(steady_port()) for number in ("8080", "24318", "4318")}
    label_studio, receiver, collector = (f"http://127.0.0.1:{ports[number]}" for number in ("8080", "24318", "4318"))
    environment = {
        **{
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("OTEL", "LABEL_STUDIO_", "OPENAI"))
        },
        "PYTHONPATH": str(REPOSITORY),
        "OTLP_GRPC_ENDPOINT": f"127.0.0.1:{steady_port()}",
        "OTLP_HTTP_ENDPOINT": collector.removeprefix("http://"),
        "OTEL_LABELSTUDIO_ENDPOINT": receiver,
        "HEALTH_ENDPOINT": f"127.0.0.1:{steady_port()}",
        "METRICS_PORT": str(steady_port()),
    }
    demo, serve, otelcol, send, _ = commands(ports)
    with ExitStack() as terminals:
        said = terminals.enter_context(terminal("demo", demo, checkout, environment))
        wait_for(lambda: "Ctrl-C stops Label Studio" in said(), said)
        said = terminals.enter_context(terminal("serve", serve, checkout, environment))
        wait_for(lambda: answers(f"{receiver}/healthz"), said)
        said = terminals.enter_context(terminal("otelcol", otelcol, checkout, environment))
        wait_for(lambda: answers(f"http://{environment['HEALTH_ENDPOINT']}"), said)
        for _ in range(2):
            subprocess.run(["bash", "-ce", send], cwd=checkout, env=environment, check=True, timeout=600)
        key = json.loads((checkout / "first-run" / "label-studio" / "credentials.json").read_text("utf-8"))["api_key"]
        labeling = Labeling(label_studio, key)
        wait_for(lambda: bool(labeling.project_ids("First run") and labeling.tasks("First run")), said)
        (task,) = labeling.tasks("First run")
    assert task["data"]["span_id"] == "b7ad6b7169203331"
    assert predicted(task) == ["Air scatters blue light more than red."]
    written = {path.name for path in checkout.iterdir() if not path.is_symlink()}
    assert written == {".venv", "first-run", "demo.log", "serve.log", "otelcol.log"}


def predicted(task: dict[str, Any]) -> list[str]:
    """The answers of the task's predictions."""
    return [text for one in task["predictions"] for region in one["result"] for text in region["value"]["text"]]

"""The examples that send OTLP to `otel-labelstudio serve`: a Node application, and LiteLLM's proxy."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_labelstudio.demo.label_studio import EmbeddedLabelStudio
from otel_labelstudio.demo.openai_stand_in import OpenAIStandIn
from otel_labelstudio.receiver.settings import VARIABLES
from tests.cached import cached
from tests.delivery.labeling import Labeling
from tests.delivery.pipelines import until
from tests.examples.applications import ANSWER, EXAMPLES, QUESTION, copied, dialogues
from tests.missing import missing
from tests.peers.recording import KEY, gateway
from tests.receiver.serving import Process, serve_command

README_TITLES = {"litellm_proxy": "LiteLLM %Y-%m", "node": "Node %Y-%m"}


@pytest.fixture
def serve(label_studio: EmbeddedLabelStudio, title: str, tmp_path: Path) -> Iterator[Process]:
    """As the examples start it, with a title of the test's own."""
    flags = ["--mode", "auto", "--project-name", title, "--outbox", str(tmp_path / "outbox.db"), "--settle-s", "1"]
    where = {"LABEL_STUDIO_URL": label_studio.url, "LABEL_STUDIO_API_KEY": label_studio.api_key}
    with serve_command(*flags, **where) as process:
        yield process


def test_node(serve: Process, labeling: Labeling, title: str, tmp_path: Path) -> None:
    """The call of an application that has nothing of this package is a task."""
    run = subprocess.run(
        ["node", "app.js"],
        cwd=node_application(tmp_path),
        env={**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": serve.http},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert (run.returncode, run.stdout) == (0, f"{ANSWER}\n"), run.stderr
    until(lambda: dialogues(labeling, title) == [(QUESTION, [ANSWER])])


def node_application(folder: Path) -> Path:
    """The example, with what its package.json names, which is installed once."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        missing("Node.js with npm")
    package = (EXAMPLES / "node" / "package.json").read_bytes()

    def install(directory: Path) -> None:
        (directory / "package.json").write_bytes(package)
        npm = [shutil.which("npm") or "npm", "install", "--no-audit", "--no-fund", "--silent"]
        subprocess.run(npm, cwd=directory, check=True, timeout=600)

    installed = cached("examples/node", package, install)
    application = copied("node", folder)
    (application / "node_modules").symlink_to(installed / "node_modules")
    return application


@pytest.mark.slow
def test_litellms_proxy(serve: Process, labeling: Labeling, title: str, tmp_path: Path) -> None:
    """With the example's configuration, a call of an application behind the proxy is a task."""
    folder = copied("litellm_proxy", tmp_path)
    with OpenAIStandIn() as stand_in:
        model = {"OPENAI_BASE_URL": stand_in.url, "OPENAI_API_KEY": "stand-in"}
        with gateway(stand_in.url, serve.http, model, folder, folder / "config.yaml") as url:
            asked = urllib.request.Request(
                f"{url}/chat/completions",
                json.dumps({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": QUESTION}]}).encode(),
                {"Content-Type": "application/json", "Authorization": f"Bearer {KEY}"},
            )
            with urllib.request.urlopen(asked, timeout=240) as answer:
                text = json.load(answer)["choices"][0]["message"]["content"]
            until(lambda: dialogues(labeling, title) == [(QUESTION, [text])])


@pytest.mark.parametrize("name", README_TITLES)
def test_what_the_examples_say_of_serve(name: str) -> None:
    """The flags are those of the tests, and the signals go where it listens by default."""
    page = (EXAMPLES / name / "README.md").read_text(encoding="utf-8")
    assert f"otel-labelstudio serve --mode auto --project-name '{README_TITLES[name]}'" in page
    assert f"OTEL_EXPORTER_OTLP_ENDPOINT=http://{default_address('http')}\n" in page


def default_address(name: str) -> str:
    return next(str(variable.default) for variable in VARIABLES if variable.name == name)

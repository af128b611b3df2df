"""The README's first steps, literally: its blocks from top to bottom, each way in a fresh virtual environment of its
own that has what the blocks say to install and nothing else, against a real Label Studio.

What a test puts in the place of what stands there is what a reader may have to change too: the API key for
YOUR-API-KEY, and other ports for 8080, 4317 and 4318.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from otel_labelstudio.demo.label_studio import EmbeddedLabelStudio
from tests.delivery.labeling import Labeling
from tests.first_steps.environments import Environment, Environments
from tests.first_steps.readme import Block, assert_shown, blocks_under, script, shown, substituted
from tests.ports import steady_port
from tests.terminals import terminal, wait_for

pytestmark = pytest.mark.slow

DEMO, ZERO_CODE, RECEIVER = "See it", "Without touching the code", "As an OTLP receiver"
WAY_BACK = "From labels to training data"
# The ways that come to an end by themselves, and the headings whose blocks they consist of
WAYS = {
    "code": ["In code"],
    "variables": [ZERO_CODE, "By environment variables"],
    "file": [ZERO_CODE, "By a configuration file"],
}
QUESTION, ANSWER = "What is the capital of France?", "Paris."
COMPLAINTS = re.compile("Traceback|ERROR|WARNING")


@dataclass(frozen=True)
class Reader:
    """Somebody who follows the README in a directory that is also their home."""

    environments: Environments
    directory: Path
    api_key: str
    ports: Mapping[str, int]

    def reads(self, text: str) -> str:
        """A text with their key and ports in it."""
        return substituted(text, api_key=self.api_key, ports=self.ports)

    def follows(self, blocks: list[Block], environment: Environment) -> subprocess.CompletedProcess[str]:
        """Runs the blocks to their end; what they write to standard error stands in the output, where it came."""
        return subprocess.run(
            ["bash", "-ec", self.reads(script(blocks))],
            cwd=self.directory,
            env=self.environments.variables(environment, self.directory),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
            check=False,
        )

    def opens_terminal(
        self, name: str, blocks: list[Block], environment: Environment
    ) -> AbstractContextManager[Callable[[], str]]:
        """Runs the blocks until the context ends; gives what they have printed."""
        variables = self.environments.variables(environment, self.directory)
        return terminal(name, f"set -e\n{self.reads(script(blocks))}", self.directory, variables)


@pytest.fixture(scope="module")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Environments:
    return Environments(tmp_path_factory.mktemp("environments"))


@pytest.fixture
def reader(environments: Environments, label_studio: EmbeddedLabelStudio, tmp_path: Path) -> Reader:
    ports = {"8080": label_studio.port, "4317": steady_port(), "4318": steady_port()}
    return Reader(environments, tmp_path, label_studio.api_key, ports)


class Tasks:
    """The tasks of the README's application, whatever the date in their project's title."""

    def __init__(self, labeling: Labeling) -> None:
        self._labeling = labeling
        self._known = {task["id"] for task in self._all()}

    def new(self) -> list[dict[str, Any]]:
        """Those that have come since this was made."""
        return [task for task in self._all() if task["id"] not in self._known]

    def _all(self) -> Iterator[dict[str, Any]]:
        for project in self._labeling.request("GET", "/api/projects/?page_size=1000")["results"]:
            if re.fullmatch(r"support-bot \d{4}-\d\d(-\d\d)?", project["title"]):
                yield from self._labeling.tasks(project["id"])


def assert_is_the_call(task: dict[str, Any]) -> None:
    """It has the question, the answer pre-filled, and the service's name."""
    assert task["data"]["prompt"] == [{"role": "user", "content": QUESTION}]
    assert task["data"]["service"] == "support-bot"
    assert [region["value"]["text"] for one in task["predictions"] for region in one["result"]] == [[ANSWER]]


def test_the_demo(reader: Reader, environments: Environments) -> None:
    """From the wheel alone: the terminal shows what the README shows, at the addresses are the tasks, and the files
    that it names stay when it has ended."""
    blocks, environment = blocks_under(DEMO), environments.with_dependencies("demo")
    alone = replace(reader, ports={"8080": steady_port()})
    with alone.opens_terminal("demo", blocks, environment) as said:
        wait_for(lambda: "Ctrl-C stops Label Studio" in said(), said)
        assert_shown(alone.reads(shown(blocks)), said())
        (key,) = re.findall(r"^API key +(\S+)$", said(), re.MULTILINE)
        labeling = Labeling(f"http://127.0.0.1:{alone.ports['8080']}", key)
        titles = [f"Demo: {page}" for page in ("review", "compare", "chat", "prompt")]
        assert [len(labeling.tasks(title)) for title in titles] == [11, 3, 11, 6]
        assert_comes_back(replace(alone, api_key=key), environment)
    (results,) = reader.directory.glob("demo-labels-*")
    assert (results / "report.html").is_file()
    assert (results / "dataset" / "sft" / "train.jsonl").is_file()
    assert environment.has_this_checkout()


def assert_comes_back(reader: Reader, environment: Environment) -> None:
    """The commands of the way back succeed and show what the README shows; their files are there, and can be read."""
    blocks = blocks_under(WAY_BACK)
    run = reader.follows(blocks, environment)
    assert run.returncode == 0, run.stdout
    assert_shown(reader.reads(shown(blocks)), run.stdout)
    rows = (reader.directory / "out" / "sft" / "train.jsonl").read_text(encoding="utf-8")
    assert json.loads(rows.split("\n")[0]).keys() == {"prompt", "completion", "tools"}
    assert "<h1>Human feedback</h1>" in (reader.directory / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("way", WAYS)
def test_a_way_that_ends_by_itself(way: str, reader: Reader, environments: Environments, labeling: Labeling) -> None:
    """Every command succeeds, nothing complains, the terminal shows what the README shows, and the call is a task."""
    tasks, environment = Tasks(labeling), environments.with_dependencies(way)
    blocks = [block for heading in WAYS[way] for block in blocks_under(heading)]
    run = reader.follows(blocks, environment)
    assert run.returncode == 0, run.stdout
    assert not COMPLAINTS.search(run.stdout), run.stdout
    assert_shown(reader.reads(shown(blocks)), run.stdout)
    (task,) = tasks.new()
    assert_is_the_call(task)
    assert environment.has_this_checkout()


def test_the_receiver(reader: Reader, environments: Environments, labeling: Labeling) -> None:
    """`serve` in one terminal shows what the README shows, once an application in another one, whose environment has
    nothing of this package, has sent a call; and the call is a task."""
    tasks, blocks = Tasks(labeling), blocks_under(RECEIVER)
    application = [block for block in blocks_under(ZERO_CODE) if block.is_file]
    serve, send = (block for block in blocks if block.language == "sh")
    environment, senders = environments.with_dependencies("receiver"), environments.empty("sender")
    with reader.opens_terminal("serve", [serve], environment) as serve_said:
        wait_for(lambda: "Listening" in serve_said(), serve_said)
        run = reader.follows([*application, send], senders)
        assert run.returncode == 0, run.stdout
        assert not COMPLAINTS.search(run.stdout), run.stdout
        wait_for(lambda: "First delivery" in serve_said(), serve_said)
        assert_shown(reader.reads(shown(blocks)), serve_said())
        (task,) = tasks.new()
    assert_is_the_call(task)
    assert environment.has_this_checkout()
    assert not (senders.packages / "otel_labelstudio").exists()

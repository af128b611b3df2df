"""Every block of code in README and docs does what its language says: it is run, or read by what would read it.

Blocks that are run as a reader follows them: the README's in tests/first_steps, those of docs/shutdown.md in
tests/last_seconds, the first run of collector-config in tests/collector.
"""

from __future__ import annotations

import ast
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from itertools import dropwhile, pairwise
from pathlib import Path

import pytest
from opentelemetry.configuration import load_config_file

from otel_labelstudio.cli import parser
from otel_labelstudio.demo.label_studio import EmbeddedLabelStudio
from otel_labelstudio.receiver.config_file import ConfigFile
from otel_labelstudio.receiver.settings import VARIABLES as RECEIVER_VARIABLES
from otel_labelstudio.settings import VARIABLES, Settings
from tests.delivery.labeling import Labeling
from tests.documents import REPOSITORY, CodeBlock, code_blocks

BLOCKS = list(code_blocks())
TUTORIAL = "docs/tutorial.md"
# Blocks of Python that cannot be run alone, by page and first line; all others are
NOT_RUN_ALONE = {
    ("README.md", "# application.py"): "needs a server or another exporter: run in tests/first_steps",
    ("docs/datasets.md", "from datasets import load_dataset"): "run in tests/annotations/datasets, with the package",
    (TUTORIAL, "# support.py"): "needs a server: run below",
    ("docs/annotations.md", "from otel_labelstudio.annotations import LabelStudioSource"): "needs a server",
    **{
        ("docs/shutdown.md", f"# {name}"): "runs as part of a server or a worker: run in tests/last_seconds"
        for name in (
            *("tracing.py", "script.py", "service.py", "service_with_lifespan.py", "gunicorn.conf.py", "tasks.py"),
            *("tasks_that_flush.py", "jobs.py", "function.py", "cell.py"),
        )
    },
}
# Languages that nothing reads: what a terminal or a log shows, and pictures, which `make docs` draws
NOT_READ = ("text", "mermaid")
READ = ("python", "sh", "yaml", "toml", "json")

_OURS = re.compile(r"(OTEL_EXPORTER_LABELSTUDIO_\w+|OTEL_LABELSTUDIO_RECEIVER_\w+|LABEL_STUDIO_\w+)=")
_EXTRAS = re.compile(r"'otel-labelstudio\[([\w,-]+)\]'")
_TARGETS = re.compile(r"\bmake (\w+)")
_TEST_FILES = re.compile(r"\btests/[\w/.]+\.py\b")
_SEPARATORS = {";", "&&", "||", "|", "&"}


def of(language: str) -> list[CodeBlock]:
    return [block for block in BLOCKS if block.language == language]


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_every_block_says_its_language(block: CodeBlock) -> None:
    """One of those that are checked here or known to be nothing to check."""
    assert block.language in (*READ, *NOT_READ)


@pytest.mark.parametrize("block", of("python"), ids=str)
def test_python_compiles(block: CodeBlock) -> None:
    """Also where it cannot be run alone."""
    compile(block.text, str(block), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


def test_python_runs(tmp_path: Path) -> None:
    """Each block that the table does not name, in a process of its own, beside a recorded file and an export."""
    (tmp_path / "traces.jsonl").write_text("{}\n", encoding="utf-8")
    recorded = json.loads((REPOSITORY / "tests/annotations/recorded/review.json").read_text(encoding="utf-8"))
    (tmp_path / "export.json").write_text(json.dumps(list(recorded["tasks"].values())), encoding="utf-8")
    for block in of("python"):
        if not any(block.page == page and block.first_line.startswith(first) for page, first in NOT_RUN_ALONE):
            command = [sys.executable, "-c", f"from __future__ import annotations\n{block.text}"]
            run = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=600, check=False)
            assert (run.returncode, run.stderr) == (0, ""), block


@pytest.mark.parametrize(("page", "first_line"), NOT_RUN_ALONE)
def test_the_table_of_blocks_that_are_not_run_names_blocks(page: str, first_line: str) -> None:
    """A block that is gone leaves the table too."""
    assert any(block.page == page and block.first_line.startswith(first_line) for block in of("python"))


def test_the_tutorial_leads_to_its_files(label_studio: EmbeddedLabelStudio, labeling: Labeling, tmp_path: Path) -> None:
    """The application delivers three tasks, as the page says; once somebody has labeled them, the page's commands write
    the fine-tuning file and the report."""
    (block,) = (block for block in of("python") if block.page == TUTORIAL)
    (tmp_path / "support.py").write_text(block.text, encoding="utf-8")
    own = {"LABEL_STUDIO_URL": label_studio.url, "LABEL_STUDIO_API_KEY": label_studio.api_key, "HOME": str(tmp_path)}

    def said(*arguments: str) -> str:
        command = [sys.executable, *arguments]
        run = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=own, timeout=600, check=False)
        assert run.returncode == 0, run.stderr
        return run.stdout

    assert "'calls.accepted': 3, 'spans.received': 3, 'tasks.delivered': 3" in said("support.py")
    for task in labeling.tasks("support-bot tutorial"):
        (prediction,) = task["predictions"]
        accepted = {"result": prediction["result"], "parent_prediction": prediction["id"]}
        labeling.request("POST", f"/api/tasks/{task['id']}/annotations/", accepted)
    shell = "".join(block.text for block in of("sh") if block.page == TUTORIAL)
    for arguments in commands("otel-labelstudio", shell):
        if arguments[0] in ("dataset", "report"):
            said("-m", "otel_labelstudio", *arguments)
    files = (tmp_path / "out-openai" / "sft").glob("*.jsonl")
    rows = [row for file in files for row in file.read_text(encoding="utf-8").splitlines()]
    assert [json.loads(row)["messages"][0]["role"] for row in rows] == ["system"] * 3
    assert "<html" in (tmp_path / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("block", of("sh"), ids=str)
def test_shell_is_shell(block: CodeBlock) -> None:
    """bash reads it."""
    subprocess.run(["bash", "-n"], input=block.text, text=True, check=True, timeout=600)


@pytest.mark.parametrize("block", of("sh"), ids=str)
def test_commands_are_commands(block: CodeBlock) -> None:
    """The parser of `otel-labelstudio` takes each of them as it stands, with all of its options."""
    for arguments in commands("otel-labelstudio", block.text):
        parser().parse_args(arguments)


@pytest.mark.parametrize("block", of("sh"), ids=str)
def test_what_shell_names_is_there(block: CodeBlock) -> None:
    """Variables of ours, extras of the package, targets of the Makefile, and files of the tests."""
    known = {variable.environment for variable in (*VARIABLES, *RECEIVER_VARIABLES)}
    assert set(_OURS.findall(block.text)) <= known
    pyproject = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    for extra in (one for extras in _EXTRAS.findall(block.text) for one in extras.split(",")):
        assert re.search(rf"^{extra} = \[", pyproject, re.MULTILINE)
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in _TARGETS.findall(block.text))
    assert all((REPOSITORY / file).exists() for file in _TEST_FILES.findall(block.text))


@pytest.mark.parametrize("block", of("sh"), ids=str)
def test_the_collectors_files_are_there(block: CodeBlock) -> None:
    """Each that is handed to a Collector; tests/collector validates and runs them."""
    for arguments in commands("otelcol", block.text):
        named = [value for flag, value in pairwise(arguments) if flag == "--config"]
        files = [Path(value).name for value in named if not value.startswith("yaml:")]
        assert files
        assert all((REPOSITORY / "collector-config" / file).exists() for file in files)


@pytest.mark.parametrize("block", of("yaml"), ids=str)
def test_yaml_is_a_configuration_of_the_sdk(block: CodeBlock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK's own reader takes it."""
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "a-key")
    file = tmp_path / "otel.yaml"
    file.write_text(block.text, encoding="utf-8")
    assert load_config_file(str(file)).tracer_provider


@pytest.mark.parametrize("block", of("toml"), ids=str)
def test_toml_is_a_configuration_of_the_receiver(block: CodeBlock, tmp_path: Path) -> None:
    """Its reader takes it, and knows every name in it."""
    path = tmp_path / "receiver.toml"
    path.write_text(block.text, encoding="utf-8")
    file = ConfigFile.read(str(path))
    assert file.receiver.keys() <= {variable.name for variable in RECEIVER_VARIABLES}
    assert file.labelstudio.keys() <= {variable.name for variable in VARIABLES}
    file.resolved_routes(Settings.resolve({"api_key": "a-key"}))


def test_json_is_json() -> None:
    """Python's reader takes each block."""
    for block in of("json"):
        json.loads(block.text)


def commands(name: str, shell: str) -> Iterator[list[str]]:
    """The arguments of each command of that name in a block."""
    for line in shell.replace("\\\n", " ").splitlines():
        command: list[str] = []
        for word in [*_words(line), ";"]:
            if word not in _SEPARATORS:
                command.append(word)
                continue
            program, *arguments = _without_variables(command) or [""]
            if Path(program).name.lstrip("$") == name:
                yield arguments
            command = []


def _words(line: str) -> list[str]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=";&|")
    lexer.whitespace_split = True
    lexer.commenters = "#"
    return list(lexer)


def _without_variables(command: list[str]) -> list[str]:
    return list(dropwhile(lambda word: re.match(r"\w+=", word), command))

"""The examples in Python, run as they stand: what they traced is in Label Studio when they have ended."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.delivery.labeling import Labeling
from tests.delivery.pipelines import until
from tests.examples.applications import ANSWER, EXAMPLES, QUESTION, ask_and_end, copied, dialogues, told
from tests.kernels import running_kernel
from tests.last_seconds.processes import DEADLINE_S, started

# A busy machine's worker is not killed for being slow
GUNICORN = ("-m", "gunicorn", "--bind", "127.0.0.1:{port}", "--timeout", "240", "--graceful-timeout", "240")
SERVERS = {
    "fastapi": (["-m", "uvicorn", "--port", "{port}", "service:app"], f'"{ANSWER}"'),
    "gunicorn": ([*GUNICORN, "wsgi:app"], ANSWER),
    "django": ([*GUNICORN, "support.wsgi"], ANSWER),
}


@pytest.mark.parametrize("name", SERVERS)
def test_a_web_server(name: str, variables: dict[str, str], labeling: Labeling, title: str, tmp_path: Path) -> None:
    """The call of a request is a task after SIGTERM, by which each server is ended."""
    command, answered = SERVERS[name]
    ended = ask_and_end(command, copied(name, tmp_path), variables, answered)
    assert dialogues(labeling, title) == [(QUESTION, [ANSWER])], ended.log


def test_celery(variables: dict[str, str], labeling: Labeling, title: str, tmp_path: Path) -> None:
    """The call of a task in the pool is there when the worker has ended."""
    folder = copied("celery", tmp_path)
    send = f"import tasks; tasks.ask.delay({QUESTION!r})"
    subprocess.run([sys.executable, "-c", send], cwd=folder, env=variables, check=True, timeout=600)
    command = ["-m", "celery", "--app", "tasks", "worker", "--concurrency", "1", "--loglevel", "info"]
    with started(command, folder, variables) as worker:
        until(lambda: "succeeded in" in worker.log)
        worker.end()
    assert dialogues(labeling, title) == [(QUESTION, [ANSWER])], worker.log


def test_aws_lambda(variables: dict[str, str], labeling: Labeling, title: str, tmp_path: Path) -> None:
    """The call of an invocation is there when the function answers, however its process ends then."""
    invoke = f"import function, os; print(function.handler({{'question': {QUESTION!r}}}, None)); os._exit(0)"
    with started(["-c", invoke], copied("aws_lambda", tmp_path), variables) as function:
        assert function.process.wait(DEADLINE_S) == 0, function.log
    assert dialogues(labeling, title) == [(QUESTION, [ANSWER])]


def test_langgraph(variables: dict[str, str], labeling: Labeling, title: str, tmp_path: Path) -> None:
    """Each call of the agent's model is a task of one conversation, the second with the tool's result in it."""
    with started(["agent.py"], copied("langgraph", tmp_path), variables) as agent:
        assert agent.process.wait(DEADLINE_S) == 0, agent.log
    project = labeling.project_of(title)
    calls = [task["meta"]["call"] for task in labeling.tasks(project)]
    kinds = [[part["type"] for message in call["input_messages"] for part in message["parts"]] for call in calls]
    assert sorted(kinds) == [["text"], ["text", "tool_call", "tool_call_response"]]
    assert {call.get("conversation_id") for call in calls} == {"conversation-7"}


def test_pytest(variables: dict[str, str], tmp_path: Path) -> None:
    """Its tests pass, without a server or a key: each has its own calls, and no more."""
    alone = {name: value for name, value in variables.items() if not name.startswith(("OTEL_", "LABEL_STUDIO_"))}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(copied("pytest", tmp_path))]
    run = subprocess.run(command, env=alone, cwd=tmp_path, capture_output=True, text=True, timeout=600, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "3 passed" in run.stdout


def test_a_notebook_whose_cells_are_run_twice(
    variables: dict[str, str], labeling: Labeling, title: str, tmp_path: Path
) -> None:
    """Each time that a cell asks the model there is a task when the cell has ended, also after the cell that sets
    tracing up was run again; and the counts are not those of an exporter that nobody uses."""
    notebook = json.loads((EXAMPLES / "notebook" / "support_bot.ipynb").read_text(encoding="utf-8"))
    setup, ask, counts = ("".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code")
    with running_cells(variables, tmp_path) as run:
        for number in (1, 2):
            said = "".join(map(run, (setup, ask, counts)))
            assert dialogues(labeling, title) == [(QUESTION, [ANSWER])] * number
            assert f"'tasks.delivered': {number}" in said
            assert "already instrumented" not in said


@contextmanager
def running_cells(variables: dict[str, str], folder: Path) -> Iterator[Callable[[str], str]]:
    """Runs a cell, and gives what it shows."""
    with running_kernel(variables, folder) as (_, client):

        def run(cell: str) -> str:
            shown: list[str] = []
            reply = client.execute_interactive(
                cell, timeout=DEADLINE_S, output_hook=lambda message: shown.append(str(message["content"]))
            )
            assert reply["content"]["status"] == "ok", reply["content"]
            return "".join(shown)

        yield run


def test_every_example_is_run() -> None:
    """None is there that no test knows, and the table has each."""
    of_serve = {"litellm_proxy", "node"}
    run = {*SERVERS, "celery", "aws_lambda", "langgraph", "pytest", "notebook", *of_serve}
    assert {folder.name for folder in EXAMPLES.iterdir() if folder.is_dir()} == run
    table = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert all(f"| [{name}](" in table for name in run)


def test_told_reads_a_task() -> None:
    """The last turn, and each text of each prediction."""
    task = {"data": {"prompt": [{"content": "a"}, {"content": "b"}]}, "predictions": []}
    assert told(task) == ("b", [])

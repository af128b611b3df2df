"""Workers, functions and notebooks that are told to end, frozen or killed: with the recipes of docs/shutdown.md nothing
that was traced is lost."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.delivery.pipelines import until
from tests.kernels import running_kernel
from tests.last_seconds.conftest import Arrivals
from tests.last_seconds.processes import DEADLINE_S, Application, started
from tests.last_seconds.recipes import WORK, recipe, write_application

# -- a script ---------------------------------------------------------------------------------------------------------

SCRIPT_WORK = """
trace_number(1)
print("ready")
signal.pause()
"""


def end_script(folder: Path, variables: dict[str, str]) -> Application:
    """Run it until it waits for a signal, and send it SIGTERM."""
    with started(["script.py"], folder, variables) as script:
        assert script.answers.readline() == "ready\n"
        script.end()
        return script


def test_a_script_with_a_signal_handler(variables: dict[str, str], arrivals: Arrivals, tmp_path: Path) -> None:
    """What it has traced before SIGTERM arrives."""
    write_application(tmp_path, "script.py", SCRIPT_WORK)
    assert end_script(tmp_path, variables).process.returncode == 0
    assert arrivals.numbers() == [1]


def test_a_script_without_a_signal_handler(variables: dict[str, str], arrivals: Arrivals, tmp_path: Path) -> None:
    """SIGTERM ends it at once: nothing arrives, and there is nobody to say so."""
    write_application(tmp_path, "script.py", SCRIPT_WORK, without=recipe("script.py").splitlines()[-1])
    script = end_script(tmp_path, variables)
    assert (script.process.returncode, script.log) == (-signal.SIGTERM, "")
    assert arrivals.numbers() == []


# -- Celery -----------------------------------------------------------------------------------------------------------

CELERY_WORK = """
from celery.signals import worker_ready

app.conf.update(
    broker_url="filesystem://",
    broker_transport_options={"data_folder_in": "queue", "data_folder_out": "queue", "polling_interval": 0.05},
    result_backend="file://results",
)


@app.task
def work(number: int) -> int:
    trace_number(number)
    return number


@worker_ready.connect
def send_all(**_):
    for number in range(8):
        work.delay(number)
"""


def work_and_end(
    folder: Path,
    variables: dict[str, str],
    *options: str,
    module: str = "tasks",
    is_done: Callable[[], bool] = lambda: True,
) -> None:
    """Run a Celery worker with two processes until they have done all tasks, and end it."""
    queue, results = folder / "queue", folder / "results"
    queue.mkdir()
    results.mkdir()
    command = ["-m", "celery", "--app", module, "worker", "--concurrency", "2", "--loglevel", "warning", *options]
    with started(command, folder, variables) as worker:
        until(lambda: len(list(results.iterdir())) == 8 and is_done())
        worker.end()


def test_celery_with_its_signal(variables: dict[str, str], arrivals: Arrivals, tmp_path: Path) -> None:
    """What each process of the pool has traced before SIGTERM arrives."""
    write_application(tmp_path, "tasks.py", CELERY_WORK)
    work_and_end(tmp_path, variables)
    assert arrivals.numbers() == list(range(8))


def test_celery_that_flushes_after_each_task(variables: dict[str, str], arrivals: Arrivals, tmp_path: Path) -> None:
    """Nothing waits for the end of a process: where the processes of the pool are replaced, nothing is lost by that."""
    write_application(tmp_path, "tasks_that_flush.py", CELERY_WORK)
    options = ("--max-tasks-per-child", "2")
    work_and_end(tmp_path, variables, *options, module="tasks_that_flush", is_done=lambda: len(arrivals.numbers()) == 8)
    assert arrivals.numbers() == list(range(8))


def test_celery_without_its_signal(variables: dict[str, str], arrivals: Arrivals, tmp_path: Path) -> None:
    """The processes of the pool run no exit handlers."""
    write_application(tmp_path, "tasks.py", CELERY_WORK, without="@worker_process_shutdown.connect")
    work_and_end(tmp_path, variables)
    assert arrivals.numbers() == []


# -- a pool of processes ----------------------------------------------------------------------------------------------

POOL_WORK = """
from concurrent.futures import ProcessPoolExecutor

if __name__ == "__main__":
    with ProcessPoolExecutor(2, initializer=deliver_at_the_end) as pool:
        list(pool.map(trace_number, range(8)))
"""


@pytest.mark.parametrize("recipe_is_followed", [True, False])
def test_a_pool_of_processes(
    variables: dict[str, str], arrivals: Arrivals, tmp_path: Path, recipe_is_followed: bool
) -> None:
    """They run finalizers and no exit handlers: with one, what each has traced arrives, and without it nothing."""
    work = POOL_WORK if recipe_is_followed else POOL_WORK.replace(", initializer=deliver_at_the_end", "")
    write_application(tmp_path, "jobs.py", work)
    with started(["jobs.py"], tmp_path, variables) as jobs:
        assert jobs.process.wait(DEADLINE_S) == 0, jobs.log
    assert arrivals.numbers() == (list(range(8)) if recipe_is_followed else [])


# -- a function that is frozen between its invocations ----------------------------------------------------------------

FUNCTION_WORK = """
import sys


def answer(event):
    trace_number(int(event))
    return event


print("ready", flush=True)
for line in sys.stdin:
    print(handler(line.strip(), None), flush=True)
"""


@pytest.fixture
def function(variables: dict[str, str], tmp_path: Path) -> Iterator[Application]:
    write_application(tmp_path, "function.py", FUNCTION_WORK)
    with started(["function.py"], tmp_path, variables) as running:
        assert running.answers.readline() == "ready\n"
        yield running


def invoke_and_freeze(function: Application, number: int) -> None:
    """As Lambda does: thawed for the invocation, frozen as soon as it has answered."""
    function.process.send_signal(signal.SIGCONT)
    assert function.tell(str(number)) == str(number)
    function.process.send_signal(signal.SIGSTOP)


def test_a_function_that_flushes(function: Application, arrivals: Arrivals) -> None:
    """What an invocation traced has arrived when it answers, also after a freeze, and when it is killed in the end."""
    for number in (1, 2, 3):
        invoke_and_freeze(function, number)
        assert arrivals.numbers() == list(range(1, number + 1))
    function.end(signal.SIGKILL)
    assert arrivals.numbers() == [1, 2, 3]


# -- a notebook -------------------------------------------------------------------------------------------------------


def test_a_notebook_whose_kernel_is_restarted(variables: dict[str, str], arrivals: Arrivals, tmp_path: Path) -> None:
    """What a cell traced has arrived when it has run; the restart loses nothing, and neither does a kill."""
    with running_kernel(variables, tmp_path) as (kernel, client):
        cells = [recipe("tracing.py"), recipe("cell.py"), WORK, "trace_number(1)"]
        for cell in cells:
            assert client.execute_interactive(cell, timeout=DEADLINE_S)["content"]["status"] == "ok"
        assert arrivals.numbers() == [1]
        kernel.restart_kernel(now=False)
    assert arrivals.numbers() == [1]

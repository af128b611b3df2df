"""Web servers that are told to end: with the recipes of docs/shutdown.md nothing that was traced is lost."""

from __future__ import annotations

import sys
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.delivery.pipelines import until
from tests.last_seconds.conftest import Arrivals
from tests.last_seconds.processes import Application, started
from tests.last_seconds.recipes import WORK, write_application
from tests.ports import steady_port

NUMBERS = range(12)
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

ASGI_WORK = """
@app.get("/ask/{number}")
def ask(number: int) -> int:
    trace_number(number)
    return number
"""
WSGI_WORK = """
import tracing


def app(environ, start_response):
    trace_number(int(environ["PATH_INFO"].rpartition("/")[2]))
    start_response("200 OK", [])
    return [b"ok"]
"""


def ask(url: str, number: int) -> None:
    """Make a request in which the application traces a call."""
    with _opener.open(f"{url}/ask/{number}", timeout=240) as answer:
        answer.read()


def is_up(application: Application, url: str) -> bool:
    """Whether it answers; then it has traced the first number."""
    assert application.process.poll() is None, application.log
    try:
        ask(url, NUMBERS[0])
    except OSError:
        return False
    return True


def ask_and_end(command: Sequence[str], folder: Path, variables: dict[str, str]) -> Application:
    """Run a server, have it trace all numbers, by several requests at once so that each worker has some, and end it."""
    port = steady_port()
    url = f"http://127.0.0.1:{port}"
    with started([part.format(port=port) for part in command], folder, variables) as application:
        until(lambda: is_up(application, url))
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda number: ask(url, number), NUMBERS[1:]))
        application.end()
        return application


# No time is too long for a busy machine: servers do not kill what is only slow
UVICORN = ("-m", "uvicorn", "--port", "{port}", "--timeout-worker-healthcheck", "240")


@pytest.mark.parametrize(
    ("name", "workers"), [("service.py", "1"), ("service.py", "2"), ("service_with_lifespan.py", "1")]
)
def test_uvicorn_with_a_lifespan(
    variables: dict[str, str], arrivals: Arrivals, tmp_path: Path, name: str, workers: str
) -> None:
    """Whatever was answered before SIGTERM arrives, of each worker."""
    write_application(tmp_path, name, ASGI_WORK)
    ask_and_end([*UVICORN, "--workers", workers, f"{Path(name).stem}:app"], tmp_path, variables)
    assert arrivals.numbers() == list(NUMBERS)


# What the command opentelemetry-instrument runs
INSTRUMENT = ("-c", "from opentelemetry.instrumentation.auto_instrumentation import run; run()", sys.executable)


def test_uvicorn_under_opentelemetry_instrument(variables: dict[str, str], arrivals: Arrivals, tmp_path: Path) -> None:
    """The lifespan finds the provider that was set up for the application, and nothing else is needed."""
    write_application(tmp_path, "service.py", ASGI_WORK, without="import tracing\n")
    exporters = {"TRACES": "labelstudio", "LOGS": "labelstudio", "METRICS": "none"}
    variables |= {f"OTEL_{signal}_EXPORTER": exporter for signal, exporter in exporters.items()}
    variables |= {"OTEL_EXPORTER_LABELSTUDIO_MODE": "chat"}
    ask_and_end([*INSTRUMENT, *UVICORN, "service:app"], tmp_path, variables)
    assert arrivals.numbers() == list(NUMBERS)


def test_uvicorn_says_what_it_could_not_deliver(variables: dict[str, str], tmp_path: Path) -> None:
    """Label Studio is away, and no outbox is named: the server's log has it."""
    write_application(tmp_path, "service.py", ASGI_WORK)
    nobody_is_there = {"LABEL_STUDIO_URL": f"http://127.0.0.1:{steady_port()}"}
    server = ask_and_end([*UVICORN, "service:app"], tmp_path, variables | nobody_is_there)
    assert server.log.count(f"Lost at the shutdown: {len(NUMBERS)} calls ") == 1
    assert "outbox=" in server.log


def test_uvicorn_without_a_lifespan(variables: dict[str, str], arrivals: Arrivals, tmp_path: Path) -> None:
    """It ends itself by the signal that it got: nothing of ours runs any more, as the page says."""
    write_application(tmp_path, "service.py", ASGI_WORK, without="lifespan=lifespan")
    ask_and_end([*UVICORN, "service:app"], tmp_path, variables)
    assert arrivals.numbers() == []


PATIENCE = ("--timeout", "240", "--graceful-timeout", "240")
GUNICORN = ("-m", "gunicorn", "--bind", "127.0.0.1:{port}", "--workers", "2", *PATIENCE)


@pytest.mark.parametrize("preload", [(), ("--preload",)], ids=["each loads", "preload"])
def test_gunicorn_with_the_hook(
    variables: dict[str, str], arrivals: Arrivals, tmp_path: Path, preload: tuple[str, ...]
) -> None:
    """Whatever was answered before SIGTERM arrives, of each worker, where it was forked after the set-up too."""
    write_application(tmp_path, "gunicorn.conf.py")
    (tmp_path / "wsgi.py").write_text(f"{WORK}{WSGI_WORK}", encoding="utf-8")
    ask_and_end([*GUNICORN, *preload, "wsgi:app"], tmp_path, variables)
    assert arrivals.numbers() == list(NUMBERS)


def test_gunicorns_workers_for_asgi_need_the_lifespan(
    variables: dict[str, str], arrivals: Arrivals, tmp_path: Path
) -> None:
    """They end as uvicorn does, and the hook is not called."""
    write_application(tmp_path, "service.py", ASGI_WORK)
    worker = ("--worker-class", "uvicorn.workers.UvicornWorker")
    ask_and_end([*GUNICORN, *worker, "service:app"], tmp_path, variables)
    assert arrivals.numbers() == list(NUMBERS)

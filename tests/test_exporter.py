"""The exporter in an application: what it delivers, and what it must never do to the application."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.instrumentation.requests import RequestsInstrumentor
from opentelemetry.sdk._shared_internal import BatchProcessor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otel_labelstudio import ConfigError, LabelStudioSpanExporter
from otel_labelstudio.demo.label_studio import EmbeddedLabelStudio
from otel_labelstudio.exporter import AutoConfiguredLabelStudioSpanExporter
from otel_labelstudio.tasks.binding import Mode, default_label_config
from tests.delivery.faults import FaultyServer, answers, late
from tests.delivery.labeling import Labeling, fresh_title
from tests.delivery.pipelines import until
from tests.delivery.telemetry import trace_chat, tracer_with

ROOT = Path(__file__).parents[1]
# What a server takes that hangs; nobody who does not wait for it needs half of that on a busy machine
LONG_S = 240
# What a script starts with to record calls as an application's instrumentation does
RECORD = """
import os, sys, time
from tests.delivery.telemetry import trace_chat
from tests.patience import be_patient
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from otel_labelstudio import LabelStudioSpanExporter

be_patient()

def provider_with(processor):
    provider = TracerProvider()
    provider.add_span_processor(processor)
    return provider
"""


@pytest.fixture
def environment(label_studio: EmbeddedLabelStudio) -> dict[str, str]:
    """The environment of a script that exports to the shared Label Studio, in chat mode."""
    inherited = {n: v for n, v in os.environ.items() if not n.startswith(("OTEL_", "LABEL_STUDIO_"))}
    return {
        **inherited,
        "PYTHONPATH": str(ROOT),
        "LABEL_STUDIO_URL": label_studio.url,
        "LABEL_STUDIO_API_KEY": label_studio.api_key,
        "OTEL_EXPORTER_LABELSTUDIO_MODE": "chat",
        "OTEL_EXPORTER_LABELSTUDIO_PROJECT_NAME": fresh_title("Script"),
        "OTEL_EXPORTER_LABELSTUDIO_SETTLE_S": "0",
    }


@pytest.fixture
def exporters(label_studio: EmbeddedLabelStudio) -> Iterator[Callable[..., LabelStudioSpanExporter]]:
    """Makes exporters to the shared Label Studio, and shuts them down at the end."""
    made: list[LabelStudioSpanExporter] = []

    def make(**arguments: Any) -> LabelStudioSpanExporter:
        defaults = {"url": label_studio.url, "api_key": label_studio.api_key, "mode": "chat", "settle_s": 0}
        made.append(LabelStudioSpanExporter(**{**defaults, **arguments}))
        return made[-1]

    yield make
    for exporter in made:
        exporter.shutdown(timeout_millis=0)


def run(script: str, environment: dict[str, str], *command: str) -> subprocess.CompletedProcess[str]:
    """Run a script in an interpreter of its own."""
    # From Python 3.12 on it warns of every fork beside threads, which is what some of these tests are about
    python = command or (sys.executable, "-W", "ignore:This process:DeprecationWarning")
    return subprocess.run(
        [*python, "-c", RECORD + textwrap.dedent(script)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def texts(labeling: Labeling, environment: dict[str, str]) -> list[str]:
    """All answers that were delivered. Processes that start at once may each make a project: all use the oldest."""
    title = environment["OTEL_EXPORTER_LABELSTUDIO_PROJECT_NAME"]
    return sorted(text for answers in labeling.texts(title) for text in answers)


def test_a_call_of_an_application_becomes_a_task(
    exporters: Callable[..., LabelStudioSpanExporter], labeling: Labeling
) -> None:
    """A span that ends is a task, with its span id and all its choices."""
    title = fresh_title("Exporter")
    exporter = exporters(project_name=title)
    span_id = trace_chat(tracer_with(exporter), "Hello?", ("Hi.", "Good day."))
    assert exporter.force_flush(240_000)
    (task,) = labeling.tasks(title)
    assert task["data"]["span_id"] == span_id
    assert labeling.texts(title) == [["Hi.", "Good day."]]
    assert exporter.counts["tasks.delivered"] == 1


def test_the_constructor_asks_nobody_and_starts_nothing(faulty: FaultyServer) -> None:
    """Making an exporter makes no request and no thread, with settings of any server."""
    before = set(threading.enumerate())
    LabelStudioSpanExporter(url=faulty.url, api_key="key", project_id=5)
    assert faulty.seen == []
    assert set(threading.enumerate()) <= before


@pytest.mark.parametrize("state", ["down", "hanging", "failing", "healthy"])
def test_ending_a_span_takes_no_longer_whatever_the_server_does(
    exporters: Callable[..., LabelStudioSpanExporter], faulty: FaultyServer, state: str
) -> None:
    """Under SimpleSpanProcessor export runs on the application's thread: it waits for nothing there."""
    faults = {"hanging": late(LONG_S), "failing": answers(500), "healthy": late(0)}
    if state == "down":
        faulty.stop()
    else:
        faulty.plan(faults[state], None, times=float("inf"))
    tracer = tracer_with(exporters(url=faulty.url, project_name=fresh_title()))
    trace_chat(tracer)
    time.sleep(1.5)  # the worker has imported the SDK, which holds the interpreter's lock in bursts
    took = []
    for _ in range(50):
        began = time.perf_counter()
        trace_chat(tracer)
        took.append(time.perf_counter() - began)
    assert sorted(took)[25] < 0.05
    assert max(took) < LONG_S / 4


def test_requests_run_on_a_thread_of_the_exporters_own(
    exporters: Callable[..., LabelStudioSpanExporter], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody who ends a span opens a connection."""
    import httpx

    threads: list[str] = []
    send = httpx.Client.send

    def send_and_note(*arguments: Any, **keywords: Any) -> httpx.Response:
        threads.append(threading.current_thread().name)
        return send(*arguments, **keywords)

    monkeypatch.setattr(httpx.Client, "send", send_and_note)
    exporter = exporters(project_name=fresh_title())
    trace_chat(tracer_with(exporter))
    assert exporter.force_flush(240_000)
    assert threads
    assert all(name.startswith("otel-labelstudio-delivery") for name in threads)


def test_the_exporters_own_requests_are_not_traced(
    exporters: Callable[..., LabelStudioSpanExporter], label_studio: EmbeddedLabelStudio, labeling: Labeling
) -> None:
    """An application that traces its HTTP calls would otherwise trace the delivery of its traces, for ever."""
    provider = TracerProvider(shutdown_on_exit=False)
    seen = InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(seen))
    instrumentors: list[Any] = [HTTPXClientInstrumentor(), RequestsInstrumentor()]
    for instrumentor in instrumentors:
        instrumentor.instrument(tracer_provider=provider)
    try:
        title = fresh_title("Untraced")
        exporter = exporters(project_name=title, api_key=label_studio.personal_access_token())
        trace_chat(tracer_with(exporter))
        assert exporter.force_flush(240_000)
        assert len(labeling.tasks(title)) == 1
        assert seen.get_finished_spans() == ()
        import httpx

        httpx.get(f"{label_studio.url}/health", timeout=240)
        assert len(seen.get_finished_spans()) == 1  # the instrumentation was there
    finally:
        for instrumentor in instrumentors:
            instrumentor.uninstrument()


def test_shutdown_delivers_what_waits(
    exporters: Callable[..., LabelStudioSpanExporter], labeling: Labeling, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Calls that still settle are delivered at once; nothing is accepted afterwards, and again is no matter."""
    title = fresh_title("Shutdown")
    exporter = exporters(project_name=title, settle_s=3600)
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer("test")
    for i in range(30):
        trace_chat(tracer, answers=[str(i)])
    monkeypatch.setattr(BatchProcessor.shutdown, "__defaults__", (LONG_S * 1000,))
    provider.shutdown()
    assert len(labeling.tasks(title)) == 30
    exporter.shutdown()
    assert exporter.export([]) is SpanExportResult.FAILURE
    assert exporter.counts["tasks.delivered"] == 30


def test_where_nothing_is_left_nothing_is_lost(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The last call was delivered just after the time."""
    exporter = LabelStudioSpanExporter(url="http://127.0.0.1:1", api_key="key")
    assert exporter._pipeline is not None
    monkeypatch.setattr(exporter._pipeline._worker, "drain", lambda *_, **__: False)
    exporter.shutdown(timeout_millis=0)
    assert caplog.messages == []
    assert "calls.dropped[shutdown]" not in exporter.counts


@pytest.mark.parametrize("state", ["down", "hanging"])
def test_shutdown_returns_in_time(
    exporters: Callable[..., LabelStudioSpanExporter],
    faulty: FaultyServer,
    caplog: pytest.LogCaptureFixture,
    state: str,
) -> None:
    """A server that does not answer costs no more than the time that shutdown has; what is lost is counted and said."""
    if state == "down":
        faulty.stop()
    else:
        faulty.plan(late(LONG_S), None, times=float("inf"))
    exporter = exporters(url=faulty.url, project_name=fresh_title(), timeout_s=LONG_S)
    for _ in range(3):
        trace_chat(tracer_with(exporter))
    began = time.monotonic()
    exporter.shutdown(timeout_millis=1500)
    assert time.monotonic() - began < LONG_S / 2
    assert exporter.counts["calls.dropped[shutdown]"] == 3
    assert "Lost at the shutdown: 3 calls " in caplog.text


@pytest.fixture
def no_new_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """As Python 3.12 and newer are at interpreter shutdown."""
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name == "otel-labelstudio-delivery":
            raise RuntimeError("can't create new thread at interpreter shutdown")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)


@pytest.mark.usefixtures("no_new_threads")
def test_shutdown_delivers_where_no_thread_can_be_started(
    exporters: Callable[..., LabelStudioSpanExporter], labeling: Labeling
) -> None:
    """The first call came while the interpreter was ending: shutdown does the work itself."""
    title = fresh_title("Inline")
    exporter = exporters(project_name=title)
    trace_chat(tracer_with(exporter))
    exporter.shutdown()
    assert len(labeling.tasks(title)) == 1


@pytest.mark.usefixtures("no_new_threads")
def test_shutdown_returns_in_time_where_no_thread_can_be_started(
    exporters: Callable[..., LabelStudioSpanExporter], faulty: FaultyServer
) -> None:
    """A request on this thread does not outlast the time that shutdown has, whatever timeout_s says."""
    faulty.plan(late(LONG_S), None, times=float("inf"))
    exporter = exporters(url=faulty.url, project_name=fresh_title(), timeout_s=LONG_S)
    trace_chat(tracer_with(exporter))
    began = time.monotonic()
    exporter.shutdown(timeout_millis=1500)
    assert time.monotonic() - began < LONG_S / 2
    assert exporter.counts["calls.dropped[shutdown]"] == 1


def test_shutdown_does_not_wait_for_what_cannot_come(
    exporters: Callable[..., LabelStudioSpanExporter], faulty: FaultyServer
) -> None:
    """The server has named a time after the end: there is nothing to wait for."""
    faulty.plan(answers(429, Retry_After="600"), None, times=float("inf"))
    exporter = exporters(url=faulty.url, project_name=fresh_title())
    trace_chat(tracer_with(exporter))
    until(lambda: exporter.counts.get("deliveries.failed[RetryableDeliveryError]"))
    began = time.monotonic()
    exporter.shutdown(timeout_millis=LONG_S * 1000)
    assert time.monotonic() - began < LONG_S / 2


def test_shutdown_tries_once_more_what_has_failed(
    exporters: Callable[..., LabelStudioSpanExporter],
    faulty: FaultyServer,
    labeling: Labeling,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A long wait between two tries is cut short: it is the last chance."""
    monkeypatch.setattr("otel_labelstudio.delivery.retry._FIRST_S", 2.0 * LONG_S)
    title = fresh_title("Last")
    faulty.plan(answers(503), None)
    exporter = exporters(url=faulty.url, project_name=title)
    trace_chat(tracer_with(exporter))
    until(lambda: exporter.counts.get("deliveries.failed[RetryableDeliveryError]"))
    exporter.shutdown(timeout_millis=LONG_S * 1000)
    assert len(labeling.tasks(title)) == 1


def test_an_unused_exporter_ends_at_once(faulty: FaultyServer) -> None:
    """No call came: no thread was started, no request made."""
    exporter = LabelStudioSpanExporter(url=faulty.url, api_key="key", project_name=fresh_title())
    before = set(threading.enumerate())
    exporter.shutdown()
    assert set(threading.enumerate()) <= before
    assert faulty.seen == []


def test_a_full_outbox_drops_the_newest_with_one_line(
    exporters: Callable[..., LabelStudioSpanExporter],
    faulty: FaultyServer,
    labeling: Labeling,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What does not fit is counted and gone; what was accepted is delivered."""
    title = fresh_title("Full")
    faulty.stop()
    exporter = exporters(url=faulty.url, project_name=title, outbox_max_calls=5)
    tracer = tracer_with(exporter)
    for i in range(12):
        trace_chat(tracer, answers=[str(i)])
    assert exporter.counts["calls.dropped[outbox_full]"] == 7
    assert len([r for r in caplog.records if "outbox is full" in r.getMessage()]) == 1
    faulty.start()
    assert exporter.force_flush(240_000)
    assert sorted(labeling.texts(title)) == [[str(i)] for i in range(5)]
    trace_chat(tracer, answers=["again"])
    assert exporter.force_flush(240_000)
    assert ["again"] in labeling.texts(title)


def test_the_outbox_is_bounded_by_bytes(exporters: Callable[..., LabelStudioSpanExporter]) -> None:
    """Large calls fill it sooner."""
    exporter = exporters(project_name=fresh_title(), settle_s=3600, outbox_max_bytes=50_000)
    tracer = tracer_with(exporter)
    for _ in range(5):
        trace_chat(tracer, "x" * 20_000)
    assert exporter.counts["calls.accepted"] == 2
    assert exporter.counts["calls.dropped[outbox_full]"] == 3


def test_export_from_many_threads(exporters: Callable[..., LabelStudioSpanExporter], labeling: Labeling) -> None:
    """Spans that end on eight threads at once are one task each."""
    title = fresh_title("Threads")
    exporter = exporters(project_name=title, batch_size=50)
    tracer = tracer_with(exporter)
    with ThreadPoolExecutor(8) as pool:
        span_ids = list(pool.map(lambda i: trace_chat(tracer, answers=[str(i)]), range(200)))
    assert exporter.force_flush(240_000)
    assert sorted(task["data"]["span_id"] for task in labeling.tasks(title)) == sorted(span_ids)


def test_one_unreadable_span_costs_itself_only(
    exporters: Callable[..., LabelStudioSpanExporter],
    labeling: Labeling,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A fault in a reader does not reach the application, nor the other calls."""
    from otel_labelstudio import dialects

    read = dialects.read

    def fragile(span: Any, *rest: Any) -> Any:
        if "poison" in str(span.attributes):
            raise KeyError("poison")
        return read(span, *rest)

    monkeypatch.setattr(dialects, "read", fragile)
    title = fresh_title("Fragile")
    exporter = exporters(project_name=title)
    tracer = tracer_with(exporter)
    for text in ("one", "poison", "two"):
        trace_chat(tracer, answers=[text])
    assert exporter.force_flush(240_000)
    assert labeling.texts(title) == [["one"], ["two"]]
    assert exporter.counts["spans.skipped[fault]"] == 1
    assert "poison" not in caplog.text


def test_no_secret_is_in_any_log_record_or_repr(
    label_studio: EmbeddedLabelStudio, faulty: FaultyServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither the key nor a prompt nor an answer, at any level, while everything goes wrong once."""
    caplog.set_level(logging.DEBUG, "otel_labelstudio")
    key = label_studio.api_key
    bodies = [b"CANARY", {"detail": "x", "validation_errors": {"non_field_errors": ["Error at item 0: CANARY"]}}]
    for status, body in ((500, bodies[0]), (400, bodies[1]), (400, bodies[1]), (401, None), (200, bodies[0])):
        faulty.plan(answers(status, body))
    exporter = LabelStudioSpanExporter(
        url=faulty.url, api_key=key, mode="chat", settle_s=0, project_name=fresh_title("Secret")
    )
    tracer = tracer_with(exporter)
    trace_chat(tracer, "CANARY question", ("CANARY answer",))
    trace_chat(tracer, "CANARY", operation="text_completion")
    until(lambda: exporter.dead_letters and exporter.counts.get("deliveries.failed[UnknownOutcomeError]"))
    exporter.force_flush(3000)
    exporter.shutdown(timeout_millis=0)
    said = caplog.text + repr(exporter.dead_letters) + repr(exporter) + repr(vars(exporter))
    assert exporter.counts["deliveries.failed[UnknownOutcomeError]"] >= 1
    assert exporter.dead_letters
    assert "CANARY" not in said
    assert key not in said
    assert all(r.exc_info is None for r in caplog.records if r.name.startswith("otel_labelstudio"))


# -- processes of their own ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("processor", ["Batch", "Simple"])
def test_a_short_script_delivers_as_it_ends(labeling: Labeling, environment: dict[str, str], processor: str) -> None:
    """A script that never says shutdown: the tracer provider does it when the interpreter exits."""
    done = run(
        f"""
        tracer = provider_with({processor}SpanProcessor(LabelStudioSpanExporter())).get_tracer("app")
        trace_chat(tracer, answers=["last words"])
        """,
        environment,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert texts(labeling, environment) == ["last words"]


def test_a_script_that_fails_delivers_too(labeling: Labeling, environment: dict[str, str]) -> None:
    """An exception that ends the application does not take its calls with it."""
    done = run(
        """
        tracer = provider_with(BatchSpanProcessor(LabelStudioSpanExporter())).get_tracer("app")
        trace_chat(tracer, answers=["before the end"])
        raise SystemExit(3)
        """,
        environment,
    )
    assert done.returncode == 3
    assert texts(labeling, environment) == ["before the end"]


def test_a_child_process_delivers_its_calls_and_no_others(labeling: Labeling, environment: dict[str, str]) -> None:
    """After a fork the child starts with an empty outbox and a thread of its own; each call is delivered once."""
    done = run(
        """
        exporter = LabelStudioSpanExporter(settle_s=3600)
        tracer = provider_with(SimpleSpanProcessor(exporter)).get_tracer("app")
        trace_chat(tracer, answers=["parent before"])
        child = os.fork()
        trace_chat(tracer, answers=["child" if child == 0 else "parent after"])
        if child == 0:
            assert exporter.counts["calls.accepted"] == 1
            assert exporter.force_flush(240_000)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        """,
        environment,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert texts(labeling, environment) == ["child", "parent after", "parent before"]


@pytest.mark.parametrize("delay_s", [0.1, 0.5, 1.3])
def test_a_fork_in_the_middle_of_a_delivery(
    labeling: Labeling, environment: dict[str, str], faulty: FaultyServer, delay_s: float
) -> None:
    """The worker is importing the SDK, or in the middle of a request, when the process is copied: both go on."""
    # There already: else both may make one, which is said
    labeling.make_project(environment["OTEL_EXPORTER_LABELSTUDIO_PROJECT_NAME"], default_label_config(Mode.CHAT))
    faulty.plan(late(0.3), None, times=float("inf"))
    done = run(
        f"""
        exporter = LabelStudioSpanExporter(url={faulty.url!r})
        tracer = provider_with(SimpleSpanProcessor(exporter)).get_tracer("app")
        trace_chat(tracer, answers=["parent"])
        time.sleep({delay_s})
        child = os.fork()
        if child == 0:
            trace_chat(tracer, answers=["child"])
            os._exit(0 if exporter.force_flush(240_000) else 1)
        status = os.waitpid(child, 0)[1]
        assert exporter.force_flush(240_000)
        sys.exit(os.waitstatus_to_exitcode(status))
        """,
        environment,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert texts(labeling, environment) == ["child", "parent"]


def test_importing_the_package_is_cheap(environment: dict[str, str]) -> None:
    """An application's start does not pay for the Label Studio SDK, nor for what it brings."""
    done = run(
        """
        LabelStudioSpanExporter
        print([name for name in sys.modules if name.split(".")[0] in ("label_studio_sdk", "httpx", "pandas", "rich")])
        """,
        environment,
    )
    assert done.stdout.strip() == "[]", done.stderr


# -- three ways to register it ------------------------------------------------------------------------------------


def test_registered_in_code(labeling: Labeling, environment: dict[str, str]) -> None:
    """As the README shows it."""
    done = run(
        """
        provider = TracerProvider()
        provider.add_span_processor(BatchSpanProcessor(LabelStudioSpanExporter(mode="chat")))
        trace.set_tracer_provider(provider)
        trace_chat(trace.get_tracer("app"), answers=["in code"])
        """,
        environment,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert texts(labeling, environment) == ["in code"]


def test_the_package_is_installed_with_its_entry_point() -> None:
    """What OTEL_TRACES_EXPORTER=labelstudio names; the tests want the package installed (pip install -e .)."""
    (found,) = entry_points(group="opentelemetry_traces_exporter", name="labelstudio")
    assert found.load() is AutoConfiguredLabelStudioSpanExporter


INSTRUMENTED = """
trace_chat(trace.get_tracer("app"), answers=["instrumented"])
"""
AUTO = "from opentelemetry.instrumentation.auto_instrumentation import run; run()"


def instrument(script: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a script under ``opentelemetry-instrument``."""
    return subprocess.run(
        [sys.executable, "-c", AUTO, sys.executable, "-c", RECORD + script],
        env={**environment, "OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def test_registered_by_its_name(labeling: Labeling, environment: dict[str, str]) -> None:
    """OTEL_TRACES_EXPORTER=labelstudio under opentelemetry-instrument, beside another exporter."""
    done = instrument(INSTRUMENTED, {**environment, "OTEL_TRACES_EXPORTER": "console,labelstudio"})
    assert done.returncode == 0, done.stderr
    assert '"name": "ChatOpenAI.chat"' in done.stdout
    assert texts(labeling, environment) == ["instrumented"]


def test_a_wrong_environment_does_not_take_other_exporters_down(environment: dict[str, str]) -> None:
    """One error line, and the console exporter beside it goes on."""
    environment = {**environment, "OTEL_EXPORTER_LABELSTUDIO_MODE": "dialog"}
    done = instrument(INSTRUMENTED, {**environment, "OTEL_TRACES_EXPORTER": "console,labelstudio"})
    assert done.returncode == 0
    assert '"name": "ChatOpenAI.chat"' in done.stdout
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert len(lines) == 1, done.stderr
    assert "The Label Studio exporter is off" in lines[0]
    assert "OTEL_EXPORTER_LABELSTUDIO_MODE 'dialog'" in lines[0]


CONFIGURATION = """
file_format: "1.0"
tracer_provider:
  processors:
    - simple:
        exporter:
          console: {}
    - batch:
        exporter:
          labelstudio:
            url: ${LABEL_STUDIO_URL}
            api_key: ${LABEL_STUDIO_API_KEY}
            mode: MODE
            settle_s: 0
"""


@pytest.mark.parametrize("mode", ["chat", "dialog"])
def test_registered_in_a_configuration_file(
    labeling: Labeling, environment: dict[str, str], tmp_path: Path, mode: str
) -> None:
    """The SDK's declarative configuration hands the settings over as keywords; a wrong one is one line as well."""
    file = tmp_path / "otel.yaml"
    file.write_text(CONFIGURATION.replace("MODE", mode))
    done = instrument(INSTRUMENTED, {**environment, "OTEL_CONFIG_FILE": str(file)})
    assert done.returncode == 0, done.stderr
    assert '"name": "ChatOpenAI.chat"' in done.stdout
    assert texts(labeling, environment) == (["instrumented"] if mode == "chat" else [])
    assert (f"The Label Studio exporter is off: {file}: mode 'dialog'" in done.stderr) == (mode == "dialog")


def test_in_code_a_wrong_configuration_is_raised(label_studio: EmbeddedLabelStudio) -> None:
    """Whoever writes the call is there to read the error."""
    with pytest.raises(ConfigError, match=r"mode 'dialog'.*choose prompt, chat or auto"):
        LabelStudioSpanExporter(url=label_studio.url, api_key="key", mode="dialog")


@pytest.mark.parametrize(
    "settings", [{}, {"url": "nonsense"}, {"projct": "typo"}, {"call_filter": "no.such.module:function"}]
)
def test_an_exporter_that_is_off_is_harmless(settings: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Every method answers."""
    monkeypatch.delenv("LABEL_STUDIO_API_KEY", raising=False)
    exporter = AutoConfiguredLabelStudioSpanExporter(**settings)
    trace_chat(tracer_with(exporter))
    assert exporter.force_flush()
    exporter.shutdown()
    assert exporter.counts == {}
    assert exporter.dead_letters == []

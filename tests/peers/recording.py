"""Runs the scenarios with a peer, and keeps what went over the wire and what telemetry came of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from otel_labelstudio.calls import LLMCall
from otel_labelstudio.demo.ports import LOOPBACK
from otel_labelstudio.recordings import Recording, decode_files, read_recording
from otel_labelstudio.spans.model import LogRecord, Span
from tests.peers.installed import python_with
from tests.peers.scenarios import ANSWERED, Scenario
from tests.peers.stand_in import Exchange, StandIn
from tests.peers.telemetry import Capture
from tests.ports import steady_port

APPLICATION = Path(__file__).with_name("applications") / "openai_calls.py"
GATEWAY_CONFIG = Path(__file__).with_name("litellm.yaml")
KEY = "sk-0123456789abcdef0123456789abcdef"
_ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
# What the gateway would fetch from its makers
_FETCHED = ("ANTHROPIC_BETA_HEADERS", "AUTOROUTER_PRESETS", "BLOG_POSTS", "MODEL_COST_MAP", "POLICY_TEMPLATES")
# On loopback alone, and with little delay
_GATEWAY = {
    "LITELLM_MASTER_KEY": KEY,
    **dict.fromkeys((f"LITELLM_LOCAL_{name}" for name in _FETCHED), "True"),
    "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
    "OTEL_BSP_SCHEDULE_DELAY": "200",
    "OTEL_EXPORTER_OTLP_TIMEOUT": "240",
    "OTEL_BLRP_SCHEDULE_DELAY": "200",
    "PYTHONUNBUFFERED": "1",
}
_CALL_ID = "litellm.call_id"
_WAIT_S = 600.0


@dataclass(frozen=True)
class Recorded:
    """What the scenarios gave: exchanges by the scenario's trace, and files of OTLP requests."""

    files: Sequence[Path]
    exchanges: Mapping[str, Sequence[Exchange]]

    @cached_property
    def telemetry(self) -> Recording:
        """The spans and log records."""
        return decode_files(self.files)

    @cached_property
    def calls(self) -> list[LLMCall]:
        """What is read."""
        return read_recording(self.telemetry).calls

    def text_of(self, trace_id: str) -> str:
        """All that the telemetry of a trace holds."""
        items: list[Span | LogRecord] = [*self.telemetry.spans, *self.telemetry.log_records]
        return "\n".join(repr(item) for item in items if item.trace_id == trace_id)


def record_application(
    peer: str, environment: Mapping[str, str], scenarios: Sequence[Scenario], directory: Path
) -> Recorded:
    """An application that makes the calls itself, traced by an instrumentation package."""
    with StandIn() as stand_in, Capture(directory) as capture:
        variables = {**environment, _ENDPOINT: capture.endpoint, "OTEL_EXPORTER_OTLP_TIMEOUT": "240"}
        _run_application(python_with(peer), peer, stand_in.url, scenarios, directory, variables)
        return _recorded(stand_in, capture, scenarios)


def record_gateway(environment: Mapping[str, str], scenarios: Sequence[Scenario], directory: Path) -> Recorded:
    """The same application, untraced, before LiteLLM's proxy, which traces the calls."""
    with StandIn() as stand_in, Capture(directory) as capture:
        with gateway(stand_in.url, capture.endpoint, environment, directory) as url:
            _run_application(python_with("litellm"), "untraced", url, scenarios, directory, {})
            _wait_for_spans(capture, {scenario.trace_id for scenario in scenarios if scenario in ANSWERED})
        return _recorded(stand_in, capture, scenarios)


def _recorded(stand_in: StandIn, capture: Capture, scenarios: Sequence[Scenario]) -> Recorded:
    exchanges = {scenario.trace_id: stand_in.exchanges(scenario.trace_id) for scenario in scenarios}
    return Recorded(capture.files, exchanges)


def _run_application(
    python: Path, peer: str, url: str, scenarios: Sequence[Scenario], directory: Path, variables: Mapping[str, str]
) -> None:
    path = directory / "scenarios.json"
    path.write_text(json.dumps([scenario.to_dict() for scenario in scenarios]), encoding="utf-8")
    environment = {**_environment(variables), "PEER": peer, "OPENAI_BASE_URL": url, "OPENAI_API_KEY": KEY}
    run = subprocess.run(
        [python, APPLICATION, path], env=environment, capture_output=True, text=True, timeout=_WAIT_S, check=False
    )
    assert run.returncode == 0, run.stderr


def _environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Ours, without what would lead the peers astray."""
    astray = ("OTEL_", "OPENAI_", "TRACELOOP_", "LITELLM_", "PYTHON", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
    return {name: value for name, value in os.environ.items() if not name.upper().startswith(astray)} | {**variables}


@contextmanager
def gateway(
    stand_in: str, telemetry: str, variables: Mapping[str, str], directory: Path, config: Path = GATEWAY_CONFIG
) -> Iterator[str]:
    """LiteLLM's proxy, with its master key `KEY`, until the context ends; where its API is."""
    port = steady_port()
    command = [str(python_with("litellm")), "-c", "from litellm import run_server; run_server()"]
    command += ["--config", str(config), "--host", LOOPBACK, "--port", str(port)]
    environment = _environment({**_GATEWAY, "STAND_IN_URL": stand_in, _ENDPOINT: telemetry, **variables})
    log = directory / "gateway.log"
    with log.open("w") as out, subprocess.Popen(command, env=environment, stdout=out, stderr=out, cwd=directory) as run:
        try:
            url = f"http://{LOOPBACK}:{port}"
            _wait_until_it_answers(f"{url}/health/liveliness", run, log)
            yield f"{url}/v1"
        finally:
            run.send_signal(signal.SIGINT)  # at which it exports what is left
            try:
                run.wait(240)
            except subprocess.TimeoutExpired:
                run.kill()


def _wait_until_it_answers(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + _WAIT_S
    while True:
        assert process.poll() is None, log.read_text(encoding="utf-8")[-3000:]
        assert time.monotonic() < end, "the gateway does not answer"
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except OSError:
            time.sleep(0.2)
        else:
            return


def _wait_for_spans(capture: Capture, trace_ids: set[str]) -> None:
    """Until each trace has the span of the gateway's call; it is written after the application has its answer."""
    end = time.monotonic() + _WAIT_S
    while trace_ids - {span.trace_id for span in decode_files(capture.files).spans if _CALL_ID in span.attributes}:
        if time.monotonic() > end:
            return  # the test says of which call there is none
        time.sleep(0.2)

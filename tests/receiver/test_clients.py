"""Real senders: the SDKs of Python and Node over all three protocols, curl, a Collector between; all are read alike."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from otel_labelstudio.calls import LLMCall
from tests.cached import cached
from tests.collector.collector import Collector
from tests.missing import missing
from tests.receiver.requests_made import as_json, ids, traces
from tests.receiver.serving import Receiver

CLIENTS = Path(__file__).with_name("clients")
ATTRIBUTES = json.dumps(
    {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.request.temperature": 0.25,
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.usage.input_tokens": 18,
        "gen_ai.usage.output_tokens": 7,
        "gen_ai.input.messages": '[{"role":"user","parts":[{"type":"text","content":"Où est-il? 🙂"}]}]',
        "gen_ai.output.messages": '[{"role":"assistant","parts":[{"type":"text","content":"Là."}]}]',
    }
)
JSON_CLIENT = ("opentelemetry-sdk>=1.45.1,<1.46", "opentelemetry-exporter-otlp-json-http==0.66b1")


def node_directory() -> Path:
    if shutil.which("node") is None or shutil.which("npm") is None:
        missing("Node.js with npm")
    package = (CLIENTS / "package.json").read_bytes()

    def install(directory: Path) -> None:
        (directory / "package.json").write_bytes(package)
        npm = [shutil.which("npm") or "npm", "install", "--no-audit", "--no-fund", "--silent"]
        subprocess.run(npm, cwd=directory, check=True, timeout=600)

    directory = cached("clients/node", package, install)
    shutil.copy(CLIENTS / "send_span.mjs", directory)
    return directory


def python_with_json() -> str:
    """An interpreter with the JSON exporter, whose pins are others than ours."""

    def install(directory: Path) -> None:
        subprocess.run([sys.executable, "-m", "venv", str(directory / "venv")], check=True)
        pip = [str(directory / "venv" / "bin" / "python"), "-m", "pip", "install", "--quiet", *JSON_CLIENT]
        subprocess.run(pip, check=True, timeout=600)

    return str(cached("clients/python-json", repr(JSON_CLIENT).encode(), install) / "venv" / "bin" / "python")


def endpoint(receiver: Receiver, protocol: str) -> str:
    return f"http://{receiver.grpc}" if protocol == "grpc" else f"{receiver.http}/v1/traces"


def sent(command: list[str], cwd: Path | None = None) -> None:
    run = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=600, check=False)
    assert run.returncode == 0, run.stderr


def read_alike(call: LLMCall) -> dict[str, Any]:
    """What of the call is the telemetry's, and not of the moment."""
    moment = ("trace_id", "span_id", "start_time_unix_nano", "end_time_unix_nano")
    record = {name: value for name, value in call.to_dict().items() if name not in moment}
    return json.loads(json.dumps(record))  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The call as the Python SDK's protobuf tells of it."""
    with Receiver(tmp_path_factory.mktemp("reference") / "outbox.db") as receiver:
        sent([sys.executable, str(CLIENTS / "send_span.py"), "protobuf", endpoint(receiver, "protobuf"), ATTRIBUTES])
        assert receiver.flush()
        return read_alike(receiver.sink.calls[0])


def test_the_reference_is_whole(reference: dict[str, Any]) -> None:
    """Every attribute that was sent is in it."""
    assert reference["input_messages"][0]["parts"][0]["content"] == "Où est-il? 🙂"
    assert reference["usage"] == {"input_tokens": 18, "output_tokens": 7}
    assert reference["request_parameters"]["temperature"] == 0.25
    assert reference["service_name"] == "shop"


@pytest.mark.parametrize("protocol", ["grpc", "protobuf", "json"])
@pytest.mark.parametrize("sdk", ["python", "node"])
def test_sdks(outbox: Path, reference: dict[str, Any], sdk: str, protocol: str) -> None:
    """Each SDK says that it was accepted, and its call is the same."""
    with Receiver(outbox) as receiver:
        where = endpoint(receiver, protocol)
        if sdk == "node":
            directory = node_directory()
            sent(["node", "send_span.mjs", protocol, where, ATTRIBUTES], directory)
        else:
            python = python_with_json() if protocol == "json" else sys.executable
            sent([python, str(CLIENTS / "send_span.py"), protocol, where, ATTRIBUTES])
        assert receiver.flush()
        (call,) = receiver.sink.calls
    assert read_alike(call) == reference


@pytest.mark.parametrize("protocol", ["grpc", "protobuf"])
@pytest.mark.parametrize("exporter", ["otlp_grpc", "otlp_http"])
def test_a_collector_between(
    otelcol: Path, tmp_path: Path, outbox: Path, reference: dict[str, Any], exporter: str, protocol: str
) -> None:
    """From the SDK to a Collector and from there to the receiver, over gRPC and HTTP both: its call is the same."""
    with Receiver(outbox) as receiver:
        where = receiver.grpc if exporter == "otlp_grpc" else receiver.http
        pipeline = (
            "yaml:{extensions: {health_check: {endpoint: '${env:HEALTH_ENDPOINT}'}}, receivers: {otlp: {protocols:"
            " {grpc: {endpoint: '${env:OTLP_GRPC_ENDPOINT}'}, http: {endpoint: '${env:OTLP_HTTP_ENDPOINT}'}}}},"
            f" exporters: {{{exporter}: {{endpoint: '{where}', tls: {{insecure: true}}}}}},"
            " service: {extensions: [health_check],"
            f" pipelines: {{traces: {{receivers: [otlp], exporters: [{exporter}]}}}}}}}}"
        )
        with Collector(otelcol, tmp_path / "collector", [pipeline]) as collector:
            where = f"http://{collector.grpc}" if protocol == "grpc" else f"{collector.http}/v1/traces"
            sent([sys.executable, str(CLIENTS / "send_span.py"), protocol, where, ATTRIBUTES])
            collector.wait_until_idle()
        assert receiver.flush()
        (call,) = receiver.sink.calls
    assert read_alike(call) == reference


@pytest.mark.parametrize(
    "arguments", [[], ["-H", "Transfer-Encoding: chunked"], ["-H", "Expect: 100-continue"]], ids=str
)
def test_curl(outbox: Path, tmp_path: Path, arguments: list[str]) -> None:
    """What the documentation shows, and curl's other ways to send a body."""
    if shutil.which("curl") is None:
        missing("curl")
    request = traces("By hand?")
    (tmp_path / "request.json").write_text(json.dumps(as_json(request)), encoding="utf-8")
    with Receiver(outbox) as receiver:
        url = f"{receiver.http}/v1/traces"
        curl = ["curl", "-sS", "--fail", url, "-H", "Content-Type: application/json", *arguments]
        sent([*curl, "--data-binary", f"@{tmp_path / 'request.json'}"])
        assert receiver.delivered(ids(request))

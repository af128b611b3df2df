"""A real Phoenix server, in an environment of its own that is made once and kept between runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_labelstudio.calls import LLMCall
from tests.cached import cached
from tests.missing import missing
from tests.ports import steady_port

_REQUIREMENTS = Path(__file__).with_name("requirements") / "phoenix.txt"
_INSTALL_TIMEOUT_S = 1500
_START_TIMEOUT_S = 600
_WAIT_S = 240


class Phoenix:
    """One server with an empty database; a context manager."""

    def __init__(self, directory: Path) -> None:
        self.url = f"http://127.0.0.1:{steady_port()}"
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Phoenix:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "PHOENIX_"))}
        environment |= {
            "PHOENIX_HOST": "127.0.0.1",
            "PHOENIX_PORT": self.url.rsplit(":", 1)[1],
            "PHOENIX_GRPC_PORT": str(steady_port()),
            "PHOENIX_WORKING_DIR": str(self._directory),
            "PHOENIX_TELEMETRY_ENABLED": "false",
        }
        with (self._directory / "phoenix.log").open("wb") as log:
            command = [str(_installed()), "serve"]
            self._process = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
        end = time.monotonic() + _START_TIMEOUT_S
        while not self._is_up():
            assert self._process.poll() is None, "it does not start"
            assert time.monotonic() < end, "it is not up in time"
            time.sleep(0.2)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        self._process.terminate()
        try:
            self._process.wait(240)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(240)

    def trace(self, calls: Sequence[LLMCall], project: str = "default") -> None:
        """Send the calls' spans; returns when Phoenix has stored them."""
        request = ExportTraceServiceRequest()
        resource_spans = request.resource_spans.add()
        attribute = resource_spans.resource.attributes.add(key="openinference.project.name")
        attribute.value.string_value = project
        scope_spans = resource_spans.scope_spans.add()
        for call in calls:
            scope_spans.spans.add(
                trace_id=bytes.fromhex(call.trace_id),
                span_id=bytes.fromhex(call.span_id),
                name="chat",
                start_time_unix_nano=time.time_ns(),
                end_time_unix_nano=time.time_ns(),
            )
        body = request.SerializeToString()
        headers = {"content-type": "application/x-protobuf"}
        urllib.request.urlopen(urllib.request.Request(f"{self.url}/v1/traces", body, headers), timeout=240).close()
        wanted = {call.span_id for call in calls}
        end = time.monotonic() + _WAIT_S
        while not wanted <= self._span_ids(project):
            assert time.monotonic() < end, "the spans are not stored in time"
            time.sleep(0.1)

    def annotations(self, calls: Sequence[LLMCall], project: str = "default") -> list[dict[str, Any]]:
        """What Phoenix has of these calls, by name."""
        spans = "&".join(f"span_ids={call.span_id}" for call in calls)
        found = self._json(f"/v1/projects/{project}/span_annotations?limit=1000&{spans}")["data"]
        return sorted(found, key=lambda annotation: (annotation["span_id"], annotation["name"]))

    def _span_ids(self, project: str) -> set[str]:
        try:
            spans = self._json(f"/v1/projects/{project}/spans?limit=1000")["data"]
        except urllib.error.HTTPError as error:  # the project comes with its first span
            error.close()
            return set()
        return {span["context"]["span_id"] for span in spans}

    def _json(self, path: str) -> Any:
        with urllib.request.urlopen(f"{self.url}{path}", timeout=240) as answer:
            return json.load(answer)

    def _is_up(self) -> bool:
        try:
            urllib.request.urlopen(f"{self.url}/healthz", timeout=5).close()
        except OSError:
            return False
        return True


def _installed() -> Path:
    """Phoenix's command. Skips the test where it cannot be installed; under CI it fails."""
    if sys.version_info < (3, 11):
        pytest.skip("what Phoenix's newest release needs is for Python 3.11 and newer")
    content = _REQUIREMENTS.read_bytes() + sys.version.encode()

    def install(directory: Path) -> None:
        venv = directory / "venv"
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(venv)], check=True, timeout=600)
        pip = [str(venv / "bin" / "pip"), "install", "--quiet", "--no-deps", "--no-compile"]
        subprocess.run([*pip, "-r", str(_REQUIREMENTS)], check=True, timeout=_INSTALL_TIMEOUT_S)

    try:
        return cached("phoenix", content, install) / "venv" / "bin" / "phoenix"
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        missing(f"a package index that has what {_REQUIREMENTS.name} names")

"""An OpenTelemetry Collector as an operator runs it: ``otelcol --config FILE``, settings in the environment."""

from __future__ import annotations

import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.ports import steady_port

CONFIGURATIONS = Path(__file__).parents[2] / "collector-config"
_START_S = 240.0
_BUILD_TIMEOUT_S = 1800


class Collector:
    """One that can be stopped, killed and started again with the same ports and the same directory.

    ``configs`` are file names below `collector-config`, or further ``--config`` values such as ``yaml:...``;
    ``environment`` is what an operator sets beside the ports and the directory for state. A context manager.
    """

    def __init__(
        self, otelcol: Path, directory: Path, configs: Sequence[str], environment: Mapping[str, str] | None = None
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        ports = ("OTLP_GRPC_ENDPOINT", "OTLP_HTTP_ENDPOINT", "HEALTH_ENDPOINT")
        self._environment = {
            **{name: f"127.0.0.1:{steady_port()}" for name in ports},
            "OTELCOL_STATE": str(directory / "state"),
            **(environment or {}),
        }
        self.metrics_port = steady_port()
        given = [config if ":" in config else str(CONFIGURATIONS / config) for config in configs]
        self._command = [str(otelcol), *(f"--config={config}" for config in (*given, _telemetry(self.metrics_port)))]
        self._log = directory / "otelcol.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def grpc(self) -> str:
        """Where OTLP/gRPC listens, as host and port."""
        return self._environment["OTLP_GRPC_ENDPOINT"]

    @property
    def http(self) -> str:
        """Where OTLP/HTTP listens, as a URL without a path."""
        return f"http://{self._environment['OTLP_HTTP_ENDPOINT']}"

    @property
    def pid(self) -> int:
        """Its process, once it was started."""
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> str:
        """All that it has written, over all its starts."""
        return self._log.read_text(encoding="utf-8", errors="replace") if self._log.exists() else ""

    def start(self) -> None:
        """Returns when it is healthy."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "OTLP_"))}
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdout=log, stderr=subprocess.STDOUT, env={**environment, **self._environment}
            )
        end = time.monotonic() + _START_S
        while not self._is_healthy():
            assert self._process.poll() is None, f"it does not start:\n{self.log[-4000:]}"
            assert time.monotonic() < end, f"it is not healthy:\n{self.log[-4000:]}"
            time.sleep(0.1)

    def stop(self, timeout_s: float = 240.0) -> None:
        """Gracefully, as SIGTERM does."""
        self._end(signal.SIGTERM, timeout_s)

    def kill(self) -> None:
        """With SIGKILL."""
        self._end(signal.SIGKILL, 30)

    def metrics(self) -> str:
        """Its own metrics, in Prometheus' text format."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=240) as answer:
            text: str = answer.read().decode()
            return text

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's values with these labels; 0 where there are none, as before the first of them."""
        return _sum(self.metrics(), name, labels)

    def wait_until_idle(self, timeout_s: float = 240.0) -> None:
        """Until nothing is in its queues or under way, twice in a row: between the two, it is in neither metric."""
        end = time.monotonic() + timeout_s
        looks = 0
        while looks < 2:
            page = self.metrics()
            names = ("otelcol_exporter_queue_size", "otelcol_exporter_in_flight_requests")
            looks = 0 if any(_sum(page, name, {}) for name in names) else looks + 1
            assert time.monotonic() < end, f"it has not passed on what it has:\n{self.log[-4000:]}"
            time.sleep(0.05)

    def __enter__(self) -> Collector:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def _is_healthy(self) -> bool:
        try:
            urllib.request.urlopen(f"http://{self._environment['HEALTH_ENDPOINT']}", timeout=5).close()
        except (urllib.error.URLError, OSError):
            return False
        return True

    def _end(self, number: signal.Signals, timeout_s: float) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)
            self._process.wait(timeout_s)


def _sum(page: str, name: str, labels: Mapping[str, str]) -> float:
    wanted = [f'{label}="{value}"' for label, value in labels.items()]
    lines = [line for line in page.splitlines() if line.startswith((f"{name}{{", f"{name} "))]
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if all(one in line for one in wanted))


def build() -> Path:
    """Where the Collector's program is, built from the manifest if it is not there yet."""
    command = [str(CONFIGURATIONS / "build.sh")]
    built = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=_BUILD_TIMEOUT_S, check=True)
    return Path(built.stdout.strip())


def _telemetry(port: int) -> str:
    """Its own metrics on a port that is free: several Collectors run on one machine here."""
    reader = f"{{pull: {{exporter: {{prometheus: {{host: 127.0.0.1, port: {port}}}}}}}}}"
    return f"yaml:service::telemetry::metrics::readers: [{reader}]"

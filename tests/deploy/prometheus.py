"""A real Prometheus, which looks every second."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.missing import missing
from tests.ports import steady_port

_START_TIMEOUT_S = 600.0


class Prometheus:
    """``targets`` are hosts and ports, by their name; ``rules`` a file. A context manager."""

    def __init__(self, directory: Path, targets: Mapping[str, str], rules: Path) -> None:
        program = shutil.which("prometheus")
        if program is None:
            missing("Prometheus (Debian's package prometheus)")
        self._directory, port = directory, steady_port()
        self.url = f"http://127.0.0.1:{port}"
        (directory / "prometheus.yml").write_text(yaml.safe_dump(_configuration(targets, rules)), encoding="utf-8")
        self._command = [
            program,
            f"--config.file={directory / 'prometheus.yml'}",
            f"--storage.tsdb.path={directory / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ]

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The series that an expression gives now."""
        found: list[dict[str, Any]] = self._ask("query", query=expression)["result"]
        return found

    def fired(self) -> set[tuple[str, str]]:
        """The alerts that have fired so far, each with the target for which it did."""
        series = self.query('max_over_time(ALERTS{alertstate="firing"}[3h])')
        return {(found["metric"]["alertname"], found["metric"]["instance"]) for found in series}

    def alerts(self) -> list[dict[str, Any]]:
        """Those that fire now, or will, as Prometheus tells them."""
        alerts: list[dict[str, Any]] = self._ask("alerts")["alerts"]
        return alerts

    def __enter__(self) -> Prometheus:
        with (self._directory / "prometheus.log").open("wb") as log:
            self._process = subprocess.Popen(self._command, stderr=log, stdout=log)
        end = time.monotonic() + _START_TIMEOUT_S
        while not self._is_ready():
            assert self._process.poll() is None, (self._directory / "prometheus.log").read_text(encoding="utf-8")
            assert time.monotonic() < end
            time.sleep(0.1)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(240)

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def _ask(self, what: str, **arguments: str) -> dict[str, Any]:
        with urllib.request.urlopen(
            f"{self.url}/api/v1/{what}?{urllib.parse.urlencode(arguments)}", timeout=240
        ) as answer:
            data: dict[str, Any] = json.load(answer)["data"]
        return data


def _configuration(targets: Mapping[str, str], rules: Path) -> dict[str, Any]:
    return {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(rules)],
        "scrape_configs": [
            {
                "job_name": "otel-labelstudio",
                "static_configs": [{"targets": [where]} for where in targets.values()],
                "relabel_configs": [
                    {"source_labels": ["__address__"], "regex": where, "target_label": "instance", "replacement": name}
                    for name, where in targets.items()
                ],
            }
        ],
    }

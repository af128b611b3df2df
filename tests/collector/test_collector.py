"""The Collector that the tests run."""

from __future__ import annotations

import subprocess
from pathlib import Path

import yaml

from tests.collector.collector import CONFIGURATIONS, Collector


def test_it_is_the_one_of_the_manifest(otelcol: Path) -> None:
    """What is built is what the manifest names."""
    manifest = yaml.safe_load((CONFIGURATIONS / "manifest.yaml").read_text(encoding="utf-8"))
    said = subprocess.run([str(otelcol), "--version"], capture_output=True, text=True, check=True).stdout
    assert said.split() == [manifest["dist"]["name"], "version", manifest["dist"]["version"]]


def test_several_run_side_by_side(otelcol: Path, tmp_path: Path) -> None:
    """Each has ports and a directory of its own, and its metrics can be read."""
    minimal = (
        "yaml:{extensions: {health_check: {endpoint: '${env:HEALTH_ENDPOINT}'}},"
        " receivers: {otlp: {protocols: {grpc: {endpoint: '${env:OTLP_GRPC_ENDPOINT}'}}}}, exporters: {debug: },"
        " service: {extensions: [health_check], pipelines: {traces: {receivers: [otlp], exporters: [debug]}}}}"
    )
    with Collector(otelcol, tmp_path / "a", [minimal]) as one, Collector(otelcol, tmp_path / "b", [minimal]) as other:
        assert one.grpc != other.grpc
        assert "otelcol_process_uptime" in one.metrics()

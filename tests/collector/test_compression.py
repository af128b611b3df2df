"""What a Collector compresses, the receiver reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.collector.collector import Collector
from tests.receiver.requests_made import ids, traces
from tests.receiver.serving import Receiver, post

CONFIGURATION = """yaml:{
  extensions: {health_check: {endpoint: "${env:HEALTH_ENDPOINT}"}},
  receivers: {otlp: {protocols: {http: {endpoint: "${env:OTLP_HTTP_ENDPOINT}"}}}},
  exporters: {otlp_http: {endpoint: "${env:RECEIVER}", compression: "${env:COMPRESSION}"}},
  service: {extensions: [health_check], pipelines: {traces: {receivers: [otlp], exporters: [otlp_http]}}}}"""


@pytest.mark.parametrize("compression", ["none", "gzip", "deflate", "zstd"])
def test_over_http(otelcol: Path, tmp_path: Path, compression: str) -> None:
    """In every way that the Collector and the receiver both have."""
    request = traces("Compressed?", padding=10_000)
    with Receiver(tmp_path / "outbox.db") as receiver:
        environment = {"RECEIVER": receiver.http, "COMPRESSION": compression}
        with Collector(otelcol, tmp_path / "collector", [CONFIGURATION], environment) as collector:
            assert post(f"{collector.http}/v1/traces", request.SerializeToString())[0] == 200
            assert receiver.delivered(ids(request))

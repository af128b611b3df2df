"""Calls in the Collector's files, brought to Label Studio with `otel-labelstudio send`."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from otel_labelstudio.demo.label_studio import EmbeddedLabelStudio
from otel_labelstudio.recordings import decode_files, read_calls
from tests.collector.collector import Collector
from tests.collector.recorded import scenarios, signal_of
from tests.delivery.labeling import Labeling, fresh_title
from tests.receiver.requests_made import events, ids, traces
from tests.receiver.serving import post


def send(files: Sequence[Path], label_studio: EmbeddedLabelStudio, title: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "otel_labelstudio", "send", *map(str, files)]
    arguments = ["--mode=auto", f"--project-name={title}", f"--url={label_studio.url}"]
    environment = {**os.environ, "LABEL_STUDIO_API_KEY": label_studio.api_key}
    return subprocess.run(
        [*command, *arguments], env=environment, capture_output=True, text=True, timeout=600, check=False
    )


def written(collector: Collector) -> list[Path]:
    """Its files, the current one last."""
    return sorted((collector.directory / "state").iterdir(), key=lambda path: (path.name == "llm-calls.jsonl", path))


def test_each_call_once_however_often_they_are_sent(
    otelcol: Path, tmp_path: Path, label_studio: EmbeddedLabelStudio
) -> None:
    """Rotated files, a Collector that is killed and goes on, a file that still grows and ends in the middle of a line:
    sent again and again, each call is one task; also the one whose content is in a log event."""
    labeling = Labeling(label_studio.url, label_studio.api_key)
    title, sent = fresh_title("files"), Counter[str]()
    with Collector(otelcol, tmp_path, ["files.yaml"], {"OTELCOL_FILE_MEGABYTES": "1"}) as collector:
        for number in range(12):
            request = traces(f"Question {number}?", others=5, padding=200_000)
            assert post(f"{collector.http}/v1/traces", request.SerializeToString())[0] == 200
            sent.update(ids(request))
            if number % 4 == 3:
                collector.kill()
                collector.start()
                assert send(written(collector), label_studio, title).returncode == 0
        trace_id, span_id = os.urandom(16), os.urandom(8)
        assert post(f"{collector.http}/v1/logs", events("Where?", trace_id, span_id).SerializeToString())[0] == 200
        sent[span_id.hex()] += 1
        with written(collector)[-1].open("ab") as growing:
            growing.write(b'{"resourceSpans":[{"resource":{"attri')
        files = written(collector)
        last = send(files, label_studio, title)
    assert len(files) > 2
    assert all(path.stat().st_size < 1.3e6 for path in files)
    assert (last.returncode, "the end is missing" in last.stderr) == (1, True)
    assert Counter(task["data"]["span_id"] for task in labeling.tasks(title)) == sent


@pytest.mark.parametrize("form", ["json", "proto"])
def test_recordings_are_read_alike_from_its_files(otelcol: Path, tmp_path: Path, corpus: Path, form: str) -> None:
    """All recorded telemetry through the Collector into its files: the same calls as from the recordings themselves. In
    protobuf each signal has a file of its own."""
    files = [file for one in scenarios(corpus, tmp_path / "recorded") for file in one.files]
    by_signal = (
        "yaml:{exporters: {file/llm_calls: {format: proto, path: '${env:OTELCOL_STATE}/traces.pb'},"
        " file/llm_logs: {format: proto, path: '${env:OTELCOL_STATE}/logs.pb', create_directory: true, rotation: {}}},"
        " service: {pipelines: {logs: {exporters: [file/llm_logs]}}}}"
    )
    configs = ["files.yaml", *([by_signal] if form == "proto" else [])]
    with Collector(otelcol, tmp_path / "collector", configs) as collector:
        for file in files:
            assert post(f"{collector.http}/v1/{signal_of(file)}", file.read_bytes())[0] == 200
        collector.stop()
    assert len(written(collector)) == (2 if form == "proto" else 1)
    assert decode_files(written(collector)).spans
    assert read_calls(written(collector)) == read_calls(files)

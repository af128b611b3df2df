"""The sidecar as an operator runs it: applications, a Collector, a receiver, Label Studio, and the other back-end."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import pytest

from otel_labelstudio.demo.label_studio import EmbeddedLabelStudio
from otel_labelstudio.recordings import read_calls
from tests.collector.pipe import Pipe
from tests.collector.recorded import scenarios, signal_of
from tests.delivery.labeling import fresh_title
from tests.receiver.serving import post
from tests.receiver.test_clients import node_directory

APPLICATIONS = Path(__file__).with_name("applications")
NODE_CALLS = 10


@pytest.fixture
def pipe(otelcol: Path, tmp_path: Path, label_studio: EmbeddedLabelStudio) -> Iterator[Pipe]:
    with Pipe(otelcol, tmp_path, label_studio, fresh_title("sidecar"), "sidecar.yaml") as made:
        yield made


def traced(command: list[str], cwd: Path | None = None) -> dict[str, list[str]]:
    """The span ids that an application says it has sent."""
    patient = {**os.environ, "OTEL_EXPORTER_OTLP_TIMEOUT": "240" if command[0] == sys.executable else "240000"}
    run = subprocess.run(command, cwd=cwd, env=patient, capture_output=True, text=True, timeout=600, check=False)
    assert run.returncode == 0, run.stderr
    ids: dict[str, list[str]] = json.loads(run.stdout.splitlines()[-1])
    return ids


def in_node(protocol: str, url: str) -> dict[str, list[str]]:
    directory = node_directory()
    shutil.copy(APPLICATIONS / "numbered_chats.mjs", directory)
    return traced(["node", "numbered_chats.mjs", protocol, url, str(NODE_CALLS)], directory)


def test_every_call_of_python_and_node_once_and_nothing_else(pipe: Pipe) -> None:
    """LangChain in Python over gRPC, and Node over gRPC and HTTP with protobuf and JSON: each LLM call is one task with
    one prediction, nothing else is a task, and the other back-end has every span, the log line and the metric."""
    sent = [
        traced([sys.executable, str(APPLICATIONS / "langchain_chats.py"), f"http://{pipe.collector.grpc}"]),
        in_node("grpc", f"http://{pipe.collector.grpc}"),
        in_node("protobuf", f"{pipe.collector.http}/v1/traces"),
        in_node("json", f"{pipe.collector.http}/v1/traces"),
    ]
    pipe.wait_until_delivered()
    tasks = pipe.labeling.tasks(pipe.title)
    llm = Counter(span_id for ids in sent for span_id in ids["llm"])
    assert llm.total() > 3 * NODE_CALLS + 5
    assert Counter(task["data"]["span_id"] for task in tasks) == llm
    assert [len(task["predictions"]) for task in tasks] == [1] * len(tasks)
    assert pipe.backend.span_ids == llm + Counter(span_id for ids in sent for span_id in ids["others"])
    (log_record,) = pipe.backend.logs.resource_logs[0].scope_logs[0].log_records
    assert "gen_ai.choice" in log_record.body.string_value
    names = [m.name for rm in pipe.backend.metrics.resource_metrics for sm in rm.scope_metrics for m in sm.metrics]
    assert "orders" in names


def test_every_producer_of_the_corpus(
    otelcol: Path, tmp_path: Path, label_studio: EmbeddedLabelStudio, corpus: Path
) -> None:
    """A recording of each producer, spans and log events, to Label Studio: the tasks are the calls that are read from
    the files, each once, and whole."""
    recorded = scenarios(corpus, tmp_path / "recorded")
    one_each = [next(found) for _, found in groupby(recorded, key=lambda scenario: scenario.name.split("/")[0])]
    files = [file for scenario in one_each for file in scenario.files]
    calls = sorted(json.dumps(call.to_dict(), sort_keys=True) for call in read_calls(files))
    with Pipe(otelcol, tmp_path, label_studio, fresh_title("corpus"), "sidecar.yaml", settle_s=20) as pipe:
        for file in files:
            assert post(f"{pipe.collector.http}/v1/{signal_of(file)}", file.read_bytes())[0] == 200
        end = time.monotonic() + 240
        while len(pipe.labeling.tasks(pipe.title)) < len(calls):
            assert time.monotonic() < end, "not all calls became tasks"
            time.sleep(0.5)
        pipe.wait_until_delivered()
        tasks = pipe.labeling.tasks(pipe.title)
    assert len(calls) > 80
    assert sorted(json.dumps(task["meta"]["call"], sort_keys=True) for task in tasks) == calls

"""What the sidecar selects: all that the readers read, and little else."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from otel_labelstudio.calls import LLMCall
from otel_labelstudio.dialects import NAME_PREFIXES
from otel_labelstudio.recordings import read_calls
from tests.collector.backend import PATIENT, Backend
from tests.collector.collector import CONFIGURATIONS, Collector
from tests.collector.recorded import Scenario, scenarios, signal_of
from tests.receiver.requests_made import traces
from tests.receiver.serving import Receiver, post


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    """It settles when the test says so: recordings are read with all that belongs to them."""
    with Receiver(tmp_path / "outbox.db", pipeline={"settle_s": 3600, "outbox_max_calls": 100_000}) as made:
        yield made


@pytest.fixture
def collector(otelcol: Path, tmp_path: Path, backend: Backend, receiver: Receiver) -> Iterator[Collector]:
    environment = {"BACKEND_OTLP_ENDPOINT": backend.endpoint, "OTEL_LABELSTUDIO_ENDPOINT": receiver.http}
    with Collector(otelcol, tmp_path / "collector", ["sidecar.yaml", PATIENT], environment) as made:
        yield made


def send(collector: Collector, signal: str, body: bytes) -> None:
    assert post(f"{collector.http}/v1/{signal}", body)[0] == 200


def as_text(call: LLMCall) -> str:
    return json.dumps(call.to_dict(), sort_keys=True)


def test_recordings_are_read_alike_behind_it(
    corpus: Path, tmp_path: Path, collector: Collector, receiver: Receiver, backend: Backend
) -> None:
    """All recorded telemetry, sent through the Collector: the calls that come out are those that reading the files
    gives, and the other back-end has every span and every log record."""
    recorded: list[Scenario] = list(scenarios(corpus, tmp_path / "recorded"))
    files = [file for one in recorded for file in one.files]
    expected = Counter(map(as_text, read_calls(files)))
    for file in files:
        send(collector, signal_of(file), file.read_bytes())
    collector.wait_until_idle()
    assert receiver.flush(240)
    came = Counter(map(as_text, receiver.sink.calls))
    assert expected.total() > 800
    assert (list((expected - came).elements())[:3], list((came - expected).elements())[:3]) == ([], [])
    spans = Counter(span.span_id for one in recorded for span in one.recording.spans)
    assert backend.span_ids == spans
    log_records = sum(len(sl.log_records) for rl in backend.logs.resource_logs for sl in rl.scope_logs)
    assert log_records == sum(len(one.recording.log_records) for one in recorded)


def test_every_prefix_passes_and_nothing_else(collector: Collector, receiver: Receiver) -> None:
    """Spans with an attribute, or an event, of any name by which dialects recognise theirs; no others. Of log records
    those with the name of a GenAI event, wherever it stands."""
    request = traces(others=len(NAME_PREFIXES) * 2 + 3)
    spans = request.resource_spans[0].scope_spans[0].spans
    for number, prefix in enumerate(NAME_PREFIXES):
        spans[number].attributes.add(key=f"{prefix}x").value.int_value = 1
        spans[-1 - number].events.add(name=f"{prefix}x")
    spans[len(NAME_PREFIXES)].attributes.add(key="http.llm.x").value.string_value = "gen_ai."
    spans[len(NAME_PREFIXES) + 1].events.add(name="exception.llm.")
    send(collector, "traces", request.SerializeToString())
    send(collector, "logs", _log_records().SerializeToString())
    collector.wait_until_idle()
    assert receiver.read(60)
    assert receiver.pipeline.telemetry.counts()["spans.received"] == 2 * len(NAME_PREFIXES)
    assert collector.metric("otelcol_exporter_sent_log_records", exporter="otlp_http/labelstudio") == 5


def _log_records() -> ExportLogsServiceRequest:
    """Five with content: by a name in a field or an attribute, by a line, by the scope's name; and two others."""
    request = ExportLogsServiceRequest()
    records = request.resource_logs.add().scope_logs.add().log_records
    records.add(event_name="gen_ai.choice")
    records.add().attributes.add(key="event.name").value.string_value = "gen_ai.user.message"
    records.add().attributes.add(key="event_name").value.string_value = "gen_ai.content.prompt"
    records.add().body.string_value = 'Chat Model Completion:\n["Green."]'
    moved = request.resource_logs[0].scope_logs.add()
    moved.scope.name = "openinference.instrumentation.openai"
    moved.log_records.add(event_name=moved.scope.name)
    records.add(event_name="http.request").body.string_value = "gen_ai.choice"
    records.add().attributes.add(key="gen_ai.system").value.string_value = "gen_ai.choice"
    return request


def test_files_select_as_the_sidecar_does() -> None:
    """What is written to files is what is sent."""
    sidecar, files = (
        yaml.safe_load((CONFIGURATIONS / name).read_text(encoding="utf-8")) for name in ("sidecar.yaml", "files.yaml")
    )
    assert sidecar["processors"] == files["processors"]
    for signal in ("traces", "logs"):
        pipelines = sidecar["service"]["pipelines"][f"{signal}/labelstudio"], files["service"]["pipelines"][signal]
        assert pipelines[0]["processors"] == pipelines[1]["processors"]

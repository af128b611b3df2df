"""Feedback through a real Collector."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

from otel_labelstudio.annotations.feedback import FeedbackState, SinkOptions
from otel_labelstudio.annotations.feedback.otlp import open_sink
from tests.annotations.feedback.judged import RULES, call, rated, send
from tests.collector.collector import Collector

_TO_A_FILE = (
    "yaml:{receivers: {otlp: {protocols: {http: {endpoint: '${env:OTLP_HTTP_ENDPOINT}'}}}},"
    " exporters: {file: {path: '${env:OTELCOL_STATE}/feedback.jsonl', create_directory: true}},"
    " extensions: {health_check: {endpoint: '${env:HEALTH_ENDPOINT}'}},"
    " service: {extensions: [health_check], pipelines: {"
    " logs: {receivers: [otlp], exporters: [file]}, traces: {receivers: [otlp], exporters: [file]}}}}"
)


def test_events_arrive_with_the_ids_of_their_spans(otelcol: Path, tmp_path: Path, state: FeedbackState) -> None:
    """As log records with the event's name, the score as a double, and the trace and span id of each call; and as
    spans, each with a link to its call."""
    calls = [call() for _ in range(150)]
    wanted = {(one.trace_id, one.span_id) for one in calls}
    with Collector(otelcol, tmp_path / "collector", [_TO_A_FILE]) as collector:
        for form in ("events", "spans"):
            with closing(open_sink(SinkOptions(endpoint=collector.http, form=form))) as sink:
                assert send(rated(calls), sink, state, RULES).counts == {"sent": 150}
        collector.stop()
    requests = [json.loads(line) for line in (tmp_path / "collector/state/feedback.jsonl").read_text().splitlines()]
    records = [
        record
        for request in requests
        for resource_logs in request.get("resourceLogs", ())
        for scope_logs in resource_logs["scopeLogs"]
        for record in scope_logs["logRecords"]
    ]
    links = [
        span["links"]
        for request in requests
        for resource_spans in request.get("resourceSpans", ())
        for scope_spans in resource_spans["scopeSpans"]
        for span in scope_spans["spans"]
    ]
    assert {(record["traceId"], record["spanId"]) for record in records} == wanted
    assert {record["eventName"] for record in records} == {"gen_ai.evaluation.result"}
    score = {"key": "gen_ai.evaluation.score.value", "value": {"doubleValue": 4}}
    assert all(score in record["attributes"] for record in records)
    assert {(link["traceId"], link["spanId"]) for (link,) in links} == wanted

"""Evaluations as OTLP requests: events (log records) beside their span, or spans that are linked with it.

An event is what the GenAI conventions say. A span is for back ends that take nothing else: OpenInference's carrier of
feedback that comes after its span has ended, one a target, with exactly one link. It begins a trace of its own, since
one that joined the target's would make that trace last for days; its ids are made from what it says, so that the same
evaluation sent twice is the same span.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from importlib.metadata import version
from itertools import groupby

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, SeverityNumber
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otel_labelstudio.annotations.feedback.evaluation import CORRECTION, Evaluation
from otel_labelstudio.bounds import bounded_int, bounded_time

# semantic-conventions-genai, docs/gen-ai/gen-ai-events.md: event gen_ai.evaluation.result (Development)
_EVENT = "gen_ai.evaluation.result"
_NAME = "gen_ai.evaluation.name"
_SCORE = "gen_ai.evaluation.score.value"
_LABEL = "gen_ai.evaluation.score.label"
_EXPLANATION = "gen_ai.evaluation.explanation"
_RESPONSE_ID = "gen_ai.response.id"
# semantic-conventions, docs/resource
_SERVICE_NAME = "service.name"
# openinference, spec/annotations.md: Post-Hoc Feedback
_SPAN_KIND = "openinference.span.kind"
_ANNOTATION = "annotations.0.annotation"

_SCOPE = InstrumentationScope(name="otel_labelstudio", version=version("otel-labelstudio"))
_SAMPLED = 1
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def event_request(evaluations: Sequence[Evaluation], now: datetime, *, is_timed_now: bool) -> bytes:
    """Each evaluation as a log record with the trace and span id of what it is about."""
    request = ExportLogsServiceRequest()
    for service_name, group in _by_service(evaluations):
        resource_logs = request.resource_logs.add(resource=_resource(service_name))
        records = [_event(evaluation, now, is_timed_now=is_timed_now) for evaluation in group]
        resource_logs.scope_logs.add(scope=_SCOPE, log_records=records)
    return request.SerializeToString()


def span_request(evaluations: Sequence[Evaluation], now: datetime, *, is_timed_now: bool) -> bytes:
    """Each evaluation as a span with a link to what it is about."""
    request = ExportTraceServiceRequest()
    for service_name, group in _by_service(evaluations):
        resource_spans = request.resource_spans.add(resource=_resource(service_name))
        spans = [_span(evaluation, now if is_timed_now else evaluation.updated_at) for evaluation in group]
        resource_spans.scope_spans.add(scope=_SCOPE, spans=spans)
    return request.SerializeToString()


def _event(evaluation: Evaluation, now: datetime, *, is_timed_now: bool) -> LogRecord:
    attributes = {
        _NAME: evaluation.name,
        _SCORE: evaluation.score,
        _LABEL: evaluation.label,
        _EXPLANATION: evaluation.explanation,
        _RESPONSE_ID: evaluation.response_id,
        **evaluation.facts,
    }
    record = LogRecord(
        time_unix_nano=_nano(now if is_timed_now else evaluation.updated_at),
        observed_time_unix_nano=_nano(now),
        severity_number=SeverityNumber.SEVERITY_NUMBER_INFO,
        event_name=_EVENT,
        attributes=_attributes(attributes),
    )
    if evaluation.has_valid_ids:  # else the response's id tells what is meant
        record.trace_id, record.span_id = map(bytes.fromhex, (evaluation.trace_id, evaluation.span_id))
        record.flags = _SAMPLED
    if evaluation.corrected is not None:
        record.body.string_value = evaluation.corrected
    return record


def _span(evaluation: Evaluation, at: datetime) -> Span:
    metadata = dict(evaluation.facts)
    if evaluation.corrected is not None:
        metadata[CORRECTION] = evaluation.corrected
    feedback = {
        "name": evaluation.name,
        "score": evaluation.score,
        "label": evaluation.label,
        "explanation": evaluation.explanation,
        "annotator_kind": "HUMAN",
        "identifier": evaluation.key,
        "metadata": json.dumps(metadata),
    }
    attributes: dict[str, str | int | float | None] = {_SPAN_KIND: "EVALUATOR"}
    attributes.update((f"{_ANNOTATION}.{field}", value) for field, value in feedback.items())
    ids = hashlib.sha256(f"{evaluation.key} {evaluation.fingerprint}".encode()).digest()
    target = Span.Link(trace_id=bytes.fromhex(evaluation.trace_id), span_id=bytes.fromhex(evaluation.span_id))
    return Span(
        trace_id=ids[:16],
        span_id=ids[16:24],
        name=f"annotation {evaluation.name}",
        kind=Span.SpanKind.SPAN_KIND_INTERNAL,
        start_time_unix_nano=_nano(at),
        end_time_unix_nano=_nano(at),
        attributes=_attributes(attributes),
        links=[target],
    )


def _by_service(evaluations: Iterable[Evaluation]) -> Iterator[tuple[str, Iterator[Evaluation]]]:
    def service(evaluation: Evaluation) -> str:
        return evaluation.service_name or ""

    return groupby(sorted(evaluations, key=service), service)


def _resource(service_name: str) -> Resource:
    return Resource(attributes=_attributes({_SERVICE_NAME: service_name or None}))


def _attributes(values: Mapping[str, str | int | float | None]) -> list[KeyValue]:
    return [KeyValue(key=key, value=_any_value(value)) for key, value in values.items() if value is not None]


def _any_value(value: str | float) -> AnyValue:
    kept = bounded_int(value) if isinstance(value, int) else value
    if isinstance(kept, str):
        return AnyValue(string_value=kept)
    return AnyValue(int_value=kept) if isinstance(kept, int) else AnyValue(double_value=kept)


def _nano(at: datetime) -> int:
    """Exact: a float has no room for microseconds of today."""
    return bounded_time((at - _EPOCH) // timedelta(microseconds=1) * 1000)

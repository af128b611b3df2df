"""OTLP over HTTP with protobuf: a request a batch, so that its answer says whether the state may move.

Nothing can be overwritten or deleted by OTLP: a changed annotation is another event, with the same
``labelstudio.evaluation.id`` and a later time, and the latest one counts. Of a partial success nobody can tell which
items were refused, and the specification forbids to send them again: all of that request are noted as refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timezone

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from otel_labelstudio.annotations.feedback.evaluation import Evaluation
from otel_labelstudio.annotations.feedback.http import BackEnd
from otel_labelstudio.annotations.feedback.otlp_requests import event_request, span_request
from otel_labelstudio.annotations.feedback.sink import Result, Sent, SinkOptions, in_smaller_parts
from otel_labelstudio.errors import ConfigError, PausedDeliveryError
from otel_labelstudio.settings import listed_headers

NAME = "otlp"
_HEADERS, _ENDPOINT = "OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_ENDPOINT"
CREDENTIALS = (_HEADERS, _ENDPOINT)
_DEFAULT_ENDPOINT = "http://localhost:4318"
_PROTOBUF = "application/x-protobuf"
_PATHS = {"events": "/v1/logs", "spans": "/v1/traces"}


class OtlpSink:
    batch_size = 100
    can_delete = False

    def __init__(
        self,
        back_end: BackEnd,
        form: str,
        *,
        is_timed_now: bool,
        now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> None:
        self.target = f"{NAME} {form} {back_end.url}"
        self.needs_span = form == "spans"
        self._back_end, self._form, self._is_timed_now, self._now = back_end, form, is_timed_now, now

    def items(self, evaluation: Evaluation) -> tuple[Evaluation, ...]:
        return (evaluation,)

    def send(self, items: Sequence[Evaluation]) -> Iterator[Sequence[Result]]:
        return in_smaller_parts(items, self._post)

    def delete(self, sent: Sequence[Sent]) -> Iterator[Sequence[Result]]:
        raise NotImplementedError

    def close(self) -> None:
        self._back_end.close()

    def _post(self, items: Sequence[Evaluation]) -> Sequence[Result] | str:
        encode = event_request if self._form == "events" else span_request
        body = encode(items, self._now(), is_timed_now=self._is_timed_now)
        answer = self._back_end.request("POST", _PATHS[self._form], body, _PROTOBUF)
        if answer.status in (404, 405):
            what = "log records" if self._form == "events" else "spans"
            raise PausedDeliveryError(f"{self._back_end.url} takes no {what} (HTTP status {answer.status}); try --as")
        if not answer.is_success:
            return f"HTTP status {answer.status}"
        refused = _refused_count(answer.body, self._form)
        why = f"partial success: {refused} of {len(items)} refused" if refused else None
        return [Result(item.key, refused=why) for item in items]


def open_sink(options: SinkOptions) -> OtlpSink:
    try:
        headers = dict(listed_headers(options.credentials.get(_HEADERS, "")))
    except ValueError as error:
        raise ConfigError(f"{_HEADERS}: {error}") from None
    url = options.address(_ENDPOINT, default=_DEFAULT_ENDPOINT)
    return OtlpSink(BackEnd(url, headers, options.timeout_s, _HEADERS), options.form, is_timed_now=options.is_timed_now)


def _refused_count(body: bytes, form: str) -> int:
    """Of a partial success; an answer that cannot be read is a success all the same."""
    try:
        if form == "events":
            return ExportLogsServiceResponse.FromString(body).partial_success.rejected_log_records
        return ExportTraceServiceResponse.FromString(body).partial_success.rejected_spans
    except DecodeError:
        return 0

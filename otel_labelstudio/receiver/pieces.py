"""A request that cannot be taken in as it is: piece by piece, so that one span costs no other.

Either something raises, while it is decoded or in the pipeline, or the outbox has no room for all of it at once. What
can be taken in is, and the caller is told of the rest. Where the process dies meanwhile, the request is read again from
its beginning: spans are known by their ids then, log records are held twice.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_labelstudio.background import where_raised
from otel_labelstudio.errors import OutboxError, OutboxFullError
from otel_labelstudio.receiver.requests import Signal, Telemetry, decoded
from otel_labelstudio.receiver.set_aside import Reason
from otel_labelstudio.receiver.status import JSON
from otel_labelstudio.spans.model import LogRecord, Span, SpanIds

# So many pieces may fail; what comes after them is not tried
_MOST_FAULTS = 100


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a piece was not taken in, and the lines of code that say so."""

    reason: Reason
    error_type: str
    where: str = ""

    @classmethod
    def of(cls, error: BaseException) -> Fault:
        """An error that nobody foresaw."""
        return cls(Reason.FAULT, type(error).__name__, where_raised(error))


TOO_LARGE = Fault(Reason.TOO_LARGE, "LargerThanOutbox")


def decoded_in_pieces(signal: Signal, content_type: str, body: bytes) -> tuple[Telemetry, list[Fault]]:
    """What can be decoded of an uncompressed body, as a rule all of it, and why the rest cannot. Raises where nobody
    can tell what the rest is."""
    try:
        return decoded(signal, content_type, body), []
    except Exception:
        return _decoded_singly(signal, content_type, body)


def _decoded_singly(signal: Signal, content_type: str, body: bytes) -> tuple[Telemetry, list[Fault]]:
    spans: list[Span] = []
    other_spans: list[SpanIds] = []
    log_records: list[LogRecord] = []
    faults: list[Fault] = []
    for item in _items(signal, content_type, body):
        try:
            one = decoded(signal, content_type, item)
        except Exception as error:
            faults.append(Fault.of(error))
            continue
        spans += one.spans
        other_spans += one.other_spans
        log_records += one.log_records
    return Telemetry(spans, other_spans, log_records), faults


def accept_in_pieces(
    telemetry: Telemetry, accept: Callable[[Telemetry, bool], None], wait: Callable[[OutboxError], None]
) -> list[Fault]:
    """Have all of it accepted that can be, in pieces as large as possible, as a rule in one; why the rest was not.

    ``accept`` is told whether nothing is left after a piece. Where the outbox takes nothing, `OutboxError` is raised if
    nothing was accepted yet; after that, ``wait`` is called, and raises where that is not worth while.
    """
    faults: list[Fault] = []
    pieces = [telemetry]
    has_begun = False
    while pieces and len(faults) < _MOST_FAULTS:
        piece = pieces.pop()
        try:
            accept(piece, not pieces and not faults)
            has_begun = True
        except OutboxError as error:
            if isinstance(error, OutboxFullError) and (error.is_hopeless or _fits_by_pieces(piece)):
                _split(piece, TOO_LARGE, pieces, faults)
                continue
            pieces.append(piece)
            if not has_begun:
                raise
            wait(error)
        except BaseException as error:
            _split(piece, Fault.of(error), pieces, faults)
    return faults


def _fits_by_pieces(piece: Telemetry) -> bool:
    """Whether to fill what room there is: calls that nobody takes may keep the outbox from ever being empty. Not with
    log records, which would be held twice where the process dies before all of them are in."""
    return len(piece.spans) > 1


def _split(piece: Telemetry, fault: Fault, pieces: list[Telemetry], faults: list[Fault]) -> None:
    """Two halves, of which the first comes first, or a fault where there is nothing to part."""
    halves = _halves(piece)
    pieces += halves
    if not halves:
        faults.append(fault)


def _halves(telemetry: Telemetry) -> list[Telemetry]:
    items = max(len(telemetry.spans), len(telemetry.log_records))
    if items < 2 and not (items and telemetry.other_spans):
        return []
    spans, log_records = len(telemetry.spans) // 2, len(telemetry.log_records) // 2
    return [
        Telemetry(telemetry.spans[spans:], (), telemetry.log_records[log_records:]),
        Telemetry(telemetry.spans[:spans], telemetry.other_spans, telemetry.log_records[:log_records]),
    ]


def _items(signal: Signal, content_type: str, body: bytes) -> Iterator[bytes]:
    """Each span or log record as the body of a request of its own, with its resource and scope."""
    if content_type == JSON:
        names = ("resourceLogs", "scopeLogs", "logRecords") if signal is Signal.LOGS else _JSON_SPANS
        return _json_items(json.loads(body), *names)
    if signal is Signal.LOGS:
        return _protobuf_items(ExportLogsServiceRequest, body, "resource_logs", "scope_logs", "log_records")
    return _protobuf_items(ExportTraceServiceRequest, body, "resource_spans", "scope_spans", "spans")


_JSON_SPANS = ("resourceSpans", "scopeSpans", "spans")


def _json_items(request: Mapping[str, Any], resources: str, scopes: str, items: str) -> Iterator[bytes]:
    for resource in request.get(resources) or ():
        for scope in resource.get(scopes) or ():
            for item in scope.get(items) or ():
                one = {resources: [{**resource, scopes: [{**scope, items: [item]}]}]}
                yield json.dumps(one).encode()


def _protobuf_items(kind: type[Message], body: bytes, resources: str, scopes: str, items: str) -> Iterator[bytes]:
    request: Any = kind()
    request.ParseFromString(body)
    for resource in getattr(request, resources):
        for scope in getattr(resource, scopes):
            for item in getattr(scope, items):
                one: Any = kind()
                its_resource = getattr(one, resources).add(resource=resource.resource)
                its_scope = getattr(its_resource, scopes).add(scope=scope.scope)
                getattr(its_scope, items).append(item)
                yield one.SerializeToString()

"""What a sender is told: the one table from what happened to an HTTP status, a google.rpc code and a hint to try again.

OTLP 1.11, "Failures": senders try again after HTTP 429, 502, 503 and 504, and after gRPC UNAVAILABLE and some others;
everything else has them drop the data. So whatever may pass is `Outcome.BUSY`, `FULL` or `FAULT`, never anything else.
A Python SDK gives up where the hint is longer than what is left of its ten seconds: hints are short.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from otel_labelstudio.errors import DecodeError, OutboxError, OutboxFullError, OutboxGoneError

PROTOBUF, JSON = "application/x-protobuf", "application/json"


class Outcome(str, Enum):
    """What became of a request; the values stand in metrics."""

    ACCEPTED = "accepted"
    BAD_DATA = "bad_data"
    BAD_HTTP = "bad_http"
    HEAD_TOO_LARGE = "head_too_large"
    ORIGIN = "origin"
    HOST = "host"
    UNAUTHENTICATED = "unauthenticated"
    NOT_FOUND = "not_found"
    METRICS = "metrics"
    METHOD = "method"
    CONTENT_TYPE = "content_type"
    CONTENT_ENCODING = "content_encoding"
    TOO_LARGE = "too_large"
    BUSY = "busy"
    INCOMPLETE = "incomplete_body"
    FULL = "inbox_full"
    STORAGE = "storage_error"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP status, a google.rpc code, and after how many seconds to try again; None: not at all."""

    http_status: int
    rpc_code: int
    retry_after_s: int | None = None


# google/rpc/code.proto
_INVALID_ARGUMENT, _NOT_FOUND, _PERMISSION_DENIED, _RESOURCE_EXHAUSTED = 3, 5, 7, 8
_UNIMPLEMENTED, _UNAVAILABLE, _UNAUTHENTICATED = 12, 14, 16

ANSWERS: dict[Outcome, Answer] = {
    Outcome.ACCEPTED: Answer(200, 0),
    Outcome.BAD_DATA: Answer(400, _INVALID_ARGUMENT),
    Outcome.BAD_HTTP: Answer(400, _INVALID_ARGUMENT),
    Outcome.HEAD_TOO_LARGE: Answer(431, _RESOURCE_EXHAUSTED),
    Outcome.ORIGIN: Answer(403, _PERMISSION_DENIED),
    Outcome.HOST: Answer(403, _PERMISSION_DENIED),
    Outcome.UNAUTHENTICATED: Answer(401, _UNAUTHENTICATED),
    Outcome.NOT_FOUND: Answer(404, _NOT_FOUND),
    # As a Collector without a metrics pipeline answers. Not 501: some clients send again after every 5xx
    Outcome.METRICS: Answer(404, _UNIMPLEMENTED),
    Outcome.METHOD: Answer(405, _UNIMPLEMENTED),
    Outcome.CONTENT_TYPE: Answer(415, _INVALID_ARGUMENT),
    Outcome.CONTENT_ENCODING: Answer(415, _INVALID_ARGUMENT),
    Outcome.TOO_LARGE: Answer(413, _RESOURCE_EXHAUSTED),
    Outcome.BUSY: Answer(503, _UNAVAILABLE, 1),
    Outcome.INCOMPLETE: Answer(503, _UNAVAILABLE, 1),
    Outcome.FULL: Answer(503, _UNAVAILABLE, 2),
    Outcome.STORAGE: Answer(503, _UNAVAILABLE, 2),
    Outcome.FAULT: Answer(503, _UNAVAILABLE, 1),
}


class RefusedError(Exception):
    """A request that is not accepted. The message is for the sender: it holds nothing of what was sent."""

    def __init__(self, outcome: Outcome, message: str) -> None:
        super().__init__(message)
        self.outcome = outcome

    @property
    def answer(self) -> Answer:
        """What the sender is told."""
        return ANSWERS[self.outcome]


def refusal_of(error: Exception) -> RefusedError:
    """An error as a refusal; one that nobody foresaw is ours, so that the sender tries again.

    It knows nothing of where it came from: tracebacks lead to frames, frames to bodies, and to themselves, so that a
    refused body would stay in memory until Python looks for circles.
    """
    refused = _refusal_of(error)
    refused.__context__ = refused.__cause__ = None
    return refused.with_traceback(None)


def _refusal_of(error: Exception) -> RefusedError:
    if isinstance(error, RefusedError):
        return error
    if isinstance(error, DecodeError):
        return RefusedError(Outcome.BAD_DATA, str(error))
    if isinstance(error, OutboxFullError):
        if error.is_hopeless:
            return RefusedError(Outcome.TOO_LARGE, "the request is larger than the whole inbox; send less at once")
        return RefusedError(Outcome.FULL, "the inbox is full; Label Studio is behind")
    if isinstance(error, OutboxGoneError):
        return RefusedError(Outcome.STORAGE, "the receiver's outbox was removed from its disk; its log says more")
    if isinstance(error, OutboxError):
        return RefusedError(Outcome.STORAGE, "the disk cannot be written")
    return RefusedError(Outcome.FAULT, "the receiver failed")


def status_message(refused: RefusedError) -> bytes:
    """A refusal as a ``google.rpc.Status``, which holds a ``RetryInfo`` where the sender should try again."""
    status = Status(code=refused.answer.rpc_code, message=str(refused))
    if refused.answer.retry_after_s is not None:
        detail = AnyMessage()
        detail.Pack(_retry_info(refused.answer.retry_after_s))
        status.details.append(detail)
    message: bytes = status.SerializeToString()
    return message


def status_json(refused: RefusedError) -> bytes:
    """The same in JSON."""
    status: dict[str, object] = {"code": refused.answer.rpc_code, "message": str(refused)}
    if refused.answer.retry_after_s is not None:
        kind = "type.googleapis.com/google.rpc.RetryInfo"
        status["details"] = [{"@type": kind, "retryDelay": f"{refused.answer.retry_after_s}s"}]
    return json.dumps(status).encode()


def trailing_metadata(refused: RefusedError) -> tuple[tuple[str, bytes], ...]:
    """The same for gRPC. The Python SDK reads the hint under a key of its own, others in the status."""
    details = (("grpc-status-details-bin", status_message(refused)),)
    if refused.answer.retry_after_s is None:
        return details
    return (*details, ("google.rpc.retryinfo-bin", _retry_info(refused.answer.retry_after_s).SerializeToString()))


def _retry_info(seconds: int) -> RetryInfo:
    return RetryInfo(retry_delay=Duration(seconds=seconds))

"""OTLP over gRPC. Bodies stay bytes until the intake, and nothing of one is read before its sender is known.

Generated servicers answer INTERNAL to bytes that are no protobuf, and read the whole message before anybody can look at
its metadata. So the methods are declared with a stream of raw messages: on the wire that is the same, and the one
message is read when and for as long as we want. On grpcio's asyncio server a slow body costs no thread.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NoReturn, TypeAlias

import grpc

from otel_labelstudio.receiver.auth import Credentials
from otel_labelstudio.receiver.grpc_body import Context, GrpcBodies
from otel_labelstudio.receiver.http import METRICS_REFUSAL
from otel_labelstudio.receiver.intake import Intake
from otel_labelstudio.receiver.metrics import ReceiverMetrics
from otel_labelstudio.receiver.requests import Request, Signal
from otel_labelstudio.receiver.status import PROTOBUF, Outcome, RefusedError, refusal_of, trailing_metadata

_Behaviour: TypeAlias = Callable[[AsyncIterator[bytes], Context], Awaitable[bytes]]

SERVICES = {
    "opentelemetry.proto.collector.trace.v1.TraceService": Signal.TRACES,
    "opentelemetry.proto.collector.logs.v1.LogsService": Signal.LOGS,
}
METRICS_SERVICE = "opentelemetry.proto.collector.metrics.v1.MetricsService"

_CODES: dict[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}


class GrpcService:
    """The methods of both services, for a `grpc.aio` server."""

    def __init__(self, intake: Intake, body_timeout_s: float, credentials: Credentials | None = None) -> None:
        self._intake, self._credentials = intake, credentials
        self._bodies = GrpcBodies(body_timeout_s, intake.limits.max_held_bytes)
        self._metrics = ReceiverMetrics("grpc")

    def handlers(self) -> list[grpc.GenericRpcHandler]:
        """What the server is given."""
        behaviours = {name: self._export(signal) for name, signal in SERVICES.items()}
        behaviours[METRICS_SERVICE] = self._refuse_metrics
        return [
            grpc.method_handlers_generic_handler(name, {"Export": grpc.stream_unary_rpc_method_handler(behaviour)})
            for name, behaviour in behaviours.items()
        ]

    def _export(self, signal: Signal) -> _Behaviour:
        async def export(_: AsyncIterator[bytes], context: Context) -> bytes:
            started_at = time.perf_counter()
            try:
                await self._accept(signal, context)
            except Exception as error:
                refused = refusal_of(error)
                self._metrics.count_request(refused.outcome, started_at)
                await abort(context, refused)
            self._metrics.count_request(Outcome.ACCEPTED, started_at)
            return b""

        return export

    async def _accept(self, signal: Signal, context: Context) -> None:
        with self._intake.share() as share:
            body = await self._body(context)
            share.reserve(2 * len(body))  # gRPC's buffers are not given back at once
            await self._intake.accept(Request(signal, PROTOBUF, body), share, self._metrics)

    async def _refuse_metrics(self, _: AsyncIterator[bytes], context: Context) -> bytes:
        self._metrics.count_request(Outcome.METRICS, time.perf_counter())
        await abort(context, RefusedError(Outcome.METRICS, METRICS_REFUSAL))

    async def _body(self, context: Context) -> bytes:
        if self._credentials is not None:
            metadata: dict[str, Any] = dict(context.invocation_metadata() or ())
            if not self._credentials.accept(metadata.get("authorization")):
                raise RefusedError(Outcome.UNAUTHENTICATED, "the sender is not known here")
        return await self._bodies.read(context)


async def abort(context: Context, refused: RefusedError) -> NoReturn:
    """End the call with what the sender is told."""
    await context.abort(_CODES[refused.answer.rpc_code], str(refused), trailing_metadata(refused))
    raise AssertionError  # abort raises


def server_options(max_request_bytes: int, max_connections: int, idle_timeout_s: float) -> list[tuple[str, int]]:
    """The limits that gRPC itself keeps; a message that is larger once inflated is refused with RESOURCE_EXHAUSTED."""
    return [
        ("grpc.max_receive_message_length", max_request_bytes),
        ("grpc.max_allowed_incoming_connections", max_connections),
        ("grpc.max_connection_idle_ms", int(idle_timeout_s * 1000)),
        ("grpc.server_handshake_timeout_ms", 10_000),
        ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
        ("grpc.so_reuseport", 0),
        # A sender that makes more of them waits by itself
        ("grpc.max_concurrent_streams", 1000),
        # gRPC's own defaults, said because unknown senders meet them: from the first on a call may be refused, from the
        # second on it is
        ("grpc.max_metadata_size", 8 * 2**10),
        ("grpc.absolute_max_metadata_size", 16 * 2**10),
        # Else calls that nobody reads yet may fill windows of megabytes; one that is read gets a window of its size
        ("grpc.http2.bdp_probe", 0),
    ]

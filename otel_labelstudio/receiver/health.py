"""grpc.health.v1.Health, which Kubernetes and gRPC's own clients ask: the answer of /readyz, for the process and for
each service. As there, whoever asks needs no credentials.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import suppress

import grpc
from google.protobuf.message import DecodeError
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from otel_labelstudio.receiver.grpc import abort
from otel_labelstudio.receiver.grpc_body import Context, GrpcBodies
from otel_labelstudio.receiver.status import Outcome, RefusedError

SERVICE = "grpc.health.v1.Health"

_READ_TIMEOUT_S = 1.0
_WATCHED_EVERY_S = 1.0
_MOST_WATCHERS = 100


class HealthService:
    """For a `grpc.aio` server. ``why_not_ready`` gives an empty text where ``services`` can do their work."""

    def __init__(self, why_not_ready: Callable[[], Awaitable[str]], services: Collection[str], max_growth: int) -> None:
        self._why_not_ready, self._services = why_not_ready, frozenset(services) | {""}
        self._bodies = GrpcBodies(_READ_TIMEOUT_S, max_growth)
        self._stopping = asyncio.Event()
        self._watchers = 0

    def handler(self) -> grpc.GenericRpcHandler:
        """What the server is given."""
        return grpc.method_handlers_generic_handler(
            SERVICE,
            {
                "Check": grpc.stream_unary_rpc_method_handler(self._check),
                "Watch": grpc.stream_stream_rpc_method_handler(self._watch),
            },
        )

    def stop(self) -> None:
        """Let go of those who watch: a graceful stop waits for them."""
        self._stopping.set()

    async def _check(self, _: AsyncIterator[bytes], context: Context) -> bytes:
        service = await self._service(context)
        if service not in self._services:
            await abort(context, RefusedError(Outcome.NOT_FOUND, "there is no such service"))
        return _response(await self._status())

    async def _watch(self, _: AsyncIterator[bytes], context: Context) -> AsyncIterator[bytes]:
        service = await self._service(context)
        if self._watchers >= _MOST_WATCHERS:
            await abort(context, RefusedError(Outcome.BUSY, "too many clients are watching already"))
        self._watchers += 1
        try:
            async for status in self._changes(service):
                yield _response(status)
        finally:
            self._watchers -= 1

    async def _changes(self, service: str) -> AsyncIterator[HealthCheckResponse.ServingStatus]:
        if service not in self._services:
            yield HealthCheckResponse.SERVICE_UNKNOWN
            await self._stopping.wait()
            return
        last = None
        while not self._stopping.is_set():
            status = await self._status()
            if status != last:
                yield status
            last = status
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), _WATCHED_EVERY_S)
        yield HealthCheckResponse.NOT_SERVING

    async def _status(self) -> HealthCheckResponse.ServingStatus:
        return HealthCheckResponse.NOT_SERVING if await self._why_not_ready() else HealthCheckResponse.SERVING

    async def _service(self, context: Context) -> str:
        """Which one is asked for; ends the call where that cannot be told."""
        try:
            return str(HealthCheckRequest.FromString(await self._bodies.read(context)).service)
        except DecodeError:
            await abort(context, RefusedError(Outcome.BAD_DATA, "not a protobuf HealthCheckRequest"))
        except RefusedError as refused:
            await abort(context, refused)


def _response(status: HealthCheckResponse.ServingStatus) -> bytes:
    message: bytes = HealthCheckResponse(status=status).SerializeToString()
    return message

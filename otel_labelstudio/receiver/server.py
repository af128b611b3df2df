"""The process: both servers on one event loop, from listening to a graceful stop.

After SIGTERM or SIGINT: /readyz says no, ports close, requests under way are finished, and what is stored is delivered
as far as the time allows; the rest stays in the outbox's file for the next start.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import cast

import grpc
import grpc.aio
import uvicorn

from otel_labelstudio.errors import ConfigError, LabelStudioExportError
from otel_labelstudio.pipeline import Pipeline
from otel_labelstudio.printable import logger
from otel_labelstudio.receiver.browsers import BrowserGuard
from otel_labelstudio.receiver.connections import ConnectionGuard, ConnectionLimits
from otel_labelstudio.receiver.grpc import SERVICES, GrpcService, server_options
from otel_labelstudio.receiver.health import HealthService
from otel_labelstudio.receiver.http import HttpApplication
from otel_labelstudio.receiver.http_protocol import guarded
from otel_labelstudio.receiver.inbox import Inbox, path_beside
from otel_labelstudio.receiver.intake import Intake, Limits
from otel_labelstudio.receiver.metrics import ReceiverMetrics, watch
from otel_labelstudio.receiver.page.page import StatusPage
from otel_labelstudio.receiver.settings import Address, ReceiverSettings
from otel_labelstudio.receiver.tls import Tls

_logger = logger(__name__)

_HEAD_TIMEOUT_S = 20.0
# Longer than senders leave between exports, as a rule 5 to 60 seconds
_IDLE_TIMEOUT_S = 90.0
_BACKLOG = 2048


class ReceiverServer:
    """Serves until it is told to `stop`. ``said_listening`` is told where, by transport. Raises `ConfigError` where it
    cannot begin."""

    def __init__(
        self,
        settings: ReceiverSettings,
        pipeline: Pipeline,
        said_listening: Callable[[Mapping[str, Address]], None] = lambda _: None,
    ) -> None:
        self._settings, self._pipeline = settings, pipeline
        self._said_listening = said_listening
        inbox = Inbox(path_beside(pipeline.settings.outbox), settings.inbox_max_bytes)
        watch(inbox)
        self._inbox = inbox
        self.intake = Intake(inbox, pipeline, Limits(settings.max_request_bytes, settings.max_held_bytes))
        self._credentials = settings.credentials()
        self._tls = (
            Tls(settings.tls_cert, settings.tls_key, settings.tls_client_ca)
            if settings.tls_cert is not None and settings.tls_key is not None
            else None
        )
        self._stop = asyncio.Event()
        self._is_broken = False
        self._uvicorn: uvicorn.Server | None = None

    async def serve(self) -> None:
        """From listening to the last answer. Raises `LabelStudioExportError` where it ends before it was told to."""
        _raise_open_files()
        self._pipeline.take_up_what_was_left()
        self.intake.start()
        try:
            async with contextlib.AsyncExitStack() as servers:
                await self._serve(servers)
        finally:
            self.intake.close(self._settings.stop_timeout_s if self._stop.is_set() else 0.0)
        if self._is_broken:
            raise LabelStudioExportError("The HTTP server has ended by itself.")

    async def _serve(self, servers: contextlib.AsyncExitStack) -> None:
        listening: dict[str, Address] = {}
        if self._settings.http is not None:
            listening["http"] = await servers.enter_async_context(self._http(self._settings.http))
        if self._settings.grpc is not None:
            listening["grpc"] = await servers.enter_async_context(self._grpc(self._settings.grpc))
        self._say_listening(listening)
        self._said_listening(listening)
        await self._stop.wait()
        _logger.info("Stopping: requests under way are finished.")
        self.intake.stop()
        if self._uvicorn is not None:
            self._uvicorn.should_exit = True  # at once, while gRPC stops too

    def stop(self) -> None:
        """Have `serve` come to its end; on the event loop's thread."""
        self._stop.set()

    def heed_signals(self) -> None:
        """Stop at SIGTERM and SIGINT; on the main thread's event loop."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)

    @contextlib.asynccontextmanager
    async def _http(self, address: Address) -> AsyncIterator[Address]:
        sock = _listen(address)
        limits = ConnectionLimits(
            self._settings.max_connections, _HEAD_TIMEOUT_S, _IDLE_TIMEOUT_S, self._settings.body_timeout_s
        )
        guard, metrics = ConnectionGuard(limits), ReceiverMetrics("http")
        browsers = BrowserGuard.of(self._settings)
        page = StatusPage(self._pipeline, self._inbox, self.intake.why_not_ready, browsers, self._credentials)
        config = uvicorn.Config(
            HttpApplication(self.intake, metrics, browsers, page, self._credentials),
            http=cast(type[asyncio.Protocol], guarded(guard, metrics)),  # it is only called
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=int(_IDLE_TIMEOUT_S) + 1,
            timeout_graceful_shutdown=int(self._settings.stop_timeout_s) or 1,
        )
        config.load()
        config.ssl = self._tls.ssl_context() if self._tls else None
        server = self._uvicorn = _Server(config)
        serving = asyncio.ensure_future(server.serve([sock]))
        serving.add_done_callback(self._has_ended)
        watching = asyncio.ensure_future(guard.watch())
        try:
            yield Address(address.host, sock.getsockname()[1])
        finally:
            server.should_exit = True
            await serving
            watching.cancel()
            page.close()

    @contextlib.asynccontextmanager
    async def _grpc(self, address: Address) -> AsyncIterator[Address]:
        options = server_options(self._settings.max_request_bytes, self._settings.max_grpc_connections, _IDLE_TIMEOUT_S)
        server = grpc.aio.server(options=options)
        service = GrpcService(self.intake, self._settings.body_timeout_s, self._credentials)
        health = HealthService(self.intake.why_not_ready, SERVICES, self._settings.max_held_bytes)
        server.add_generic_rpc_handlers((*service.handlers(), health.handler()))
        try:
            if self._tls:
                port = server.add_secure_port(str(address), self._tls.grpc_credentials())
            else:
                port = server.add_insecure_port(str(address))
        except RuntimeError:
            raise ConfigError(
                f"grpc {address}: cannot listen there; is the port taken, or the certificate bad?"
            ) from None
        await server.start()
        try:
            yield Address(address.host, port)
        finally:
            health.stop()
            await server.stop(self._settings.stop_timeout_s)

    def _has_ended(self, _: asyncio.Future[None]) -> None:
        """Half a receiver helps nobody: whatever started this process can start it again."""
        if not self._stop.is_set():
            self._is_broken = True
            self._stop.set()

    def _say_listening(self, listening: Mapping[str, Address]) -> None:
        secured = "TLS" if self._tls else "no TLS"
        known = f"{self._credentials.scheme.value} authentication" if self._credentials else "no authentication"
        where = ", ".join(f"{name} {address}" for name, address in listening.items())
        _logger.info(
            "Listening: %s (%s, %s).",
            where,
            secured,
            known,
            extra={name: str(address) for name, address in listening.items()},
        )
        if (
            self._credentials
            and not self._tls
            and any(
                address is not None and not address.is_loopback
                for address in (self._settings.grpc, self._settings.http)
            )
        ):
            _logger.warning("Credentials are sent unencrypted: TLS is off (tls_cert, tls_key).")


class _Server(uvicorn.Server):
    """Signals are ours, for both servers."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _listen(address: Address) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    # asyncio turns Nagle's delays off for sockets that say their protocol, and for no others
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((address.host, address.port))
        sock.listen(_BACKLOG)
    except OSError as error:
        sock.close()
        raise ConfigError(f"http {address}: cannot listen there ({error.strerror or error})") from None
    return sock


def _raise_open_files() -> None:
    """Connections are open files; many systems start processes with a low bound that they may raise."""
    try:
        import resource
    except ImportError:  # Windows
        return
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

"""What a process does in its last seconds, for hooks of servers, workers and functions (docs/shutdown.md).

Python's exit handlers, in which the SDK shuts its providers down, do not run where a signal ends the process, as after
uvicorn's graceful shutdown, or ``os._exit``, as in Celery's pool. So somebody has to say when the end has come.

The global providers are meant where none are named: those of ``opentelemetry-instrument``, of a configuration file, and
of ``set_tracer_provider``.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Protocol, runtime_checkable

from opentelemetry._logs import get_logger_provider
from opentelemetry.trace import get_tracer_provider

from otel_labelstudio.errors import safe_text
from otel_labelstudio.pipeline import Pipeline
from otel_labelstudio.printable import logger

_logger = logger(__name__)


@runtime_checkable
class Provider(Protocol):
    """The SDK's ``TracerProvider`` or ``LoggerProvider``. Those of the API, which stand in for them, do nothing."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Have its processors export what waits."""

    def shutdown(self) -> None:
        """Export what waits, and take no more."""


def force_flush(*providers: Provider, timeout_millis: int = 30_000) -> bool:
    """Deliver what this process has traced so far; whether all of it was delivered within the time.

    For the end of each unit of work after which a process may be frozen or killed. It delivers whichever processor the
    provider has: those of the SDK do not ask the exporter. False also where a provider could not export all that waits:
    the SDK skips the processors behind one that has used up the time.
    """
    ends_at = time.monotonic() + timeout_millis / 1000
    are_exported = [_flush(provider, ends_at) for provider in providers or _global_providers()]
    are_delivered = [pipeline.flush(_left_s(ends_at)) for pipeline in Pipeline.all_open()]
    return all(are_exported) and all(are_delivered)


def shutdown(*providers: Provider, timeout_millis: int = 20_000) -> None:
    """Deliver what this process has traced, and trace no more; the log says what could not be delivered.

    Where Label Studio cannot be reached or refuses, it ends within a few seconds. The time is for Label Studio alone:
    other exporters of the providers have their own. What ends processes mostly kills them after 30 seconds. Exporters
    of further providers go on, and have their usual time when those are shut down.
    """
    _let_all_end_by(time.monotonic() + timeout_millis / 1000)
    try:
        for provider in providers or _global_providers():
            _shut_down(provider)
    finally:
        _let_all_end_by(float("inf"))


@asynccontextmanager
async def lifespan(app: object = None) -> AsyncIterator[None]:  # noqa: ARG001 - as ASGI frameworks call it
    """The lifespan of an ASGI application, or a part of one: `shutdown` when it ends, beside the event loop."""
    try:
        yield
    finally:
        await asyncio.to_thread(shutdown)


def _global_providers() -> Sequence[Provider]:
    """Log records first: a span whose content is still on its way would be taken for one without."""
    return [found for found in (get_logger_provider(), get_tracer_provider()) if isinstance(found, Provider)]


def _flush(provider: Provider, ends_at: float) -> bool:
    try:
        return provider.force_flush(round(_left_s(ends_at) * 1000))
    except Exception as error:  # as in `_shut_down`
        _logger.error("A %s could not be flushed: %s", type(provider).__name__, safe_text(error))  # noqa: TRY400
        return False


def _let_all_end_by(deadline: float) -> None:
    for pipeline in Pipeline.all_open():
        pipeline.must_end_by(deadline)


def _shut_down(provider: Provider) -> None:
    try:
        provider.shutdown()
    except Exception as error:  # of anybody's processor: the other providers have calls to deliver
        _logger.error("A %s could not be shut down: %s", type(provider).__name__, safe_text(error))  # noqa: TRY400


def _left_s(ends_at: float) -> float:
    return max(0.0, ends_at - time.monotonic())

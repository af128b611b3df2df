"""For applications: a span exporter for the OpenTelemetry SDK."""

from __future__ import annotations

import concurrent.futures.thread  # noqa: F401 - at interpreter shutdown it cannot be imported any more, and httpx needs it
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from otel_labelstudio.calls import LLMCall
from otel_labelstudio.dialects import SkipReason
from otel_labelstudio.errors import ConfigError
from otel_labelstudio.outbox.entry import DeadLetter
from otel_labelstudio.pipeline import Pipeline
from otel_labelstudio.printable import logger
from otel_labelstudio.settings import Settings, as_in_config_file, prefix_of_config_file
from otel_labelstudio.spans.from_sdk import decoded_each, span_from_sdk

_logger = logger(__name__)


class LabelStudioSpanExporter(SpanExporter):
    """Turns the LLM calls among finished spans into tasks of a Label Studio project.

    For `LabelStudioSpanProcessor`, ``BatchSpanProcessor`` and ``SimpleSpanProcessor`` alike: `export` reads the spans,
    puts the calls into the outbox and returns; a thread of the exporter's own delivers them. Every parameter can be a
    plain JSON value and has an environment variable (see docs/configuration.md); an argument beats the environment.
    Raises `ConfigError` where a setting is missing or wrong, without asking the server.
    """

    def __init__(
        self,
        *,
        api_key: str | None = None,
        url: str | None = None,
        headers: Mapping[str, str] | list[dict[str, str]] | str | None = None,
        project_id: int | str | None = None,
        project_name: str | None = None,
        project_config: str | None = None,
        answer_tag: str | None = None,
        require_prediction: bool | None = None,
        mode: str | None = None,
        layout: str | None = None,
        model_version: str | None = None,
        batch_size: int | None = None,
        call_filter: Callable[..., LLMCall | None] | str | None = None,
        media_max_bytes: int | None = None,
        failed_calls: bool | None = None,
        settle_s: float | None = None,
        timeout_s: float | None = None,
        import_timeout_s: float | None = None,
        resend_wait_s: float | None = None,
        recheck_wait_s: float | None = None,
        delete_duplicates: bool | None = None,
        max_new_projects: int | None = None,
        outbox: str | None = None,
        outbox_max_calls: int | None = None,
        outbox_max_bytes: int | None = None,
        **former_names: Any,
    ) -> None:
        arguments = {n: v for n, v in locals().items() if n not in ("self", "__class__", "former_names")}
        self._start(Pipeline.open(Settings.resolve({**arguments, **former_names})))

    def _start(self, pipeline: Pipeline) -> None:
        self._pipeline: Pipeline | None = pipeline
        self._is_shut_down = False
        self._has_said_fault = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Accept the spans. FAILURE where a call did not fit into the outbox, or after `shutdown`."""
        if self._is_shut_down or self._pipeline is None:
            return SpanExportResult.FAILURE
        accepted = self._pipeline.accept_spans(decoded_each(spans, span_from_sdk, self._pass_over))
        return SpanExportResult.SUCCESS if accepted else SpanExportResult.FAILURE

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Deliver what waits; whether all of it was delivered within the time."""
        return self._pipeline is None or self._pipeline.flush(timeout_millis / 1000)

    def shutdown(self, timeout_millis: float = 30_000) -> None:
        """Deliver what waits, within the time, and accept no more."""
        if not self._is_shut_down and self._pipeline is not None:
            self._is_shut_down = True
            self._pipeline.close(timeout_millis / 1000)

    @property
    def counts(self) -> dict[str, int]:
        """What was counted since the start, by name: ``{"spans.received": 1, "calls.accepted": 1, ...}``; the names are
        explained in docs/troubleshooting.md."""
        return self._pipeline.telemetry.counts() if self._pipeline is not None else {}

    @property
    def dead_letters(self) -> list[DeadLetter]:
        """The calls that can never be delivered as things are, with the reason; the newest are kept."""
        return self._pipeline.dead_letters() if self._pipeline is not None else []

    def _pass_over(self, error: Exception) -> None:
        """A span that cannot be decoded must not cost the others of its batch."""
        if self._pipeline is not None:
            self._pipeline.telemetry.count("spans.received")
            self._pipeline.telemetry.count("spans.skipped", reason=SkipReason.FAULT.value)
        if not self._has_said_fault:
            self._has_said_fault = True
            _logger.warning("Cannot decode a span (%s). Further ones are only counted.", type(error).__name__)


class AutoConfiguredLabelStudioSpanExporter(LabelStudioSpanExporter):
    """What the entry point ``labelstudio`` names, for ``opentelemetry-instrument`` and declarative configuration.

    An exception here would take down all of the user's instrumentation, so a wrong configuration is one error line and
    an exporter that does nothing.
    """

    def __init__(self, **settings: Any) -> None:
        try:
            super().__init__(**as_in_config_file(settings))
        except ConfigError as error:
            self._turn_off(f"{prefix_of_config_file(settings)}{error}")
        except Exception as error:
            self._turn_off(f"it cannot start ({type(error).__name__})")

    def _turn_off(self, why: str) -> None:
        self._pipeline = None
        self._is_shut_down = True
        _logger.error("The Label Studio exporter is off: %s", why)

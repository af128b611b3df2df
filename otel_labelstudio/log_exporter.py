"""For content in log records: a log record exporter for the OpenTelemetry SDK, 1.39 or newer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult

from otel_labelstudio.dialects import SkipReason
from otel_labelstudio.errors import ConfigError
from otel_labelstudio.pipeline import Pipeline
from otel_labelstudio.printable import logger
from otel_labelstudio.settings import Settings, as_in_config_file, prefix_of_config_file
from otel_labelstudio.spans.from_sdk import decoded_each, log_record_from_sdk

_logger = logger(__name__)


class LabelStudioLogRecordExporter(LogRecordExporter):
    """Brings the content of LLM calls in log records to their spans, which a `LabelStudioSpanExporter` exports.

    Takes the same parameters and variables; the two find each other by having equal settings. Other log records are
    left alone. Raises `ConfigError` where a setting is missing or wrong.
    """

    def __init__(self, **settings: Any) -> None:
        self._pipeline = Pipeline.open(Settings.resolve(settings), for_log_records=True)
        self._is_shut_down = False
        self._has_said_fault = False

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        """Accept the records. FAILURE where one did not fit into the outbox, or after `shutdown`."""
        if self._is_shut_down:
            return LogRecordExportResult.FAILURE
        accepted = self._pipeline.accept_log_records(decoded_each(batch, log_record_from_sdk, self._pass_over))
        return LogRecordExportResult.SUCCESS if accepted else LogRecordExportResult.FAILURE

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Deliver what waits; whether all of it was delivered within the time."""
        return self._is_shut_down or self._pipeline.flush(timeout_millis / 1000)

    def shutdown(self, timeout_millis: float = 30_000) -> None:
        """Accept no more; the last exporter of these settings that is shut down delivers what waits."""
        if not self._is_shut_down:
            self._is_shut_down = True
            self._pipeline.close(timeout_millis / 1000)

    def _pass_over(self, error: Exception) -> None:
        """A record that cannot be decoded must not cost the others of its batch."""
        self._pipeline.telemetry.count("log_records.unmatched", reason=SkipReason.FAULT.value)
        if not self._has_said_fault:
            self._has_said_fault = True
            _logger.warning("Cannot decode a log record (%s). Further ones are only counted.", type(error).__name__)


class AutoConfiguredLabelStudioLogRecordExporter(LabelStudioLogRecordExporter):
    """What the entry point ``labelstudio`` names for log records; a wrong configuration is one error line."""

    def __init__(self, **settings: Any) -> None:
        try:
            super().__init__(**as_in_config_file(settings))
        except ConfigError as error:
            self._turn_off(f"{prefix_of_config_file(settings)}{error}")
        except Exception as error:  # it would take down all of the user's instrumentation
            self._turn_off(f"it cannot start ({type(error).__name__})")

    def _turn_off(self, why: str) -> None:
        self._is_shut_down = True
        _logger.error("The Label Studio log record exporter is off: %s", why)

"""A span processor whose ``force_flush`` delivers.

Those of the SDK hand what waits to the exporter and report success; they do not ask the exporter whether it is
delivered (SDK 1.45). The exporter keeps calls in its outbox, so that all of them may be there still.
"""

from __future__ import annotations

import time
from typing import Any

from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter

_DEFAULT_TIMEOUT_MILLIS = 30_000


class LabelStudioSpanProcessor(BatchSpanProcessor):
    """A ``BatchSpanProcessor``, with its parameters and variables, that flushes through to Label Studio.

    With it ``TracerProvider.force_flush`` returns True when all calls traced so far are tasks, and False if that took
    longer than its time limit. Where content comes in log records, flush the ``LoggerProvider`` before it, as
    `otel_labelstudio.force_flush` does: else a span is taken for one without content.
    """

    def __init__(self, span_exporter: SpanExporter, *arguments: Any, **named: Any) -> None:
        super().__init__(span_exporter, *arguments, **named)
        self._flushed_exporter = span_exporter

    def force_flush(self, timeout_millis: int | None = None) -> bool:
        """Export what waits and have it delivered; whether all of it was within the time, 30 seconds by default."""
        timeout_s = (_DEFAULT_TIMEOUT_MILLIS if timeout_millis is None else timeout_millis) / 1000
        ends_at = time.monotonic() + timeout_s
        is_exported = super().force_flush(timeout_millis)
        left_s = max(0.0, ends_at - time.monotonic())
        return self._flushed_exporter.force_flush(round(left_s * 1000)) and is_exported

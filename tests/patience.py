"""For processes of tests that deliver as they end, which may take longer on a busy machine than anybody waits."""

from __future__ import annotations

from opentelemetry.sdk._shared_internal import BatchProcessor

import otel_labelstudio
from otel_labelstudio import LabelStudioSpanExporter

_MILLIS = 240_000


def be_patient() -> None:
    """Whoever says no time at a shutdown waits for minutes, in the place of the 20 or 30 seconds that are usual."""
    BatchProcessor.shutdown.__defaults__ = (_MILLIS,)
    LabelStudioSpanExporter.shutdown.__defaults__ = (_MILLIS,)
    otel_labelstudio.shutdown.__kwdefaults__ = {"timeout_millis": _MILLIS}

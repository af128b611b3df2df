"""Turn LLM calls that OpenTelemetry traced into Label Studio tasks."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from otel_labelstudio.calls import LLMCall
    from otel_labelstudio.errors import ConfigError
    from otel_labelstudio.exporter import LabelStudioSpanExporter
    from otel_labelstudio.log_exporter import LabelStudioLogRecordExporter
    from otel_labelstudio.process_end import force_flush, lifespan, shutdown
    from otel_labelstudio.recordings import read_calls
    from otel_labelstudio.span_processor import LabelStudioSpanProcessor

__version__ = "0.1.0"

__all__ = [
    "ConfigError",
    "LLMCall",
    "LabelStudioLogRecordExporter",
    "LabelStudioSpanExporter",
    "LabelStudioSpanProcessor",
    "__version__",
    "force_flush",
    "lifespan",
    "read_calls",
    "shutdown",
]

# Public name -> its module, imported when the name is first used: an application's start does not pay for what it
# does not need
_LAZY = {
    "ConfigError": "otel_labelstudio.errors",
    "LLMCall": "otel_labelstudio.calls",
    "LabelStudioLogRecordExporter": "otel_labelstudio.log_exporter",
    "LabelStudioSpanExporter": "otel_labelstudio.exporter",
    "LabelStudioSpanProcessor": "otel_labelstudio.span_processor",
    "force_flush": "otel_labelstudio.process_end",
    "lifespan": "otel_labelstudio.process_end",
    "read_calls": "otel_labelstudio.recordings",
    "shutdown": "otel_labelstudio.process_end",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

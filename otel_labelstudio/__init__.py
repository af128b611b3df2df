"""Turn LLM calls that OpenTelemetry traced into Label Studio tasks."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from otel_labelstudio.calls import (
        BlobPart,
        FilePart,
        GenericPart,
        LLMCall,
        Message,
        ReasoningPart,
        TextPart,
        ToolCallPart,
        ToolCallResponsePart,
        UriPart,
        Usage,
    )
    from otel_labelstudio.errors import ConfigError
    from otel_labelstudio.exporter import LabelStudioSpanExporter
    from otel_labelstudio.log_exporter import LabelStudioLogRecordExporter
    from otel_labelstudio.process_end import force_flush, lifespan, shutdown
    from otel_labelstudio.recordings import read_calls
    from otel_labelstudio.span_processor import LabelStudioSpanProcessor

__version__ = "0.1.0"

__all__ = [
    "BlobPart",
    "ConfigError",
    "FilePart",
    "GenericPart",
    "LLMCall",
    "LabelStudioLogRecordExporter",
    "LabelStudioSpanExporter",
    "LabelStudioSpanProcessor",
    "Message",
    "ReasoningPart",
    "TextPart",
    "ToolCallPart",
    "ToolCallResponsePart",
    "UriPart",
    "Usage",
    "__version__",
    "force_flush",
    "lifespan",
    "read_calls",
    "shutdown",
]

# Public name -> its module, imported when the name is first used: an application's start does not pay for what it
# does not need
_LAZY = {
    "BlobPart": "otel_labelstudio.calls",
    "ConfigError": "otel_labelstudio.errors",
    "FilePart": "otel_labelstudio.calls",
    "GenericPart": "otel_labelstudio.calls",
    "LLMCall": "otel_labelstudio.calls",
    "LabelStudioLogRecordExporter": "otel_labelstudio.log_exporter",
    "LabelStudioSpanExporter": "otel_labelstudio.exporter",
    "LabelStudioSpanProcessor": "otel_labelstudio.span_processor",
    "Message": "otel_labelstudio.calls",
    "ReasoningPart": "otel_labelstudio.calls",
    "TextPart": "otel_labelstudio.calls",
    "ToolCallPart": "otel_labelstudio.calls",
    "ToolCallResponsePart": "otel_labelstudio.calls",
    "UriPart": "otel_labelstudio.calls",
    "Usage": "otel_labelstudio.calls",
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

"""Braintrust's OpenTelemetry SDKs (Go, Java, Ruby, C#, Python): input, output, metadata and metrics as JSON text.

Known from the SDKs' own tests; nothing was recorded. Tasks, evals, scores, functions and tools write the same keys.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from otel_labelstudio.dialects.dialect import Findings, Skip, SkipReason
from otel_labelstudio.dialects.shared.exchange import findings_of_exchange
from otel_labelstudio.providers.request import request_from
from otel_labelstudio.providers.response import response_from
from otel_labelstudio.providers.tools import tool_definitions_from
from otel_labelstudio.providers.usage import PARAMETER_NAMES, request_parameters_from, usage_from
from otel_labelstudio.spans.attributes import decoded_object, first, text
from otel_labelstudio.spans.model import LogRecord, Span

NAME = "braintrust"
PREFIXES: tuple[str, ...] = ("braintrust.",)
KEYS: Mapping[str, tuple[str, ...]] = {"tags": ("braintrust.tags",)}
HINTS: Mapping[str, str] = {}

# braintrust-sdk-go, -java and -ruby, their instrumentations of providers' clients
_SPAN = "braintrust.span_attributes"
_INPUTS, _OUTPUTS = ("braintrust.input_json", "braintrust.input"), ("braintrust.output_json", "braintrust.output")
_METADATA, _METRICS = "braintrust.metadata", "braintrust.metrics"
# What the metadata has of the request and the answer; the rest is the application's own
_OF_CALL = frozenset(("model", "provider", "tools", "endpoint", "id", "created", "object", "system_fingerprint"))


def recognises(span: Span) -> bool:
    return _SPAN in span.attributes


def read(span: Span, log_records: Sequence[LogRecord] = ()) -> Findings | Skip:  # noqa: ARG001
    attributes = span.attributes
    if (decoded_object(attributes[_SPAN]) or {}).get("type") != "llm":
        return Skip(SkipReason.NOT_INFERENCE)
    metadata = decoded_object(attributes.get(_METADATA)) or {}
    request = request_from(first(attributes, _INPUTS))
    response = response_from(first(attributes, _OUTPUTS))
    return findings_of_exchange(
        NAME,
        replace(
            request,
            model=text(metadata.get("model")) or request.model,
            parameters={**request_parameters_from(metadata), **request.parameters},
            tool_definitions=request.tool_definitions or tool_definitions_from(metadata.get("tools")),
        ),
        replace(response, usage=usage_from(response.usage, attributes.get(_METRICS))),
        provider=text(metadata.get("provider")),
        metadata=_attached(metadata),
    )


def _attached(metadata: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value
        for name, value in metadata.items()
        if name not in _OF_CALL and name not in PARAMETER_NAMES and value
    }

"""Google Genkit (JavaScript, Go, Python): an action's input and output as JSON text, under keys with colons.

The actions of subtype ``model`` are the calls; flows, tools and the ``generate`` around them hold the same. The parts
of a message have no type. What the provider answered stands in ``raw``, which alone has the text beside tool calls.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from otel_labelstudio.dialects.dialect import Findings, Skip, SkipReason
from otel_labelstudio.dialects.shared.capture_hints import APPLICATION
from otel_labelstudio.dialects.shared.captured import has_text
from otel_labelstudio.dialects.shared.exchange import findings_of_exchange
from otel_labelstudio.providers.request import request_from
from otel_labelstudio.providers.response import Response, response_from
from otel_labelstudio.spans.attributes import decoded_object, text
from otel_labelstudio.spans.model import LogRecord, Span

NAME = "genkit"
PREFIXES: tuple[str, ...] = ("genkit:",)
KEYS: Mapping[str, tuple[str, ...]] = {}
HINTS: Mapping[str, str] = {"": f"leave disableLoggingInputAndOutput of Genkit's telemetry off {APPLICATION}"}

# genkit 1.42 (JavaScript), core/src/tracing; genkit 0.6 (Go), core/tracing
_SUBTYPE = "genkit:metadata:subtype"
_INPUT, _OUTPUT = "genkit:input", "genkit:output"
_MODEL = "genkit:name"  # plugin/model


def recognises(span: Span) -> bool:
    return _INPUT in span.attributes or _SUBTYPE in span.attributes


def read(span: Span, log_records: Sequence[LogRecord] = ()) -> Findings | Skip:  # noqa: ARG001
    attributes = span.attributes
    if attributes.get(_SUBTYPE) not in ("model", "background-model"):
        return Skip(SkipReason.NOT_INFERENCE)
    plugin, _, model = (text(attributes.get(_MODEL)) or "").partition("/")
    return findings_of_exchange(
        NAME,
        replace(request_from(attributes.get(_INPUT)), model=model or plugin),
        _response(decoded_object(attributes.get(_OUTPUT)) or {}),
        provider=plugin.lower() if model else None,
    )


def _response(output: Mapping[str, object]) -> Response:
    own, raw = response_from(output), response_from(output.get("raw"))
    told = own
    if len(own.outputs) == len(raw.outputs) == 1 and has_text(raw.outputs) and not has_text(own.outputs):
        told = replace(own, outputs=(replace(own.outputs[0], parts=raw.outputs[0].parts),))
    return replace(told, id=own.id or raw.id, model=own.model or raw.model)

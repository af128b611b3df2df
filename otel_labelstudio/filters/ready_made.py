"""Call filters that are there already, to name in ``call_filter`` where there is no code."""

from __future__ import annotations

from otel_labelstudio.calls import LLMCall
from otel_labelstudio.dialects.shared.records_without_span import INCOMPLETE_WITHOUT_SPAN
from otel_labelstudio.filters.patterns import PERSONAL_DATA
from otel_labelstudio.filters.redaction import redact

# call_filter=otel_labelstudio.filters:redact_personal_data
redact_personal_data = redact(PERSONAL_DATA)


def with_span(call: LLMCall) -> LLMCall | None:
    """Leaves out what came in log events alone: behind a Collector that drops traces, but not their log events."""
    return None if INCOMPLETE_WITHOUT_SPAN in call.incomplete else call

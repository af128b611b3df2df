"""Call filters to name in ``call_filter``, beside those that users write."""

from __future__ import annotations

from otel_labelstudio.calls import LLMCall
from otel_labelstudio.dialects.shared.spanless import INCOMPLETE_WITHOUT_SPAN


def with_span(call: LLMCall) -> LLMCall | None:
    """Leaves out what came in log events alone: behind a Collector that drops traces, but not their log events."""
    return None if INCOMPLETE_WITHOUT_SPAN in call.incomplete else call

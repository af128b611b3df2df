"""Call filters: how the user's is asked, and some to name in ``call_filter`` beside those that users write."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

from otel_labelstudio.calls import LLMCall
from otel_labelstudio.dialects.shared.spanless import INCOMPLETE_WITHOUT_SPAN
from otel_labelstudio.telemetry import Telemetry

CallFilter: TypeAlias = "Callable[[LLMCall], LLMCall | None]"


def with_span(call: LLMCall) -> LLMCall | None:
    """Leaves out what came in log events alone: behind a Collector that drops traces, but not their log events."""
    return None if INCOMPLETE_WITHOUT_SPAN in call.incomplete else call


def filtered(
    calls: Iterable[LLMCall], call_filter: CallFilter | None, telemetry: Telemetry, warn: Callable[[str], None]
) -> list[LLMCall]:
    """What the function lets through, as it returns it. A call that it fails on is dropped: it may be there to keep a
    secret."""
    if call_filter is None:
        return list(calls)
    kept = []
    for call in calls:
        try:
            passed = call_filter(call)
            if passed is not None and not isinstance(passed, LLMCall):
                raise TypeError(f"call_filter returned {type(passed).__name__}")  # noqa: TRY301
        except Exception as error:
            # Without the error's text, which may hold what the call holds
            warn(f"call_filter failed with {type(error).__name__}: such calls are dropped.")
            telemetry.count("calls.dropped", reason="filter_failed")
            continue
        if passed is None:
            telemetry.count("calls.dropped", reason="filtered")
        else:
            kept.append(passed)
    return kept

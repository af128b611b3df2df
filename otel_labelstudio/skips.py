"""Spans that give no call: counted by reason, and the switch that would make them give one is named once."""

from __future__ import annotations

from collections.abc import Callable

from otel_labelstudio.dialects import Skip
from otel_labelstudio.telemetry import Telemetry


class Skips:
    """``warn`` says a text once."""

    def __init__(self, telemetry: Telemetry, warn: Callable[[str], None]) -> None:
        self._telemetry, self._warn = telemetry, warn

    def count(self, skip: Skip) -> None:
        """One more span that gave no call."""
        self._telemetry.count("spans.skipped", reason=skip.reason.value)
        if skip.hint:
            self._warn(f"LLM calls arrive without their content: {skip.hint}")

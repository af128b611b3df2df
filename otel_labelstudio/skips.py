"""Spans that give no call: counted by reason, and the switch that would make them give one is named once."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from otel_labelstudio.arrivals import Arrivals
from otel_labelstudio.dialects import Skip
from otel_labelstudio.telemetry import Telemetry


@dataclass(frozen=True, slots=True)
class Hint:
    """What would make so many spans, skipped for this reason, give calls."""

    reason: str
    text: str
    spans: int


class Skips:
    """Thread-safe. ``warn`` says a text once."""

    def __init__(self, telemetry: Telemetry, arrivals: Arrivals, warn: Callable[[str], None]) -> None:
        self._telemetry, self._arrivals, self._warn = telemetry, arrivals, warn
        self._lock = threading.Lock()
        # Hints are the dialects' constants: there are so many, and no more
        self._hints: Counter[tuple[str, str]] = Counter()

    def count(self, skip: Skip) -> None:
        """One more span that gave no call."""
        self._telemetry.count("spans.skipped", reason=skip.reason.value)
        if skip.dialect:
            self._arrivals.note_skipped(skip.service, skip.dialect)
        if skip.hint:
            with self._lock:
                self._hints[skip.reason.value, skip.hint] += 1
            self._warn(f"LLM calls arrive without their content: {skip.hint}")

    def hints(self) -> list[Hint]:
        """Those that were given since the start, for most spans first."""
        with self._lock:
            return [Hint(reason, text, spans) for (reason, text), spans in self._hints.most_common()]

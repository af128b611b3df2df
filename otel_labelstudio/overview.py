"""How a pipeline stands, for a page: what arrives, what waits, what is paused or dead, and what was skipped.

No text of a call is in here, and no list without a bound.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from otel_labelstudio.arrivals import Source
from otel_labelstudio.outbox.status import OutboxStatus
from otel_labelstudio.skips import Hint

_SKIPPED = "spans.skipped["


@dataclass(frozen=True, slots=True)
class PipelineOverview:
    """``sources`` are the ``source_count`` that sent last, or the first few of them; ``skipped`` counts spans by
    reason since the start."""

    outbox: OutboxStatus
    source_count: int
    sources: tuple[Source, ...]
    skipped: Mapping[str, int]
    hints: tuple[Hint, ...]

    @classmethod
    def of(
        cls,
        outbox: OutboxStatus,
        sources: Sequence[Source],
        counts: Mapping[str, int],
        hints: Sequence[Hint],
        most: int,
    ) -> PipelineOverview:
        """Of what the stages say, and at most so many of each kind; ``counts`` are `Telemetry.counts`."""
        skipped = {
            name.removeprefix(_SKIPPED).rstrip("]"): number
            for name, number in counts.items()
            if name.startswith(_SKIPPED)
        }
        return cls(outbox, len(sources), tuple(sources[:most]), skipped, tuple(hints[:most]))

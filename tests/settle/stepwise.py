"""A pipeline whose worker's rounds are taken by hand, so that a test says what happens when, and no thread runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from otel_labelstudio.calls import LLMCall
from otel_labelstudio.delivery.deliveries import Deliveries
from otel_labelstudio.delivery.housekeeping import Settling
from otel_labelstudio.pipeline import Pipeline
from otel_labelstudio.settings import Settings
from otel_labelstudio.spans.model import LogRecord, Span
from otel_labelstudio.testing import RecordingSink
from tests.hostile.all_kinds import numbers_of
from tests.outbox.calls import Clock

SETTLE_S = 5.0
HOUR_S = 3600.0
# More rounds than anything here needs
_MOST_ROUNDS = 200


class Stepwise:
    """Accepts as a door does; what was accepted is settled and delivered when a test lets time pass."""

    def __init__(self, outbox: Path | None = None, clock: Clock | None = None, **settings: Any) -> None:
        self.clock = clock or Clock()
        self.sink = RecordingSink()
        chosen = {"settle_s": SETTLE_S, "outbox": outbox and str(outbox), **settings}
        self.pipeline = Pipeline(Settings.resolve(chosen, needs_server=False), sink=self.sink, clock=self.clock)
        self.pipeline.joins_log_records = True
        self.outbox = self.pipeline._outbox
        self.pipeline._worker.stop(0)  # it starts no thread any more
        jobs = self.pipeline._worker._jobs
        (self.settler,) = (job._settler for job in jobs if isinstance(job, Settling))
        (self._deliveries,) = (job for job in jobs if isinstance(job, Deliveries))
        self._deliveries._lanes._patience_s = 240.0
        self.rounds = 0

    def accept(self, *telemetry: Span | LogRecord | LLMCall) -> None:
        """One after the other, each in a request of its own."""
        for one in telemetry:
            if isinstance(one, Span):
                self.pipeline.accept_spans([one])
            elif isinstance(one, LogRecord):
                self.pipeline.accept_log_records([one])
            else:
                self.pipeline.accept_calls([one])

    def round(self) -> None:
        """What the worker does in a round."""
        self.rounds += 1
        self.settler.settle(self.clock())
        self._deliveries.run(is_hurried=False)

    def wait(self, seconds: float) -> None:
        """Time passes, and all that is due by then is done."""
        self.clock.now += seconds
        for _ in range(_MOST_ROUNDS):
            self.round()
            if self.outbox.settling.next_at() > self.clock():
                break
        self._deliveries.run(is_hurried=False)

    def close(self) -> None:
        """As a process ends: what is in a file stays there."""
        self.outbox.close()

    @property
    def held(self) -> int:
        """How many spans and log records are held."""
        return self.outbox.database.total("held")[0]

    @property
    def calls(self) -> list[LLMCall]:
        return self.sink.calls

    @property
    def numbers(self) -> list[int]:
        """The numbers that the delivered calls speak of, in order."""
        return sorted(number for call in self.calls for number in numbers_of(call))

    @property
    def reasons(self) -> list[str]:
        """Why calls became dead letters."""
        return [letter.reason for letter in self.pipeline.dead_letters()]

    def count(self, name: str) -> int:
        return self.pipeline.telemetry.counts().get(name, 0)

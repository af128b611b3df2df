"""All stages behind a door, with a sink that builds each task; the only place here that knows how they are called."""

from __future__ import annotations

import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from otel_labelstudio.delivery.results import Dead, Delivered, Result
from otel_labelstudio.delivery.sink import Terms
from otel_labelstudio.dialects import NAME_PREFIXES
from otel_labelstudio.errors import DecodeError
from otel_labelstudio.outbox.entry import OutboxEntry
from otel_labelstudio.pipeline import Pipeline
from otel_labelstudio.settings import Settings
from otel_labelstudio.spans.from_otlp import (
    log_records_from_json,
    log_records_from_protobuf,
    spans_from_json,
    spans_with_names_from_protobuf,
)
from otel_labelstudio.spans.from_sdk import decoded_each, log_record_from_sdk, span_from_sdk
from otel_labelstudio.tasks.binding import Mode, binding_from_label_config, default_label_config
from otel_labelstudio.tasks.build import build_task
from otel_labelstudio.telemetry import Telemetry
from otel_labelstudio.testing import RecordingSink
from tests.hostile.applications import span
from tests.hostile.items import Door, Item
from tests.hostile.oddities import NOW_NS

SETTLE_S = 2.0
# An ordinary call takes about a second of real time; what stops delivery stops it for minutes or for good
PATIENCE_S = 240.0
# Until nobody waits any longer for the span of log records
LONG_S = 2 * 3600.0
# Where something is counted that is no call in the end
_LOSSES = ("spans.skipped", "log_records.unmatched", "calls.dropped", "calls.repeated", "calls.late_duplicates")


_MARKER = re.compile(r"(?:marker|ordinary)-\d{6}")


class Clock:
    """Seconds since 1970; stands still unless it is told to run, so that nothing is due while items are handed in."""

    def __init__(self) -> None:
        self._at = NOW_NS / 1e9
        self._runs_since: float | None = None

    def __call__(self) -> float:
        return self._at + (0.0 if self._runs_since is None else time.monotonic() - self._runs_since)

    def skip(self, seconds: float) -> None:
        self._at += seconds

    @contextmanager
    def running(self) -> Iterator[None]:
        self._runs_since = time.monotonic()
        yield
        self._at, self._runs_since = self(), None


class BuildingSink(RecordingSink):
    """Builds the task of each call, and writes it as JSON as an import would be; one that fails is a dead letter."""

    def __init__(self) -> None:
        super().__init__()
        self.tasks: list[str] = []
        self._binding = binding_from_label_config(default_label_config(Mode.CHAT))

    def deliver(self, destination: str, entries: Sequence[OutboxEntry], terms: Terms) -> Iterator[Result]:
        for entry in entries:
            try:
                task = build_task(entry.call, self._binding, call_id=entry.call_id)
                self.tasks.append(json.dumps(task.to_dict(), allow_nan=False))
            except Exception as error:  # noqa: PERF203
                yield Dead(entry, type(error).__name__, "refused")
            else:
                yield Delivered([entry])


class Stages:
    """A pipeline, fed by every door, and what became of what went in. ``outbox`` is a file; None: in memory."""

    def __init__(self, outbox: Path | None = None, **settings: Any) -> None:
        chosen = {"mode": "chat", "settle_s": SETTLE_S, "outbox": outbox and str(outbox), "outbox_max_calls": 10**6}
        self._settings = Settings.resolve({**chosen, **settings}, needs_server=False)
        self.clock = Clock()
        self.sink = BuildingSink()
        self._telemetries: list[Telemetry] = []  # of all openings
        self._others = set(threading.enumerate())
        # What was counted as no call while an item was handed in: by marker, and of all items
        self.counted: dict[str, Counter[str]] = {}
        self.counted_at_doors: Counter[str] = Counter()
        self._is_closed = False
        self._pipeline = self._opened()

    def accept(self, item: Item) -> None:
        """Hand an item in as its door does. What is no OTLP is refused with 400, and is the sender's."""
        before = self.counts()
        accept: Callable[[], object] = {
            Door.TRACES_JSON: lambda: self._pipeline.accept_spans(spans_from_json(item.content)),
            Door.TRACES_PROTOBUF: lambda: self._accept_chosen(item.content),
            Door.LOGS_JSON: lambda: self._pipeline.accept_log_records(log_records_from_json(item.content)),
            Door.LOGS_PROTOBUF: lambda: self._pipeline.accept_log_records(log_records_from_protobuf(item.content)),
            Door.SPANS: lambda: self._pipeline.accept_spans(decoded_each(item.content, span_from_sdk, _leave_out)),
            Door.LOG_RECORDS: lambda: self._pipeline.accept_log_records(
                decoded_each(item.content, log_record_from_sdk, _leave_out)
            ),
        }[item.door]
        try:
            accept()
            counted = self.counts() - before
        except DecodeError:
            counted = Counter({"spans.skipped[refused]": 1})
        self.counted.update(dict.fromkeys(item.markers, _losses(counted)))
        self.counted_at_doors += _losses(counted)

    def _accept_chosen(self, body: bytes) -> None:
        spans, other_spans = spans_with_names_from_protobuf(body, NAME_PREFIXES)
        self._pipeline.accept_spans(spans, other_spans=other_spans)

    def ask(self, marker: str) -> None:
        """An ordinary call of an application."""
        self._pipeline.accept_spans([span_from_sdk(span(marker))])

    def wait_for(self, marker: str) -> bool:
        """Whether the ordinary call is delivered in time, once it has waited for company."""
        return self._wait(lambda: any(marker in task for task in list(self.sink.tasks)), SETTLE_S)

    def catch_up(self) -> bool:
        """Whether all that is due is delivered in time."""
        return self._wait(lambda: not any(self._states()[s] for s in ("settling", "pending", "in_flight")), SETTLE_S)

    def finish(self) -> bool:
        """Whether nothing waits any more once nobody waits for a span of log records any longer."""
        return self._wait(lambda: not self._waiting(), LONG_S) and self.catch_up()

    def reopen(self) -> None:
        """End without delivering, if it has not ended, and begin again with what the outbox holds."""
        self.close()
        self._pipeline = self._opened()
        self._is_closed = False

    def close(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._pipeline.close(timeout_s=0)
            for thread in set(threading.enumerate()) - self._others:  # it may be finishing its round
                thread.join(PATIENCE_S)

    def counts(self) -> Counter[str]:
        """What was counted, over all openings."""
        return sum((Counter(telemetry.counts()) for telemetry in self._telemetries), Counter())

    def counted_later(self) -> Counter[str]:
        """What was counted as no call when it had waited for its span, or for its log records."""
        return _losses(self.counts()) - self.counted_at_doors

    def delivered(self) -> Counter[str]:
        """How many tasks there are of each marker."""
        return Counter(marker for task in list(self.sink.tasks) for marker in set(_MARKER.findall(task)))

    def dead(self) -> set[str]:
        """The markers of the dead letters."""
        letters = self._pipeline.dead_letters()
        return {m for letter in letters if letter.call for m in _MARKER.findall(json.dumps(letter.call.to_dict()))}

    def unbalanced(self) -> int:
        """How many accepted readings are neither delivered, nor folded into a call, nor dead."""
        # What was held and could not be read is a dead letter too, and was no reading
        dead = sum(not letter.call_id.startswith("held-") for letter in self._pipeline.dead_letters())
        ended = sum(self._states()[state] for state in ("delivered", "folded"))
        return self.counts()["calls.accepted"] - ended - dead

    def _opened(self) -> Pipeline:
        pipeline = Pipeline(self._settings, sink=self.sink, clock=self.clock)
        pipeline.joins_log_records = True
        self._telemetries.append(pipeline.telemetry)
        pipeline.take_up_what_was_left()
        return pipeline

    def _wait(self, is_done: Callable[[], bool], skip_s: float) -> bool:
        self.clock.skip(skip_s)
        deadline = time.monotonic() + PATIENCE_S
        with self.clock.running():
            while not (done := is_done()) and time.monotonic() < deadline:
                time.sleep(0.02)
        return done

    def _states(self) -> dict[str, int]:
        return self._pipeline._outbox.figures.status().states

    def _waiting(self) -> int:
        return len(self._pipeline._outbox)


def _losses(counts: Counter[str]) -> Counter[str]:
    return Counter({name: n for name, n in counts.items() if name.startswith(_LOSSES)})


def _leave_out(_: Exception) -> None:
    """What the exporter counts as a fault of its batch."""

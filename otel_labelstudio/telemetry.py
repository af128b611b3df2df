"""What the pipeline counts of its own work: as numbers to look at (`Telemetry.counts`), and as OpenTelemetry metrics.

============================  ==================================================================================
``spans.received``            spans that were exported to this package
``spans.skipped``             spans that give no call, by reason (`dialects.SkipReason`)
``log_records.received``      log records with content of LLM calls
``log_records.unmatched``     log records for which no span was found within an hour, or that gave way, by reason
``calls.accepted``            readings of calls that were put into the outbox
``calls.repeated``            readings that were there already: the same span and prompt
``calls.late_duplicates``     readings of a call that had settled before
``calls.without_valid_ids``   calls whose trace or span id is invalid, known by digests in their place
``calls.dropped``             calls that were lost or filtered out, by reason
``tasks.delivered``           calls that are tasks of Label Studio, with their predictions
``tasks.rejected``            calls that became dead letters, by reason
``tasks.duplicates_removed``  tasks of this exporter that Label Studio had stored twice and that nobody had touched
``tasks.duplicates_kept``     second tasks of a call, and equal predictions, that were left, by reason
``predictions.repaired``      predictions that Label Studio had lost and that were added
``predictions.removed``       predictions that Label Studio had stored twice
``deliveries.failed``         tries that failed, by the error's type
============================  ==================================================================================

Each is a counter ``otel_labelstudio.NAME``, with the attribute ``reason`` where the table says so. All of them are
there from the start, at 0 for each reason that is known beforehand, whenever the process sets its meter provider.

Beside them stand, after the SDK's conventions for exporters (semantic-conventions, otel/sdk-metrics) and those of the
Collector for queues:

==========================================  ======  ==========================================================
``otel.sdk.exporter.span.exported``         {span}  calls that are done with, ``error.type`` where not delivered
``otel.sdk.exporter.span.inflight``         {span}  calls that wait or are being delivered
``otel.sdk.exporter.operation.duration``    s       imports into Label Studio, ``error.type`` where they failed
``otel_labelstudio.outbox.queue.size``      {call}  the same as inflight
``otel_labelstudio.outbox.queue.capacity``  {call}  how many the outbox takes
==========================================  ======  ==========================================================

How delivery stands (`Observed`), and the threads of the process (`background`):

===============================================  =============  ===============================================
``otel_labelstudio.outbox.oldest.age``           s              how long the oldest call waits; 0 if none does
``otel_labelstudio.outbox.dead_letters``         {call}         calls that were refused for good and are kept
``otel_labelstudio.outbox.held``                 {item}         spans and log records that wait for each other
``otel_labelstudio.delivery.last.timestamp``     s              when something was delivered last, since 1970
``otel_labelstudio.delivery.paused``             {destination}  destinations that wait until a person corrects the cause
``otel_labelstudio.thread.alive``                1              1 or 0 for each ``thread.name`` that should run
===============================================  =============  ===============================================

What cannot be observed at the moment is left out of the metrics; looking never raises.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import cache
from itertools import count
from typing import Any, Protocol

from opentelemetry import metrics

from otel_labelstudio import background, meters
from otel_labelstudio.errors import (
    BlockedRequestError,
    PausedDeliveryError,
    ProjectLimitError,
    RetryableDeliveryError,
    UnknownOutcomeError,
)
from otel_labelstudio.gauges import Measured, Observer, Watched
from otel_labelstudio.printable import logger

_logger = logger(__name__)

# Counters without a reason
_PLAIN = (
    *("spans.received", "log_records.received"),
    *("calls.accepted", "calls.repeated", "calls.late_duplicates", "calls.without_valid_ids"),
    *("tasks.delivered", "tasks.duplicates_removed", "predictions.repaired", "predictions.removed"),
)
# Those with one, and which ones are known beforehand; a test holds them to the code
_REASONS: Mapping[str, tuple[str, ...]] = {
    "log_records.unmatched": ("", "fault", "no_room"),
    "spans.skipped": (
        "not_genai",
        "not_inference",
        "content_not_captured",
        "failed",
        "fault",
        "answer_unreadable",
    ),
    "calls.dropped": ("outbox_full", "outbox_error", "filtered", "filter_failed", "fault", "shutdown"),
    "tasks.rejected": ("refused", "rejected", "failed", "unreadable", "settling_failed"),
    "tasks.duplicates_kept": (
        "deletion_off",
        "not_ours",
        "different",
        "touched",
        "changed_meanwhile",
        "not_looked_at",
    ),
    "deliveries.failed": (
        PausedDeliveryError.__name__,
        ProjectLimitError.__name__,
        BlockedRequestError.__name__,
        RetryableDeliveryError.__name__,
        UnknownOutcomeError.__name__,
        "FaultError",
    ),
}
_FROM_THE_START = (
    *((name, "") for name in _PLAIN),
    *((name, reason) for name, reasons in _REASONS.items() for reason in reasons),
)
# What counters were called before; as metrics they are there under both names
FORMER_NAMES = {"calls.late_twins": "calls.late_duplicates", "tasks.twins_removed": "tasks.duplicates_removed"}
# Counts of calls that are done with; all but the first without success
_ENDS = ("tasks.delivered", "tasks.rejected", "calls.dropped")
# Seconds that an import takes: from a small one to the longest that is waited for (import_timeout_s)
_IMPORT_BOUNDARIES_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
_COMPONENT_TYPE = "label_studio_span_exporter"
_instance_numbers = count()


class Sized(Protocol):
    """Something that can be counted and compared with its capacity: the outbox."""

    capacity: int

    def __len__(self) -> int: ...


class Observed(Protocol):
    """How delivery stands. Asked at every reading of the metrics, by any thread: it must be cheap."""

    def oldest_age_s(self) -> float:
        """How long the oldest call has waited, in seconds; 0 where none waits."""

    def dead_letter_count(self) -> int:
        """Calls that were refused for good."""

    def held_count(self) -> int:
        """Spans and log records that wait for each other."""

    def last_delivery_at(self) -> float | None:
        """When a call was delivered last, seconds since 1970; None where none was yet."""

    def paused_destination_count(self) -> int:
        """Destinations to which nothing goes until a person corrects the cause."""


class Counts(dict[str, int]):
    """Counters by name. A former name gives what its present one has, and says so once."""

    def __missing__(self, name: str) -> int:
        if name not in FORMER_NAMES:
            raise KeyError(name)
        _say_renamed(name)
        return self[FORMER_NAMES[name]]

    def get(self, name: str, default: Any = None) -> Any:
        if name in FORMER_NAMES:
            _say_renamed(name)
        return super().get(FORMER_NAMES.get(name, name), default)


@cache
def _say_renamed(name: str) -> None:
    _logger.warning("The counter %s is now called %s. The former name still works.", name, FORMER_NAMES[name])


class Telemetry:
    """Thread-safe. The metrics go to the process's meter provider, whenever one is set (`meters`)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, str]] = Counter(dict.fromkeys(_FROM_THE_START, 0))
        number = next(_instance_numbers)
        self._component = {
            "otel.component.type": _COMPONENT_TYPE,
            "otel.component.name": f"{_COMPONENT_TYPE}/{number}",
        }
        _telemetries.add(self, self._component)
        _ever_made.append(self)
        make_instruments()

    def count(self, name: str, by: int = 1, *, reason: str = "") -> None:
        """Add to a counter of the table at the module's head."""
        with self._lock:
            self._counts[name, reason] += by

    def counts(self) -> dict[str, int]:
        """A copy of all counters that are not zero; a reason is written in brackets: ``spans.skipped[not_genai]``."""
        counted = sorted(self._copy().items())
        return Counts({f"{name}[{reason}]" if reason else name: n for (name, reason), n in counted if n})

    def record_import(self, duration_s: float, server: dict[str, str | int], error_type: str = "") -> None:
        """How long an import into Label Studio took, and how it failed if it did. Never raises, as no meter should:
        the import has happened."""
        attributes = {**self._component, **server}
        with suppress(Exception):
            _duration().record(duration_s, {**attributes, "error.type": error_type} if error_type else attributes)

    def watch(self, outbox: Sized) -> None:
        """Have the metrics readers look at the outbox; they do not keep it alive."""
        _outboxes.add(outbox, self._component)

    def observe(self, delivery: Observed) -> None:
        """Have them look at how delivery stands; they do not keep it alive."""
        _deliveries.add(delivery, self._component)

    def leave_to_parent(self, outbox: Sized, delivery: Observed) -> None:
        """In a child of a fork: what was counted and watched before it is the parent's to tell. A thread that is not
        here may have locked it."""
        _ever_made.remove(self)
        _telemetries.discard(self)
        _outboxes.discard(outbox)
        _deliveries.discard(delivery)

    def by_reason(self, name: str) -> Iterator[Measured]:
        """One counter."""
        for (counter, reason), number in self._copy().items():
            if counter == name:
                yield number, {"reason": reason} if reason else {}

    def ends(self) -> Iterator[Measured]:
        """Calls that are done with, by what kept them from being delivered."""
        by_error: Counter[str] = Counter()
        for (counter, reason), number in self._copy().items():
            if counter in _ENDS:
                by_error[reason] += number
        for error, number in by_error.items():
            yield number, {"error.type": error} if error else {}

    def _copy(self) -> dict[tuple[str, str], int]:
        with self._lock:
            return dict(self._counts)


_telemetries: Watched[Telemetry] = Watched()
_ever_made: list[Telemetry] = []  # what was counted stays counted when its exporter is gone
_outboxes: Watched[Sized] = Watched()
_deliveries: Watched[Observed] = Watched()

_DELIVERY_GAUGES: tuple[tuple[str, str, Callable[[Observed], float | None]], ...] = (
    ("outbox.oldest.age", "s", lambda delivery: delivery.oldest_age_s()),
    ("outbox.dead_letters", "{call}", lambda delivery: delivery.dead_letter_count()),
    ("outbox.held", "{item}", lambda delivery: delivery.held_count()),
    ("delivery.last.timestamp", "s", lambda delivery: delivery.last_delivery_at()),
    ("delivery.paused", "{destination}", lambda delivery: delivery.paused_destination_count()),
)


@meters.made_once
def make_instruments(meter: metrics.Meter) -> None:
    for name in (*_PLAIN, *_REASONS):
        meter.create_observable_counter(f"otel_labelstudio.{name}", [_counter(name)])
    for former, name in FORMER_NAMES.items():
        meter.create_observable_counter(f"otel_labelstudio.{former}", [_counter(name)], description=f"now {name}")
    meter.create_observable_counter("otel.sdk.exporter.span.exported", [_telemetries.several(Telemetry.ends)], "{span}")
    for name, unit, measure in (
        ("otel.sdk.exporter.span.inflight", "{span}", len),
        ("otel_labelstudio.outbox.queue.size", "{call}", len),
        ("otel_labelstudio.outbox.queue.capacity", "{call}", _capacity),
    ):
        meter.create_observable_up_down_counter(name, [_outboxes.one(measure)], unit)
    for name, unit, gauge in _DELIVERY_GAUGES:
        meter.create_observable_gauge(f"otel_labelstudio.{name}", [_deliveries.one(gauge)], unit)
    meter.create_observable_gauge("otel_labelstudio.thread.alive", [_threads], "1")


@meters.made_once
def _duration(meter: metrics.Meter) -> metrics.Histogram:
    return meter.create_histogram(
        "otel.sdk.exporter.operation.duration", "s", explicit_bucket_boundaries_advisory=_IMPORT_BOUNDARIES_S
    )


def _counter(name: str) -> Observer:
    return _telemetries.several(lambda telemetry: telemetry.by_reason(name))


def _capacity(outbox: Sized) -> int:
    return outbox.capacity


def _threads(_: metrics.CallbackOptions) -> Iterable[metrics.Observation]:
    alive: dict[str, bool] = {}
    for thread in background.running():
        alive[thread.name] = alive.get(thread.name, True) and thread.is_alive
    return [metrics.Observation(int(is_alive), {"thread.name": name}) for name, is_alive in alive.items()]

"""What the pipeline counts of its own work: as numbers to look at (`Telemetry.counts`), and as OpenTelemetry metrics.

=========================  =============================================================
``spans.received``         spans that reached a door
``spans.skipped``          spans that give no call, by reason (`dialects.SkipReason`)
``log_records.received``   log records with content of LLM calls that reached a door
``log_records.unmatched``  log records without ids of which nobody could tell the span
``calls.accepted``         readings of calls that were put into the outbox
``calls.repeated``         readings that were there already: the same span and prompt
``calls.late_duplicates``  readings of a call that had been settled before
``calls.dropped``          calls that were lost or filtered out, by reason
``tasks.delivered``        calls that are tasks of Label Studio, with their predictions
``tasks.rejected``         calls that became dead letters, by reason
``tasks.duplicates_removed``  tasks of ours that Label Studio had stored twice, and that nobody had touched
``tasks.duplicates_kept``     second tasks of a call, and equal predictions, that were left, by reason
``predictions.repaired``   predictions that Label Studio had lost and that were added
``predictions.removed``    predictions that Label Studio had stored twice
``deliveries.failed``      tries that failed, by the error's type
=========================  =============================================================

Each is a counter ``otel_labelstudio.NAME`` with the attribute ``reason``, if a metrics SDK is there. Beside them stand,
after the SDK's conventions for exporters (semantic-conventions, otel/sdk-metrics) and the Collector's for queues:

=========================================  ======  ==========================================================
``otel.sdk.exporter.span.exported``        {span}  calls that are done with, ``error.type`` where not delivered
``otel.sdk.exporter.span.inflight``        {span}  calls that wait or are being delivered
``otel.sdk.exporter.operation.duration``   s       imports into Label Studio, ``error.type`` where they failed
``otel_labelstudio.outbox.queue.size``     {call}  the same as inflight, beside
``otel_labelstudio.outbox.queue.capacity`` {call}  how many the outbox takes
=========================================  ======  ==========================================================
"""

from __future__ import annotations

import threading
import weakref
from collections import Counter
from collections.abc import Callable, Iterable
from functools import cache
from itertools import count
from typing import Protocol

from opentelemetry import metrics

_COUNTERS = (
    *("spans.received", "spans.skipped", "log_records.received", "log_records.unmatched"),
    *("calls.accepted", "calls.repeated", "calls.late_duplicates", "calls.dropped"),
    *(
        "tasks.delivered",
        "tasks.rejected",
        "tasks.duplicates_removed",
        "tasks.duplicates_kept",
        "predictions.repaired",
        "predictions.removed",
        "deliveries.failed",
    ),
)
# Counts of calls that are done with; all but the first without success
_ENDS = ("tasks.delivered", "tasks.rejected", "calls.dropped")
_COMPONENT_TYPE = "label_studio_span_exporter"
_instance_numbers = count()


class Sized(Protocol):
    """Something that can be counted and compared with its capacity: the outbox."""

    capacity: int

    def __len__(self) -> int: ...


class Telemetry:
    """Thread-safe. The metrics go to the process's meter provider, whenever one is set."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        number = next(_instance_numbers)
        self._component = {
            "otel.component.type": _COMPONENT_TYPE,
            "otel.component.name": f"{_COMPONENT_TYPE}/{number}",
        }
        meter = metrics.get_meter("otel_labelstudio")
        self._counters = {name: meter.create_counter(f"otel_labelstudio.{name}") for name in _COUNTERS}
        self._exported = meter.create_counter("otel.sdk.exporter.span.exported", "{span}")
        self._duration = meter.create_histogram("otel.sdk.exporter.operation.duration", "s")

    def count(self, name: str, by: int = 1, *, reason: str = "") -> None:
        """Add to a counter of the table at the module's head."""
        if not by:
            return
        with self._lock:
            self._counts[f"{name}[{reason}]" if reason else name] += by
        attributes = {**self._component, "reason": reason} if reason else self._component
        self._counters[name].add(by, attributes)
        if name in _ENDS:
            self._exported.add(by, {**self._component, "error.type": reason} if reason else self._component)

    def counts(self) -> dict[str, int]:
        """A copy of all counters that are not zero; a reason is written in brackets: ``spans.skipped[not_genai]``."""
        with self._lock:
            return dict(sorted(self._counts.items()))

    def record_import(self, duration_s: float, server: dict[str, str | int], error_type: str = "") -> None:
        """How long an import into Label Studio took, and how it failed if it did."""
        attributes = {**self._component, **server}
        self._duration.record(duration_s, {**attributes, "error.type": error_type} if error_type else attributes)

    def watch(self, outbox: Sized) -> None:
        """Have the metrics readers look at the outbox; they do not keep it alive."""
        _watched[outbox] = self._component
        _make_gauges()


# A meter takes an observable's callbacks once for each name: one set of instruments looks at all outboxes
_watched: weakref.WeakKeyDictionary[Sized, dict[str, str]] = weakref.WeakKeyDictionary()


@cache
def _make_gauges() -> None:
    meter = metrics.get_meter("otel_labelstudio")
    for name, unit, measure in (
        ("otel.sdk.exporter.span.inflight", "{span}", len),
        ("otel_labelstudio.outbox.queue.size", "{call}", len),
        ("otel_labelstudio.outbox.queue.capacity", "{call}", _capacity),
    ):
        meter.create_observable_up_down_counter(name, callbacks=[_observer(measure)], unit=unit)


def _observer(measure: Callable[[Sized], int]) -> Callable[[metrics.CallbackOptions], Iterable[metrics.Observation]]:
    def observe(_: metrics.CallbackOptions) -> Iterable[metrics.Observation]:
        return [metrics.Observation(measure(outbox), component) for outbox, component in list(_watched.items())]

    return observe


def _capacity(outbox: Sized) -> int:
    return outbox.capacity

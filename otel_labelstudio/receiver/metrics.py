"""What the receiver counts, and the page on which Prometheus reads that and all else that the process counts.

The names are the Collector's for its receivers, behind this package's own:

====================================================  ==========  =======================================
``otel_labelstudio.receiver.accepted_spans``          {span}      answered with success
``otel_labelstudio.receiver.refused_spans``           {span}      could not be accepted
``otel_labelstudio.receiver.accepted_log_records``    {record}    answered with success
``otel_labelstudio.receiver.refused_log_records``     {record}    could not be accepted
``otel_labelstudio.receiver.requests``                {request}   by ``outcome``, see `status.Outcome`
``otel_labelstudio.receiver.request.duration``        s           from the request's head to the answer
``otel_labelstudio.receiver.inbox.size``              By          what is stored and not read yet
``otel_labelstudio.receiver.inbox.capacity``          By          how much of it may be
====================================================  ==========  =======================================

All but the last two have the attribute ``transport``, grpc or http. How many spans a body held that could not be
decoded is not known.
"""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Iterable
from functools import cache

from opentelemetry import metrics
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest

from otel_labelstudio.receiver.inbox import Inbox
from otel_labelstudio.receiver.requests import Signal
from otel_labelstudio.receiver.status import Outcome

CONTENT_TYPE = CONTENT_TYPE_LATEST
_ITEMS = {Signal.TRACES: "spans", Signal.LOGS: "log_records"}
_UNITS = {Signal.TRACES: "{span}", Signal.LOGS: "{record}"}


@cache
def export_metrics() -> None:
    """Have the process's metrics kept for `metrics_page`, unless it has a meter provider already."""
    metrics.set_meter_provider(MeterProvider([PrometheusMetricReader()]))


def metrics_page() -> bytes:
    """All metrics of the process, in the text format of Prometheus."""
    return generate_latest(REGISTRY)


class ReceiverMetrics:
    """Counts the requests of one transport. Thread-safe."""

    def __init__(self, transport: str) -> None:
        meter = metrics.get_meter("otel_labelstudio")
        self._transport = {"transport": transport}
        self._items = {
            (signal, accepted): meter.create_counter(
                f"otel_labelstudio.receiver.{'accepted' if accepted else 'refused'}_{_ITEMS[signal]}", _UNITS[signal]
            )
            for signal in Signal
            for accepted in (True, False)
        }
        self._requests = meter.create_counter("otel_labelstudio.receiver.requests", "{request}")
        self._duration = meter.create_histogram("otel_labelstudio.receiver.request.duration", "s")

    def count_items(self, signal: Signal, items: int, *, accepted: bool) -> None:
        """Spans or log records whose fate is known."""
        self._items[signal, accepted].add(items, self._transport)

    def count_request(self, outcome: Outcome, started_at: float) -> None:
        """A request was answered that began at ``started_at`` (of `time.perf_counter`)."""
        attributes = {**self._transport, "outcome": outcome.value}
        self._requests.add(1, attributes)
        self._duration.record(time.perf_counter() - started_at, attributes)


# A meter takes an observable's callbacks once for each name
_watched: weakref.WeakSet[Inbox] = weakref.WeakSet()


def watch(inbox: Inbox) -> None:
    """Have the metrics readers look at an inbox; they do not keep it alive."""
    _watched.add(inbox)
    _make_gauges()


@cache
def _make_gauges() -> None:
    meter = metrics.get_meter("otel_labelstudio")
    for name, measure in (("size", _size), ("capacity", _capacity)):
        meter.create_observable_up_down_counter(
            f"otel_labelstudio.receiver.inbox.{name}", callbacks=[_observer(measure)], unit="By"
        )


def _observer(measure: Callable[[Inbox], int]) -> Callable[[metrics.CallbackOptions], Iterable[metrics.Observation]]:
    def observe(_: metrics.CallbackOptions) -> Iterable[metrics.Observation]:
        return [metrics.Observation(sum(map(measure, list(_watched))))]

    return observe


def _size(inbox: Inbox) -> int:
    return inbox.size


def _capacity(inbox: Inbox) -> int:
    return inbox.max_bytes

"""What the receiver counts, and the page on which Prometheus reads that and all else that the process counts.

The names are the Collector's for its receivers, behind this package's own:

=======================================================  ==========  ===============================================
``otel_labelstudio.receiver.accepted_spans``             {span}      answered with success
``otel_labelstudio.receiver.refused_spans``              {span}      could not be accepted
``otel_labelstudio.receiver.accepted_log_records``       {record}    answered with success
``otel_labelstudio.receiver.refused_log_records``        {record}    could not be accepted
``otel_labelstudio.receiver.requests``                   {request}   by ``outcome``, see `status.Outcome`
``otel_labelstudio.receiver.request.duration``           s           from the request's head to the answer
``otel_labelstudio.receiver.inbox.size``                 By          what is stored and not read yet
``otel_labelstudio.receiver.inbox.capacity``             By          how much of it may be
``otel_labelstudio.receiver.inbox.stalled``              s           how long something waits there and nothing is read
``otel_labelstudio.receiver.inbox.set_aside``            {request}   could not be read, by ``reason``, see `Reason`
``otel_labelstudio.receiver.inbox.files_set_aside``      {file}      files with such that lie beside the inbox
=======================================================  ==========  ===============================================

All but the inbox's have the attribute ``transport``, grpc or http. How many spans a body held that could not be decoded
is not known.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from functools import cache

from opentelemetry import metrics
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest

from otel_labelstudio import meters, telemetry
from otel_labelstudio.gauges import Measured, Watched
from otel_labelstudio.receiver.inbox import Inbox
from otel_labelstudio.receiver.requests import Signal
from otel_labelstudio.receiver.status import Outcome

CONTENT_TYPE = CONTENT_TYPE_LATEST
_ITEMS = {Signal.TRACES: "spans", Signal.LOGS: "log_records"}
_UNITS = {Signal.TRACES: "{span}", Signal.LOGS: "{record}"}
# Those of semantic-conventions for the duration of HTTP requests, and what a slow body may take
_BOUNDARIES_S = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 30.0)
_SERVICE_NAME = "otel-labelstudio"


@cache
def export_metrics() -> None:
    """Have the process's metrics kept for `metrics_page`. Where it has another meter provider already, they go there,
    and the page has those of this package."""
    provider = MeterProvider([PrometheusMetricReader()], resource=_resource())
    metrics.set_meter_provider(provider)
    if metrics.get_meter_provider() is not provider:
        meters.use(provider)
        telemetry.make_instruments()


def _resource() -> Resource:
    """What OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say; a name of our own where they name no service."""
    said = Resource.create()
    if not str(said.attributes.get(SERVICE_NAME, "")).startswith("unknown_service"):
        return said
    return said.merge(Resource({SERVICE_NAME: _SERVICE_NAME}))


def metrics_page() -> bytes:
    """All metrics of the process, in the text format of Prometheus; for one reader after the other. The exporter for
    Prometheus keeps what it collects where another reader finds it: one would get twice as much, the other nothing."""
    with _page_lock:
        return generate_latest(REGISTRY)


_page_lock = threading.Lock()


class ReceiverMetrics:
    """Counts the requests of one transport. Thread-safe."""

    def __init__(self, transport: str) -> None:
        meter = meters.meter()
        self._transport = {"transport": transport}
        self._items = {
            (signal, accepted): meter.create_counter(
                f"otel_labelstudio.receiver.{'accepted' if accepted else 'refused'}_{_ITEMS[signal]}", _UNITS[signal]
            )
            for signal in Signal
            for accepted in (True, False)
        }
        self._requests = meter.create_counter("otel_labelstudio.receiver.requests", "{request}")
        self._duration = meter.create_histogram(
            "otel_labelstudio.receiver.request.duration", "s", explicit_bucket_boundaries_advisory=_BOUNDARIES_S
        )
        self._count_nothing()

    def count_items(self, signal: Signal, items: int, *, accepted: bool) -> None:
        """Spans or log records whose fate is known."""
        self._items[signal, accepted].add(items, self._transport)

    def count_request(self, outcome: Outcome, started_at: float) -> None:
        """A request was answered that began at ``started_at`` (of `time.perf_counter`)."""
        attributes = {**self._transport, "outcome": outcome.value}
        self._requests.add(1, attributes)
        self._duration.record(time.perf_counter() - started_at, attributes)

    def _count_nothing(self) -> None:
        """All counters are there from the start: what was never counted is 0, not absent."""
        for counter in self._items.values():
            counter.add(0, self._transport)
        for outcome in Outcome:
            self._requests.add(0, {**self._transport, "outcome": outcome.value})


_inboxes: Watched[Inbox] = Watched()


def watch(inbox: Inbox) -> None:
    """Have the metrics readers look at an inbox; they do not keep it alive."""
    _inboxes.add(inbox, {})
    _make_instruments()


@meters.made_once
def _make_instruments(meter: metrics.Meter) -> None:
    name = "otel_labelstudio.receiver.inbox"
    meter.create_observable_up_down_counter(f"{name}.size", [_inboxes.one(lambda inbox: inbox.size)], "By")
    meter.create_observable_up_down_counter(f"{name}.capacity", [_inboxes.one(lambda inbox: inbox.max_bytes)], "By")
    meter.create_observable_gauge(f"{name}.stalled", [_inboxes.one(lambda inbox: inbox.stalled_s)], "s")
    meter.create_observable_counter(f"{name}.set_aside", [_inboxes.several(_set_aside)], "{request}")
    meter.create_observable_gauge(
        f"{name}.files_set_aside", [_inboxes.one(lambda inbox: inbox.set_aside_files.number_of_files())], "{file}"
    )


def _set_aside(inbox: Inbox) -> Iterator[Measured]:
    for reason, number in inbox.set_aside_files.counts.items():
        yield number, {"reason": reason.value}

"""Makes deploy/grafana/otel-labelstudio.json anew, with Grafana's own builders, which know the schema.

In the checkout, with the environment of ``make test`` (Python 3.11 or newer)::

    .venv/bin/python deploy/grafana/make_dashboard.py
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import DataSourceRef, VariableRefresh

FILE = Path(__file__).with_name("otel-labelstudio.json")
_DATA_SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
_OURS = '{job="otel-labelstudio", instance=~"$instance"}'
_COLUMNS = 24


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked of Prometheus."""

    legend: str
    expr: str


@dataclass(frozen=True, slots=True)
class Panel:
    """``unit`` is one of Grafana's. One query without a legend is a figure, anything else goes over time."""

    title: str
    unit: str
    queries: Sequence[Query]

    @property
    def is_figure(self) -> bool:
        """Whether it shows how things stand now."""
        return not self.queries[0].legend


def _metric(name: str) -> str:
    return f"otel_labelstudio_{name}{_OURS}"


def _sum(name: str) -> str:
    return f"sum({_metric(name)})"


def _max(name: str) -> str:
    return f"max({_metric(name)})"


def _worst(name: str) -> Query:
    return Query("{{instance}}", f"max by (instance) ({_metric(name)})")


def _rate(name: str) -> str:
    return f"sum(rate({_metric(name)}[$__rate_interval]))"


def _rates(label: str, name: str) -> str:
    return f"sum by ({label}) (rate({_metric(name)}[$__rate_interval]))"


def _durations(histogram: str) -> tuple[Query, ...]:
    rates = f"sum by (le) (rate({histogram}_bucket{_OURS}[$__rate_interval]))"
    return (
        Query("half of them within", f"histogram_quantile(0.5, {rates})"),
        Query("95 % within", f"histogram_quantile(0.95, {rates})"),
    )


ROWS: dict[str, tuple[Panel, ...]] = {
    "Now": (
        Panel("Calls waiting", "short", (Query("", _sum("outbox_queue_size")),)),
        Panel("Oldest waits for", "s", (Query("", _max("outbox_oldest_age_seconds")),)),
        Panel("Since the last delivery", "s", (Query("", f"time() - {_max('delivery_last_timestamp_seconds')}"),)),
        Panel("Paused destinations", "short", (Query("", _sum("delivery_paused")),)),
        Panel("Dead letters", "short", (Query("", _sum("outbox_dead_letters")),)),
        Panel("Threads that have ended", "short", (Query("", f"count({_metric('thread_alive')} == 0) or vector(0)"),)),
    ),
    "What arrives": (
        Panel("Requests a second", "reqps", (Query("{{outcome}}", _rates("outcome", "receiver_requests_total")),)),
        Panel(
            "Spans and log records a second",
            "cps",
            (
                Query("spans", _rate("receiver_accepted_spans_total")),
                Query("log records", _rate("receiver_accepted_log_records_total")),
                Query("refused spans", _rate("receiver_refused_spans_total")),
            ),
        ),
        Panel("Answering a request", "s", _durations("otel_labelstudio_receiver_request_duration_seconds")),
        Panel("Spans without a call, a second", "cps", (Query("{{reason}}", _rates("reason", "spans_skipped_total")),)),
    ),
    "What waits": (
        Panel(
            "Outbox, calls",
            "short",
            (
                Query("waiting", _sum("outbox_queue_size")),
                Query("room for", _sum("outbox_queue_capacity")),
                Query("held until they are whole", _sum("outbox_held")),
            ),
        ),
        Panel(
            "Inbox, bytes",
            "bytes",
            (
                Query("to be read", _sum("receiver_inbox_size_bytes")),
                Query("room for", _sum("receiver_inbox_capacity_bytes")),
            ),
        ),
        Panel("How long the oldest call waits", "s", (_worst("outbox_oldest_age_seconds"),)),
        Panel("Nothing read from the inbox for", "s", (_worst("receiver_inbox_stalled_seconds"),)),
    ),
    "Delivery": (
        Panel(
            "Calls a minute",
            "cpm",
            (
                Query("delivered", f"60 * {_rate('tasks_delivered_total')}"),
                Query("accepted", f"60 * {_rate('calls_accepted_total')}"),
            ),
        ),
        Panel("Failed tries a second", "cps", (Query("{{reason}}", _rates("reason", "deliveries_failed_total")),)),
        Panel(
            "Refused for good and dropped, a minute",
            "cpm",
            (
                Query("refused: {{reason}}", f"60 * {_rates('reason', 'tasks_rejected_total')}"),
                Query("dropped: {{reason}}", f"60 * {_rates('reason', 'calls_dropped_total')}"),
            ),
        ),
        Panel("An import into Label Studio", "s", _durations("otel_sdk_exporter_operation_duration_seconds")),
    ),
}


def dashboard_json() -> str:
    """The file's text."""
    made = (
        dashboard.Dashboard("otel-labelstudio")
        .uid("otel-labelstudio")
        .tags(["otel-labelstudio"])
        .time("now-6h", "now")
        .refresh("30s")
        .with_variable(dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
        .with_variable(_instances())
    )
    for title, panels in ROWS.items():
        made.with_row(dashboard.Row(title))
        for panel in panels:
            made.with_panel(_built(panel, _COLUMNS // len(panels)))
    return json.dumps(made.build(), cls=JSONEncoder, indent=2) + "\n"


def _instances() -> dashboard.QueryVariable:
    made: dashboard.QueryVariable = (
        dashboard.QueryVariable("instance")
        .label("Instance")
        .datasource(_DATA_SOURCE)
        .query('label_values(up{job="otel-labelstudio"}, instance)')
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .multi(True)
        .include_all(True)
        .all_value(".*")
    )
    return made


def _built(panel: Panel, width: int) -> stat.Panel | timeseries.Panel:
    made = stat.Panel() if panel.is_figure else _over_time()
    made.title(panel.title).unit(panel.unit).datasource(_DATA_SOURCE).span(width).height(4 if panel.is_figure else 8)
    for number, query in enumerate(panel.queries):
        target = prometheus.Dataquery().expr(query.expr).legend_format(query.legend).ref_id(chr(ord("A") + number))
        made.with_target(target.instant() if panel.is_figure else target.range())
    return made


def _over_time() -> timeseries.Panel:
    made: timeseries.Panel = timeseries.Panel().legend(common.VizLegendOptions().show_legend(True)).min(0)
    return made


if __name__ == "__main__":
    FILE.write_text(dashboard_json(), encoding="utf-8")

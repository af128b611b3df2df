"""How much each stage between an application and Label Studio lets through, and what it costs.

    python benchmarks/collector.py [--rounds 3]

LLM spans of 2.5 KB, 100 a request, over 4 connections: into `otel-labelstudio serve` as it is, through a Collector with
sidecar.yaml, and through Kafka (kafka-producer.yaml, kafka-consumer.yaml); from serve's inbox into its outbox; from
there into an embedded Label Studio on SQLite, and on PostgreSQL where that is installed. Each stage by itself: it works
off what the one before has left. Then traffic of which one span in 100 is an LLM call, with and without the Collector's
selection, and how long a single call takes to become a task. Needs Go, Java, and Linux. Six and a half minutes.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from statistics import median
from uuid import uuid4

from measuring import Figures, bytes_below, counted, wait_until_it_grows
from receiver_load import request_body
from serving import Serve, sent

from otel_labelstudio.demo.label_studio import EmbeddedLabelStudio
from tests.collector.collector import Collector, build
from tests.delivery.labeling import Labeling
from tests.exactly_once.postgres import installed, postgresql
from tests.kafka.broker import Broker
from tests.kafka.flow import Topics

_SEND_S = 2.0
_MOST_S = 10.0
_REQUEST_BYTES, _SYNCS = 250_000, 100
_PARTITIONS = 12
_SINGLE_CALLS, _PAUSE_S = 20, 0.5


def main() -> None:
    """Measures and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    figures, otelcol = Figures(), build()
    with ExitStack() as running:
        servers = {"SQLite": running.enter_context(EmbeddedLabelStudio())}
        if programs := installed():
            database = running.enter_context(postgresql(programs))
            servers["PostgreSQL"] = running.enter_context(EmbeddedLabelStudio(database=database))
        broker = running.enter_context(Broker())
        for _ in range(rounds):
            with _directory() as directory:
                the_disk(figures, directory)
                outbox = directly(figures, directory)
                sidecar(figures, otelcol, directory)
                kafka(figures, otelcol, broker, directory)
                for name, server in servers.items():
                    delivery(figures, name, server, outbox, directory)
                mixed(figures, otelcol, directory)
        with _directory() as directory:
            waits = single_calls(otelcol, servers["SQLite"], directory)
    print(figures.table())
    print(f"A single call is a task {median(waits):.1f} s after it was sent ({min(waits):.1f} to {max(waits):.1f}).")


def the_disk(figures: Figures, directory: Path) -> None:
    """What a stage could do that only appends requests to a file, and syncs each."""

    def sync() -> tuple[float, float]:
        body, began = os.urandom(_REQUEST_BYTES), time.perf_counter()
        with (directory / "synced").open("wb", buffering=0) as file:
            for _ in range(_SYNCS):
                file.write(body)
                os.fdatasync(file.fileno())
        return _SYNCS * 100.0, time.perf_counter() - began

    figures.measure("the disk: 250 kB appended and synced, as 100 spans", {}, sync)


def directly(figures: Figures, directory: Path) -> Path:
    """Sender to serve, and its inbox to its outbox; returns the outbox."""
    with Serve(directory / "direct.db").started() as serve:
        pids = {"serve": serve.pid}
        figures.measure("sender to serve, answered", pids, lambda: sent(serve.url, "small", _SEND_S))
        figures.stored_bytes["inbox"] = serve.waiting_bytes / (serve.answered - serve.read)
        _read(figures, serve, "its inbox to its outbox, requests of 100")
        files = [Path(f"{serve.outbox}{suffix}") for suffix in ("", "-wal")]
        figures.stored_bytes["outbox"] = bytes_below(*files) / serve.read
    return serve.outbox


def sidecar(figures: Figures, otelcol: Path, directory: Path) -> None:
    """Sender to the Collector while serve is away, and the queue to serve once it is there."""
    serve = Serve(directory / "sidecar.db")
    with _sidecar(otelcol, directory / "sidecar", serve) as collector:
        pids, waiting = {"Collector": collector.pid}, 0.0

        def send(spans_a_request: int) -> tuple[float, float]:
            nonlocal waiting
            spans, seconds = sent(collector.http, "small", _SEND_S, spans_a_request)
            waiting += spans
            return spans, seconds

        stage = "sender to Collector (sidecar), answered, requests of"
        figures.measure(f"{stage} 100", pids, lambda: send(100))
        figures.stored_bytes["Collector's queue"] = bytes_below(directory / "sidecar" / "state") / waiting
        figures.measure(f"{stage} 10", pids, lambda: send(10))
        with serve.started():
            pids["serve"] = serve.pid
            wait_until_it_grows(lambda: serve.answered)
            figures.measure("its queue to serve", pids, lambda: counted(lambda: serve.answered, _MOST_S, waiting))


def kafka(figures: Figures, otelcol: Path, broker: Broker, directory: Path) -> None:
    """Sender to the Collector that produces, its queue to the broker, and one consumer to serve."""
    topics = Topics.make(broker, _PARTITIONS)
    with topics.producer(otelcol, directory / "producer") as producer:
        pids, waiting = {"Collector": producer.pid, "Kafka": broker.pid}, 0.0

        def send() -> tuple[float, float]:
            nonlocal waiting
            waiting, seconds = sent(producer.http, "small", _SEND_S)
            return waiting, seconds

        figures.measure("sender to Collector (producer), answered", pids, send)
        if _records(producer) < waiting:
            figures.measure("its queue to Kafka", pids, lambda: counted(lambda: _records(producer), _MOST_S, waiting))
        producer.wait_until_idle()
    figures.stored_bytes["Kafka"] = bytes_below(*broker.directory.glob(f"log/{topics.traces}-*")) / waiting
    with Serve(directory / "kafka.db").started() as serve:
        with topics.consumer(otelcol, directory / "consumer", serve.url) as consumer:
            wait_until_it_grows(lambda: serve.answered)
            pids = {"Collector": consumer.pid, "Kafka": broker.pid, "serve": serve.pid}
            stage = "Kafka to serve, one consumer"
            figures.measure(stage, pids, lambda: counted(lambda: serve.answered, _MOST_S, waiting))
        _read(figures, serve, "its inbox to its outbox, requests of 1, as consumers send them")


def delivery(figures: Figures, database: str, server: EmbeddedLabelStudio, outbox: Path, directory: Path) -> None:
    """A copy of an outbox into Label Studio."""
    copy = directory / f"{database}.db"
    for suffix in ("", "-wal", "-shm"):
        if (file := Path(f"{outbox}{suffix}")).exists():
            shutil.copy(file, f"{copy}{suffix}")
    with Serve(copy).started(server, project=f"Scaling {uuid4().hex[:8]}") as serve:
        wait_until_it_grows(lambda: serve.delivered)
        pids = {"serve": serve.pid, f"Label Studio ({database})": server.process.pid}
        stage = f"outbox to Label Studio on {database}"
        figures.measure(stage, pids, lambda: counted(lambda: serve.delivered, _MOST_S, float("inf")))


def mixed(figures: Figures, otelcol: Path, directory: Path) -> None:
    """One LLM span in 100, with all spans sent to serve, and with the Collector's selection before it."""
    with Serve(directory / "mixed.db").started() as serve:
        pids = {"serve": serve.pid}
        figures.measure("1 % LLM spans: sender to serve, read", pids, lambda: _sent_and_read(serve, serve.url))
    serve = Serve(directory / "selected.db")
    with serve.started(), _sidecar(otelcol, directory / "selecting", serve) as collector:
        pids = {"Collector": collector.pid, "serve": serve.pid}
        stage = "1 % LLM spans: sender to Collector to serve, read"
        figures.measure(stage, pids, lambda: _sent_and_read(serve, collector.http, collector))


def single_calls(otelcol: Path, server: EmbeddedLabelStudio, directory: Path) -> list[float]:
    """Seconds until each call that is sent is a task, with the settings as they are and little else to do."""
    project, serve = f"Scaling {uuid4().hex[:8]}", Serve(directory / "single.db")
    with serve.started(server, project), _sidecar(otelcol, directory / "single", serve) as collector:
        for number in range(_SINGLE_CALLS):
            _post(collector.http, request_body("small", 1, number))
            time.sleep(_PAUSE_S)
        counted(lambda: serve.delivered, _MOST_S, _SINGLE_CALLS)
    tasks = Labeling(server.url, server.api_key).tasks(project)
    # receiver_load gives a span the moment at which it is made as its start
    return [_seconds(task["created_at"]) - _seconds(task["data"]["started_at"]) for task in tasks]


def _read(figures: Figures, serve: Serve, stage: str) -> None:
    whole = serve.answered
    figures.measure(stage, {"serve": serve.pid}, lambda: counted(lambda: serve.read, _MOST_S, whole))


def _sent_and_read(serve: Serve, url: str, collector: Collector | None = None) -> tuple[float, float]:
    """The rate at which it was answered; returns when all of it was read, so that its cost is whole."""
    spans, seconds = sent(url, "mixed", _SEND_S)
    if collector:
        collector.wait_until_idle()
    while serve.read < serve.answered:
        time.sleep(0.05)
    return spans, seconds


@contextmanager
def _sidecar(otelcol: Path, directory: Path, serve: Serve) -> Iterator[Collector]:
    environment = {"OTEL_LABELSTUDIO_ENDPOINT": serve.url}
    with Collector(otelcol, directory, ["sidecar.yaml", "no-backend.yaml"], environment) as collector:
        yield collector


def _records(producer: Collector) -> float:
    return producer.metric("otelcol_kafka_exporter_records") or producer.metric("otelcol_kafka_exporter_records_total")


def _post(url: str, body: bytes) -> None:
    request = urllib.request.Request(f"{url}/v1/traces", body, {"Content-Type": "application/x-protobuf"})
    urllib.request.urlopen(request, timeout=30).close()


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


@contextmanager
def _directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="scaling-", ignore_cleanup_errors=True) as name:
        yield Path(name)


if __name__ == "__main__":
    main()

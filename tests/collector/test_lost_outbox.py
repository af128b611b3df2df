"""The disk of a `serve` is lost: what was on it is still in Kafka, and docs/scaling.md says how to get it there."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.collector.collector import CONFIGURATIONS, Collector
from tests.collector.numbered import call_in_a_log_event, numbered_calls, send
from tests.collector.serve import Serve
from tests.delivery.labeling import Labeling
from tests.delivery.pipelines import until
from tests.kafka.broker import Broker
from tests.kafka.flow import Topics
from tests.kafka.installed import missing_tool
from tests.missing import missing
from tests.ports import steady_port

_DOCS = (CONFIGURATIONS.parent / "docs" / "scaling.md").read_text(encoding="utf-8")
_FILE = "/var/tmp/llm-calls.jsonl"


@pytest.mark.slow
def test_what_was_on_it_is_delivered_from_kafka_and_nothing_twice(
    otelcol: Path, labeling: Labeling, tmp_path: Path
) -> None:
    """Some calls are delivered, some wait in the outbox when it is lost; `serve` starts with a new one, and more calls
    come. The documented commands then bring the lost ones, and those alone."""
    if lacking := missing_tool():
        missing(lacking)
    with Broker() as broker:
        topics = Topics.make(broker, partitions=2)
        serve = Serve(tmp_path / "serve", labeling)
        serve.outbox.parent.mkdir()
        with (
            topics.producer(otelcol, tmp_path / "producer") as producer,
            topics.consumer(otelcol, tmp_path / "consumer", serve.url),
        ):

            def come(*numbers: int) -> None:
                before = serve.accepted if serve.outbox.exists() else 0
                for request in (numbered_calls(numbers[:-1]), *call_in_a_log_event(numbers[-1])):
                    send(lambda: producer.http, request)
                until(lambda: serve.accepted == before + len(numbers))

            with serve.started():
                come(*range(8))
                until(lambda: serve.is_done)
            with serve.started(label_studio_url=f"http://127.0.0.1:{steady_port()}"):
                come(*range(8, 14))
                until(lambda: topics.lag() == 0)
            shutil.rmtree(serve.outbox.parent)
            serve.outbox.parent.mkdir()
            with serve.started():
                come(*range(14, 18))
                until(lambda: serve.is_done)
        assert sorted(serve.audit().numbers) == [*range(8), *range(14, 18)]
        with _read_again(otelcol, topics, tmp_path) as (repair, file):
            until(lambda: file.exists() and repair.lag() == 0)
        _send(labeling, serve.title, file)
        found = serve.audit()
    assert sorted(found.numbers) == list(range(18))
    assert sorted(found.predictions) == sorted(found.stored)


@contextmanager
def _read_again(otelcol: Path, topics: Topics, directory: Path) -> Iterator[tuple[Topics, Path]]:
    """The documented Collector, running; the topics with its group, and its file."""
    own, file = replace(topics, group=f"{topics.group}-repair"), directory / "llm-calls.jsonl"
    names = {"otel-labelstudio-repair": own.group, "llm_spans": own.traces, "llm_logs": own.logs}
    reset = _documented("kafka-consumer-groups.sh --reset-offsets")
    for documented, actual in names.items():
        reset = reset.replace(documented, actual)
    topics.broker.run(reset, {"SINCE": "2020-01-01T00:00:00.000"})
    command = shlex.split(_documented("otelcol --config kafka-consumer.yaml"))
    assert command[0] == "KAFKA_GROUP=otel-labelstudio-repair"
    configs = ["kafka-consumer.yaml", command[-1].replace(_FILE, str(file))]
    with Collector(otelcol, directory / "repair", configs, own.environment) as collector:
        yield own, file
        collector.stop()


def _send(labeling: Labeling, title: str, file: Path) -> None:
    command = _documented("otel-labelstudio send").replace(_FILE, str(file)).replace("Support chats", title)
    program, *arguments = shlex.split(command)
    assert program == "otel-labelstudio"
    server = {"LABEL_STUDIO_URL": labeling.url, "LABEL_STUDIO_API_KEY": labeling.api_key}
    command_line = [sys.executable, "-m", "otel_labelstudio", *arguments]
    subprocess.run(command_line, env={**os.environ, **server}, check=True, timeout=600)


def _documented(part: str) -> str:
    """The command of the page with this in it."""
    blocks = re.findall(r"```sh\n(.*?)```", _DOCS, re.DOTALL)
    (line,) = [line for block in blocks for line in block.replace("\\\n", "").splitlines() if part in line]
    return str(line)

"""Calls through Kafka: Collectors that produce, a real broker, a group of Collectors, `serve`, and Label Studio.

``KAFKA_SOAK_S`` makes the traffic between two faults longer than it is by default, in seconds (2).
"""

from __future__ import annotations

import base64
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from itertools import count
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from otel_labelstudio.demo.label_studio import EmbeddedLabelStudio
from tests.collector.collector import CONFIGURATIONS, Collector
from tests.collector.numbered import Sender, numbered_calls, send
from tests.collector.serve import Serve
from tests.delivery.labeling import Labeling
from tests.delivery.pipelines import until
from tests.kafka.broker import Broker
from tests.kafka.flow import Topics
from tests.kafka.installed import missing_tool
from tests.missing import missing
from tests.ports import steady_port

SOAK_S = float(os.environ.get("KAFKA_SOAK_S", "2"))
_MANY = 10**6


@pytest.fixture(scope="session")
def broker() -> Iterator[Broker]:
    """An Apache Kafka broker; each test makes topics of its own."""
    if lacking := missing_tool():
        missing(lacking)
    with Broker() as made:
        yield made


@pytest.mark.slow
@pytest.mark.timeout(1800 + 20 * SOAK_S)
def test_what_is_sent_is_delivered_once_whatever_dies(otelcol: Path, broker: Broker, tmp_path: Path) -> None:
    """Three partitions, two Collectors that produce, three that consume. Under load `serve` is killed by SIGKILL, then
    a consumer, and another one joins; `serve` comes back, Label Studio is restarted; the broker is killed, then a
    producer, and both come back. Every call that was answered with success is one task."""
    topics = Topics.make(broker, partitions=3)
    names = (tmp_path / f"otelcol-{number}" for number in count())
    with EmbeddedLabelStudio(port=steady_port()) as label_studio, ExitStack() as running:
        serve = running.enter_context(Serve(tmp_path, Labeling(label_studio.url, label_studio.api_key)))
        producers = [running.enter_context(topics.producer(otelcol, next(names))) for _ in range(2)]
        consumers = [running.enter_context(topics.consumer(otelcol, next(names), serve.url)) for _ in range(3)]
        senders = [running.enter_context(Sender(_url(p), n * _MANY)) for n, p in enumerate(producers)]
        for fault in (
            serve.kill,
            # Which has read what `serve` has not answered
            consumers[0].kill,
            lambda: running.enter_context(topics.consumer(otelcol, next(names), serve.url)),
            serve.start,
            label_studio.restart,
            broker.kill,
            # Which has answered for what it could not produce
            producers[0].kill,
            producers[0].start,
            broker.start,
        ):
            _load(senders)
            fault()
        _load(senders)
        for sender in senders:
            sender.stop()
        sent = sorted(number for sender in senders for number in sender.sent)
        until(lambda: serve.accepted >= len(sent) and topics.lag() == 0)
        until(lambda: serve.is_done)
        found = serve.audit()
        print(f"sent {len(sent)}, messages in Kafka {topics.messages()}", flush=True)
    found.assert_exactly_once(sent)
    assert sorted(found.numbers) == sent


def test_poison_does_not_block_a_partition_and_takes_no_neighbour_with_it(
    otelcol: Path, broker: Broker, labeling: Labeling, tmp_path: Path
) -> None:
    """All in one partition: what is no OTLP, and what `serve` refuses for good, between calls that are delivered."""
    topics = Topics.make(broker, partitions=1)
    with ExitStack() as running:
        producer = running.enter_context(topics.producer(otelcol, tmp_path / "producer"))
        for request in (numbered_calls(range(4)), ("/v1/traces", _too_deep()), numbered_calls(range(4, 8))):
            produced = _records(producer)
            send(_url(producer), request)
            until(partial(_has_produced_more, producer, produced))
            broker.run(_garbage(topics.traces) + _garbage(topics.logs))
        send(_url(producer), numbered_calls(range(8, 12)))
        until(lambda: _records(producer) == 13)
        # Only now, so that all of it comes in one piece; which also shows that a new group begins with what is there
        serve = running.enter_context(Serve(tmp_path, labeling))
        consumer = running.enter_context(topics.consumer(otelcol, tmp_path / "consumer", serve.url))
        until(lambda: serve.accepted == 12 and serve.is_done)
        until(lambda: topics.lag() == 0)
        found = serve.audit()
        metrics = consumer.metrics()
        names = re.findall(r"^\w+", producer.metrics() + metrics, re.MULTILINE)
    found.assert_exactly_once(range(12))
    assert _value(metrics, "otelcol_kafka_receiver_unmarshal_failed_spans") == 3
    assert _value(metrics, "otelcol_kafka_receiver_unmarshal_failed_log_records") == 3
    assert _value(metrics, "otelcol_exporter_send_failed_spans") == 1
    assert "HTTP Status Code 400" in consumer.log
    assert set(_documented_metrics()) <= set(names)


def test_a_call_larger_than_kafkas_default_goes_through_and_one_that_is_too_large_fails_alone(
    otelcol: Path, broker: Broker, labeling: Labeling, tmp_path: Path
) -> None:
    """Calls of one trace and one request: 6 MB pass, 9 MB do not, and those around them do not notice; nor does it
    matter that all together are larger than a message may be."""
    topics, trace = Topics.make(broker), os.urandom(16)
    requests = [numbered_calls([number], _noise(size), trace) for number, size in enumerate((10, 6 * 10**6, 9 * 10**6))]
    requests += [numbered_calls(range(3, 9), _noise(2 * 10**6), trace)]
    with (
        Serve(tmp_path, labeling) as serve,
        topics.producer(otelcol, tmp_path / "producer") as producer,
        topics.consumer(otelcol, tmp_path / "consumer", serve.url),
    ):
        # Concatenated requests are one request
        send(_url(producer), ("/v1/traces", b"".join(body for _, body in requests)))
        until(lambda: serve.accepted == 8 and serve.is_done)
        found = serve.audit()
        metrics = producer.metrics()
    found.assert_exactly_once([number for number in range(9) if number != 2])
    assert _value(metrics, "otelcol_exporter_send_failed_spans") == 1


def test_what_the_broker_delivers_twice_is_one_task(
    otelcol: Path, broker: Broker, labeling: Labeling, tmp_path: Path
) -> None:
    """The group goes back to where it began, and reads all of it again."""
    topics = Topics.make(broker)
    with Serve(tmp_path, labeling) as serve, topics.producer(otelcol, tmp_path / "producer") as producer:
        with topics.consumer(otelcol, tmp_path / "consumer", serve.url) as consumer:
            send(_url(producer), numbered_calls(range(20)))
            until(lambda: serve.accepted == 20 and serve.is_done and topics.lag() == 0)
            consumer.stop()
            topics.rewind()
            assert topics.lag() == 20
            consumer.start()
            until(lambda: topics.lag() == 0)
            assert _value(consumer.metrics(), "otelcol_exporter_sent_spans") == 20
        until(lambda: serve.is_done)
        serve.audit().assert_exactly_once(range(20))


def test_what_was_skipped_with_a_wrong_token_is_read_again(
    otelcol: Path, broker: Broker, labeling: Labeling, tmp_path: Path
) -> None:
    """The group has passed over all of it; once the token is right and the group is sent back, nothing is missing."""
    topics, serve, tokens = Topics.make(broker), Serve(tmp_path, labeling), tmp_path / "tokens"
    tokens.write_text("the-right-one\n")
    tokens.chmod(0o600)
    with serve.started(f"--bearer-tokens={tokens}"), topics.producer(otelcol, tmp_path / "producer") as producer:
        with topics.consumer(otelcol, tmp_path / "wrong", serve.url, "a-wrong-one") as consumer:
            send(_url(producer), numbered_calls(range(10)))
            until(lambda: _records(producer) == 10 and topics.lag() == 0)
            assert "HTTP Status Code 401" in consumer.log
            consumer.stop()
        assert serve.accepted == 0
        topics.rewind()
        with topics.consumer(otelcol, tmp_path / "right", serve.url, "the-right-one"):
            until(lambda: serve.accepted == 10 and serve.is_done)
        serve.audit().assert_exactly_once(range(10))


def test_a_full_outbox_loses_nothing(otelcol: Path, broker: Broker, labeling: Labeling, tmp_path: Path) -> None:
    """Label Studio is away until `serve` answers 503: the rest waits in Kafka, and comes once there is room again."""
    topics, serve = Topics.make(broker), Serve(tmp_path, labeling)
    small = ["--outbox-max-calls=5", "--max-request-bytes=3000", "--inbox-max-bytes=6000"]
    with (
        topics.producer(otelcol, tmp_path / "producer") as producer,
        topics.consumer(otelcol, tmp_path / "consumer", serve.url) as consumer,
        serve.started(*small, label_studio_url="http://127.0.0.1:9"),
    ):
        send(_url(producer), numbered_calls(range(40)))
        until(lambda: "HTTP Status Code 503" in consumer.log)
        until(lambda: serve.accepted == 5)  # the others are in its inbox, or in Kafka
        serve.kill()
        serve.start()
        until(lambda: serve.accepted == 40 and serve.is_done)
        until(lambda: topics.lag() == 0)
        serve.audit().assert_exactly_once(range(40))


def test_tls_and_a_login_are_a_matter_of_taking_comments_away(
    otelcol: Path, broker: Broker, labeling: Labeling, tmp_path: Path
) -> None:
    """The lines that are comments in both files, against the broker's port that asks for both."""
    topics = Topics.make(broker)
    user = "kafka-configs.sh --bootstrap-server $KAFKA_BROKERS --alter --entity-type users --entity-name collector"
    broker.run(f"{user} --add-config 'SCRAM-SHA-512=[password=its-password]'")
    login = {"KAFKA_USERNAME": "collector", "KAFKA_PASSWORD": "its-password", "KAFKA_BROKERS": broker.secure_address}
    with Serve(tmp_path, labeling) as serve:
        environment = {**topics.environment, **login, "OTEL_LABELSTUDIO_ENDPOINT": serve.url}
        produces = ["sidecar.yaml", "no-backend.yaml", _secured("kafka-producer.yaml", tmp_path, broker)]
        consumes = [_secured("kafka-consumer.yaml", tmp_path, broker)]
        with (
            Collector(otelcol, tmp_path / "producer", produces, environment) as producer,
            Collector(otelcol, tmp_path / "consumer", consumes, environment),
        ):
            send(_url(producer), numbered_calls(range(5)))
            until(lambda: serve.accepted == 5 and serve.is_done)
        serve.audit().assert_exactly_once(range(5))


def _secured(name: str, directory: Path, broker: Broker) -> str:
    """The path of a copy without the marks of a comment before the lines for TLS and the login."""
    text = (CONFIGURATIONS / name).read_text(encoding="utf-8")
    text, lines = re.subn(r"^    # (tls:|auth:|  ca_file:|  sasl:)", r"    \1", text, flags=re.MULTILINE)
    assert lines == 4
    copy = directory / name
    copy.write_text(text.replace("/etc/otelcol/kafka-ca.pem", str(broker.authority)), encoding="utf-8")
    return str(copy)


def test_the_readme_has_every_variable_with_its_default() -> None:
    """The table of the section on Kafka is that of the two files."""
    files = "".join(
        (CONFIGURATIONS / f"kafka-{side}.yaml").read_text(encoding="utf-8") for side in ("producer", "consumer")
    )
    table = re.findall(r"^\| `([A-Z_]+)` \| `([^`]*)` \|", _section(), re.MULTILINE)
    assert dict(table) == dict(re.findall(r"\$\{env:(\w+):-([^}]*)\}", files))


def _section() -> str:
    """What the README says of Kafka."""
    readme = (CONFIGURATIONS / "README.md").read_text(encoding="utf-8")
    return readme.split("\n## Kafka\n")[1].split("\n## ")[0]


def _documented_metrics() -> list[str]:
    """Those of Collectors."""
    return re.findall(r"\botelcol_\w+", _section())


def _too_deep() -> bytes:
    """A span that a Collector reads and protobuf's own libraries do not: values in values, 200 deep."""
    request = ExportTraceServiceRequest.FromString(numbered_calls([-1])[1])
    value = AnyValue(string_value="the bottom")
    encoded = value.SerializeToString()
    for _ in range(200):
        array = _field(1, encoded)
        encoded = _field(5, array)
    attribute = _field(1, b"deep") + _field(2, encoded)
    span = request.resource_spans[0].scope_spans[0].spans[0].SerializeToString() + _field(9, attribute)
    return _field(1, _field(2, _field(2, span)))


def _field(number: int, value: bytes) -> bytes:
    """A field of protobuf's wire format that has a length."""
    size, length = len(value), b""
    while size > 127:
        length += bytes([size & 127 | 128])
        size >>= 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + value


def _noise(size: int) -> str:
    """Text that compression makes little smaller."""
    return base64.b64encode(os.urandom(size * 3 // 4)).decode()


def _garbage(topic: str) -> str:
    patient = "--request-timeout-ms 240000 --message-send-max-retries 1000"  # else a message is given up without a word
    return f"echo no OTLP | kafka-console-producer.sh {patient} --bootstrap-server $KAFKA_BROKERS --topic {topic}\n"


def _has_produced_more(producer: Collector, than: float) -> bool:
    return _records(producer) > than


def _records(producer: Collector) -> float:
    """How many messages the brokers have confirmed."""
    return _value(producer.metrics(), "otelcol_kafka_exporter_records")


def _value(metrics: str, name: str) -> float:
    """The sum over all labels of a metric of a Collector."""
    lines = [line.rsplit(" ", 1) for line in metrics.splitlines() if re.match(rf"{name}(_total)?[{{ ]", line)]
    return sum(float(value) for _, value in lines)


def _url(collector: Collector) -> Callable[[], str]:
    return lambda: collector.http


def _load(senders: list[Sender]) -> None:
    """Traffic for a while, of which some is answered in any case."""
    before = sum(len(sender.sent) for sender in senders)
    time.sleep(SOAK_S)
    until(lambda: sum(len(sender.sent) for sender in senders) > before)

"""The way of calls through Kafka as `collector-config` has it: topics, Collectors that produce, a group of others."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from pathlib import Path

from tests.collector.collector import CONFIGURATIONS, Collector
from tests.kafka.broker import Broker

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Topics:
    """Two topics and the group that reads them."""

    broker: Broker
    traces: str
    logs: str
    group: str

    @classmethod
    def make(cls, broker: Broker, partitions: int = 3) -> Topics:
        """New ones, made by the commands of collector-config/README.md, on a cluster of one broker."""
        number = next(_numbers)
        made = cls(broker, f"llm_spans_{number}", f"llm_logs_{number}", f"otel-labelstudio-{number}")
        broker.run(made.as_documented("kafka-topics.sh --create", partitions))
        return made

    def as_documented(self, title: str, partitions: int = 3) -> str:
        """The commands of the README that begin so, for these topics."""
        blocks = re.findall(r"```sh\n(.*?)```", (CONFIGURATIONS / "README.md").read_text(encoding="utf-8"), re.DOTALL)
        (block,) = [block for block in blocks if title in " ".join(block.split())]
        ours = {
            "kafka-1:9092,kafka-2:9092,kafka-3:9092": self.broker.address,
            "llm_spans": self.traces,
            "llm_logs": self.logs,
            "otel-labelstudio": self.group,
            "--partitions 12": f"--partitions {partitions}",
            "--replication-factor 3": "--replication-factor 1",
            "min.insync.replicas=2": "min.insync.replicas=1",
        }
        for theirs, own in ours.items():
            block = block.replace(theirs, own)
        return str(block)

    def producer(self, otelcol: Path, directory: Path) -> Collector:
        """A Collector that takes OTLP and produces."""
        return Collector(
            otelcol, directory, ["sidecar.yaml", "no-backend.yaml", "kafka-producer.yaml"], self.environment
        )

    def consumer(self, otelcol: Path, directory: Path, endpoint: str) -> Collector:
        """A Collector of the group, which sends to a receiver's URL."""
        environment = {**self.environment, "OTEL_LABELSTUDIO_ENDPOINT": endpoint}
        return Collector(otelcol, directory, ["kafka-consumer.yaml"], environment)

    def lag(self) -> int:
        """How many messages wait for the group."""
        # Of a partition of which nothing was read yet there is no lag, but an end
        return sum(int(row[4] if row[5] == "-" else row[5]) for row in self._described())

    def messages(self) -> int:
        """How many messages were produced."""
        return sum(int(row[4]) for row in self._described())

    @property
    def environment(self) -> dict[str, str]:
        """What an operator sets for them."""
        return {
            "KAFKA_BROKERS": self.broker.address,
            "KAFKA_TRACES_TOPIC": self.traces,
            "KAFKA_LOGS_TOPIC": self.logs,
            "KAFKA_GROUP": self.group,
        }

    def _described(self) -> list[list[str]]:
        """Group, topic, partition, offset, end and lag of each partition that the group knows."""
        described = self.broker.run(self.as_documented("kafka-consumer-groups.sh --describe"))
        return [line.split() for line in described.splitlines() if line.startswith(f"{self.group} ")]

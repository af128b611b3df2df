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

    def consumer(self, otelcol: Path, directory: Path, endpoint: str, token: str = "none") -> Collector:
        """A Collector of the group, which sends to a receiver's URL."""
        receiver = {"OTEL_LABELSTUDIO_ENDPOINT": endpoint, "OTEL_LABELSTUDIO_TOKEN": token}
        environment = {**self.environment, **receiver}
        return Collector(otelcol, directory, ["kafka-consumer.yaml"], environment)

    def rewind(self) -> None:
        """Have the group, of which nobody may run, begin anew with what is there."""
        # A tool that has waited for too long fails with status 0
        command = self.as_documented("--reset-offsets").replace("--execute", "--execute --timeout 240000")
        self.broker.run(command, {"SINCE": "2020-01-01T00:00:00.000"})

    def lag(self) -> int:
        """How many messages wait for the group, which need not have begun."""
        described = self.broker.run(self.as_documented("kafka-consumer-groups.sh --describe"))
        # Group, topic, partition, offset; a dash for the offset where nothing was read yet
        rows = [line.split() for line in described.splitlines() if line.startswith(f"{self.group} ")]
        return self.messages() - sum(int(offset) for _, _, _, offset, *_ in rows if offset != "-")

    def messages(self) -> int:
        """How many messages were produced."""
        command = 'kafka-get-offsets.sh --bootstrap-server "$KAFKA_BROKERS" --topic'
        ends = self.broker.run(f"{command} '{self.traces}|{self.logs}'").split()
        return sum(int(end.rpartition(":")[2]) for end in ends)

    @property
    def environment(self) -> dict[str, str]:
        """What an operator sets for them."""
        return {
            "KAFKA_BROKERS": self.broker.address,
            "KAFKA_TRACES_TOPIC": self.traces,
            "KAFKA_LOGS_TOPIC": self.logs,
            "KAFKA_GROUP": self.group,
        }

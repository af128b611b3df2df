"""An Apache Kafka broker of the tests' own: one node in KRaft mode, on loopback, with all it has in one directory."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType

import trustme
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from otel_labelstudio.demo.ports import LOOPBACK
from otel_labelstudio.demo.running import kill, started, stop, tail_of
from tests.kafka.installed import kafka_jars
from tests.ports import steady_port

_START_TIMEOUT_S = 600.0
_TOOL_TIMEOUT_S = 600.0
_STOP_GRACE_S = 60.0
# What starts soonest and takes least: nothing here runs for long
_JVM = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")
_TOOLS = {
    "kafka-topics.sh": "org.apache.kafka.tools.TopicCommand",
    "kafka-configs.sh": "kafka.admin.ConfigCommand",
    "kafka-consumer-groups.sh": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    "kafka-console-producer.sh": "org.apache.kafka.tools.ConsoleProducer",
    "kafka-get-offsets.sh": "org.apache.kafka.tools.GetOffsetShell",
}
_PROPERTIES = """\
process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://{host}:{port},SECURE://{host}:{secure_port},CONTROLLER://{host}:{controller_port}
advertised.listeners=PLAINTEXT://{host}:{port},SECURE://{host}:{secure_port}
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
controller.quorum.voters=1@{host}:{controller_port}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SECURE:SASL_SSL
listener.name.secure.sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.secure.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
ssl.keystore.type=PEM
ssl.keystore.location={directory}/server.pem
log.dirs={directory}/log
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=2000
log.cleaner.dedupe.buffer.size=4194304
log.index.size.max.bytes=1048576
"""


class Broker:
    """A broker that can be stopped, killed and started again with what it holds; a context manager.

    It makes no topic by itself, and its limits are Kafka's own: messages of 1 MB unless the topic says otherwise.
    Memory is bounded: 384 MB of heap. There is a second port with TLS, where users log in with SCRAM-SHA-512.
    """

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="kafka-"))
        self._jars = kafka_jars()
        self._port, self._secure_port = steady_port(), steady_port()
        ports = {"port": self._port, "secure_port": self._secure_port, "controller_port": steady_port()}
        self._properties = self.directory / "server.properties"
        self._properties.write_text(_PROPERTIES.format(host=LOOPBACK, directory=self.directory, **ports))
        self.authority = self.directory / "authority.pem"
        """The certificate of the authority that vouches for the port with TLS."""
        self._certify()
        self._log = self.directory / "kafka.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Where it listens, as host and port."""
        return f"{LOOPBACK}:{self._port}"

    @property
    def secure_address(self) -> str:
        """Where it listens with TLS, for users whom it knows."""
        return f"{LOOPBACK}:{self._secure_port}"

    @property
    def pid(self) -> int:
        """Its process, once it was started."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Returns when it takes connections.

        Raises:
            RuntimeError: it did not start; the message holds the end of its log.
        """
        if not (self.directory / "log").exists():
            self._format()
        command = self._java("384m", "kafka.Kafka", str(self._properties))
        self._process = started(command, os.environ, self._log)
        end = time.monotonic() + _START_TIMEOUT_S
        while not self._listens():
            if self._process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"Kafka does not start:\n{tail_of(self._log)}")
            time.sleep(0.1)

    def stop(self) -> None:
        """Ends it, kindly if it can be done so."""
        if self._process is not None:
            stop(self._process, _STOP_GRACE_S)

    def kill(self) -> None:
        """Ends it as a crash would."""
        if self._process is not None:
            kill(self._process)

    def run(self, script: str, environment: dict[str, str] | None = None) -> str:
        """A shell script that may use Kafka's tools under their names (``kafka-topics.sh``), and ``$KAFKA_BROKERS``.

        Returns its standard output.

        Raises:
            RuntimeError: it failed; the message holds all that it wrote.
        """
        tools = self._tools()
        variables = {**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}", "KAFKA_BROKERS": self.address}
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            env={**variables, **(environment or {})},
            capture_output=True,
            text=True,
            timeout=_TOOL_TIMEOUT_S,
        )
        if done.returncode != 0:
            raise RuntimeError(f"status {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout

    def __enter__(self) -> Broker:
        try:
            self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _certify(self) -> None:
        authority = trustme.CA()
        certificate = authority.issue_cert(LOOPBACK)
        authority.cert_pem.write_to_path(str(self.authority))
        key = load_pem_private_key(certificate.private_key_pem.bytes(), password=None)
        # The only form in which Kafka reads a key
        readable = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        chain = b"".join(blob.bytes() for blob in certificate.cert_chain_pems)
        (self.directory / "server.pem").write_bytes(readable + chain)

    def _format(self) -> None:
        tool = self._java("128m", "kafka.tools.StorageTool")
        cluster = subprocess.run([*tool, "random-uuid"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
        formatted = subprocess.run(
            [*tool, "format", "-t", cluster, "-c", str(self._properties)], capture_output=True, text=True
        )
        if formatted.returncode != 0:
            raise RuntimeError(f"Kafka's storage cannot be formatted:\n{formatted.stdout}{formatted.stderr}")

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((LOOPBACK, self._port)) == 0

    def _java(self, heap: str, main: str, *arguments: str) -> list[str]:
        java = shutil.which("java") or "java"
        return [java, f"-Xmx{heap}", *_JVM, "-cp", f"{self._jars}/*", main, *arguments]

    def _tools(self) -> Path:
        """A directory with the tools, under the names that they have in Kafka's distribution."""
        directory = self.directory / "bin"
        if not directory.exists():
            directory.mkdir()
            for name, main in _TOOLS.items():
                command = " ".join(f"'{part}'" for part in self._java("256m", main))
                (directory / name).write_text(f'#!/bin/sh\nexec {command} "$@"\n')
                (directory / name).chmod(0o755)
        return directory

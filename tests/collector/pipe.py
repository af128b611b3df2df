"""Applications -> Collector -> `otel-labelstudio serve` -> Label Studio, and the Collector's other back-end."""

from __future__ import annotations

import re
import time
from contextlib import ExitStack
from pathlib import Path

from otel_labelstudio.demo.label_studio import EmbeddedLabelStudio
from tests.collector.backend import PATIENT, Backend
from tests.collector.collector import Collector
from tests.delivery.labeling import Labeling
from tests.exactly_once.audit import left_to_do
from tests.ports import steady_port
from tests.receiver.serving import post, serve_command


class Pipe:
    """``config`` between an application and Label Studio; a context manager. The receiver keeps its port and its outbox
    when it is stopped and started again."""

    def __init__(
        self,
        otelcol: Path,
        directory: Path,
        label_studio: EmbeddedLabelStudio,
        title: str,
        config: str,
        settle_s: float = 0.5,
    ) -> None:
        self.title = title
        self.outbox = directory / "outbox.db"
        self.backend = Backend()
        self.labeling = Labeling(label_studio.url, label_studio.api_key)
        self._label_studio = label_studio
        self._settle_s = settle_s
        self._port = steady_port()
        environment = {
            "BACKEND_OTLP_ENDPOINT": self.backend.endpoint,
            "OTEL_LABELSTUDIO_ENDPOINT": f"http://127.0.0.1:{self._port}",
        }
        self.collector = Collector(otelcol, directory / "collector", [config, PATIENT], environment)
        self._serving = ExitStack()

    def start_serve(self) -> None:
        """Returns when it listens."""
        serve = self._serving.enter_context(
            serve_command(
                f"--http=127.0.0.1:{self._port}",
                *("--grpc=off", f"--outbox={self.outbox}", "--mode=auto", f"--project-name={self.title}"),
                f"--settle-s={self._settle_s}",
                OTEL_EXPORTER_LABELSTUDIO_RESEND_WAIT_S="2",
                OTEL_EXPORTER_LABELSTUDIO_RECHECK_WAIT_S="4",
                LABEL_STUDIO_URL=self._label_studio.url,
                LABEL_STUDIO_API_KEY=self._label_studio.api_key,
            )
        )
        assert serve.process.poll() is None, f"it does not start: {serve.log}"

    def stop_serve(self) -> None:
        """With SIGKILL."""
        self._serving.close()

    def wait_until_delivered(self, timeout_s: float = 600.0) -> None:
        """Until the Collector has passed on what it has, and all of it is read, delivered and audited."""
        self.collector.wait_until_idle(timeout_s)
        end = time.monotonic() + timeout_s
        while unread := self._unread_bytes():
            assert time.monotonic() < end, f"{unread} bytes are not read"
            time.sleep(0.2)
        while left := left_to_do(self.outbox):
            assert time.monotonic() < end, f"{left} calls are left to do"
            time.sleep(0.2)

    def _unread_bytes(self) -> float:
        """What the receiver has answered and not read yet."""
        _, _, page = post(f"http://127.0.0.1:{self._port}/metrics", b"", method="GET")
        (line,) = re.findall(r"^otel_labelstudio_receiver_inbox_size_bytes.*", page.decode(), re.MULTILINE)
        return float(line.split(" ")[-1])

    def __enter__(self) -> Pipe:
        self.backend.__enter__()
        self.start_serve()
        self.collector.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.collector.kill()
        self.stop_serve()
        self.backend.__exit__()

"""``otel-labelstudio serve`` behind Collectors: killed and started again, it has the same port and the same outbox."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tests.delivery.labeling import Labeling, fresh_title
from tests.exactly_once.audit import Audit, accepted_calls, audit, left_to_do
from tests.ports import steady_port
from tests.receiver.serving import Process

# So that a test need not wait for an hour until what was in doubt has been looked up once more
_WAITS = {"OTEL_EXPORTER_LABELSTUDIO_RESEND_WAIT_S": "2", "OTEL_EXPORTER_LABELSTUDIO_RECHECK_WAIT_S": "4"}


class Serve:
    """Delivers to a project of its own. A context manager, which starts it."""

    def __init__(self, directory: Path, labeling: Labeling) -> None:
        self.outbox, self.title = directory / "outbox.db", fresh_title("Collector")
        self._port = steady_port()
        self._labeling = labeling
        self._process: Process | None = None

    @property
    def url(self) -> str:
        """Where it takes OTLP over HTTP."""
        return f"http://127.0.0.1:{self._port}"

    def start(self, *flags: str, label_studio_url: str | None = None) -> None:
        """Returns when it listens; ``label_studio_url`` for another place than where Label Studio is."""
        command = [sys.executable, "-m", "otel_labelstudio", "serve", "--log-format=json", "--grpc=off"]
        ours = [f"--http=127.0.0.1:{self._port}", f"--outbox={self.outbox}", f"--project-name={self.title}"]
        server = {
            "LABEL_STUDIO_URL": label_studio_url or self._labeling.url,
            "LABEL_STUDIO_API_KEY": self._labeling.api_key,
        }
        self._process = Process([*command, *ours, "--mode=chat", "--settle-s=2", *flags], {**_WAITS, **server})

    def kill(self) -> None:
        """With SIGKILL."""
        if self._process is not None:
            self._process.kill()

    @property
    def accepted(self) -> int:
        """How many calls it has answered for, counted over all its lives; what waits for its other half is none yet."""
        return len(accepted_calls(self.outbox))

    @property
    def is_done(self) -> bool:
        """Whether all that it has is delivered, and looked up again where it was in doubt."""
        with closing(sqlite3.connect(self.outbox)) as db:
            ((held,),) = db.execute("SELECT COUNT(*) FROM held").fetchall()
        return bool(held == 0 and left_to_do(self.outbox) == 0)

    def audit(self) -> Audit:
        """What it has accepted against what stands in Label Studio."""
        return audit(self._labeling, self.title, accepted_calls(self.outbox))

    @contextmanager
    def started(self, *flags: str, label_studio_url: str | None = None) -> Iterator[Serve]:
        """Started so, and killed at the end if it still runs."""
        self.start(*flags, label_studio_url=label_studio_url)
        try:
            yield self
        finally:
            self.kill()

    def __enter__(self) -> Serve:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

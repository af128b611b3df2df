"""Receivers as processes, each with a trouble of its own that an alert is there for."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from otel_labelstudio.demo.label_studio import EmbeddedLabelStudio
from tests.delivery.labeling import Labeling, fresh_title
from tests.receiver.requests_made import traces
from tests.receiver.serving import ANY_PORTS, Process, post

NOBODY = "http://127.0.0.1:9"
# Takes no chat: its calls become dead letters
TEXT_CONFIG = '<View><Text name="prompt" value="$prompt"/><TextArea name="response" toName="prompt"/></View>'
# In a row, a fifth of a second apart
_TIMES_FULL = 10
_FILTER = "def fail(call):\n    raise ValueError\n"
_SMALL = ("--outbox-max-calls=5", "--max-request-bytes=5000", "--inbox-max-bytes=20000", "--max-held-bytes=10000")
# As if the system had ended one of the process's threads
_WITH_A_DEAD_THREAD = """
import sys
from otel_labelstudio import background, cli
thread = background.BackgroundThread("otel-labelstudio-ended", "Nothing", lambda: 60.0)
thread._run = lambda: None
thread.start()
sys.exit(cli.main(sys.argv[1:]))
"""


class Troubles:
    """The receivers by the name of their trouble; nothing goes wrong in ``healthy``, and nothing happens in
    ``quiet``."""

    def __init__(self, directory: Path, label_studio: EmbeddedLabelStudio, running: ExitStack) -> None:
        self._directory, self._label_studio, self._running = directory, label_studio, running
        self.receivers: dict[str, Process] = {}
        (directory / "failing_filter.py").write_text(_FILTER, encoding="utf-8")

    @property
    def targets(self) -> dict[str, str]:
        """Where each is."""
        return {name: receiver.http.removeprefix("http://") for name, receiver in self.receivers.items()}

    def start(self) -> None:
        """All of them; nothing is sent yet, so that Prometheus sees counters go up from 0."""
        labeling = Labeling(self._label_studio.url, self._label_studio.api_key)
        text_project = labeling.make_project(fresh_title("Alerts: text"), TEXT_CONFIG)
        self._serve("healthy", f"--project-name={fresh_title('Alerts')}")
        self._serve("quiet")
        self._serve("wrong key", LABEL_STUDIO_API_KEY="0" * 40)
        self._serve("Label Studio stopped", *_SMALL, LABEL_STUDIO_URL=NOBODY)
        self._serve("wrong project", f"--project-id={text_project}")
        self._serve("failing filter", "--call-filter=failing_filter:fail", PYTHONPATH=str(self._directory))
        self._serve("call too large", "--outbox-max-bytes=20000")
        self._serve("killed")
        self._serve("ended thread", program=("-c", _WITH_A_DEAD_THREAD))

    def happen(self) -> None:
        """Everything that makes the alerts fire."""
        for name in ("healthy", "wrong key", "Label Studio stopped", "wrong project", "failing filter"):
            self.send(name)
        self.send("call too large", padding=30_000)
        self.send("healthy", question="")  # no content
        assert post(f"{self.receivers['healthy'].http}/v1/traces", b"\xff")[0] == 400
        self.receivers["killed"].kill()
        self._fill_inbox("Label Studio stopped")

    def _fill_inbox(self, name: str) -> None:
        """Until it stays full: as long as the outbox has room, a busy machine goes on reading from it."""
        refused = 0
        for _ in range(400):
            refused = refused + 1 if b"inbox is full" in self._answer(name, padding=2000) else 0
            if refused == _TIMES_FULL:
                return
            time.sleep(0.2 if refused else 0)
        raise AssertionError("the inbox does not fill")

    def send(self, name: str, question: str = "Question?", padding: int = 0) -> None:
        """A call, which is stored."""
        assert self._answer(name, question, padding) == b""

    def _answer(self, name: str, question: str = "Question?", padding: int = 0) -> bytes:
        """What a receiver says to a call; without a question there is no content."""
        request = traces(question, padding=padding)
        if not question:
            del request.resource_spans[0].scope_spans[0].spans[0].attributes[3:]
        return post(f"{self.receivers[name].http}/v1/traces", request.SerializeToString())[2]

    def _serve(
        self, name: str, *flags: str, program: tuple[str, ...] = ("-m", "otel_labelstudio"), **environment: str
    ) -> None:
        ports = [f"--{transport}={address}" for transport, address in ANY_PORTS.items()]
        outbox = self._directory / f"{name}.db"
        command = [sys.executable, *program, "serve", "--log-format=json", *ports, f"--outbox={outbox}", "--mode=chat"]
        process = Process([*command, "--settle-s=0", *flags], {**self._to_label_studio(), **environment})
        self._running.callback(process.kill)
        self.receivers[name] = process

    def _to_label_studio(self) -> Mapping[str, str]:
        return {"LABEL_STUDIO_URL": self._label_studio.url, "LABEL_STUDIO_API_KEY": self._label_studio.api_key}


@contextmanager
def troubles(directory: Path, label_studio: EmbeddedLabelStudio) -> Iterator[Troubles]:
    """All of them run; killed at the end."""
    with ExitStack() as running:
        made = Troubles(directory, label_studio, running)
        made.start()
        yield made

"""Containers of ours as processes: the command and the variables that deploy/ gives them, with other places."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.collector.collector import Collector
from tests.delivery.labeling import Labeling
from tests.receiver.requests_made import ids, traces
from tests.receiver.serving import Process, post

DEADLINE_S = 240.0
DEPLOY = Path(__file__).parents[2] / "deploy"
COLLECTOR_CONFIG = DEPLOY.parent / "collector-config"


@dataclass(frozen=True)
class Container:
    """What a file says of one: arguments for the image's entry point, and variables."""

    arguments: tuple[str, ...]
    environment: Mapping[str, str]

    def moved(self, places: Mapping[str, str]) -> Container:
        """The same, elsewhere: each place of the file for one of the test's."""

        def moved(text: str) -> str:
            for place, ours in places.items():
                text = text.replace(place, ours)
            return text

        return Container(
            tuple(map(moved, self.arguments)), {name: moved(value) for name, value in self.environment.items()}
        )


def image() -> Container:
    """Of the image that deploy/Containerfile makes: its entry point, which is known here, and its variables."""
    text = (DEPLOY / "Containerfile").read_text(encoding="utf-8")
    assert 'ENTRYPOINT ["otel-labelstudio", "serve"]' in text
    (block,) = re.findall(r"^ENV ((?:.*\\\n)*.*)$", text, re.MULTILINE)
    return Container((), dict(pair.split("=", 1) for pair in block.replace("\\\n", " ").split()))


@contextmanager
def served(container: Container, places: Mapping[str, str]) -> Iterator[Process]:
    """`serve` as its container runs it."""
    base = image()
    whole = Container(container.arguments, {**base.environment, **container.environment}).moved(places)
    process = Process([sys.executable, "-m", "otel_labelstudio", "serve", *whole.arguments], whole.environment)
    try:
        yield process
    finally:
        process.kill()


def collected(container: Container, places: Mapping[str, str], otelcol: Path, directory: Path) -> Collector:
    """The Collector as its container runs it, on ports of its own."""
    whole = container.moved({"/etc/otelcol": str(COLLECTOR_CONFIG), **places})
    configs = [argument.removeprefix("--config=") for argument in whole.arguments]
    assert all(Path(config).is_file() for config in configs)
    ports = ("OTLP_GRPC_ENDPOINT", "OTLP_HTTP_ENDPOINT", "HEALTH_ENDPOINT")
    own = {name: value for name, value in whole.environment.items() if name not in ports}
    return Collector(otelcol, directory, [Path(config).name for config in configs], own)


@dataclass(frozen=True)
class Stage:
    """What a test has in the place of what the file names: ``places`` are for `Container.moved`."""

    otelcol: Path
    directory: Path
    labeling: Labeling
    places: Mapping[str, str]

    def check_calls_arrive(self, serve: Container, collector: Container) -> None:
        """A call that an application sends to the Collector becomes a task, by way of `serve`, which wants a token."""
        service = f"shop-{uuid4().hex[:8]}"
        request = traces("Question?", service=service)
        with served(serve, self.places) as process:
            assert post(f"{process.http}/v1/traces", request.SerializeToString())[0] == 401
            with collected(collector, self.places, self.otelcol, self.directory / "collector") as running:
                assert post(f"{running.http}/v1/traces", request.SerializeToString())[0] == 200
                assert self._task(service)["data"]["span_id"] == ids(request)[0]

    def _task(self, service: str) -> dict[str, Any]:
        """That of the service's only call, in the project that the file's title names."""
        title, end = f"{service} {datetime.now(timezone.utc):%Y-%m}", time.monotonic() + DEADLINE_S
        while not (self.labeling.project_ids(title) and self.labeling.tasks(title)):
            assert time.monotonic() < end
            time.sleep(0.5)
        (task,) = self.labeling.tasks(title)
        return task

"""How long an ordinary call waits from its acceptance to its import, alone and behind what could hold it up.

    python benchmarks/load.py [--calls N] [--rounds N] [--settle-s S]

One exporter's pipeline with an outbox file before an embedded Label Studio; a proxy between them goes wrong for one
project. What an ordinary call is behind waits in the outbox when it is accepted. All cases take turns in one run.
"""

from __future__ import annotations

import argparse
import json
import logging
import re
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from uuid import uuid4

from otel_labelstudio.demo.label_studio import EmbeddedLabelStudio
from otel_labelstudio.pipeline import Pipeline
from otel_labelstudio.routing import Route
from otel_labelstudio.settings import Settings
from otel_labelstudio.spans.model import LogRecord, Scope, Span
from tests.delivery.faults import HTML, Exchange, Fault, FaultyServer, answers, forwarded

_HELD, _TITLES, _TROUBLED = 10_000, 60, 200
_A_REQUEST = 100
_PAUSE_S = 0.5  # between ordinary calls
_MOST_S = 60.0
_ALONE = "alone"
_ORDINARY = re.compile(rb"ordinary-\d+-[0-9a-f]+")
_SCOPE = Scope("opentelemetry.instrumentation.openai_v2", "2.1b0")


def span(service: str, text: str) -> Span:
    """A chat call of now, of about two kilobytes, of a service."""
    now_ns = time.time_ns()
    asked = [{"role": "user", "parts": [{"type": "text", "content": f"{text} My chain slips. {'Why? ' * 100}"}]}]
    said = [{"role": "assistant", "parts": [{"type": "text", "content": f"{text} {'A sprocket. ' * 100}"}]}]
    return Span(
        trace_id=uuid4().hex,
        span_id=uuid4().hex[:16],
        start_time_unix_nano=now_ns - 10**9,
        end_time_unix_nano=now_ns,
        attributes={
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": "gpt-4o-mini",
            "gen_ai.input.messages": json.dumps(asked),
            "gen_ai.output.messages": json.dumps(said),
        },
        scope=_SCOPE,
        resource={"service.name": service},
    )


def question_without_span() -> LogRecord:
    """The question of a call whose span never comes."""
    return LogRecord(
        trace_id=uuid4().hex,
        span_id=uuid4().hex[:16],
        time_unix_nano=time.time_ns(),
        event_name="gen_ai.user.message",
        body={"content": "My chain slips."},
        scope=_SCOPE,
    )


class Subject:
    """A pipeline, to which ordinary calls go whose project is known."""

    def __init__(self, pipeline: Pipeline, arrived: Mapping[str, float]) -> None:
        self._pipeline, self._arrived = pipeline, arrived
        self._pipeline.joins_log_records = True

    def accept_spans(self, service: Callable[[int], str], count: int) -> None:
        """Spans of other services, in one request."""
        assert self._pipeline.accept_spans([span(service(number), f"other-{number}") for number in range(count)])

    def accept_questions(self, count: int) -> None:
        """Log records without their spans, in requests."""
        for _ in range(0, count, _A_REQUEST):
            assert self._pipeline.accept_log_records([question_without_span() for _ in range(_A_REQUEST)])

    def waits(self, count: int) -> list[float]:
        """Seconds that so many ordinary calls wait; infinity for those that have not arrived after a minute."""
        asked: dict[str, float] = {}
        for number in range(count):
            marker = f"ordinary-{number}-{uuid4().hex}"
            asked[marker] = time.monotonic()
            assert self._pipeline.accept_spans([span("ordinary", marker)])
            time.sleep(_PAUSE_S)
        end = time.monotonic() + _MOST_S
        while not asked.keys() <= self._arrived.keys() and time.monotonic() < end:
            time.sleep(0.02)
        return [self._arrived.get(marker, float("inf")) - at for marker, at in asked.items()]


class Proxy:
    """Between the pipeline and Label Studio: notes when ordinary calls are imported, and goes wrong for others."""

    def __init__(self, label_studio: EmbeddedLabelStudio) -> None:
        self.arrived: dict[str, float] = {}
        self._fault: Fault = forwarded
        self._released = threading.Event()
        self.server = FaultyServer(label_studio.url)
        self.server.plan(self._imported, times=float("inf"))

    @contextmanager
    def going_wrong(self, fault: Fault) -> Iterator[None]:
        """Imports of what is not ordinary go wrong in this way."""
        self._fault = fault
        self._released.clear()
        try:
            yield
        finally:
            self._released.set()

    def hang(self, exchange: Exchange) -> None:
        """Say nothing, and keep the connection open."""
        self._released.wait()
        exchange.reset()

    def _imported(self, exchange: Exchange) -> None:
        markers = set(_ORDINARY.findall(exchange.body))
        (forwarded if markers else self._fault)(exchange)
        for marker in markers:
            self.arrived.setdefault(marker.decode(), time.monotonic())


def measured(
    proxy: Proxy, settings: Settings, fault: Fault, load: Callable[[Subject], None], calls: int
) -> list[float]:
    """How long ordinary calls wait behind a load, where the destination in trouble has a fault."""
    with tempfile.TemporaryDirectory() as directory, proxy.going_wrong(fault):
        own = settings.replaced({"outbox": str(Path(directory) / "outbox")})
        trouble = own.replaced({"project_name": f"Trouble {uuid4().hex[:12]}"})
        pipeline = Pipeline(own, routes=[Route("trouble", {"service.name": ("trouble",)}, trouble)])
        subject = Subject(pipeline, proxy.arrived)
        try:
            subject.waits(1)  # the project is made, and what delivers is imported
            load(subject)
            return subject.waits(calls)
        finally:
            pipeline.close(timeout_s=2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--settle-s", type=float, default=1.0)
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)
    with EmbeddedLabelStudio() as label_studio, ExitStack() as stack:
        proxy = Proxy(label_studio)
        stack.enter_context(proxy.server)
        settings = _settings(proxy.server.url, label_studio.api_key, arguments.settle_s)
        found: dict[str, list[float]] = defaultdict(list)
        for _ in range(arguments.rounds):
            for name, (fault, load) in _cases(proxy).items():
                found[name] += measured(proxy, settings, fault, load, arguments.calls)
        _print(found)


def _settings(url: str, api_key: str, settle_s: float) -> Settings:
    title = f"Load {uuid4().hex[:8]} {{service.name}}"
    return Settings.resolve(
        {"url": url, "api_key": api_key, "project_name": title, "mode": "chat", "settle_s": settle_s}
    )


def _cases(proxy: Proxy) -> dict[str, tuple[Fault, Callable[[Subject], None]]]:
    run = uuid4().hex[:8]

    def new_titles(subject: Subject) -> None:
        subject.accept_spans(lambda number: f"{run}-{number}", _TITLES)

    def trouble(subject: Subject) -> None:
        subject.accept_spans(lambda _: "trouble", _TROUBLED)

    return {
        _ALONE: (forwarded, lambda _: None),
        f"behind {_HELD:,} log records without spans": (forwarded, lambda subject: subject.accept_questions(_HELD)),
        f"behind {_TITLES} new titles": (forwarded, new_titles),
        f"behind {_TROUBLED} calls to a project that answers 403": (answers(403, HTML), trouble),
        "behind as many to one that answers 500": (answers(500), trouble),
        "behind as many to one that does not answer": (proxy.hang, trouble),
    }


def _print(found: Mapping[str, Sequence[float]]) -> None:
    base = found[_ALONE]
    print("\n| an ordinary call waits, s | median (of alone) | most (of alone) |\n|---|---|---|")
    for name, waits in found.items():
        shown = [
            f"{value:.2f} ({value / alone:.2f})" if value <= _MOST_S else f"> {_MOST_S:.0f}"
            for value, alone in ((median(waits), median(base)), (max(waits), max(base)))
        ]
        print(f"| {name} | {' | '.join(shown)} |")


if __name__ == "__main__":
    main()

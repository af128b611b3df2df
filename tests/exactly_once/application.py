"""An application that traces numbered LLM calls and exports them, and that dies where it is told to.

    python -m tests.exactly_once.application OUTBOX TITLE FIRST [--calls N] [--seconds S] [--linger-s S] [--die POINT:N]

Label Studio's address and key are in the environment. Prints a number once the exporter has accepted its call. At the
end it shuts down, giving the exporter a minute.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SpanExportResult

from otel_labelstudio import LabelStudioSpanExporter
from otel_labelstudio.delivery import rechecks, retry
from otel_labelstudio.delivery.label_studio.server import LabelStudioServer
from otel_labelstudio.outbox.accepting import Accepting
from otel_labelstudio.outbox.queue import DeliveryQueue
from tests.delivery.telemetry import trace_chat

RESEND_WAIT_S = 2.0
_PER_BATCH = 5


class Collected(SpanProcessor):
    """Finished spans, for the application to export by itself, so that it sees the result."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        self.spans.append(span)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def before(nth: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Die before the nth call of a method."""

    def deadly(method: Callable[..., Any]) -> Callable[..., Any]:
        calls = iter(range(1, nth))

        def call(*arguments: Any, **named: Any) -> Any:
            if next(calls, None) is None:
                die()
            return method(*arguments, **named)

        return call

    return deadly


def during(nth: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Die some milliseconds after the nth call of a method has begun."""

    def deadly(method: Callable[..., Any]) -> Callable[..., Any]:
        calls = iter(range(1, nth))

        def call(*arguments: Any, **named: Any) -> Any:
            if next(calls, None) is None:
                threading.Timer(random.uniform(0, 0.1), die).start()
            return method(*arguments, **named)

        return call

    return deadly


def after(nth: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Die after the nth call of a method has returned."""

    def deadly(method: Callable[..., Any]) -> Callable[..., Any]:
        calls = iter(range(1, nth))

        def call(*arguments: Any, **named: Any) -> Any:
            result = method(*arguments, **named)
            if next(calls, None) is None:
                die()
            return result

        return call

    return deadly


def arm(point: str, nth: int) -> None:
    """Have this process die at a point."""
    if point == "before the disk write":
        Accepting.put = before(nth * _PER_BATCH)(Accepting.put)  # type: ignore[method-assign]
    elif point == "between write and import":
        LabelStudioServer.import_tasks = before(nth)(LabelStudioServer.import_tasks)  # type: ignore[method-assign]
    elif point == "during the request":
        LabelStudioServer.import_tasks = during(nth)(LabelStudioServer.import_tasks)  # type: ignore[method-assign]
    elif point == "after the answer":
        LabelStudioServer.import_tasks = after(nth)(LabelStudioServer.import_tasks)  # type: ignore[method-assign]
    elif point == "before the mark":
        DeliveryQueue.mark_delivered = before(nth)(DeliveryQueue.mark_delivered)  # type: ignore[method-assign]
    else:
        threading.Timer(random.uniform(0, 0.5) * nth, die).start()


POINTS = (
    *("before the disk write", "between write and import", "during the request", "after the answer"),
    *("before the mark", "at any time"),
)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("outbox")
    parser.add_argument("title")
    parser.add_argument("first", type=int)
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--pause-s", type=float, default=0.05)
    parser.add_argument("--linger-s", type=float, default=0.0)
    # Later than what a killed process was sending is stored, also where the database was locked
    parser.add_argument("--recheck-wait-s", type=float, default=12.0)
    parser.add_argument("--die", default="")
    arguments = parser.parse_args()
    retry._FIRST_S, retry._LONGEST_S = 0.2, 1.0
    rechecks.RETRY_S = 1.0
    exporter = LabelStudioSpanExporter(
        outbox=arguments.outbox,
        project_name=arguments.title,
        mode="chat",
        settle_s=0.1,
        batch_size=50,
        resend_wait_s=RESEND_WAIT_S,
        recheck_wait_s=arguments.recheck_wait_s,
    )
    if arguments.die:
        point, _, nth = arguments.die.partition(":")
        arm(point, int(nth))
    until = time.monotonic() + arguments.seconds
    for numbers in batches(arguments.first, arguments.calls):
        if time.monotonic() > until:
            break
        accept(exporter, numbers)
        time.sleep(arguments.pause_s)
    time.sleep(arguments.linger_s)
    exporter.shutdown(timeout_millis=60_000)


def batches(first: int, calls: int) -> Iterator[range]:
    for start in range(first, first + calls, _PER_BATCH):
        yield range(start, min(start + _PER_BATCH, first + calls))


def accept(exporter: LabelStudioSpanExporter, numbers: range) -> None:
    """Trace and export the calls of these numbers."""
    collected = Collected()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(collected)
    for number in numbers:
        trace_chat(provider.get_tracer("shop"), f"Question {number}.", [str(number)])
    if exporter.export(collected.spans) is SpanExportResult.SUCCESS:
        os.write(1, "".join(f"{number}\n" for number in numbers).encode())


if __name__ == "__main__":
    main()

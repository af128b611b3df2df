"""How fast the readings in an outbox become calls, for ordinary calls and for shapes that are hard to compare.

    python benchmarks/settling.py [--most-s S]

An outbox file, of which one thread settles what is due, as the exporter's does: 5,000 calls come due each second, and
each turn compares them with some that come due later. Then what accepting costs where each request has one span.
Rates are of processor time.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from uuid import uuid4

from otel_labelstudio.arrivals import Arrivals
from otel_labelstudio.calls import LLMCall, Message, TextPart
from otel_labelstudio.filters.selection import Selection
from otel_labelstudio.outbox import Outbox
from otel_labelstudio.pipeline import Pipeline
from otel_labelstudio.routing import Router
from otel_labelstudio.settings import Settings
from otel_labelstudio.settle.due import Settler
from otel_labelstudio.skips import Skips
from otel_labelstudio.spans.model import Scope, Span
from otel_labelstudio.telemetry import Telemetry
from otel_labelstudio.testing import RecordingSink

_A_SECOND = 5000
_A_COMMIT = 100
_FIRST_NS = 1_763_800_000_000_000_000
_MS_NS = 10**6
_TEXT = "My chain slips on the smallest gear. " * 60


@dataclass(frozen=True, slots=True)
class Figure:
    """How many calls in how many seconds of processor time, and how long the longest turn, in which delivery waits, or
    request took by the clock."""

    calls: int
    cpu_s: float
    longest_s: float


def call(number: int, question: str, answer: str, *, start_ns: int, scope: str = "openai") -> LLMCall:
    """A chat call of one second."""
    return LLMCall(
        trace_id=f"{number:032x}",
        span_id=f"{number:016x}",
        start_time_unix_nano=start_ns,
        end_time_unix_nano=start_ns + 1000 * _MS_NS,
        dialect="genai",
        scope=scope,
        operation="chat",
        request_model="gpt-4o-mini",
        input_messages=(Message("user", (TextPart(question),)),),
        output_messages=(Message("assistant", (TextPart(answer),), finish_reason="stop"),),
    )


def different(count: int) -> Iterator[LLMCall]:
    """Calls of two kilobytes of which none says what another says."""
    for number in range(1, count + 1):
        yield call(number, f"{number} {_TEXT}", f"{number} Worn.", start_ns=_FIRST_NS + number * _MS_NS)


def identical(count: int) -> Iterator[LLMCall]:
    """Calls of two kilobytes that all say the same, a thousand of them under way at once."""
    for number in range(1, count + 1):
        yield call(number, _TEXT, "Worn.", start_ns=_FIRST_NS + number * _MS_NS)


def of_many_scopes(count: int, *, is_same_question: bool) -> Iterator[LLMCall]:
    """Calls of 20 kB, all under way at once, each of a scope of its own, that are answered alike."""
    text = (_TEXT * 20)[:10_000]
    for number in range(1, count + 1):
        question = text if is_same_question else f"{text} {number}"
        yield call(number, question, text, start_ns=_FIRST_NS, scope=f"scope-{number}")


def settled(calls: Iterable[LLMCall], most_s: float) -> Figure:
    """Settle calls that come due one after the other, in no more time than that."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "outbox"
        outbox = Outbox(str(path), max_calls=10**6, max_bytes=2**33)
        count = _put(outbox, calls)
        longest_s, began = 0.0, time.thread_time()
        for took_s in _turns(outbox, count):
            longest_s = max(longest_s, took_s)
            if time.thread_time() - began > most_s:
                break
        cpu_s = time.thread_time() - began
        left = outbox.figures.status().states["settling"]
        outbox.close()
        return Figure(count - left, cpu_s, longest_s)


def _put(outbox: Outbox, calls: Iterable[LLMCall]) -> int:
    iterator, number = iter(calls), 0
    while some := list(islice(iterator, _A_COMMIT)):
        with outbox.transaction():
            for one in some:
                outbox.accepting.put(one, '{"title":"calls"}', due_at=number / _A_SECOND)
                number += 1
    return number


def _turns(outbox: Outbox, count: int) -> Iterator[float]:
    """Seconds that each turn of settling takes."""
    settler = settler_of(outbox)
    for second in range(1, count // _A_SECOND + 2):
        while outbox.settling.next_at() <= second:
            began = time.perf_counter()
            settler.settle_readings(second)
            yield time.perf_counter() - began


def settler_of(outbox: Outbox) -> Settler:
    """What settles the readings of an outbox."""
    settings, telemetry = Settings.resolve({}, needs_server=False), Telemetry()
    selection = Selection(settings, Router(settings), telemetry, print)
    skips = Skips(telemetry, Arrivals(time.time), print)
    return Settler(outbox, selection, telemetry, skips, (), settle_s=0, clock=time.time)


def accepted(count: int, a_request: int) -> Figure:
    """Accept spans, so many a request."""
    spans = [_span(number) for number in range(count)]
    with tempfile.TemporaryDirectory() as directory:
        settings = Settings.resolve({"outbox": str(Path(directory) / "outbox"), "settle_s": 3600}, needs_server=False)
        pipeline = Pipeline(settings, sink=RecordingSink())
        longest_s, began = 0.0, time.thread_time()
        for start in range(0, count, a_request):
            request_began = time.perf_counter()
            assert pipeline.accept_spans(spans[start : start + a_request])
            longest_s = max(longest_s, time.perf_counter() - request_began)
        cpu_s = time.thread_time() - began
        assert pipeline.close(timeout_s=60)
        return Figure(count, cpu_s, longest_s)


def _span(number: int) -> Span:
    said = [{"role": "assistant", "parts": [{"type": "text", "content": f"{number} {_TEXT}"}]}]
    return Span(
        trace_id=uuid4().hex,
        span_id=uuid4().hex[:16],
        start_time_unix_nano=_FIRST_NS,
        end_time_unix_nano=_FIRST_NS + number * _MS_NS,
        attributes={"gen_ai.operation.name": "chat", "gen_ai.output.messages": json.dumps(said)},
        scope=Scope("openai"),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most-s", type=float, default=60.0, help="for each shape; a turn is not interrupted")
    most_s: float = parser.parse_args().most_s
    shapes = {
        "50,000 different calls": different(50_000),
        "50,000 identical calls": identical(50_000),
        "2,000 calls of 20 kB and many scopes, one answer": of_many_scopes(2000, is_same_question=False),
        "2,000 calls of 20 kB and many scopes, one question and answer": of_many_scopes(2000, is_same_question=True),
    }
    print("| settled | calls | a second | longest turn, s |\n|---|---|---|---|")
    for name, calls in shapes.items():
        _print(name, settled(calls, most_s))
    print("\n| accepted | calls | a second | longest request, s |\n|---|---|---|---|")
    for a_request in (100, 1):
        _print(f"{a_request} a request", accepted(2000, a_request))


def _print(name: str, figure: Figure) -> None:
    rate = figure.calls / figure.cpu_s
    print(f"| {name} | {figure.calls:,} | {rate:,.0f} | {figure.longest_s:.2f} |", flush=True)


if __name__ == "__main__":
    main()

"""Numbered calls, further readings of them, and an outbox that settles and delivers."""

from __future__ import annotations

import itertools
import time
from typing import Any

from otel_labelstudio.arrivals import Arrivals
from otel_labelstudio.calls import LLMCall, Message, TextPart
from otel_labelstudio.filters.selection import Selection
from otel_labelstudio.outbox import Outbox
from otel_labelstudio.outbox.entry import OutboxEntry
from otel_labelstudio.routing import Router
from otel_labelstudio.settings import Settings
from otel_labelstudio.settle.due import Settler
from otel_labelstudio.skips import Skips
from otel_labelstudio.telemetry import Telemetry

DESTINATION = '{"title":"calls"}'
ROOMY: dict[str, Any] = {"max_calls": 1_000_000, "max_bytes": 2**33}


class Clock:
    """Seconds since 1970, set by hand; with a ``step`` it goes on with each look at it, as other clocks do."""

    def __init__(self, now: float = 1_763_800_000.0, step: float = 0.0) -> None:
        self.now, self.step = now, step

    def __call__(self) -> float:
        self.now += self.step
        return self.now


def numbered(number: int, scope: str = "framework", **fields: Any) -> LLMCall:
    """Call ``number``, as told of by one scope; another scope may read the same number."""
    values: dict[str, Any] = {
        "trace_id": f"{number:032x}",
        "span_id": f"{sum(scope.encode()):08x}{number:08x}",
        "start_time_unix_nano": 1_763_800_000_000_000_000 + number * 1_000_000,
        "end_time_unix_nano": 1_763_800_001_000_000_000 + number * 1_000_000,
        "dialect": "genai",
        "scope": scope,
        "operation": "chat",
        "input_messages": (Message("user", (TextPart(f"Question number {number}?"),)),),
        "output_messages": (Message("assistant", (TextPart(f"Answer number {number}."),)),),
    }
    return LLMCall(**{**values, **fields})


def number_of(call: LLMCall) -> int:
    return int(call.trace_id, 16)


def settle(outbox: Outbox, due_by: float) -> int:
    """What the worker does before it delivers; how many readings came late, of calls that were settled before."""
    telemetry = Telemetry()
    settings = Settings.resolve({"settle_s": 0}, needs_server=False)
    selection = Selection(settings, Router(settings), telemetry, print)
    skips = Skips(telemetry, Arrivals(time.time), print)
    settler = Settler(outbox, selection, telemetry, skips, (), settle_s=0, clock=outbox.now)
    outbox.retention.follow_clock()
    settler.settle(due_by)
    outbox.retention.forget()
    return telemetry.counts().get("calls.late_duplicates", 0)


def pending(outbox: Outbox, *calls: LLMCall, destination: str = DESTINATION) -> None:
    """These calls, settled."""
    for call in calls:
        outbox.accepting.put(call, destination, due_at=outbox.now())
    settle(outbox, outbox.now())


_numbers = itertools.count(1_000_000)


def in_trouble(outbox: Outbox, destination: str, why: str, *, is_paused: bool = True) -> None:
    """Deliveries to this destination fail, and a call waits for it, which is not tried again within a test."""
    outbox.accepting.put(numbered(next(_numbers)), destination, due_at=outbox.now() + 3600)
    outbox.notes.delivery_failed(destination, why, is_paused=is_paused)


def taken(outbox: Outbox, *calls: LLMCall, destination: str = DESTINATION) -> list[OutboxEntry]:
    """These calls, settled and in flight with all that is pending there."""
    pending(outbox, *calls, destination=destination)
    return outbox.queue.take(destination, limit=1000, max_bytes=2**30)


def drained(outbox: Outbox, destination: str = DESTINATION) -> list[int]:
    """Settle and deliver all that waits; the numbers of the calls, in order."""
    numbers: list[int] = []
    while len(outbox):
        settle(outbox, float("inf"))
        entries = outbox.queue.take(destination, limit=100, max_bytes=2**30)
        outbox.queue.mark_delivered(entries)
        numbers += [number_of(entry.call) for entry in entries]
    return numbers

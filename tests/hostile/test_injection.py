"""An exception out of every call that one stage makes into the next: the rest goes on.

The calls are found by walking the code, so that a new one is tested by itself, and fails here until `feed` gets there.
Each raises what nobody foresaw the first time, and what a disk does the second time.
"""

from __future__ import annotations

import ast
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import otel_labelstudio
from otel_labelstudio import dialects
from otel_labelstudio.acceptance import Position
from otel_labelstudio.arrivals import Arrivals
from otel_labelstudio.delivery import deliveries, housekeeping, rechecks, retry, schedule, worker
from otel_labelstudio.delivery.election import Election
from otel_labelstudio.delivery.results import (
    Dead,
    InProject,
    LookUpsFail,
    NotStored,
    ProjectCreated,
    Recheck,
    Result,
    Retry,
    Sending,
    Stored,
)
from otel_labelstudio.delivery.sink import Terms
from otel_labelstudio.dialects.shared.records_without_span import dialogues
from otel_labelstudio.errors import OutboxError, PausedDeliveryError, RetryableDeliveryError, UnknownOutcomeError
from otel_labelstudio.filters.selection import Selection
from otel_labelstudio.outbox import Outbox, accepting
from otel_labelstudio.outbox.accepting import Accepting
from otel_labelstudio.outbox.dead_letters import DeadLetters
from otel_labelstudio.outbox.entry import OutboxEntry
from otel_labelstudio.outbox.notes import OutboxNotes
from otel_labelstudio.outbox.queue import DeliveryQueue
from otel_labelstudio.outbox.retention import Retention
from otel_labelstudio.outbox.sent_to import SentTo
from otel_labelstudio.outbox.settling import SettlingRows
from otel_labelstudio.outbox.status import Figures
from otel_labelstudio.pipeline import Pipeline
from otel_labelstudio.settings import Settings
from otel_labelstudio.settle.due import Settler
from otel_labelstudio.settle.fold import fold
from otel_labelstudio.settle.log_records import Joined
from otel_labelstudio.skips import Skips
from otel_labelstudio.spans.model import LogRecord
from otel_labelstudio.testing import RecordingSink
from tests.delivery.pipelines import until
from tests.hostile import all_kinds
from tests.hostile.all_kinds import (
    LOOK_UPS_FAIL,
    NOT_STORED,
    PUT_OFF,
    REFUSED,
    STUCK,
    UNCERTAIN,
    numbers_in,
    numbers_of,
)
from tests.outbox.calls import numbered

PACKAGE = Path(otel_labelstudio.__file__).parent
CALLERS = (
    *(
        "pipeline.py",
        "acceptance.py",
        "settle/due.py",
        "settle/held.py",
        "delivery/worker.py",
        "delivery/deliveries.py",
    ),
    *("delivery/housekeeping.py", "delivery/rechecks.py"),
)
OUTBOX = (Outbox, Accepting, SettlingRows, DeadLetters, DeliveryQueue, Retention, OutboxNotes, SentTo, Figures)
STAGES = (*OUTBOX, Arrivals, Selection, Skips, Settler, deliveries.Deliveries, worker.Worker, Election, RecordingSink)
# Packages of which a function that is called is a stage's
STAGE_PACKAGES = tuple(f"otel_labelstudio.{name}" for name in ("dialects", "settle", "outbox", "filters", "routing"))
# Methods of a stage that others have as well, with what they are called on where it is the stage
AMBIGUOUS: dict[str, tuple[str, ...]] = {
    "clear": ("_sink",),
    "count": ("_skips",),
    "close": ("_sink", "_deliveries"),
    "read": ("notes", "dialects"),
    "paused": (),
    "hurry": ("_sink", "_deliveries"),
    "release": ("_rows",),
    "stop": ("_worker",),
    "run": ("job",),
    "under_way": ("_deliveries",),
}
# Run while the pipeline is made, forked or closed, where whoever asked is told
NOT_RUNNING = (
    *("__init__", "open", "_build_stages", "_settler", "_label_studio", "progress", "dead_letters", "read_to"),
    *("before_fork", "after_fork_in_parent", "after_fork_in_child", "check_outbox"),
    *("overview", "retry_dead_letters"),
)

NOW_S = 1_763_800_000.0
PATIENCE_S = 90.0
# Where what a fault has cost is counted
COUNTED = (
    "calls.dropped[fault]",
    "calls.dropped[outbox_full]",
    "log_records.unmatched[no_room]",
    "calls.dropped[outbox_error]",
    "spans.skipped[fault]",
    "log_records.unmatched[fault]",
)

# Run where the last door closes while something cannot be delivered
AT_THE_END = ("drain", "hurry", "_is_hopeless", "next_in_s", "_say_what_is_left")


@dataclass(frozen=True, slots=True)
class Site:
    """A call of a stage's function by another one."""

    module: str
    function: str
    name: str
    first_line: int
    last_line: int

    def __str__(self) -> str:
        return f"{self.module}:{self.function}:{self.name}"

    def is_at(self, frame: FrameType | None, name: str) -> bool:
        if frame is None or name != self.name or frame.f_code.co_filename != str(PACKAGE / self.module):
            return False
        return self.first_line <= frame.f_lineno <= self.last_line


def methods(stage: type) -> list[str]:
    return [
        name
        for name, held in vars(stage).items()
        if callable(held) and (not name.startswith("_") or name == "__len__") and not isinstance(held, type)
    ]


METHODS = frozenset(name for stage in STAGES for name in methods(stage))
OUTBOX_METHODS = frozenset(name for stage in OUTBOX for name in methods(stage))


def sites(module: str) -> Iterator[Site]:
    tree = ast.parse((PACKAGE / module).read_text(encoding="utf-8"))
    functions = set(stage_functions(tree))
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        if function.name in NOT_RUNNING:
            continue
        for call in (node for node in ast.walk(function) if isinstance(node, ast.Call)):
            name = called(call, functions)
            if name:
                yield Site(module, function.name, name, call.lineno, call.end_lineno or call.lineno)


def stage_functions(tree: ast.Module) -> Iterator[str]:
    """The functions that a module imports from a stage."""
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(STAGE_PACKAGES):
            yield from (alias.name for alias in node.names if alias.name.islower())


def called(call: ast.Call, functions: set[str]) -> str:
    """The name of the stage's function that is called, if it is one."""
    match call.func:
        case ast.Name("len"):
            return "__len__" if ast.unparse(call.args[0]).endswith("_outbox") else ""
        case ast.Name(name):
            return name if name in functions else ""
        case ast.Attribute(held, name) if name in METHODS:
            on = ast.unparse(held).rpartition(".")[2]
            return name if on != "self" and on in AMBIGUOUS.get(name, (on,)) else ""
    return ""


SITES = list(dict.fromkeys(site for module in CALLERS for site in sites(module)))


class Faults:
    """What the call at a site raises, each once: the second time what a disk does, where the outbox is asked."""

    def __init__(self, site: Site) -> None:
        self.site = site
        is_asked = site.name in OUTBOX_METHODS
        self.left = [RuntimeError("a fault"), OutboxError("the disk is full") if is_asked else ValueError("another")]
        self.hits = 0

    def wrapped(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def asked(*arguments: Any, **named: Any) -> Any:
            if self.site.is_at(sys._getframe(1), name):
                self.hits += 1
                if self.left:
                    raise self.left.pop(0)
            return function(*arguments, **named)

        return asked

    def inject(self, patch: pytest.MonkeyPatch) -> None:
        for stage in (*STAGES, TroubledSink):
            if self.site.name in methods(stage):
                patch.setattr(stage, self.site.name, self.wrapped(self.site.name, vars(stage)[self.site.name]))
        module = sys.modules[f"otel_labelstudio.{self.site.module.removesuffix('.py').replace('/', '.')}"]
        for holder in (module, dialects):
            if self.site.name in vars(holder):
                patch.setattr(holder, self.site.name, self.wrapped(self.site.name, vars(holder)[self.site.name]))


class TroubledSink(RecordingSink):
    """Says everything that a sink can say."""

    def __init__(self) -> None:
        super().__init__()
        self._is_first: set[int] = set()

    def deliver(self, destination: str, entries: Sequence[OutboxEntry], terms: Terms) -> Iterator[Result]:
        kinds = {next(iter(numbers_of(entry.call))): entry for entry in entries}
        if any(number % 100 == STUCK for number in kinds):
            raise RetryableDeliveryError("the server is down")
        yield ProjectCreated()
        yield InProject(1)
        yield Sending(entries, "import")
        if any(number % 100 == UNCERTAIN for number in kinds):
            raise UnknownOutcomeError("no answer")
        for number, entry in kinds.items():
            is_first = number not in self._is_first
            self._is_first.add(number)
            if number % 100 == REFUSED:
                yield Dead(entry, "refused", "refused")
            elif number % 100 == PUT_OFF and is_first:
                yield Retry([entry], 0.02)
            elif number % 100 == LOOK_UPS_FAIL and is_first:
                yield LookUpsFail([entry], 0.02)
            elif number % 100 == NOT_STORED and is_first:
                yield NotStored([entry])
                raise PausedDeliveryError("the key is wrong")
            else:
                yield Stored([(entry, number)])
                yield Recheck([entry], 0.0)
                yield from super().deliver(destination, [entry], terms)


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Nothing waits for longer than a moment; some of what is held cannot be read."""
    for module, name in (
        *((worker, "_FAULT_WAIT_S"), (worker, "_LONGEST_SLEEP_S"), (retry, "_FIRST_S"), (retry, "_LONGEST_S")),
        *((rechecks, "RETRY_S"), (rechecks, "FAULT_RETRY_S"), (deliveries, "SET_ASIDE_S")),
        (housekeeping, "_LONGEST_PAUSE_S"),
    ):
        monkeypatch.setattr(module, name, 0.02)
    monkeypatch.setattr(schedule, "_SET_ASIDE_AFTER", 1)
    monkeypatch.setattr(deliveries, "GIVE_UP_AFTER", 2)
    monkeypatch.setattr(accepting, "UNANSWERED_WAIT_S", 0.2)
    monkeypatch.setattr(worker, "_SEEN_EVERY_S", 0.0)
    read = Joined.read

    def fail(joined: Joined) -> Any:
        if all_kinds.POISON in joined.span.attributes:
            raise ValueError
        return read(joined)

    def fail_on_strays(records: Iterable[LogRecord]) -> Iterator[list[LogRecord]]:
        found = list(records)
        if any(all_kinds.POISON in record.attributes for record in found):
            raise ValueError
        return dialogues(found)

    monkeypatch.setattr(Joined, "read", fail)
    monkeypatch.setattr("otel_labelstudio.settle.held.dialogues", fail_on_strays)
    return monkeypatch


class Running:
    """A pipeline at work, and what was handed in so far."""

    def __init__(self, outbox: Path | None = None, max_calls: int = 10_000) -> None:
        given = {"settle_s": 0.02, "outbox": outbox and str(outbox), "outbox_max_calls": max_calls}
        settings = Settings.resolve({**given, "failed_calls": True}, needs_server=False)
        self.sink = TroubledSink()
        self.pipeline = Pipeline(settings, sink=self.sink)
        self.pipeline.joins_log_records = True
        self.expected: set[int] = set()
        self.is_small = max_calls < 100

    def feed(self, base: int) -> None:
        """Some of everything; nothing of it may raise."""
        self.pipeline.take_up_what_was_left()
        if self.is_small:  # what was looked at, and waits for its span alone, can be given up
            self.pipeline.accept_log_records(all_kinds.log_records(base + 50))
            time.sleep(0.2)
        self._damage(base)
        self.pipeline.accept_calls([*all_kinds.calls(base), *fold([numbered(base + 1)])])
        other_spans = [(f"{base:032x}", f"{base:016x}")]
        self.pipeline.accept_spans(
            all_kinds.spans(base), other_spans=other_spans, position=Position("inbox", base, NOW_S)
        )
        self.pipeline.accept_log_records(all_kinds.log_records(base), position=Position("inbox", base + 1, NOW_S))
        self.pipeline.take_up_what_was_left()
        self.expected |= {base + number for number in all_kinds.CALLS}

    def feed_again(self, base: int) -> None:
        """What was delivered without its span, which has not come since."""
        told = [record for record in all_kinds.log_records(base) if int(record.trace_id or "0", 16) == base + 21]
        self.pipeline.accept_log_records(told)

    def _damage(self, base: int) -> None:
        """What a disk has made of a reading and of a span."""
        outbox = self.pipeline._outbox
        with outbox.database.transaction() as db:
            outbox.accepting.put(numbered(base + 9), "{}", due_at=0)
            outbox.accepting.hold(all_kinds.span(base + 10), due_at=0)
            db.execute("UPDATE readings SET body = substr(body, 2) WHERE key LIKE ?", (f"{base + 9:032x}-%",))
            db.execute("UPDATE held SET body = substr(body, 2) WHERE trace_id = ?", (f"{base + 10:032x}",))

    def is_quiet(self) -> bool:
        outbox = self.pipeline._outbox
        return not len(outbox) and outbox.queue.next_recheck_in_s() == float("inf")

    def missing(self) -> set[int]:
        with self.pipeline._outbox.database.reading() as db:
            dead = db.execute("SELECT body FROM readings WHERE state = 'dead'").fetchall()
        return self.expected.difference(self.delivered(), *(numbers_in(body) for (body,) in dead))

    def delivered(self) -> set[int]:
        return set().union(*map(numbers_of, self.sink.calls))

    def counted(self) -> int:
        """How much was lost by a fault, and counted."""
        return sum(n for name, n in self.pipeline.telemetry.counts().items() if name in COUNTED)


@contextmanager
def at_work(outbox: Path | None = None, max_calls: int = 10_000) -> Iterator[Running]:
    running = Running(outbox, max_calls)
    try:
        yield running
    finally:
        running.pipeline._worker.stop(PATIENCE_S)


@pytest.mark.usefixtures("hurried")
def test_without_a_fault_nothing_is_lost() -> None:
    """What the other tests count on: each call that is handed in is delivered or a dead letter."""
    with at_work() as running:
        running.feed(100)
        until(running.is_quiet, PATIENCE_S)
        assert running.missing() == set()
        assert running.counted() == 0


@pytest.mark.parametrize("site", SITES, ids=str)
def test_the_rest_goes_on(site: Site, hurried: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing raises into the application, the thread lives, and what comes before and after the fault is delivered, a
    dead letter, or counted."""
    faults = Faults(site)
    faults.inject(hurried)
    # Only a file has something left of an earlier run
    is_of_files = site.function in ("take_up_what_was_left", "_elect")
    # Only a small outbox has no room for log records
    max_calls = 20 if site.function == "_hold" else 10_000
    if site.function == "_hold":
        hurried.setattr(accepting, "UNANSWERED_WAIT_S", 2.0)
    with at_work(tmp_path / "calls.outbox" if is_of_files else None, max_calls) as running:
        goes_on(running, faults)
    assert faults.hits, "nothing that is fed gets here: let something of it do so"


def goes_on(running: Running, faults: Faults) -> None:
    for base in (100, 200):
        running.feed(base)
    thread = running.pipeline._worker._thread._thread
    until(running.is_quiet, PATIENCE_S)
    running.feed_again(100)
    until(running.is_quiet, PATIENCE_S)
    # Some are reached only where the records of a call come before it settles
    for base in range(300, 900, 100) if faults.site.function not in AT_THE_END else ():
        if not faults.left:
            break
        running.feed(base)
        until(running.is_quiet, PATIENCE_S)
    assert len(running.missing()) <= running.counted()
    running.pipeline.accept_calls([numbered(901)])
    running.pipeline.accept_spans([all_kinds.span(911, all_kinds.said(911))])
    until(lambda: {901, 911} <= running.delivered(), PATIENCE_S)
    assert running.pipeline._worker._thread._thread is thread
    running.pipeline.accept_calls([numbered(921)])
    running.pipeline.flush(PATIENCE_S)
    if faults.site.function in AT_THE_END:
        running.pipeline.accept_calls([numbered(900 + STUCK)])
    running.pipeline.close(5)

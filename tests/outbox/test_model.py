"""The outbox against a model of it: whatever happens in whatever order, and with a crash anywhere in between."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from otel_labelstudio.outbox import Outbox
from otel_labelstudio.outbox.entry import OutboxEntry, Put
from otel_labelstudio.outbox.retention import KEY_RETENTION_S, LATE_DUPLICATE_WINDOW_S
from otel_labelstudio.outbox.serialization import key_of
from otel_labelstudio.spans.model import Span
from tests.outbox.calls import Clock, number_of, numbered, settle

MAX_CALLS, MAX_BYTES = 12, 9_000
SETTLE_S = 6.0
# Later than any clock here: what is held does not settle in this model, which has no producers
FAR = 1e12
DESTINATIONS = ['{"title":"one"}', '{"title":"two"}']
WAITING = ("settling", "pending", "in_flight")


class OutboxModel(RuleBasedStateMachine):
    """What was accepted, and what became of it."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(prefix="outbox-"))
        self.clock = Clock()
        self.opened = self.offered = 0
        self.path = self.directory / "0"
        self.accepted: dict[int, str] = {}  # number -> the key that was accepted first
        self.twins: set[int] = set()
        self.delivered: dict[int, float] = {}
        self.dead: list[int] = []
        self.gone: set[int] = set()  # dead letters that were purged, or too many
        self.in_flight: list[OutboxEntry] = []
        self.held = 0
        self.expected_late = self.late = 0

    @initialize()
    def open(self) -> None:
        self.outbox = Outbox(str(self.path), max_calls=MAX_CALLS, max_bytes=MAX_BYTES, clock=self.clock)

    def teardown(self) -> None:
        self.all_accepted_calls_are_delivered_in_the_end()
        shutil.rmtree(self.directory)

    # -- what can happen -----------------------------------------------------------------------------------------

    @rule(destination=st.sampled_from(DESTINATIONS), length=st.integers(0, 400))
    def accept(self, destination: str, length: int) -> None:
        """A new call, small or large, goes in if there is room."""
        self.offered += 1
        number = self.offered
        call = numbered(number, user_id="x" * length)
        put = self.outbox.accepting.put(call, destination, due_at=self.clock() + SETTLE_S)
        assert put in (Put.ACCEPTED, Put.FULL)
        if put is Put.ACCEPTED:
            self.accepted[number] = key_of(call)

    @precondition(lambda self: self.accepted)
    @rule(data=st.data())
    def accept_again(self, data: st.DataObject) -> None:
        """What is here, or was delivered within the retention, is known."""
        number = data.draw(st.sampled_from(sorted(self.accepted)))
        if number not in self.gone and self._is_retained(number):
            put = self.outbox.accepting.put(numbered(number), DESTINATIONS[0], due_at=self.clock())
            assert put is Put.KNOWN

    @precondition(lambda self: self.accepted)
    @rule(data=st.data())
    def accept_twin(self, data: st.DataObject) -> None:
        """A second reading of a call, in time or late, is no second call."""
        number = data.draw(st.sampled_from(sorted(self.accepted)))
        is_recent = self.clock() - self.delivered.get(number, self.clock()) < LATE_DUPLICATE_WINDOW_S
        if number in self.twins or number in self.gone or not is_recent or not self._is_content_kept(number):
            return
        was_settled = self._states()[self.accepted[number]] != "settling"
        destination = self._destination_of(self.accepted[number])
        put = self.outbox.accepting.put(numbered(number, "client"), destination, due_at=self.clock())
        if put is Put.ACCEPTED:
            self.twins.add(number)
            self.expected_late += was_settled
            if was_settled:  # compared while the call is known by its content
                self.late += settle(self.outbox, self.clock())

    @rule(seconds=st.sampled_from([0.5, SETTLE_S, 60.0, LATE_DUPLICATE_WINDOW_S, KEY_RETENTION_S / 2]))
    def pass_time(self, seconds: float) -> None:
        self.clock.now += seconds
        self.late += settle(self.outbox, self.clock())

    @rule(seconds=st.sampled_from([0.5, 60.0, 3600.0]))
    def set_clock_back(self, seconds: float) -> None:
        self.clock.now -= seconds
        self.delivered = {number: at - (seconds if seconds > 1 else 0) for number, at in self.delivered.items()}
        self.late += settle(self.outbox, self.clock())

    @rule()
    def settle(self) -> None:
        self.late += settle(self.outbox, self.clock())

    @precondition(lambda self: not self.in_flight)
    @rule(limit=st.integers(1, 4))
    def take(self, limit: int) -> None:
        """Calls that go out were accepted, and were not delivered before."""
        for destination in self.outbox.queue.destinations()[:1]:
            self.in_flight = self.outbox.queue.take(destination, limit=limit, max_bytes=MAX_BYTES)
            assert self.in_flight
        for entry in self.in_flight:
            number = number_of(entry.call)
            assert self.accepted[number] in entry.keys
            assert number not in self.delivered

    @precondition(lambda self: self.in_flight)
    @rule()
    def doubt(self) -> None:
        """An import is under way."""
        self.outbox.queue.mark_sent(self.in_flight, "import", 7)

    @precondition(lambda self: self.in_flight)
    @rule()
    def deliver(self) -> None:
        self.outbox.queue.mark_stored([(entry, 100 + entry.seq) for entry in self.in_flight])
        self.outbox.queue.mark_delivered(self.in_flight)
        self.outbox.queue.put_back(self.in_flight)  # what is not done with
        self.delivered |= {number_of(entry.call): self.clock() for entry in self.in_flight}
        self.in_flight = []

    @precondition(lambda self: not self.in_flight)
    @rule()
    def settle_and_deliver(self) -> None:
        """As the worker does when nothing goes wrong."""
        self.pass_time(SETTLE_S)
        self.take(limit=4)
        self.deliver()

    @precondition(lambda self: not self.in_flight)
    @rule(end=st.sampled_from(["left", "purged", "tried again"]))
    def settle_and_refuse(self, end: str) -> None:
        """As the worker does with a call that Label Studio does not take, and somebody with what is dead."""
        self.pass_time(SETTLE_S)
        self.take(limit=1)
        if self.in_flight:
            self.refuse()
        if self.dead and end != "left":
            self.mend_or_purge(end == "purged")

    @precondition(lambda self: self.in_flight)
    @rule(wait_s=st.sampled_from([0.0, 30.0]))
    def put_back(self, wait_s: float) -> None:
        self.outbox.queue.put_back(self.in_flight, after_s=wait_s)
        self.in_flight = []

    @precondition(lambda self: self.in_flight)
    @rule()
    def refuse(self) -> None:
        """One call dies; the oldest dead give way."""
        entry, *rest = self.in_flight
        self.outbox.dead_letters.bury([(entry.seq, "refused \ud800")])
        self.outbox.queue.put_back(rest)
        self.in_flight = []
        self.dead.append(number_of(entry.call))
        left = [number_of(dead.call) for dead in self.outbox.dead_letters.all() if dead.call]
        assert left == self.dead[len(self.dead) - len(left) :]
        self.gone |= set(self.dead) - set(left)
        self.dead = left

    @precondition(lambda self: self.dead)
    @rule(is_purged=st.booleans())
    def mend_or_purge(self, is_purged: bool) -> None:
        if is_purged:
            assert self.outbox.dead_letters.purge() == len(self.dead)
            self.gone |= set(self.dead)
        else:
            assert self.outbox.dead_letters.retry() == len(self.dead)
        self.dead = []

    @rule()
    def hold(self) -> None:
        self.offered += 1
        span = Span(trace_id=f"{self.offered:032x}", span_id=f"{self.offered:016x}", name="x" * 100)
        self.held += self.outbox.accepting.hold(span, due_at=FAR)

    @rule()
    def release(self) -> None:
        rows = self.outbox.settling
        rows.release(item for ids in rows.due_groups(FAR, 1000) for item in rows.held_of(ids))
        self.held = 0

    @rule(is_writing=st.booleans())
    def crash(self, is_writing: bool) -> None:
        """The process dies, perhaps while it writes: the files are as they are, and another process takes over."""
        before = self.path
        self.opened += 1
        self.path = self.directory / str(self.opened)
        try:
            with self.outbox.transaction():
                if is_writing:
                    self.outbox.accepting.put(numbered(10_000 + self.opened), DESTINATIONS[0], due_at=0)
                    self.outbox.accepting.hold(Span(trace_id="a", span_id="b"), due_at=0)
                for suffix in ("", "-wal"):
                    if before.with_name(before.name + suffix).exists():
                        shutil.copy(
                            before.with_name(before.name + suffix), self.path.with_name(self.path.name + suffix)
                        )
                raise ZeroDivisionError  # noqa: TRY301
        except ZeroDivisionError:
            pass
        self.outbox.lock()  # closes the connection
        self.outbox.unlock()
        self.open()
        self.outbox.queue.recover()
        self.in_flight = []

    # -- what always holds ---------------------------------------------------------------------------------------

    @invariant()
    def nothing_is_lost_and_nothing_is_made_up(self) -> None:
        """Each accepted call is here in the state that the model has."""
        states = self._states()
        for number, key in self.accepted.items():
            if number in self.gone or not self._is_retained(number):
                continue
            expected = ("delivered",) if number in self.delivered else ("dead",) if number in self.dead else WAITING
            of_call = {states.get(k) for k in (key, key_of(numbered(number, "client")))} - {None, "folded"}
            assert len(of_call - {"settling"}) <= 1, "two calls were made of one"
            assert of_call & set(expected)

    @invariant()
    def totals_equal_a_recount(self) -> None:
        totals = {what: (calls, size) for what, calls, size in self._query("SELECT what, calls, bytes FROM totals")}
        held = self._query("SELECT COUNT(*), COALESCE(SUM(LENGTH(body)), 0) FROM held")[0]
        rows = self._query("SELECT state, size, LENGTH(body) FROM readings")
        assert all(length in (None, size) for _, size, length in rows)
        waiting = [size for state, size, _ in rows if state in WAITING]
        assert totals["waiting"] == (len(waiting), sum(waiting) + held[1])
        assert totals["held"] == held == (self.held, held[1])
        dead = [size for state, size, _ in rows if state == "dead"]
        assert totals["dead"] == (len(dead), sum(dead))
        kept = [size for state, size, length in rows if state in ("delivered", "folded") and length is not None]
        assert totals["kept"] == (len(kept), sum(kept))
        assert len(self.outbox) == len(waiting) + self.held

    @invariant()
    def bounds_hold(self) -> None:
        """What waits is bounded when it is accepted, the dead always."""
        status = self.outbox.figures.status()
        retried = MAX_CALLS  # dead letters that are tried again come on top
        assert sum(status.states[state] for state in WAITING) <= MAX_CALLS + retried
        assert status.states["dead"] <= MAX_CALLS // 4
        assert status.states["in_flight"] == len(self.in_flight)

    @invariant()
    def late_duplicates_are_counted_once(self) -> None:
        assert self.late == self.expected_late

    @invariant()
    def no_fingerprint_outlives_its_call(self) -> None:
        assert not self._query(
            "SELECT call_id FROM fingerprints"
            " WHERE call_id NOT IN (SELECT call_id FROM readings WHERE body IS NOT NULL)"
        )

    def all_accepted_calls_are_delivered_in_the_end(self) -> None:
        """Drained, each call was delivered once, or is dead."""
        self.outbox.queue.recover()
        self.outbox.dead_letters.retry()
        self.clock.now += 60
        last: Counter[int] = Counter()
        for _ in range(200):
            settle(self.outbox, FAR / 2)
            for destination in self.outbox.queue.destinations():
                entries = self.outbox.queue.take(destination, limit=5, max_bytes=MAX_BYTES)
                self.outbox.queue.mark_delivered(entries)
                last.update(number_of(entry.call) for entry in entries)
        last.update(self.delivered.keys())
        assert len(self.outbox) == self.held
        assert {number: 1 for number in self.accepted if number not in self.gone} == dict(last)

    # -- looking -------------------------------------------------------------------------------------------------

    def _is_retained(self, number: int) -> bool:
        return self.clock() - self.delivered.get(number, self.clock()) < KEY_RETENTION_S

    def _is_content_kept(self, number: int) -> bool:
        """Of what is delivered, not more is kept than fits the outbox."""
        ((kept,),) = self._query(f"SELECT body IS NOT NULL FROM readings WHERE key = '{self.accepted[number]}'")
        return bool(kept)

    def _states(self) -> dict[str, str]:
        return dict(self._query("SELECT key, state FROM readings"))

    def _destination_of(self, key: str) -> str:
        return str(dict(self._query("SELECT key, destination FROM readings"))[key])

    def _query(self, statement: str) -> list[tuple[Any, ...]]:
        db = sqlite3.connect(self.path)
        try:
            return db.execute(statement).fetchall()
        finally:
            db.close()


TestOutboxModel = OutboxModel.TestCase
TestOutboxModel.settings = settings(
    max_examples=50, stateful_step_count=60, deadline=None, suppress_health_check=list(HealthCheck)
)

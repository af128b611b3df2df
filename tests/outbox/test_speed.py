"""A long queue costs no more per call than a short one: no step looks at all that waits."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from otel_labelstudio.outbox import Outbox
from otel_labelstudio.spans.model import Span
from tests.outbox.calls import ROOMY, Clock, numbered, settle

WAITING = 100_000
DESTINATIONS = ['{"title":"one"}', '{"title":"two"}']


@pytest.fixture(scope="module")
def long_queue() -> Outbox:
    """Half of it settles still, half is pending; a tenth gave the very same answer."""
    clock = Clock()
    outbox = Outbox(clock=clock, **ROOMY)
    with outbox.transaction():
        for number in range(WAITING):
            call = numbered(number) if number % 10 else numbered(number, output_messages=numbered(0).output_messages)
            outbox.accepting.put(call, DESTINATIONS[number % 2], due_at=clock() + (number >= WAITING // 2))
        for _ in range(WAITING // 10):
            outbox.accepting.hold(Span(trace_id="ab", span_id="cd"), due_at=clock() + 10)
    for _ in range(4):
        settle(outbox, clock())
    with outbox.database.transaction() as db:  # the rest without looking for twins, which takes half a minute
        db.execute("UPDATE readings SET state = 'pending' WHERE state = 'settling' AND due_at <= ?", (clock(),))
    return outbox


def seconds(step: Callable[[], object], times: int = 5) -> float:
    """The fastest of several, in processor time of this thread: what else the machine does is not counted."""
    took = []
    for _ in range(times):
        begin = time.thread_time()
        step()
        took.append(time.thread_time() - begin)
    return min(took)


def test_accepting_and_looking_are_fast(long_queue: Outbox) -> None:
    """What the application's thread and the worker's waiting ask for, a millisecond each at the most."""
    numbers = iter(range(WAITING, 2 * WAITING))
    steps: dict[str, Callable[[], object]] = {
        "put": lambda: long_queue.accepting.put(numbered(next(numbers)), DESTINATIONS[0], due_at=float("inf")),
        "len": lambda: len(long_queue),
        "destinations": long_queue.queue.destinations,
        "next_in_s": long_queue.queue.next_in_s,
        "settling.next_at": long_queue.settling.next_at,
        "next_recheck_in_s": long_queue.queue.next_recheck_in_s,
        "oldest_age_s": long_queue.figures.oldest_age_s,
    }
    took = {name: seconds(step) for name, step in steps.items()}
    print({name: f"{s * 1e6:.0f} us" for name, s in took.items()})
    assert max(took.values()) < 0.001


def test_a_batch_costs_as_much_as_with_a_short_queue(long_queue: Outbox) -> None:
    """Taking, marking and putting back 200 calls, with 100 000 behind them."""

    def batch() -> None:
        entries = long_queue.queue.take(DESTINATIONS[0], limit=200, max_bytes=2**25)
        long_queue.queue.mark_sent(entries, "import", 0)
        long_queue.queue.put_back(entries)

    took = seconds(batch)
    print(f"{took * 1e3:.1f} ms")
    assert took < 0.1


def test_settling_a_batch_does_not_look_at_all(long_queue: Outbox) -> None:
    """500 calls of which a tenth say what hundreds have said before."""
    now = long_queue.now() + 1
    took = seconds(lambda: settle(long_queue, now), times=3)
    print(f"{took * 1e3:.0f} ms")
    assert took < 1.0


def test_dead_letters_in_their_bounds_are_fast() -> None:
    """One more dead letter where the bound is reached."""
    outbox = Outbox(max_calls=20_000, max_bytes=2**30, clock=Clock())
    with outbox.transaction():
        for number in range(20_000):
            outbox.accepting.put(numbered(number), DESTINATIONS[0], due_at=0)
    with outbox.database.transaction() as db:
        db.execute("UPDATE readings SET state = 'pending'")
    entries = outbox.queue.take(DESTINATIONS[0], limit=20_000, max_bytes=2**30)
    with outbox.transaction():
        for entry in entries:
            outbox.dead_letters.bury([(entry.seq, "refused")])
    for number in range(20_001, 20_006):
        outbox.accepting.put(numbered(number), DESTINATIONS[0], due_at=0)
    settle(outbox, 0)
    more = iter(outbox.queue.take(DESTINATIONS[0], limit=5, max_bytes=2**30))
    assert seconds(lambda: outbox.dead_letters.bury([(next(more).seq, "refused")])) < 0.01
    assert len(outbox.dead_letters.all()) == 5_000

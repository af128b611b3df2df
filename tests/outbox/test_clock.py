"""A clock that jumps, as after a suspended laptop or a corrected time: nothing is lost and nothing waits for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from otel_labelstudio.errors import RetryableDeliveryError
from otel_labelstudio.outbox import Outbox
from otel_labelstudio.outbox.entry import Put
from otel_labelstudio.outbox.retention import LATE_DUPLICATE_WINDOW_S
from otel_labelstudio.pipeline import Pipeline
from otel_labelstudio.settings import Settings
from otel_labelstudio.testing import RecordingSink
from tests.delivery.pipelines import until
from tests.outbox.calls import DESTINATION, ROOMY, Clock, drained, number_of, numbered, settle

DAY_S = 86_400.0


@pytest.mark.parametrize("jump_s", [-DAY_S, DAY_S])
def test_settling_goes_on(outbox: Outbox, clock: Clock, jump_s: float) -> None:
    """A call that waits for twins waits no longer than it would have, in whatever direction the clock is set."""
    outbox.accepting.put(numbered(1), DESTINATION, due_at=clock() + 6)
    settle(outbox, clock())
    clock.now += jump_s
    outbox.accepting.put(numbered(2), DESTINATION, due_at=clock() + 6)
    settle(outbox, clock())
    clock.now += 6.1
    settle(outbox, clock())
    assert drained(outbox) == [1, 2]


def test_what_was_put_off_is_not_put_off_for_longer(outbox: Outbox, clock: Clock) -> None:
    """A call whose outcome is unknown waits half a minute, also when the clock is set back by a day meanwhile."""
    outbox.accepting.put(numbered(1), DESTINATION, due_at=clock())
    settle(outbox, clock())
    entries = outbox.queue.take(DESTINATION, limit=1, max_bytes=1)
    outbox.queue.mark_sent(entries, "import", 0)
    outbox.queue.mark_recheck(entries, after_s=3600)
    outbox.queue.put_back(entries, after_s=30)
    clock.now -= DAY_S
    settle(outbox, clock())
    assert outbox.queue.destinations() == []
    clock.now += 30
    (entry,) = outbox.queue.take(DESTINATION, limit=1, max_bytes=1)
    assert entry.sent_at == pytest.approx(clock() - 30)
    outbox.queue.mark_delivered([entry])
    assert outbox.queue.next_recheck_in_s() == pytest.approx(3570)


def test_a_restart_with_an_earlier_clock(tmp_path: Path, clock: Clock) -> None:
    """A machine that starts with a wrong time delivers what was accepted before."""
    path = str(tmp_path / "calls.outbox")
    Outbox(path, clock=clock, **ROOMY).accepting.put(numbered(1), DESTINATION, due_at=clock() + 6)
    clock.now -= DAY_S
    again = Outbox(path, clock=clock, **ROOMY)
    settle(again, clock())
    clock.now += 6.1
    settle(again, clock())
    assert again.queue.destinations() == [DESTINATION]


def test_forgetting_ends_although_all_is_of_the_future(clock: Clock) -> None:
    """More is kept for late twins than may be, and all of it was delivered later than now: it is forgotten all the
    same, and the worker goes on."""
    outbox = Outbox(max_calls=1000, max_bytes=2000, clock=clock)
    for number in range(20):
        assert outbox.accepting.put(numbered(number), DESTINATION, due_at=clock()) is Put.ACCEPTED
        assert drained(outbox) == [number]
    clock.now -= 0.5  # too little to be noticed
    outbox.retention._forget_at = 0.0
    settle(outbox, clock())
    assert outbox.database.total("kept")[1] <= 2000


def test_a_late_twin_is_known_after_the_clock_was_set_back(outbox: Outbox, clock: Clock) -> None:
    """What was delivered stays known by its content for its window."""
    outbox.accepting.put(numbered(1), DESTINATION, due_at=clock())
    assert drained(outbox) == [1]
    clock.now -= DAY_S
    settle(outbox, clock())
    clock.now += LATE_DUPLICATE_WINDOW_S / 2
    outbox.accepting.put(numbered(1, "client"), DESTINATION, due_at=clock())
    assert settle(outbox, clock()) == 1
    assert len(outbox) == 0


def test_a_destination_in_trouble_is_tried_again_soon(clock: Clock) -> None:
    """The server asked for a moment, then the clock is set back by a day: delivery waits for that moment, not a day."""
    sink = RecordingSink(RetryableDeliveryError("busy", retry_after_s=0.5))
    settings = Settings.resolve({"api_key": "key", "url": "http://127.0.0.1:1", "settle_s": 0})
    pipeline = Pipeline(settings, sink=sink, clock=clock)
    pipeline.accept_calls([numbered(1)])
    until(lambda: pipeline.telemetry.counts().get("deliveries.failed[RetryableDeliveryError]"))
    clock.now -= DAY_S
    until(lambda: [number_of(call) for call in sink.calls] == [1])
    pipeline.close(0)

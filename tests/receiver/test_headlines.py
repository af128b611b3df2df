"""What stands above the status page, for each way in which an outbox may stand."""

from __future__ import annotations

import pytest

from otel_labelstudio.outbox.entry import STATES
from otel_labelstudio.outbox.status import OutboxStatus
from otel_labelstudio.overview import PipelineOverview
from otel_labelstudio.receiver.page.headline import headlines
from otel_labelstudio.receiver.page.snapshot import InboxState, Snapshot

HOUR_S = 3600.0


def shown(
    *,
    pending: int,
    oldest_age_s: float | None,
    delivered_last_minute: int,
    last_error: str | None = None,
    last_error_over_at: float | None = None,
) -> list[tuple[str, str]]:
    """Level and text of each headline of a receiver with this outbox, in which nothing is paused."""
    outbox = OutboxStatus(
        states={**dict.fromkeys(STATES, 0), "pending": pending},
        held=0,
        waiting_bytes=0,
        oldest_age_s=oldest_age_s,
        delivered_last_minute=delivered_last_minute,
        last_delivered_at=None,
        delivery_seen_at=None,
        paused_count=0,
        paused=(),
        retried_count=0,
        retried=(),
        dead_letters=(),
        last_error=last_error,
        last_error_at=None if last_error is None else 1.0,
        last_error_over_at=last_error_over_at,
    )
    pipeline = PipelineOverview(outbox, 0, (), {}, ())
    inbox = InboxState(size=0, max_bytes=1, stalled_s=0.0, files_set_aside=0)
    snapshot = Snapshot(0.0, "http://localhost:8080", 100, (), pipeline, inbox)
    return [(headline.level, headline.text) for headline in headlines(snapshot, not_ready="")]


@pytest.mark.parametrize(
    ("pending", "oldest_age_s", "delivered", "text"),
    [
        (0, None, 0, "All is well: nothing waits."),
        (1, 5.0, 0, "All is well: calls are waiting."),
        (1, 5.0, 3, "All is well: calls are being delivered."),
    ],
)
def test_all_is_well(pending: int, oldest_age_s: float | None, delivered: int, text: str) -> None:
    """It says that calls are being delivered only where some were."""
    found = shown(pending=pending, oldest_age_s=oldest_age_s, delivered_last_minute=delivered)
    assert found == [("ok", text)]


def test_a_call_that_has_waited_for_hours() -> None:
    """Is said also while others are delivered, and once it is older than an hour."""
    assert shown(pending=1, oldest_age_s=HOUR_S + 1, delivered_last_minute=3) == [
        ("warn", "A call has waited for more than an hour. Others are being delivered. The log says why.")
    ]
    assert shown(pending=1, oldest_age_s=HOUR_S, delivered_last_minute=3)[0][0] == "ok"


@pytest.mark.parametrize(("over_at", "why"), [(None, " The last error: the server is down"), (2.0, "")])
def test_an_error_that_is_over_is_not_told_as_the_cause(over_at: float | None, why: str) -> None:
    """Where calls wait, the last error is told only as long as delivery has not resumed after it."""
    found = shown(
        pending=1,
        oldest_age_s=120.0,
        delivered_last_minute=0,
        last_error="the server is down",
        last_error_over_at=over_at,
    )
    assert found == [("bad", f"Calls are waiting, and none was delivered in the last minute.{why}")]

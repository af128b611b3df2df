"""What an operator must know first: one line for each thing that is wrong, or one line that nothing is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from otel_labelstudio.outbox.status import OutboxStatus
from otel_labelstudio.receiver.page.snapshot import Snapshot

OK, WARN, BAD = "ok", "warn", "bad"
# As long as that, a call may wait for what belongs to it
_USUAL_AGE_S = 60.0
# As an alert of deploy/prometheus has it
_LONG_AGE_S = 3600.0
_STALLED_S = 60.0
_NEARLY_FULL = 0.8


@dataclass(frozen=True, slots=True)
class Headline:
    """A sentence, and how bad it is."""

    level: str
    text: str


def headlines(snapshot: Snapshot, not_ready: str) -> list[Headline]:
    """The worst first."""
    wrong = [*_bad(snapshot, not_ready), *_warnings(snapshot)]
    if wrong:
        return wrong
    return [Headline(OK, f"All is well: {_flow(snapshot.pipeline.outbox)}.")]


def _flow(outbox: OutboxStatus) -> str:
    if not outbox.waiting:
        return "nothing waits"
    return "calls are being delivered" if outbox.delivered_last_minute else "calls are waiting"


def _bad(snapshot: Snapshot, not_ready: str) -> Iterator[Headline]:
    outbox = snapshot.pipeline.outbox
    if snapshot.ended_threads:
        yield Headline(BAD, f"Threads have ended, restart the process: {', '.join(snapshot.ended_threads)}.")
    if not_ready:
        yield Headline(BAD, f"Senders are told to try again later: {not_ready}.")
    if outbox.paused_count:
        number = "1 destination" if outbox.paused_count == 1 else f"{outbox.paused_count:,} destinations"
        yield Headline(BAD, f"Delivery to {number} is paused until somebody corrects the cause (below).")
    elif outbox.pending and _is_behind(snapshot) and not outbox.delivered_last_minute:
        is_present = outbox.last_error is not None and outbox.last_error_over_at is None
        why = f" The last error: {outbox.last_error}" if is_present else ""
        yield Headline(BAD, f"Calls are waiting, and none was delivered in the last minute.{why}")


def _warnings(snapshot: Snapshot) -> Iterator[Headline]:
    outbox, inbox = snapshot.pipeline.outbox, snapshot.inbox
    if outbox.pending and (outbox.oldest_age_s or 0.0) > _LONG_AGE_S:
        others = " Others are being delivered." if outbox.delivered_last_minute else ""
        yield Headline(WARN, f"A call has waited for more than an hour.{others} The log says why.")
    if outbox.waiting >= _NEARLY_FULL * snapshot.capacity:
        yield Headline(WARN, "The outbox is nearly full. When it is full, requests wait in the inbox.")
    if inbox.size >= _NEARLY_FULL * inbox.max_bytes:
        yield Headline(WARN, "The inbox is nearly full. When it is full, senders are told to try again later.")
    if inbox.stalled_s > _STALLED_S:
        yield Headline(WARN, "Requests are not being read from the inbox. The log says why.")
    if inbox.files_set_aside:
        yield Headline(
            WARN,
            f"{inbox.files_set_aside:,} requests could not be read. They are kept as files in the inbox's directory.",
        )
    if outbox.states["dead"]:
        yield Headline(WARN, f"{outbox.states['dead']:,} calls were refused for good (dead letters, below).")


def _is_behind(snapshot: Snapshot) -> bool:
    return (snapshot.pipeline.outbox.oldest_age_s or 0.0) > _USUAL_AGE_S

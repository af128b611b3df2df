"""How delivery stands, for the metrics (`telemetry.Observed`)."""

from __future__ import annotations

from otel_labelstudio.delivery.deliveries import Deliveries
from otel_labelstudio.outbox import Outbox


class DeliveryState:
    """Looks at an outbox, and at who delivers from it. May be asked by any thread; raises `OutboxError`."""

    def __init__(self, outbox: Outbox, deliveries: Deliveries) -> None:
        self._outbox, self._deliveries = outbox, deliveries

    def oldest_age_s(self) -> float:
        """How long the oldest call has waited, in seconds; 0 where none waits."""
        return self._outbox.notes.oldest_age_s()

    def dead_letter_count(self) -> int:
        """Calls that were refused for good."""
        return self._outbox.database.total("dead")[0]

    def held_count(self) -> int:
        """Spans and log records that wait for each other."""
        return self._outbox.database.total("held")[0]

    def last_delivery_at(self) -> float | None:
        """When a call was delivered last, seconds since 1970; None where none was yet."""
        return self._outbox.notes.last_delivered_at()

    def paused_destination_count(self) -> int:
        """Destinations to which nothing goes until somebody mends the cause."""
        return len(self._deliveries.paused())

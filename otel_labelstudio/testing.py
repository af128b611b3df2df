"""For the tests of those who build on this package: delivery without a server."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

from otel_labelstudio.calls import LLMCall
from otel_labelstudio.delivery.results import Delivered, Result
from otel_labelstudio.delivery.sink import Terms
from otel_labelstudio.outbox.entry import CallToRecheck, OutboxEntry


class RecordingSink:
    """A sink that keeps what is delivered. Give it to `Pipeline` as its ``sink``.

    ``failures`` are raised one by one, each by the next delivery, before any is kept.
    """

    def __init__(self, *failures: Exception) -> None:
        self._lock = threading.Lock()
        self._failures = list(failures)
        self._entries: list[OutboxEntry] = []

    def deliver(self, destination: str, entries: Sequence[OutboxEntry], terms: Terms) -> Iterator[Result]:  # noqa: ARG002 - the sink's form
        with self._lock:
            if self._failures:
                raise self._failures.pop(0)
            self._entries += entries
        yield Delivered(entries)

    def takes_calls(self, destination: str) -> bool:  # noqa: ARG002
        """It does."""
        return True

    def recheck(self, destination: str, calls: Sequence[CallToRecheck]) -> list[str]:  # noqa: ARG002
        """Nothing is stored twice here."""
        return [call.call_id for call in calls]

    def hurry(self, deadline: float) -> None:
        """Nothing lasts here."""

    def close(self) -> None:
        """There is nothing to close."""

    @property
    def entries(self) -> list[OutboxEntry]:
        """What was delivered so far, in that order."""
        with self._lock:
            return list(self._entries)

    @property
    def calls(self) -> list[LLMCall]:
        """The calls that were delivered so far."""
        return [entry.call for entry in self.entries]

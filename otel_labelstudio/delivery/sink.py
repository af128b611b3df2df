"""Where calls end: what a sink is for the worker."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from otel_labelstudio.delivery.results import Result
from otel_labelstudio.outbox.entry import CallToRecheck, OutboxEntry


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms a batch is delivered: whether a project may be created for it, whether there is no later time for
    what fails now, and whether more calls are known to wait for the same destination."""

    may_create_project: bool = True
    is_last_try: bool = False
    has_more: bool = False


class Sink(Protocol):
    """Says what becomes of calls; keeps no books of its own."""

    def deliver(self, destination: str, entries: Sequence[OutboxEntry], terms: Terms) -> Iterator[Result]:
        """Deliver a batch to a destination.

        Each result is written down before the next is asked for. An entry of which nothing final was said is tried
        again. Raises `DeliveryError` where the rest of the batch, or the destination, must wait.
        """

    def takes_calls(self, destination: str) -> bool:
        """Whether the server takes calls at all: asked where it fails on one call again and again. Raises
        `DeliveryError` where it does not."""

    def recheck(self, destination: str, calls: Sequence[CallToRecheck]) -> Iterable[str]:
        """See that calls whose outcome was unknown are stored once; the ids of those that need no further look, each
        written down before the next call is looked at. Raises `DeliveryError`."""

    def hurry(self, deadline: float) -> None:
        """Begin nothing that lasts beyond this time (of `time.monotonic`)."""

    def close(self) -> None:
        """Let go of connections; the next delivery opens them again."""

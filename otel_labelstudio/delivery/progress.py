"""What the log says while all is well: where the first task of a project is, and how far delivery has come.

Failures are logged where they happen. Without these lines a delivery that works looks like an exporter that is off.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from otel_labelstudio.errors import OutboxError
from otel_labelstudio.printable import counted, logger

_logger = logger(__name__)

# A server that is down pauses all of its projects, and there may be thousands
_MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class DeliveryProgress:
    """How many calls were delivered and refused since the start, how many wait, and which destinations are paused."""

    delivered: int = 0
    refused: int = 0
    waiting: int = 0
    paused: tuple[str, ...] = ()

    @classmethod
    def of(cls, counts: Mapping[str, int], waiting: int, paused: Sequence[str]) -> DeliveryProgress:
        """From the counts of `telemetry.Telemetry`, the outbox's length and the paused destinations."""
        refused = sum(number for name, number in counts.items() if name.startswith("tasks.rejected"))
        return cls(counts.get("tasks.delivered", 0), refused, waiting, tuple(paused))

    def line(self, before: DeliveryProgress) -> str:
        """As a log line; ``before`` is what the last line told."""
        return (
            f"Delivery: {counted(self.delivered, 'call')} delivered ({self.delivered - before.delivered} new), "
            f"{self.refused} refused, {self.waiting} waiting, paused: {self._paused()}."
        )

    def _paused(self) -> str:
        more = len(self.paused) - _MOST_NAMED
        named = [*self.paused[:_MOST_NAMED], *([f"{more} more"] if more > 0 else [])]
        return ", ".join(named) or "none"


class ProgressLog:
    """Logs how far delivery has come, as ``look`` finds it, whenever something has moved."""

    def __init__(self, look: Callable[[], DeliveryProgress]) -> None:
        self._look = look
        self._logged = DeliveryProgress()

    def log_what_moved(self) -> None:
        """One INFO line, or none where everything is as it was."""
        try:
            progress = self._look()
        except OutboxError:  # logged by those who need the outbox
            return
        if progress != self._logged:
            _logger.info(
                "%s",
                progress.line(self._logged),
                extra={
                    "delivered": progress.delivered,
                    "refused": progress.refused,
                    "waiting": progress.waiting,
                    "paused": list(progress.paused),
                },
            )
            self._logged = progress


class FirstDeliveries:
    """Logs the address of each project of a server once, when its first calls are delivered."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._logged: set[int] = set()

    def delivered_to(self, project_id: int, title: str) -> None:
        """One INFO line, or none where the project had its line before."""
        if project_id not in self._logged:
            self._logged.add(project_id)
            _logger.info('First delivery to project "%s": %s/projects/%d/data', title, self._url, project_id)

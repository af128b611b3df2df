"""What all batches to one Label Studio server share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from otel_labelstudio.delivery.label_studio.projects import Projects
from otel_labelstudio.delivery.label_studio.server import LabelStudioServer
from otel_labelstudio.delivery.progress import FirstDeliveries
from otel_labelstudio.telemetry import Telemetry


@dataclass(frozen=True, slots=True)
class Waits:
    """How long, in seconds: before a call whose outcome is unknown, and that is not there, is sent again, and before it
    is looked up once more."""

    resend_wait_s: float
    recheck_wait_s: float


@dataclass(frozen=True, slots=True)
class BatchContext:
    """``clock`` gives seconds since 1970, as the outbox's does."""

    server: LabelStudioServer
    projects: Projects
    waits: Waits
    telemetry: Telemetry
    first_deliveries: FirstDeliveries
    clock: Callable[[], float]

"""An outbox in memory, with a clock that is set by hand."""

from __future__ import annotations

import pytest

from otel_labelstudio.outbox import Outbox
from tests.outbox.calls import ROOMY, Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def outbox(clock: Clock) -> Outbox:
    return Outbox(clock=clock, **ROOMY)

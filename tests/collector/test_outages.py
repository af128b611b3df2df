"""The sidecar when what is behind it is away, and when it dies itself."""

from __future__ import annotations

import os
import time
from collections import Counter
from pathlib import Path

import pytest

from otel_labelstudio.demo.label_studio import EmbeddedLabelStudio
from tests.collector.pipe import Pipe
from tests.collector.senders import senders
from tests.delivery.labeling import fresh_title
from tests.exactly_once.audit import accepted_calls, audit

OUTAGE_S = float(os.environ.get("COLLECTOR_OUTAGE_S", "20"))
KILLS = int(os.environ.get("COLLECTOR_KILLS", "3"))
_SETTLED_S = 240.0


@pytest.mark.slow
@pytest.mark.timeout(1800 + 20 * OUTAGE_S)
def test_every_call_once_through_an_outage_and_kills(
    otelcol: Path, tmp_path: Path, label_studio: EmbeddedLabelStudio
) -> None:
    """The receiver is killed and stays away while applications send: they notice nothing, and neither does the other
    back-end, which gets every span once. Then the Collector is killed with SIGKILL, several times, under load. When the
    receiver is back, every call that was sent is one task."""
    with Pipe(otelcol, tmp_path, label_studio, fresh_title("outage"), "sidecar.yaml") as pipe:
        applications = senders(pipe.collector.grpc, pipe.collector.http)
        time.sleep(2)
        pipe.stop_serve()
        time.sleep(OUTAGE_S)
        accepted = sum((Counter(application.accepted) for application in applications), Counter[str]())
        _wait_for_backend(pipe, accepted)
        for _ in range(KILLS):
            pipe.collector.kill()
            pipe.collector.start()
            time.sleep(1.5)
        pipe.start_serve()
        for application in applications:
            application.end()
        pipe.wait_until_delivered(600 + OUTAGE_S)
        numbers = [number for application in applications for number in application.numbers]
        found = audit(pipe.labeling, pipe.title, accepted_calls(pipe.outbox))
        print(f"sent {len(numbers)} calls, {len(accepted)} spans while the receiver was away")
        assert len(numbers) > OUTAGE_S * 5
        found.assert_exactly_once(said=numbers)
        assert sorted(found.numbers) == sorted(numbers)


def _wait_for_backend(pipe: Pipe, accepted: Counter[str]) -> None:
    """Every span that was accepted, once."""
    end = time.monotonic() + _SETTLED_S
    while missing := accepted - pipe.backend.span_ids:
        assert time.monotonic() < end, f"{len(missing)} spans are missing at the back-end"
        time.sleep(0.1)
    assert set(pipe.backend.span_ids.values()) == {1}

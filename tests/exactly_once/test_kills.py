"""The exporting process is killed with SIGKILL at every step, and started again on its outbox."""

from __future__ import annotations

import os
import random
import signal
from pathlib import Path

import pytest

from otel_labelstudio.demo.label_studio import EmbeddedLabelStudio
from tests.delivery.labeling import Labeling, fresh_title
from tests.delivery.pipelines import until
from tests.exactly_once.application import POINTS
from tests.exactly_once.audit import accepted_calls, audit, left_to_do
from tests.exactly_once.conftest import Applications

ROUNDS = int(os.environ.get("EXACTLY_ONCE_KILL_ROUNDS", "10"))
_NUMBERS = 10_000
# And then wait for the end
_FEW_CALLS = ("--calls", 60, "--linger-s", 180)


@pytest.mark.slow
@pytest.mark.timeout(1800 + 15 * ROUNDS)
def test_a_process_killed_at_any_moment_loses_and_repeats_nothing(
    server: EmbeddedLabelStudio, labeling: Labeling, applications: Applications, tmp_path: Path
) -> None:
    """Before the disk write, before and during the import, after the answer, before the mark, and at random."""
    outbox, title = tmp_path / "calls.outbox", fresh_title("Killed")
    for kill in range(ROUNDS):
        point = f"{POINTS[kill % len(POINTS)]}:{random.randint(1, 2)}"
        process = applications.start(server, outbox, title, kill * _NUMBERS, *_FEW_CALLS, "--die", point)
        assert process.wait(240) == -signal.SIGKILL, point
    last = applications.start(server, outbox, title, ROUNDS * _NUMBERS, "--calls", 40)
    assert last.wait(240) == 0
    finish(applications, server, outbox, title)
    audit(labeling, title, accepted_calls(outbox)).assert_exactly_once(applications.said())


def finish(applications: Applications, server: EmbeddedLabelStudio, outbox: Path, title: str) -> None:
    """An application that waits until all that was in doubt has been audited."""
    process = applications.start(server, outbox, title, 10**6, "--calls", 0, "--linger-s", 600)
    until(lambda: left_to_do(outbox) == 0)
    process.kill()
    process.wait()

"""Traffic for a long time, with Label Studio away half of it."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from otel_labelstudio.demo.label_studio import EmbeddedLabelStudio
from tests.delivery.labeling import Labeling, fresh_title
from tests.delivery.pipelines import until
from tests.exactly_once.audit import accepted_calls, audit, left_to_do
from tests.exactly_once.conftest import Applications

SECONDS = float(os.environ.get("EXACTLY_ONCE_SOAK_S", "40"))
_PERIOD_S = 8.0
_MARGIN_MB = 24.0


def resident_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
@pytest.mark.timeout(1800 + 2 * SECONDS)
@pytest.mark.parametrize("server", ["SQLite"], indirect=True)
def test_memory_stays_flat_and_all_is_delivered(
    server: EmbeddedLabelStudio, labeling: Labeling, applications: Applications, tmp_path: Path
) -> None:
    """A hundred calls a second, Label Studio stopped for eight seconds of sixteen: what waits is on the disk."""
    outbox, title = tmp_path / "calls.outbox", fresh_title("Soak")
    process = applications.start(server, outbox, title, 0, "--seconds", SECONDS, "--linger-s", 10**6)
    # What the first delivery imports is in its memory by then
    until(lambda: len(applications.said()) > 100 and labeling.project_ids(title) and labeling.tasks(title))
    began_at = time.monotonic()
    memory: list[float] = []
    longest, is_up = 0, True
    while (passed_s := time.monotonic() - began_at) < SECONDS:
        if is_up != (int(passed_s / _PERIOD_S) % 2 == 0):
            is_up = not is_up
            (server.start if is_up else server.stop)()
        time.sleep(0.5)
        memory.append(resident_mb(process.pid))
        longest = max(longest, left_to_do(outbox))
    if not is_up:
        server.start()
    until(lambda: left_to_do(outbox) == 0, 600 + SECONDS)
    memory.append(resident_mb(process.pid))
    warm = max(memory[: len(memory) // 3])
    print(f"{longest} calls waited at the most; {warm:.0f} MB at first, {memory[-1]:.0f} MB in the end")
    assert longest > 300
    assert max(memory) < warm + _MARGIN_MB
    audit(labeling, title, accepted_calls(outbox)).assert_exactly_once(applications.said())

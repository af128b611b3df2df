"""The receiver's metrics: all of them from the start, and what shows that something stands still."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NoReturn

import pytest
from opentelemetry.sdk.resources import Resource

from otel_labelstudio.receiver import metrics
from otel_labelstudio.receiver.segments import Segment
from otel_labelstudio.receiver.set_aside import Reason
from otel_labelstudio.receiver.status import Outcome
from tests.receiver.requests_made import traces
from tests.receiver.serving import Process, Receiver, post, serve_command

DEADLINE_S = 240.0


class Page:
    """What Prometheus reads."""

    def __init__(self, url: str) -> None:
        self.text = post(f"{url}/metrics", b"", method="GET")[2].decode()

    def values(self, name: str) -> dict[str, float]:
        """The values of one metric, by the attribute that tells them apart; of one without attributes, by ''."""
        found = {}
        for labels, value in re.findall(rf"^{name}\{{([^}}]*)\}} (\S+)$", self.text, re.MULTILINE):
            own = re.findall(r'(?<!otel_scope_)\b(outcome|reason|transport|thread_name|le)="([^"]*)"', labels)
            found[", ".join(value for _, value in sorted(own))] = float(value)
        return found


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A receiver to which nobody has sent anything."""
    outbox = tmp_path_factory.mktemp("metrics") / "outbox.db"
    environment = {"LABEL_STUDIO_API_KEY": "key", "LABEL_STUDIO_URL": "http://127.0.0.1:9"}
    with serve_command(f"--outbox={outbox}", **environment) as made:
        yield made


def test_counters_are_there_from_the_start(process: Process) -> None:
    """At 0, for each outcome and reason: an alert on a rate must see the first one too."""
    page = Page(process.http)
    name = "otel_labelstudio_receiver"
    assert page.values(f"{name}_requests_total") == {
        f"{outcome.value}, {transport}": 0 for outcome in Outcome for transport in ("grpc", "http")
    }
    for items in ("accepted_spans", "refused_spans", "accepted_log_records", "refused_log_records"):
        assert page.values(f"{name}_{items}_total") == {"grpc": 0, "http": 0}
    assert page.values(f"{name}_inbox_set_aside_total") == {reason.value: 0 for reason in Reason}
    assert page.values("otel_labelstudio_tasks_delivered_total") == {"": 0}
    assert page.values("otel_labelstudio_spans_skipped_total")["not_genai"] == 0
    assert page.values("otel_labelstudio_calls_dropped_total")["outbox_full"] == 0


def test_durations_have_buckets_of_seconds(process: Process) -> None:
    """From milliseconds on, not from five seconds."""
    post(f"{process.http}/v1/traces", b"")
    buckets = Page(process.http).values("otel_labelstudio_receiver_request_duration_seconds_bucket")
    bounds = {float(key.split(", ")[0]) for key in buckets}
    assert {0.005, 0.1, 1.0, 10.0} <= bounds
    assert max(bounds - {float("inf")}) <= 60


def test_the_process_has_a_name(process: Process) -> None:
    """In ``target_info``, by which all its metrics are joined."""
    assert 'service_name="otel-labelstudio"' in Page(process.http).text


def test_the_name_that_somebody_gave_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Goes before ours, wherever it was said."""
    assert metrics._resource().attributes["service.name"] == "otel-labelstudio"
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.name=from attributes,team=labels")
    assert metrics._resource().attributes["service.name"] == "from attributes"
    monkeypatch.setenv("OTEL_SERVICE_NAME", "from the name")
    resource: Resource = metrics._resource()
    assert (resource.attributes["service.name"], resource.attributes["team"]) == ("from the name", "labels")


def test_every_metric_of_the_table_is_there(process: Process) -> None:
    """What the module says that there is, after one request."""
    post(f"{process.http}/v1/traces", b"")
    text = Page(process.http).text
    names = re.findall(r"``(otel_labelstudio\.[a-z_.]+)``", metrics.__doc__ or "")
    assert len(names) > 10
    assert [name for name in names if f"# TYPE {name.replace('.', '_')}" not in text] == []


def test_threads_are_seen_to_be_alive(process: Process) -> None:
    """Each by its name."""
    alive = Page(process.http).values("otel_labelstudio_thread_alive")
    assert alive["otel-labelstudio-reader"] == alive["otel-labelstudio-writer"] == 1


def test_a_reader_that_stands_still_is_seen(outbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By how long something waits while the disk does not give it. Measured here, where the fault can be injected; that
    it is on the page, the table shows."""

    def fail(*_: object) -> NoReturn:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with Receiver(outbox) as receiver:
        inbox = receiver.inbox
        with monkeypatch.context() as patch:
            patch.setattr(Segment, "read", fail)
            assert post(f"{receiver.http}/v1/traces", traces("Waits?").SerializeToString())[0] == 200
            before, end = inbox.stalled_s, time.monotonic() + DEADLINE_S
            while inbox.stalled_s <= before:
                assert time.monotonic() < end
        assert receiver.read()


def test_what_is_set_aside_is_seen(tmp_path: Path) -> None:
    """As files, for as long as they lie there."""
    outbox = tmp_path / "outbox.db"
    environment = {"LABEL_STUDIO_API_KEY": "key", "LABEL_STUDIO_URL": "http://127.0.0.1:9"}
    with serve_command(f"--outbox={outbox}", **environment) as process:
        name = "otel_labelstudio_receiver_inbox_files_set_aside"
        before = Page(process.http).values(name)[""]
        kept = Path(f"{outbox}.inbox") / "1.ValueError.unreadable"
        kept.write_bytes(b"")
        assert Page(process.http).values(name)[""] == before + 1
        kept.unlink()
        assert Page(process.http).values(name)[""] == before


SCRIPT = """
import sys
from pathlib import Path
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from tests.receiver.requests_made import ids, traces
from tests.receiver.serving import Receiver, post

metrics.set_meter_provider(MeterProvider())
request = traces("Counted?")
with Receiver(Path(sys.argv[1])) as receiver:
    assert post(f"{receiver.http}/v1/traces", request.SerializeToString())[0] == 200
    receiver.delivered(ids(request))
    status, _, page = post(f"{receiver.http}/metrics", b"", method="GET")
print(status, page.decode())
"""


def test_the_page_needs_no_meter_provider_of_the_process(outbox: Path) -> None:
    """Where the process has another one, what this package counts is on the page all the same, and once. In a process
    of its own, since a meter provider is set once."""
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(outbox)], capture_output=True, text=True, timeout=600, check=False
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("200 ")
    for name in ("otel_labelstudio_receiver_accepted_spans_total", "otel_labelstudio_spans_received_total"):
        assert len(re.findall(rf"^{name}{{.*}} 1.0$", run.stdout, re.MULTILINE)) == 1
    for name in ("otel_labelstudio_outbox_queue_size", "otel_labelstudio_receiver_inbox_size_bytes"):
        assert f"# TYPE {name} " in run.stdout


def test_readers_at_the_same_time_have_a_page_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """One after the other: else Prometheus' exporter would give one of them what it collected for the other."""
    begun, go_on = threading.Semaphore(0), threading.Event()

    def written(_: object) -> bytes:
        begun.release()
        assert go_on.wait(DEADLINE_S)
        return b"page"

    monkeypatch.setattr(metrics, "generate_latest", written)
    with ThreadPoolExecutor(2) as readers:
        pages = [readers.submit(metrics.metrics_page) for _ in range(2)]
        assert begun.acquire(timeout=DEADLINE_S)
        assert not begun.acquire(timeout=0.2)
        go_on.set()
        assert [page.result() for page in pages] == [b"page"] * 2

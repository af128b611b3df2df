"""The server, or what stands before it, goes wrong while calls come in: stopped, killed, and every fault at random."""

from __future__ import annotations

import http.client
import random
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from pathlib import Path

import pytest

from otel_labelstudio.demo.label_studio import EmbeddedLabelStudio
from otel_labelstudio.outbox.serialization import key_of
from otel_labelstudio.pipeline import Pipeline
from tests.delivery.faults import (
    HTML,
    Exchange,
    Fault,
    FaultyServer,
    after_forwarding,
    answers,
    forwarded,
    late,
    reset,
    truncated,
    without_predictions,
)
from tests.delivery.labeling import Labeling, fresh_title
from tests.delivery.pipelines import HOUR_S, Pipelines, SettableClock, until
from tests.delivery.telemetry import chat
from tests.exactly_once.audit import accepted_calls, audit, left_to_do

# As long as a busy machine's Label Studio takes for an import, and longer
TIMEOUT_S = 3.0


RECHECKED_IN_AN_HOUR = {"settle_s": HOUR_S, "resend_wait_s": 0.3, "recheck_wait_s": HOUR_S}


def kept_for_later(kept: list[Exchange]) -> Fault:
    """The connection breaks; Label Studio carries the request out when the test forwards it."""

    def lose(exchange: Exchange) -> None:
        kept.append(exchange)
        reset(exchange)

    return lose


def late_commit(seconds: float) -> Fault:
    """The connection breaks at once; Label Studio carries the request out long after, as after its own retries."""

    def carry_out(exchange: Exchange) -> None:
        with suppress(OSError, http.client.HTTPException):  # the server may be gone by then
            exchange.forward()

    def lose(exchange: Exchange) -> None:
        threading.Timer(seconds, carry_out, [exchange]).start()
        reset(exchange)

    return lose


def soon(_: Exchange) -> str:
    return format_datetime(datetime.now(timezone.utc) + timedelta(seconds=1), usegmt=True)


FAULTS: Sequence[Fault] = (
    reset,
    after_forwarding(reset),
    after_forwarding(late(TIMEOUT_S + 0.3, answers(201))),
    late(TIMEOUT_S + 0.3),
    late_commit(1.5),
    late_commit(4.0),
    answers(429, Retry_After="1"),
    lambda exchange: answers(429, Retry_After=soon(exchange))(exchange),
    answers(500),
    after_forwarding(answers(500)),
    answers(502, HTML),
    after_forwarding(answers(502, HTML)),
    answers(200, HTML),
    truncated,
    without_predictions,
)


@contextmanager
def load(pipeline: Pipeline, per_second: int, most: int = 5000) -> Iterator[None]:
    """Calls numbered from 0 come in, for as long as this lasts, and not many more than ``most``."""
    is_over = threading.Event()

    def accept() -> None:
        number = 0
        while number < most and not is_over.wait(0.1):
            count = max(1, per_second // 10)
            numbers = range(number, number + count)
            assert pipeline.accept_calls([chat(f"Question {n}.", str(n)) for n in numbers])
            number += count

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def delivered_exactly_once(pipeline: Pipeline, labeling: Labeling, title: str, outbox: Path) -> None:
    """Once all is delivered and audited."""
    assert pipeline.flush(240)
    until(lambda: left_to_do(outbox) == 0)
    audit(labeling, title, accepted_calls(outbox)).assert_exactly_once()


@pytest.mark.slow
def test_faults_at_random_under_load(
    pipelines: Pipelines, labeling: Labeling, faulty: FaultyServer, tmp_path: Path
) -> None:
    """Every third request goes wrong, each in its own way, and some are carried out long after they were given up."""
    outbox, title = tmp_path / "calls.outbox", fresh_title("Faults")
    rng = random.Random(7)

    def perhaps(exchange: Exchange) -> None:
        if rng.random() < 0.35:
            rng.choice(FAULTS)(exchange)
        else:
            exchange.answer(*exchange.forward())

    for kind in ("projects/import", "projects/import/predictions"):
        faulty.plan(perhaps, kind, times=float("inf"))
    pipeline = pipelines(
        url=faulty.url,
        project_name=title,
        outbox=str(outbox),
        batch_size=20,
        timeout_s=TIMEOUT_S,
        import_timeout_s=TIMEOUT_S,
        resend_wait_s=2.0,
        recheck_wait_s=15.0,
    )
    with load(pipeline, per_second=30):
        time.sleep(12)
    faulty._plans.clear()
    delivered_exactly_once(pipeline, labeling, title, outbox)
    print({name: count for name, count in pipeline.telemetry.counts().items() if "removed" in name or "failed" in name})


@pytest.mark.slow
def test_a_server_stopped_and_killed_under_load(
    pipelines: Pipelines, labeling: Labeling, server: EmbeddedLabelStudio, tmp_path: Path
) -> None:
    """Away for a while, then killed in the middle of imports: nothing is lost, nothing stands there twice."""
    outbox, title = tmp_path / "calls.outbox", fresh_title("Killed server")
    pipeline = pipelines(
        project_name=title, outbox=str(outbox), resend_wait_s=2.0, recheck_wait_s=4.0, outbox_max_calls=100_000
    )
    with load(pipeline, per_second=150):
        time.sleep(2)
        server.stop()
        time.sleep(3)
        server.start()
        for _ in range(2):
            time.sleep(2 + random.random())
            server.kill()
            server.start()
    delivered_exactly_once(pipeline, labeling, title, outbox)


@pytest.mark.parametrize("server", ["SQLite"], indirect=True)
def test_an_import_carried_out_after_all_is_removed_by_the_audit(
    pipelines: Pipelines, labeling: Labeling, faulty: FaultyServer
) -> None:
    """Later than anybody waits: for a while the calls stand there twice, after the audit once, each with its
    prediction. A person has annotated one of the later tasks meanwhile: that one is kept, beside the older one."""
    clock, title, kept = SettableClock(), fresh_title("Very late"), list[Exchange]()
    faulty.plan(kept_for_later(kept))
    pipeline = pipelines(clock, url=faulty.url, project_name=title, **RECHECKED_IN_AN_HOUR)
    calls = [chat(f"Question {n}.", str(n)) for n in range(3)]
    pipeline.accept_calls(calls)
    assert pipeline.flush(240)
    kept[0].forward()
    assert len(labeling.tasks(title)) == 6
    stored = [task["id"] for task in labeling.tasks(title)]
    labeling.request("POST", f"/api/tasks/{stored[4]}/annotations/", {"result": []})
    clock.set_forward(HOUR_S)
    until(lambda: len(labeling.tasks(title)) == 4)
    assert [task["id"] for task in labeling.tasks(title)] == [*stored[:3], stored[4]]
    counts = pipeline.telemetry.counts
    until(lambda: counts().get("tasks.duplicates_kept[touched]") == 1)
    until(lambda: counts().get("tasks.duplicates_removed") == 2)
    labeling.request("DELETE", f"/api/tasks/{stored[4]}/")
    audit(labeling, title, [key_of(call) for call in calls]).assert_exactly_once()


@pytest.mark.parametrize("server", ["SQLite"], indirect=True)
def test_predictions_added_twice_are_removed_by_the_audit(
    pipelines: Pipelines, labeling: Labeling, faulty: FaultyServer
) -> None:
    """Label Studio lost the predictions, and the first repair is carried out late; somebody else's prediction stays."""
    clock, title, kept = SettableClock(), fresh_title("Late repair"), list[Exchange]()
    faulty.plan(without_predictions)
    faulty.plan(kept_for_later(kept), "projects/import/predictions")
    pipeline = pipelines(clock, url=faulty.url, project_name=title, **RECHECKED_IN_AN_HOUR)
    pipeline.accept_calls([chat(f"Question {n}.", str(n)) for n in range(2)])
    assert pipeline.flush(240)
    kept[0].forward()
    assert sorted(map(len, labeling.texts(title))) == [2, 2]
    theirs = labeling.tasks(title)[0]["predictions"][0]["result"]
    theirs[0]["value"]["text"] = ["another model's answer"]
    labeling.request(
        "POST", "/api/predictions/", {"task": labeling.tasks(title)[0]["id"], "result": theirs, "model_version": "x"}
    )
    clock.set_forward(HOUR_S)
    until(lambda: sorted(map(len, labeling.texts(title))) == [1, 2])
    assert sorted(labeling.texts(title)) == [["0", "another model's answer"], ["1"]]


@pytest.mark.parametrize("server", ["SQLite"], indirect=True)
def test_two_imports_of_a_call_leave_the_one_with_its_prediction(
    pipelines: Pipelines, labeling: Labeling, faulty: FaultyServer
) -> None:
    """The older of two twins lost its prediction: the younger one stays."""
    clock, title, kept = SettableClock(), fresh_title("Lost"), list[Exchange]()

    def behind_the_first(exchange: Exchange) -> None:
        with suppress(OSError, ValueError):  # nobody is there to be answered
            without_predictions(kept[0])
        forwarded(exchange)

    faulty.plan(kept_for_later(kept))
    faulty.plan(behind_the_first)
    pipeline = pipelines(clock, url=faulty.url, project_name=title, **RECHECKED_IN_AN_HOUR)
    call = chat("Question 0.", "0")
    pipeline.accept_calls([call])
    assert pipeline.flush(240)
    assert len(labeling.tasks(title)) == 2
    clock.set_forward(HOUR_S)
    until(lambda: pipeline.telemetry.counts().get("tasks.duplicates_removed") == 1)
    audit(labeling, title, [key_of(call)]).assert_exactly_once()

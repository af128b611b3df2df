"""Others who write to the same Label Studio: a labeler at work, and several exporters with outboxes of their own."""

from __future__ import annotations

import threading
import urllib.error
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from otel_labelstudio.demo.label_studio import EmbeddedLabelStudio
from tests.delivery.labeling import Labeling, fresh_title
from tests.delivery.pipelines import Pipelines, until
from tests.delivery.telemetry import chat
from tests.exactly_once.application import RESEND_WAIT_S
from tests.exactly_once.audit import accepted_calls, audit, left_to_do
from tests.exactly_once.conftest import Applications


@contextmanager
def labeler_at_work(labeling: Labeling, task_id: int) -> Iterator[list[int]]:
    """Tries to save an annotation every 0.3 s; yields the saved ones' ids."""
    saved: list[int] = []
    is_over = threading.Event()

    def save() -> None:
        while not is_over.wait(0.3):
            with suppress(urllib.error.HTTPError):  # the database was locked
                saved.append(labeling.request("POST", f"/api/tasks/{task_id}/annotations/", {"result": []})["id"])

    thread = threading.Thread(target=save)
    thread.start()
    try:
        yield saved
    finally:
        is_over.set()
        thread.join()


@pytest.mark.slow
@pytest.mark.parametrize("server", ["SQLite"], indirect=True)
def test_no_prediction_is_missing_where_somebody_labels_meanwhile(
    pipelines: Pipelines, labeling: Labeling, tmp_path: Path
) -> None:
    """Label Studio on SQLite loses the predictions of an import during which an annotation is saved."""
    theirs = labeling.make_project(fresh_title("Theirs"))
    labeling.request("POST", f"/api/projects/{theirs}/import", [{"data": {"text": "x"}}])
    outbox, title = tmp_path / "calls.outbox", fresh_title("Ours")
    pipeline = pipelines(
        project_name=title, outbox=str(outbox), batch_size=50, resend_wait_s=RESEND_WAIT_S, settle_s=3600
    )
    pipeline.accept_calls([chat(f"Question {n}.", str(n)) for n in range(1000)])
    with labeler_at_work(labeling, labeling.tasks(theirs)[0]["id"]) as saved:
        assert pipeline.flush(240)
    assert saved
    print(
        f"{len(saved)} annotations, {pipeline.telemetry.counts().get('predictions.repaired', 0)} predictions repaired"
    )
    audit(labeling, title, accepted_calls(outbox)).assert_exactly_once()


@pytest.mark.slow
def test_several_writers_share_one_project(
    server: EmbeddedLabelStudio, labeling: Labeling, applications: Applications, tmp_path: Path
) -> None:
    """Two processes with outboxes of their own, started at once on a title that no project has yet."""
    title = fresh_title("Shared")
    outboxes = [tmp_path / "one.outbox", tmp_path / "two.outbox"]
    for i, outbox in enumerate(outboxes):
        applications.start(server, outbox, title, 1000 * i, "--calls", 150, "--linger-s", 600)
    until(lambda: len(applications.said()) == 300)
    until(lambda: all(left_to_do(outbox) == 0 for outbox in outboxes))
    assert len(accepted_calls(*outboxes)) == 300
    audit(labeling, title, accepted_calls(*outboxes)).assert_exactly_once(applications.said())

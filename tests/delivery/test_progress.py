"""What the log says while all is well."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Iterator

import pytest

from otel_labelstudio.cli import serve
from otel_labelstudio.delivery.progress import DeliveryProgress, ProgressLog
from otel_labelstudio.errors import OutboxError
from otel_labelstudio.tasks.binding import Mode, default_label_config
from tests.delivery.labeling import Labeling, fresh_title
from tests.delivery.pipelines import Pipelines, until
from tests.delivery.telemetry import chat
from tests.delivery.test_projects import messages

WITHOUT_TEXT_AREA = '<View><Text name="t" value="$prompt"/></View>'


@pytest.fixture(autouse=True)
def _info(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "otel_labelstudio")


def test_the_first_delivery_says_where_the_task_is(
    pipelines: Pipelines, labeling: Labeling, caplog: pytest.LogCaptureFixture
) -> None:
    """One INFO line a project, with the address of its tasks, however many deliveries follow."""
    titles = fresh_title("First"), fresh_title("First")
    for title in titles:
        pipeline = pipelines(project_name=title)
        for _ in range(2):
            pipeline.accept_calls([chat()])
            assert pipeline.flush(240)
    assert messages(caplog, logging.INFO) == [
        f'First delivery to project "{title}": {labeling.url}/projects/{labeling.project_ids(title)[0]}/data'
        for title in titles
    ]


def test_nothing_is_said_of_a_delivery_that_failed(
    pipelines: Pipelines, labeling: Labeling, caplog: pytest.LogCaptureFixture
) -> None:
    """A refused call is no delivery."""
    pipeline = pipelines(project_name=fresh_title("First"), mode="prompt")
    pipeline.accept_calls([chat()])
    assert pipeline.flush(240)
    assert messages(caplog, logging.INFO) == []


def test_a_paused_project_is_named_until_delivery_resumes(pipelines: Pipelines, labeling: Labeling) -> None:
    """The call waits in a project without a TextArea; once somebody has added one, it is delivered."""
    title = fresh_title("Paused")
    project_id = labeling.make_project(title, WITHOUT_TEXT_AREA)
    pipeline = pipelines(project_name=title)
    pipeline.accept_calls([chat()])
    until(lambda: pipeline.progress().paused)
    assert pipeline.progress() == DeliveryProgress(waiting=1, paused=(f'project "{title}"',))
    labeling.change_project(project_id, label_config=default_label_config(Mode.CHAT))
    until(lambda: pipeline.progress() == DeliveryProgress(delivered=1))


def test_refused_calls_are_counted_for_whatever_reason() -> None:
    """Both the mode's refusals and the server's are calls that need somebody."""
    counts = {"tasks.delivered": 5, "tasks.rejected[refused]": 2, "tasks.rejected[rejected]": 1, "spans.received": 9}
    assert DeliveryProgress.of(counts, 4, []) == DeliveryProgress(delivered=5, refused=3, waiting=4)


def test_a_line_is_logged_whenever_something_has_moved(caplog: pytest.LogCaptureFixture) -> None:
    """What is new is what came since the last line; where all is as it was, or cannot be told, there is none."""
    looks: Iterator[DeliveryProgress | None] = iter(
        [
            DeliveryProgress(),
            DeliveryProgress(delivered=7, waiting=2),
            DeliveryProgress(delivered=7, waiting=2),
            None,
            DeliveryProgress(delivered=9, refused=1, paused=("project 1", "project 2", "project 3", "project 4")),
        ]
    )

    def look() -> DeliveryProgress:
        if (progress := next(looks)) is None:
            raise OutboxError("the disk is gone")
        return progress

    log = ProgressLog(look)
    for _ in range(5):
        log.log_what_moved()
    assert messages(caplog, logging.INFO) == [
        "Delivery: 7 calls delivered (7 new), 0 refused, 2 waiting, paused: none.",
        "Delivery: 9 calls delivered (2 new), 1 refused, 0 waiting, paused: project 1, project 2, project 3, 1 more.",
    ]
    assert [getattr(record, "delivered", None) for record in caplog.records] == [7, 9]


def test_serve_looks_again_and_again(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """A line each time, as long as something moves."""
    monkeypatch.setattr(serve, "_PROGRESS_EVERY_S", 0.001)

    async def run() -> None:
        delivered, is_enough, loop = iter((1, 2, 3)), asyncio.Event(), asyncio.get_running_loop()

        def look() -> DeliveryProgress:  # on a thread
            if (number := next(delivered, None)) is None:
                loop.call_soon_threadsafe(is_enough.set)
            return DeliveryProgress(delivered=number or 3)

        logging_progress = asyncio.create_task(serve._log_progress(ProgressLog(look)))
        await asyncio.wait_for(is_enough.wait(), 240)
        logging_progress.cancel()

    asyncio.run(run())
    numbers = [re.findall(r"Delivery: (\d) calls?", message) for message in messages(caplog, logging.INFO)]
    assert numbers == [["1"], ["2"], ["3"]]

"""What goes wrong between us and Label Studio: nothing is lost, nothing stands there twice."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any

import pytest

from otel_labelstudio.calls import LLMCall
from otel_labelstudio.delivery.label_studio.server import LabelStudioServer
from otel_labelstudio.demo.label_studio import EmbeddedLabelStudio
from otel_labelstudio.pipeline import Pipeline
from otel_labelstudio.tasks.binding import Mode, default_label_config
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
from tests.delivery.test_projects import messages

UNKNOWN_AFTER_COMMIT: dict[str, Fault] = {
    "reset after commit": after_forwarding(reset),
    "500 after commit": after_forwarding(answers(500)),
    "502 page after commit": after_forwarding(answers(502, HTML)),
    "page with 200 after commit": after_forwarding(answers(200, HTML)),
    "other JSON with 201 after commit": after_forwarding(answers(201, {"ok": True})),
    "truncated answer": truncated,
}
NOTHING_STORED: dict[str, Fault] = {
    "reset before": reset,
    "500": answers(500),
    "502 page": answers(502, HTML),
    "503": answers(503),
    "page with 200": answers(200, HTML),
    "408": answers(408),
    "429": answers(429),
    "401": answers(401, {"detail": "Invalid token."}),
    "403": answers(403),
}


def delivered(labeling: Labeling, title: str) -> list[str]:
    """The answer of each task; empty for a task without a prediction, as each one is while it is being stored."""
    return sorted(", ".join(texts) for texts in labeling.texts(title))


@pytest.mark.parametrize("fault", UNKNOWN_AFTER_COMMIT.values(), ids=UNKNOWN_AFTER_COMMIT)
def test_an_import_that_happened_after_all_is_not_repeated(
    pipelines: Pipelines, labeling: Labeling, faulty: FaultyServer, fault: Fault
) -> None:
    """The tasks are stored and the answer is lost: Label Studio is asked what it has before anything is sent again."""
    title = fresh_title("Lost answer")
    faulty.plan(fault)
    pipeline = pipelines(url=faulty.url, project_name=title)
    pipeline.accept_calls([chat(answer=str(i)) for i in range(3)])
    assert pipeline.flush(240)
    assert delivered(labeling, title) == ["0", "1", "2"]
    assert faulty.count("projects/import") == 1
    counts = pipeline.telemetry.counts()
    assert counts["tasks.delivered"] == 3
    assert counts["deliveries.failed[UnknownOutcomeError]"] == 1


def test_a_recheck_on_which_the_server_fails_is_repeated(
    pipelines: Pipelines, labeling: Labeling, faulty: FaultyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of a single call: its second task is deleted a little later."""
    monkeypatch.setattr("otel_labelstudio.delivery.rechecks.RETRY_S", 0.5)
    clock, title, late_ones = SettableClock(), fresh_title("Recheck fails"), list[Exchange]()

    def keep(exchange: Exchange) -> None:
        late_ones.append(exchange)
        exchange.reset()

    faulty.plan(keep)
    pipeline = pipelines(clock, url=faulty.url, project_name=title, resend_wait_s=0.2, recheck_wait_s=HOUR_S)
    pipeline.accept_calls([chat(answer="once")])
    assert pipeline.flush(60)
    late_ones[0].forward()
    assert delivered(labeling, title) == ["once", "once"]
    faulty.plan(answers(500), "tasks")
    clock.set_forward(HOUR_S)
    until(lambda: delivered(labeling, title) == ["once"])


def test_an_import_behind_which_something_else_fails_is_not_repeated(
    pipelines: Pipelines, labeling: Labeling, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what the server says, or a connection that was never made, tells that nothing was stored."""
    title = fresh_title("Fault behind")
    import_tasks, faults = LabelStudioServer.import_tasks, [ZeroDivisionError()]

    def import_and_fail(*arguments: Any) -> Any:
        imported = import_tasks(*arguments)
        if faults:
            raise faults.pop()
        return imported

    monkeypatch.setattr(LabelStudioServer, "import_tasks", import_and_fail)
    pipeline = pipelines(project_name=title)
    pipeline.accept_calls([chat(answer=str(i)) for i in range(3)])
    assert pipeline.flush(60)
    assert delivered(labeling, title) == ["0", "1", "2"]


def test_an_import_that_did_not_happen_is_repeated(
    pipelines: Pipelines, labeling: Labeling, faulty: FaultyServer
) -> None:
    """Nothing was stored: the same calls go again, in whatever way the server fails, each once."""
    title = fresh_title("Refused")
    for fault in NOTHING_STORED.values():
        faulty.plan(fault)
    pipeline = pipelines(url=faulty.url, project_name=title)
    pipeline.accept_calls([chat(answer=str(i)) for i in range(3)])
    assert pipeline.flush(240)
    assert delivered(labeling, title) == ["0", "1", "2"]
    assert faulty.count("projects/import") > len(NOTHING_STORED)  # in smaller batches after some failures
    assert pipeline.dead_letters() == []


@pytest.mark.parametrize("kind", ["projects", "tasks", "projects/import/predictions"])
def test_every_other_request_may_fail_too(
    pipelines: Pipelines, labeling: Labeling, faulty: FaultyServer, kind: str
) -> None:
    """Finding the project, looking up tasks and adding predictions fail as an import does: delivery goes on after."""
    title = fresh_title("Elsewhere")
    faulty.plan(without_predictions)
    for fault in NOTHING_STORED.values():
        faulty.plan(fault, kind)
    pipeline = pipelines(url=faulty.url, project_name=title)
    pipeline.accept_calls([chat(answer=str(i)) for i in range(2)])
    assert pipeline.flush(240)
    assert delivered(labeling, title) == ["0", "1"]
    assert faulty.count(kind) > len(NOTHING_STORED)
    assert faulty.count("projects/import") == 1


@pytest.mark.parametrize("fault", [after_forwarding(late(1.5, answers(201))), late(1.1)], ids=["done", "at it"])
def test_an_import_that_outlasts_our_patience_is_not_repeated(
    pipelines: Pipelines, labeling: Labeling, faulty: FaultyServer, fault: Fault
) -> None:
    """Label Studio has stored the tasks when we give up, or is still at it: it is given as long again."""
    clock, title = SettableClock(), fresh_title("Late")
    faulty.plan(fault)
    waits = {"timeout_s": 0.6, "import_timeout_s": 0.6, "resend_wait_s": HOUR_S}
    pipeline = pipelines(clock, url=faulty.url, project_name=title, **waits)
    pipeline.accept_calls([chat(answer="once")])
    until(lambda: pipeline.telemetry.counts().get("deliveries.failed[UnknownOutcomeError]"))
    until(lambda: faulty.imports_under_way == 0)
    clock.set_forward(HOUR_S)
    assert pipeline.flush(240)
    assert delivered(labeling, title) == ["once"]


def test_a_part_of_a_batch_that_is_known_is_not_sent_again(
    pipelines: Pipelines, labeling: Labeling, faulty: FaultyServer
) -> None:
    """Of a batch with a doubtful call and new ones, only what is missing is imported."""
    title = fresh_title("Partly")
    faulty.plan(after_forwarding(reset))
    pipeline = pipelines(url=faulty.url, project_name=title)
    pipeline.accept_calls([chat(answer="first")])
    until(lambda: pipeline.telemetry.counts().get("deliveries.failed[UnknownOutcomeError]"))
    pipeline.accept_calls([chat(answer="second")])
    assert pipeline.flush(240)
    assert delivered(labeling, title) == ["first", "second"]


def test_a_server_that_is_down_is_waited_for(
    pipelines: Pipelines, labeling: Labeling, faulty: FaultyServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Connections are refused: one warning, and all calls are delivered once it is back."""
    title = fresh_title("Down")
    faulty.stop()
    pipeline = pipelines(url=faulty.url, project_name=title)
    pipeline.accept_calls([chat(answer="a"), chat(answer="b")])
    until(lambda: pipeline.telemetry.counts().get("deliveries.failed[RetryableDeliveryError]", 0) >= 3)
    faulty.start()
    assert pipeline.flush(240)
    assert delivered(labeling, title) == ["a", "b"]
    assert len([text for text in messages(caplog, logging.WARNING) if "cannot be reached" in text]) == 1
    assert messages(caplog, logging.ERROR) == []


def in_seconds(seconds: int) -> str:
    return str(seconds)


def as_date(seconds: int) -> str:
    # A date has whole seconds: rounded up, it is never earlier than asked for
    return format_datetime(datetime.now(timezone.utc) + timedelta(seconds=seconds + 1), usegmt=True)


def test_the_applications_random_numbers_stay_the_same(
    pipelines: Pipelines, labeling: Labeling, faulty: FaultyServer
) -> None:
    """It may draw them from a seed of its own, to repeat what it did: no request, and no wait, draws one between."""
    title = fresh_title()
    faulty.plan(answers(500), "projects/import", times=2)
    faulty.plan(reset, "projects", times=1)
    before = random.getstate()
    pipeline = pipelines(url=faulty.url, project_name=title, resend_wait_s=0.1)
    pipeline.accept_calls([chat()])
    assert pipeline.flush(240)
    assert len(labeling.tasks(title)) == 1
    assert sum(n for name, n in pipeline.telemetry.counts().items() if name.startswith("deliveries.failed")) >= 2
    assert random.getstate() == before


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("write", [in_seconds, as_date])
def test_the_server_says_when_to_come_back(
    pipelines: Pipelines, labeling: Labeling, faulty: FaultyServer, write: Callable[[int], str], status: int
) -> None:
    """Retry-After is kept to, as seconds and as a date, also while somebody waits for the delivery."""
    title = fresh_title("Busy")
    came_at: list[float] = []

    def noted(then: Fault) -> Fault:
        def note(exchange: Exchange) -> None:
            came_at.append(time.monotonic())
            then(exchange)

        return note

    faulty.plan(noted(lambda exchange: answers(status, Retry_After=write(2))(exchange)))  # a date counts from then on
    faulty.plan(noted(forwarded))
    pipeline = pipelines(url=faulty.url, project_name=title)
    pipeline.accept_calls([chat()])
    until(lambda: came_at)
    assert pipeline.flush(240)
    refused_at, came_again_at = came_at
    assert came_again_at - refused_at > 1.8
    assert len(labeling.tasks(title)) == 1


def test_a_wrong_key_pauses_with_one_line_that_says_how_to_mend_it(
    pipelines: Pipelines, labeling: Labeling, faulty: FaultyServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Label Studio itself refuses the key; when it is accepted again, the calls that waited are delivered."""
    title = fresh_title("Key")
    faulty.plan(answers(401, {"detail": "Invalid token."}), None, times=4)
    pipeline = pipelines(url=faulty.url, project_name=title)
    pipeline.accept_calls([chat()])
    assert pipeline.flush(240)
    (error,) = messages(caplog, logging.ERROR)
    for word in ("401", "Invalid token", "api_key", "LABEL_STUDIO_API_KEY", "legacy token"):
        assert word in error
    assert len(labeling.tasks(title)) == 1


def test_a_key_that_the_real_server_refuses(pipelines: Pipelines, caplog: pytest.LogCaptureFixture) -> None:
    """No key of this server: delivery is paused, and the key stands nowhere."""
    pipeline = pipelines(project_name=fresh_title(), api_key="CANARY-0123456789abcdef")
    pipeline.accept_calls([chat()])
    until(lambda: messages(caplog, logging.ERROR))
    assert not pipeline.flush(1)
    (error,) = messages(caplog, logging.ERROR)
    assert "401" in error
    assert "CANARY" not in caplog.text


def test_a_personal_access_token_is_as_good_as_a_legacy_one(
    pipelines: Pipelines, labeling: Labeling, label_studio: EmbeddedLabelStudio
) -> None:
    """The newer kind of key, which is exchanged for one of five minutes."""
    title = fresh_title("Token")
    pipeline = pipelines(project_name=title, api_key=label_studio.personal_access_token())
    pipeline.accept_calls([chat()])
    assert pipeline.flush(240)
    assert len(labeling.tasks(title)) == 1


@pytest.mark.parametrize("fault", [reset, answers(500), answers(502, HTML), answers(200, HTML), answers(429)])
def test_the_exchange_of_a_token_may_fail(
    pipelines: Pipelines, labeling: Labeling, label_studio: EmbeddedLabelStudio, faulty: FaultyServer, fault: Fault
) -> None:
    """What is tried again includes the exchange."""
    title = fresh_title("Token")
    faulty.plan(fault, "token/refresh", times=2)
    pipeline = pipelines(url=faulty.url, project_name=title, api_key=label_studio.personal_access_token())
    pipeline.accept_calls([chat()])
    assert pipeline.flush(240)
    assert len(labeling.tasks(title)) == 1


@pytest.mark.parametrize("key", ["legacy", "personal"])
def test_a_server_below_a_path(
    pipelines: Pipelines, labeling: Labeling, label_studio: EmbeddedLabelStudio, key: str
) -> None:
    """Label Studio behind a proxy at a sub-path, written with a slash at its end, with either kind of key."""
    title = fresh_title("Path")
    api_key = label_studio.api_key if key == "legacy" else label_studio.personal_access_token()
    with FaultyServer(label_studio.url, prefix="/tools/ls") as server:
        pipeline = pipelines(url=f"{server.url}/", project_name=title, api_key=api_key)
        pipeline.accept_calls([chat()])
        assert pipeline.flush(240)
    assert len(labeling.tasks(title)) == 1


@pytest.mark.parametrize("key", ["legacy", "personal"])
def test_a_redirect_is_said_and_not_followed(
    pipelines: Pipelines,
    label_studio: EmbeddedLabelStudio,
    faulty: FaultyServer,
    caplog: pytest.LogCaptureFixture,
    key: str,
) -> None:
    """http instead of https is the usual reason; following it would turn an import into something else."""
    faulty.plan(answers(301, HTML, Location="https://labeling.example.com/"), None, times=float("inf"))
    api_key = label_studio.api_key if key == "legacy" else label_studio.personal_access_token()
    pipeline = pipelines(url=faulty.url, project_name=fresh_title(), api_key=api_key)
    pipeline.accept_calls([chat()])
    until(lambda: messages(caplog, logging.ERROR))
    assert not pipeline.flush(0.8)
    (error,) = messages(caplog, logging.ERROR)
    assert "redirects to https://labeling.example.com/; set url" in error


def test_predictions_that_the_server_lost_are_added(
    pipelines: Pipelines, labeling: Labeling, faulty: FaultyServer
) -> None:
    """Label Studio on SQLite drops predictions while somebody else writes, and says so only in a count."""
    title = fresh_title("Predictions")
    faulty.plan(without_predictions)
    pipeline = pipelines(url=faulty.url, project_name=title)
    pipeline.accept_calls([chat(answer=str(i)) for i in range(150)])
    assert pipeline.flush(240)
    assert delivered(labeling, title) == sorted(str(i) for i in range(150))
    assert pipeline.telemetry.counts()["predictions.repaired"] == 150


def test_predictions_of_an_import_in_doubt_are_added_too(
    pipelines: Pipelines, labeling: Labeling, faulty: FaultyServer
) -> None:
    """The server loses the predictions, and its answer is lost as well."""

    def lose_both(exchange: object) -> None:
        without_predictions(exchange)  # type: ignore[arg-type]
        reset(exchange)  # type: ignore[arg-type]

    title = fresh_title("Both")
    faulty.plan(lose_both)
    pipeline = pipelines(url=faulty.url, project_name=title)
    pipeline.accept_calls([chat(answer="a"), chat(answer="b")])
    assert pipeline.flush(240)
    assert delivered(labeling, title) == ["a", "b"]


def test_a_task_that_somebody_deleted_is_not_sent_again(
    pipelines: Pipelines, labeling: Labeling, faulty: FaultyServer
) -> None:
    """Deleted between the import and the check of its prediction: a person's decision stands."""
    title = fresh_title("Cleared")
    project_id = labeling.make_project(title, default_label_config(Mode.CHAT))

    def delete_at_once(exchange: object) -> None:
        without_predictions(exchange)  # type: ignore[arg-type]
        labeling.delete_tasks(project_id)

    faulty.plan(delete_at_once)
    pipeline = pipelines(url=faulty.url, project_name=title)
    pipeline.accept_calls([chat()])
    assert pipeline.flush(240)
    assert labeling.tasks(project_id) == []
    assert faulty.count("projects/import") == 1


def test_calls_travel_in_batches(pipelines: Pipelines, labeling: Labeling, faulty: FaultyServer) -> None:
    """Calls that settle together are one import, up to the batch size."""
    title = fresh_title("Batches")
    pipeline = pipelines(url=faulty.url, project_name=title, settle_s=3600, batch_size=10)
    for i in range(25):
        pipeline.accept_calls([chat(answer=str(i))])
    assert faulty.count("projects/import") == 0
    assert pipeline.flush(240)
    assert faulty.count("projects/import") == 3
    assert delivered(labeling, title) == sorted(str(i) for i in range(25))


def test_one_import_at_a_time_for_one_server(
    pipelines: Pipelines, labeling: Labeling, faulty: FaultyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two exporters of one process, two projects, one server: concurrent writes are what loses predictions."""
    monkeypatch.setattr("otel_labelstudio.delivery.label_studio.turns.PATIENCE_S", 240.0)
    faulty.plan(late(0.1), times=float("inf"))
    titles = [fresh_title("Together") for _ in range(2)]
    made = [pipelines(url=faulty.url, project_name=title, batch_size=2) for title in titles]
    for pipeline in made:
        pipeline.accept_calls([chat(answer=str(i)) for i in range(8)])
    with ThreadPoolExecutor(2) as pool:
        assert all(pool.map(lambda pipeline: pipeline.flush(240), made))
    assert faulty.most_imports_at_once == 1
    assert [delivered(labeling, title) for title in titles] == [[str(i) for i in range(8)]] * 2


def poisoned(pipeline: Pipeline, call: LLMCall, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the task of one call lack what the project asks for, as a fault of ours or an unknown tag would."""
    projects = pipeline._worker._deliveries._sink._projects  # type: ignore[attr-defined]
    build = projects.build

    def build_without(built: LLMCall, call_id: str, target: object) -> object:
        task = build(built, call_id, target)
        if built.span_id == call.span_id:
            return replace(task, data={name: value for name, value in task.data.items() if name != "prompt"})
        return task

    monkeypatch.setattr(projects, "build", build_without)


def test_one_bad_task_becomes_a_dead_letter_and_the_rest_goes_through(
    pipelines: Pipelines, labeling: Labeling, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Label Studio refuses the whole batch for one task, and names it; its reason is kept without the task's text."""
    title = fresh_title("Bad")
    calls = [chat("CANARY", str(i)) for i in range(5)]
    pipeline = pipelines(project_name=title, settle_s=3600)
    poisoned(pipeline, calls[2], monkeypatch)
    pipeline.accept_calls(calls)
    assert pipeline.flush(240)
    assert delivered(labeling, title) == ["0", "1", "3", "4"]
    (letter,) = pipeline.dead_letters()
    assert letter.call == calls[2]
    assert letter.reason == 'the labeling configuration asks for "prompt", which the task does not have'
    assert [text for text in messages(caplog, logging.ERROR) if letter.reason in text]
    assert "CANARY" not in caplog.text


def test_a_batch_that_is_too_large_is_halved(pipelines: Pipelines, labeling: Labeling, faulty: FaultyServer) -> None:
    """A proxy takes small bodies only: the batch goes in parts; what is too large by itself is a dead letter."""
    title = fresh_title("Large")

    def small_only(exchange: object) -> None:
        if len(exchange.body) > 12_000:  # type: ignore[attr-defined]
            answers(413, HTML)(exchange)  # type: ignore[arg-type]
        else:
            late(0)(exchange)  # type: ignore[arg-type]

    faulty.plan(small_only, times=float("inf"))
    pipeline = pipelines(url=faulty.url, project_name=title, settle_s=3600)
    pipeline.accept_calls([chat("x" * 1000, str(i)) for i in range(9)] + [chat("x" * 20_000, "huge")])
    assert pipeline.flush(240)
    assert delivered(labeling, title) == [str(i) for i in range(9)]
    (letter,) = pipeline.dead_letters()
    assert "413" in letter.reason


def test_a_call_on_which_the_server_fails_does_not_hold_up_the_rest(
    pipelines: Pipelines, labeling: Labeling, faulty: FaultyServer
) -> None:
    """Each import that holds it ends in a server error: the others get through in smaller batches, and it is given up
    once the server has shown that it takes others."""
    title = fresh_title("Poison")

    def fail_on_poison(exchange: Exchange) -> None:
        (answers(500, HTML) if b"poison" in exchange.body else late(0))(exchange)

    faulty.plan(fail_on_poison, times=float("inf"))
    pipeline = pipelines(url=faulty.url, project_name=title, settle_s=3600)
    pipeline.accept_calls([chat("poison" if i == 2 else "fine", str(i)) for i in range(7)])
    assert pipeline.flush(240)
    assert sorted(delivered(labeling, title)) == ["0", "1", "3", "4", "5", "6"]
    (dead,) = pipeline.dead_letters()
    assert "HTTP status 500" in dead.reason


def test_a_call_that_cannot_be_built_does_not_hold_up_the_rest(
    pipelines: Pipelines, labeling: Labeling, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault of ours costs one call."""
    title = fresh_title("Fault")

    def build(*_: object, **__: object) -> object:
        raise KeyError("CANARY")

    pipeline = pipelines(project_name=title, settle_s=3600)
    with monkeypatch.context() as patch:
        patch.setattr("otel_labelstudio.delivery.label_studio.projects.build_task", build)
        pipeline.accept_calls([chat()])
        assert pipeline.flush(240)
    pipeline.accept_calls([chat(answer="fine")])
    assert pipeline.flush(240)
    assert delivered(labeling, title) == ["fine"]
    assert [letter.reason for letter in pipeline.dead_letters()] == ["it cannot be made into a task (KeyError)"]


def test_calls_of_an_earlier_run_are_found(pipelines: Pipelines, labeling: Labeling, faulty: FaultyServer) -> None:
    """Calls that may have been delivered before are looked up, and only the new ones imported."""
    title = fresh_title("Again")
    calls = [chat(answer=str(i)) for i in range(3)]
    first = pipelines(project_name=title)
    first.accept_calls(calls[:2])
    assert first.flush(240)
    second = pipelines(url=faulty.url, project_name=title, settle_s=3600)
    second.accept_calls(calls, may_be_stored=True)
    assert second.flush(240)
    assert delivered(labeling, title) == ["0", "1", "2"]
    assert faulty.count("projects/import") == 1
    assert second.telemetry.counts()["tasks.delivered"] == 3

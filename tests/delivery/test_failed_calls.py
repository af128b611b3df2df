"""Tasks of calls that failed before any answer: they have no prediction, and nothing takes that for a lost one."""

from __future__ import annotations

from typing import Any

import pytest

from otel_labelstudio.calls import LLMCall
from otel_labelstudio.tasks.binding import Mode, default_label_config
from tests.delivery.faults import Exchange, Fault, FaultyServer, after_forwarding, forwarded, reset, without_predictions
from tests.delivery.labeling import Labeling, fresh_title
from tests.delivery.pipelines import Pipelines
from tests.delivery.telemetry import chat, completion

NO_ANSWER = "the call broke off and its telemetry has no answer (RateLimitError)"


def failed(question: str = "Why?", **fields: Any) -> LLMCall:
    """A call as it is read where it failed before any answer."""
    return chat(question, output_messages=(), error_type="RateLimitError", incomplete=(NO_ANSWER,), **fields)


def predictions(labeling: Labeling, project: str | int) -> list[int]:
    """How many each task has, in the tasks' order."""
    return [len(task["predictions"]) for task in labeling.tasks(project)]


def test_a_failed_call_is_a_task_without_a_prediction(
    pipelines: Pipelines, labeling: Labeling, faulty: FaultyServer
) -> None:
    """Delivered beside an answered one in one request; nobody looks for a prediction that was never sent."""
    title = fresh_title("Failed")
    pipeline = pipelines(url=faulty.url, project_name=title)
    pipeline.accept_calls([chat(answer="Paris."), failed()])
    assert pipeline.flush(240)
    assert labeling.texts(title) == [["Paris."], []]
    (_, task) = labeling.tasks(title)
    assert (task["data"]["error_type"], task["data"]["incomplete"]) == ("RateLimitError", NO_ANSWER)
    assert task["data"]["prompt"] == [{"role": "user", "content": "Why?"}]
    assert pipeline.telemetry.counts()["tasks.delivered"] == 2
    assert faulty.count("projects/import") == 1
    assert faulty.count("tasks") == 1  # the newest one, before the import


def test_lost_predictions_are_repaired_beside_failed_calls(
    pipelines: Pipelines, labeling: Labeling, faulty: FaultyServer
) -> None:
    """Those that were sent, and no others."""
    title = fresh_title("Repaired")
    faulty.plan(without_predictions)
    pipeline = pipelines(url=faulty.url, project_name=title)
    pipeline.accept_calls([failed(), chat(answer="Paris."), failed()])
    assert pipeline.flush(240)
    assert predictions(labeling, title) == [0, 1, 0]
    assert pipeline.telemetry.counts()["predictions.repaired"] == 1


@pytest.mark.parametrize("fault", [reset, after_forwarding(reset)], ids=["not stored", "stored"])
def test_a_failed_call_whose_outcome_was_unknown_is_stored_once(
    pipelines: Pipelines, labeling: Labeling, faulty: FaultyServer, fault: Fault
) -> None:
    """It is looked up like any other, and nothing is added to what is found."""
    title = fresh_title("Unknown")
    faulty.plan(fault)
    pipeline = pipelines(url=faulty.url, project_name=title)
    pipeline.accept_calls([failed()])
    assert pipeline.flush(240)
    assert predictions(labeling, title) == [0]
    assert faulty.count("projects/import/predictions") == 0


def test_a_renamed_text_area_gives_a_failed_call_no_prediction(
    pipelines: Pipelines, labeling: Labeling, faulty: FaultyServer
) -> None:
    """What was imported under the former name gets its predictions under the new one, if it had any."""
    title = fresh_title("Renamed")
    project_id = labeling.make_project(title, default_label_config(Mode.CHAT))

    def rename_at_once(exchange: Exchange) -> None:
        renamed = default_label_config(Mode.CHAT).replace('"response"', '"reply"')
        labeling.change_project(project_id, label_config=renamed)
        forwarded(exchange)

    faulty.plan(rename_at_once, "projects/import")
    pipeline = pipelines(url=faulty.url, project_name=title)
    pipeline.accept_calls([failed()])
    assert pipeline.flush(240)
    assert predictions(labeling, title) == [0]
    assert faulty.count("projects/import/predictions") == 0


@pytest.mark.parametrize(("mode", "kinds"), [("prompt", ["text_completion"]), ("chat", ["chat"]), ("auto", None)])
def test_the_mode_holds_for_failed_calls(
    pipelines: Pipelines, labeling: Labeling, mode: str, kinds: list[str] | None
) -> None:
    """A failed chat is a chat, and a failed completion a completion."""
    title = fresh_title("Modes")
    pipeline = pipelines(project_name=title, mode=mode)
    both = [failed(), failed(operation="text_completion")]
    pipeline.accept_calls(both)
    assert pipeline.flush(240)
    assert [task["data"]["operation"] for task in labeling.tasks(title)] == (kinds or ["chat", "text_completion"])
    assert len(pipeline.dead_letters()) == (1 if kinds else 0)


def test_a_custom_configuration_takes_a_failed_call(pipelines: Pipelines, labeling: Labeling) -> None:
    """Its variable for the answer is empty text, which Label Studio asks for; the error's type has one of its own."""
    config = (
        '<View><Header name="h" value="$error_type"/><Text name="r" value="$response"/>'
        '<Text name="t" value="$prompt"/><TextArea name="a" toName="t"/></View>'
    )
    title = fresh_title("Custom")
    pipeline = pipelines(project_name=title, mode="prompt", project_config=config)
    pipeline.accept_calls([failed(operation="text_completion"), completion(answer="Roses.")])
    assert pipeline.flush(240)
    found = [(task["data"]["error_type"], task["data"]["response"]) for task in labeling.tasks(title)]
    assert found == [("RateLimitError", ""), ("", "Roses.")]

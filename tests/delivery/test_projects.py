"""Which project a call lands in, and what happens when the project is changed under way."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest

from otel_labelstudio.delivery.label_studio.projects import Projects, Target
from otel_labelstudio.delivery.label_studio.records import Project
from otel_labelstudio.delivery.label_studio.server import LabelStudioServer
from otel_labelstudio.destinations.destination import Destination
from otel_labelstudio.routing import rules_of
from otel_labelstudio.settings import Settings
from otel_labelstudio.tasks.binding import Mode, default_label_config
from otel_labelstudio.tasks.build import Task
from otel_labelstudio.tasks.layouts import Layout, layout_instructions
from tests.delivery.faults import Exchange, Fault, FaultyServer, answers, late
from tests.delivery.labeling import Labeling, fresh_title
from tests.delivery.pipelines import Pipelines, until
from tests.delivery.telemetry import chat

CHAT = default_label_config(Mode.CHAT)
PROMPT = default_label_config(Mode.PROMPT)
CUSTOM = """
<View>
  <Paragraphs name="talk" value="$conversation" layout="dialogue" nameKey="speaker" textKey="said"/>
  <TextArea name="better" toName="talk"/>
</View>
"""
WITHOUT_TEXT_AREA = '<View><Text name="t" value="$prompt"/><Rating name="r" toName="t"/></View>'


def messages(caplog: pytest.LogCaptureFixture, level: int) -> list[str]:
    """What our loggers said at a level, without what they said of other levels."""
    return [r.getMessage() for r in caplog.records if r.levelno == level and r.name.startswith("otel_labelstudio")]


def test_a_project_of_exactly_the_title_is_used(pipelines: Pipelines, labeling: Labeling) -> None:
    """An existing project of the title gets the calls, and none is made."""
    title = fresh_title()
    project_id = labeling.make_project(title, CHAT)
    pipeline = pipelines(project_name=title)
    pipeline.accept_calls([chat(answer="Paris.")])
    assert pipeline.flush(240)
    assert labeling.texts(project_id) == [["Paris."]]
    assert labeling.project_ids(title) == [project_id]


def test_projects_whose_title_only_contains_it_are_left_alone(pipelines: Pipelines, labeling: Labeling) -> None:
    """Label Studio's filter finds substrings of any case; a project is made where none has exactly the title."""
    title = fresh_title("Neighbours")
    neighbours = [labeling.make_project(name, CHAT) for name in (f"{title} old", f"my {title}", title.upper())]
    pipeline = pipelines(project_name=title)
    pipeline.accept_calls([chat()])
    assert pipeline.flush(240)
    assert len(labeling.tasks(title)) == 1
    assert [labeling.tasks(project_id) for project_id in neighbours] == [[], [], []]


def test_the_lowest_id_of_several_projects_is_used(pipelines: Pipelines, labeling: Labeling) -> None:
    """Titles are not unique: of several projects all exporters take the oldest."""
    title = fresh_title("Twice")
    first, second = labeling.make_project(title, CHAT), labeling.make_project(title, CHAT)
    pipeline = pipelines(project_name=title)
    pipeline.accept_calls([chat()])
    assert pipeline.flush(240)
    assert (len(labeling.tasks(first)), len(labeling.tasks(second))) == (1, 0)


@pytest.mark.parametrize(("mode", "config"), [("chat", CHAT), ("prompt", PROMPT), ("auto", CHAT)])
def test_a_new_project_has_the_label_config_of_the_mode(
    pipelines: Pipelines, labeling: Labeling, mode: str, config: str
) -> None:
    """A project that does not exist is made with the mode's labeling configuration."""
    title = fresh_title(f"New {mode}")
    pipeline = pipelines(project_name=title, mode=mode)
    operation = "text_completion" if mode == "prompt" else "chat"
    pipeline.accept_calls([chat(operation=operation)])
    assert pipeline.flush(240)
    project_id = labeling.project_of(title)
    assert labeling.project(project_id)["label_config"].split() == config.split()
    assert len(labeling.tasks(project_id)) == 1


def test_a_new_project_has_the_label_config_that_was_given(pipelines: Pipelines, labeling: Labeling) -> None:
    """project_config is used for a new project, and its own names for variable, roles and answers."""
    title = fresh_title("Custom")
    pipeline = pipelines(project_name=title, project_config=CUSTOM)
    pipeline.accept_calls([chat("Hello?", "Hi.")])
    assert pipeline.flush(240)
    (task,) = labeling.tasks(title)
    assert task["data"]["conversation"] == [{"speaker": "user", "said": "Hello?"}]
    assert [(r["from_name"], r["to_name"]) for r in task["predictions"][0]["result"]] == [("better", "talk")]


def test_the_servers_label_config_wins_with_one_warning(
    pipelines: Pipelines, labeling: Labeling, caplog: pytest.LogCaptureFixture
) -> None:
    """An existing project keeps its configuration; that it differs from project_config is said once."""
    title = fresh_title("Theirs")
    labeling.make_project(title, CHAT)
    pipeline = pipelines(project_name=title, project_config=CUSTOM)
    for _ in range(3):
        pipeline.accept_calls([chat()])
        assert pipeline.flush(240)
    assert all("prompt" in task["data"] for task in labeling.tasks(title))
    assert len([text for text in messages(caplog, logging.WARNING) if "project_config" in text]) == 1


def test_the_same_label_config_in_another_layout_is_no_reason_to_warn(
    pipelines: Pipelines, labeling: Labeling, caplog: pytest.LogCaptureFixture
) -> None:
    """White space and the order of attributes do not make another configuration."""
    title = fresh_title("Ours")
    labeling.make_project(
        title, CUSTOM.replace("\n", "").replace('name="better" toName="talk"', 'toName="talk" name="better"')
    )
    pipeline = pipelines(project_name=title, project_config=CUSTOM)
    pipeline.accept_calls([chat()])
    assert pipeline.flush(240)
    assert messages(caplog, logging.WARNING) == []


def test_a_project_given_by_its_id_is_used(pipelines: Pipelines, labeling: Labeling) -> None:
    """project_id beats project_name, and no project is made."""
    title = fresh_title("Unused")
    project_id = labeling.make_project(fresh_title(), CHAT)
    pipeline = pipelines(project_id=project_id, project_name=title)
    pipeline.accept_calls([chat()])
    assert pipeline.flush(240)
    assert len(labeling.tasks(project_id)) == 1
    assert labeling.project_ids(title) == []


def test_a_missing_id_pauses_delivery_and_loses_nothing(
    pipelines: Pipelines, labeling: Labeling, faulty: FaultyServer, caplog: pytest.LogCaptureFixture
) -> None:
    """An id that does not exist is one error line, however often it is tried; the calls wait for it to be mended."""
    project_id = labeling.make_project(fresh_title(), CHAT)
    faulty.plan(answers(404, {"detail": "No Project matches the given query."}), "projects", times=3)
    pipeline = pipelines(url=faulty.url, project_id=project_id)
    pipeline.accept_calls([chat(answer=str(i)) for i in range(5)])
    assert pipeline.flush(240)
    assert sorted(labeling.texts(project_id)) == [[str(i)] for i in range(5)]
    assert faulty.count("projects") > 3
    (error,) = messages(caplog, logging.ERROR)
    assert f"project {project_id} is paused" in error
    assert "check url and project_id" in error
    until(lambda: f"Delivery to project {project_id} resumed." in messages(caplog, logging.WARNING))


def test_a_really_missing_id_is_said_by_the_real_server(pipelines: Pipelines, caplog: pytest.LogCaptureFixture) -> None:
    """The error line says what the server said, and the call is still there."""
    pipeline = pipelines(project_id=999_999)
    pipeline.accept_calls([chat()])
    until(lambda: messages(caplog, logging.ERROR))
    assert not pipeline.flush(1)
    (error,) = messages(caplog, logging.ERROR)
    assert "404" in error
    assert "No Project matches the given query" in error
    assert pipeline.telemetry.counts()["deliveries.failed[PausedDeliveryError]"] >= 1


def test_the_title_is_that_of_the_moment_when_the_call_was_accepted(
    pipelines: Pipelines, labeling: Labeling, faulty: FaultyServer
) -> None:
    """A process that runs past midnight gets the next day's project; a call from before midnight still lands in its
    own, though it is delivered later."""
    prefix = fresh_title("Day")
    before, after = datetime(2025, 11, 22, 23, 59, 59), datetime(2025, 11, 23, 0, 0, 1)
    now = [before.timestamp()]
    faulty.plan(answers(503), None, times=1)
    pipeline = pipelines(clock=lambda: now[0], url=faulty.url, project_name=f"{prefix} %Y-%m-%d")
    pipeline.accept_calls([chat(answer="late")])
    until(lambda: pipeline.telemetry.counts().get("deliveries.failed[RetryableDeliveryError]"))
    now[0] = after.timestamp()
    pipeline.accept_calls([chat(answer="early")])
    assert pipeline.flush(240)
    assert labeling.texts(f"{prefix} 2025-11-22") == [["late"]]
    assert labeling.texts(f"{prefix} 2025-11-23") == [["early"]]


def test_exporters_that_start_at_once_share_one_project(pipelines: Pipelines, labeling: Labeling) -> None:
    """Four exporters of one process that all find no project make one."""
    title = fresh_title("Race")
    made = [pipelines(project_name=title) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda pipeline: pipeline.accept_calls([chat()]), made))
        assert all(pool.map(lambda pipeline: pipeline.flush(240), made))
    assert len(labeling.tasks(title)) == 4


def test_a_project_without_a_text_area_pauses_until_it_has_one(
    pipelines: Pipelines, labeling: Labeling, caplog: pytest.LogCaptureFixture
) -> None:
    """The error names the project and where to mend it; then the calls that waited are delivered."""
    title = fresh_title("Bare")
    project_id = labeling.make_project(title, WITHOUT_TEXT_AREA)
    pipeline = pipelines(project_name=title)
    pipeline.accept_calls([chat(answer="kept")])
    until(lambda: messages(caplog, logging.ERROR))
    (error,) = messages(caplog, logging.ERROR)
    assert title in error
    assert "TextArea" in error
    assert "Settings > Labeling Interface" in error
    labeling.change_project(project_id, label_config=CHAT)
    assert pipeline.flush(240)
    assert labeling.texts(project_id) == [["kept"]]


def test_an_edited_labeling_interface_is_read_again_when_it_refuses(pipelines: Pipelines, labeling: Labeling) -> None:
    """Somebody clears the project and renames its variable while calls arrive: Label Studio refuses the next import,
    the binding is read again, and the same calls fit."""
    title = fresh_title("Edited")
    pipeline = pipelines(project_name=title)
    pipeline.accept_calls([chat(answer="before")])
    assert pipeline.flush(240)
    project_id = labeling.project_of(title)
    labeling.delete_tasks(project_id)
    labeling.change_project(project_id, label_config=CUSTOM)
    pipeline.accept_calls([chat("Hello?", "after")])
    assert pipeline.flush(240)
    (task,) = labeling.tasks(title)
    assert task["data"]["conversation"] == [{"speaker": "user", "said": "Hello?"}]
    assert labeling.texts(title) == [["after"]]
    assert pipeline.dead_letters() == []


def test_an_edited_labeling_interface_is_read_again_every_few_minutes(
    pipelines: Pipelines, labeling: Labeling, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change that makes Label Studio refuse nothing is noticed as well: answers move to the new TextArea."""
    title = fresh_title("Renamed")
    pipeline = pipelines(project_name=title)
    pipeline.accept_calls([chat()])
    assert pipeline.flush(240)
    project_id = labeling.project_of(title)
    labeling.change_project(project_id, label_config=CHAT.replace('name="response"', 'name="rewritten"'))
    monkeypatch.setattr("otel_labelstudio.delivery.label_studio.projects._PROJECT_LIFETIME_S", 0.0)
    pipeline.accept_calls([chat()])
    assert pipeline.flush(240)
    assert [task["predictions"][0]["result"][0]["from_name"] for task in labeling.tasks(title)] == [
        "response",
        "rewritten",
    ]


def test_a_project_deleted_while_calls_arrive_is_made_again(
    pipelines: Pipelines, labeling: Labeling, caplog: pytest.LogCaptureFixture
) -> None:
    """Found by its title, the project comes back with the next call; nothing is lost."""
    title = fresh_title("Deleted")
    pipeline = pipelines(project_name=title)
    pipeline.accept_calls([chat(answer="one")])
    assert pipeline.flush(240)
    first = labeling.project_of(title)
    labeling.delete_project(first)
    pipeline.accept_calls([chat(answer="two")])
    assert pipeline.flush(240)
    assert labeling.texts(title) == [["two"]]


def test_one_projects_trouble_does_not_hold_up_anothers_calls(pipelines: Pipelines, labeling: Labeling) -> None:
    """Calls of yesterday's broken project wait; today's go through."""
    prefix = fresh_title("Trouble")
    labeling.make_project(f"{prefix} 22", WITHOUT_TEXT_AREA)
    now = [datetime(2025, 11, 22, 12).timestamp()]
    pipeline = pipelines(clock=lambda: now[0], project_name=f"{prefix} %d")
    pipeline.accept_calls([chat()])
    now[0] = datetime(2025, 11, 23, 12).timestamp()
    pipeline.accept_calls([chat(answer="today")])
    until(lambda: labeling.texts(f"{prefix} 23") == [["today"]])
    assert not pipeline.flush(0)


# -- what makes a new project easier to work in ----------------------------------------------------------------------


def test_a_new_project_has_a_view_and_instructions(pipelines: Pipelines, labeling: Labeling) -> None:
    """The list of calls hides ids and raw JSON; labelers are told how the page works. Once, and only in a new one."""
    title = fresh_title("Decorated")
    for _ in range(2):
        pipeline = pipelines(project_name=title, mode="chat")
        pipeline.accept_calls([chat()])
        assert pipeline.flush(240)
    project_id = labeling.project_of(title)
    (view,) = labeling.request("GET", f"/api/dm/views/?project={project_id}")
    hidden = view["data"]["hiddenColumns"]["explore"]
    assert {"tasks:data.prompt", "tasks:data.call_id", "tasks:id"} <= set(hidden)
    assert "tasks:data.preview" not in hidden
    assert "Escape throws the edit away" in labeling.project(project_id)["expert_instruction"]


@pytest.mark.parametrize("layout", Layout)
def test_each_layout_tells_of_its_keys(pipelines: Pipelines, labeling: Labeling, layout: Layout) -> None:
    """They are those of its page, and its HTML is hidden in the list of calls."""
    title = fresh_title("Layout")
    pipeline = pipelines(project_name=title, layout=layout.value, mode=None)
    pipeline.accept_calls([chat()])
    assert pipeline.flush(240)
    project_id = labeling.project_of(title)
    assert labeling.project(project_id)["expert_instruction"] == layout_instructions(layout)
    (view,) = labeling.request("GET", f"/api/dm/views/?project={project_id}")
    data = labeling.tasks(project_id)[0]["data"]
    markup = {f"tasks:data.{name}" for name, value in data.items() if "<" in str(value)}
    assert markup
    assert markup <= set(view["data"]["hiddenColumns"]["explore"])


def test_a_labeling_interface_of_ones_own_has_no_instructions_of_ours(pipelines: Pipelines, labeling: Labeling) -> None:
    """They would tell of another page; the list of calls is the same."""
    title = fresh_title("Own")
    config = '<View><Text name="t" value="$own_name"/><TextArea name="a" toName="t"/></View>'
    pipeline = pipelines(project_name=title, project_config=config, mode="auto")
    pipeline.accept_calls([chat()])
    assert pipeline.flush(240)
    project_id = labeling.project_of(title)
    assert labeling.project(project_id)["expert_instruction"] == ""
    (view,) = labeling.request("GET", f"/api/dm/views/?project={project_id}")
    assert "tasks:data.own_name" in view["data"]["hiddenColumns"]["explore"]


def test_a_project_that_was_there_stays_as_it_is(pipelines: Pipelines, labeling: Labeling) -> None:
    """Somebody made it, and looks at it in their own way."""
    title = fresh_title("Theirs")
    project_id = labeling.make_project(title, default_label_config(Mode.CHAT))
    pipeline = pipelines(project_name=title, mode="chat")
    pipeline.accept_calls([chat()])
    assert pipeline.flush(240)
    assert labeling.request("GET", f"/api/dm/views/?project={project_id}") == []
    assert labeling.project(project_id)["expert_instruction"] == ""


@pytest.mark.parametrize("fault", [answers(500), answers(403), answers(200, b"<html>"), late(3)])
def test_a_view_that_cannot_be_made_holds_up_nothing(
    pipelines: Pipelines, labeling: Labeling, faulty: FaultyServer, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is answered, or nothing at all: the task is stored, and the instructions are there."""

    def then_instructions(exchange: Exchange) -> None:
        monkeypatch.setattr("otel_labelstudio.delivery.label_studio.server._DECORATION_S", 240.0)
        fault(exchange)

    monkeypatch.setattr("otel_labelstudio.delivery.label_studio.server._DECORATION_S", 0.5)
    faulty.plan(then_instructions, "dm/views", times=float("inf"))
    title = fresh_title("Plain")
    pipeline = pipelines(project_name=title, mode="chat", url=faulty.url)
    pipeline.accept_calls([chat(answer="stored")])
    assert pipeline.flush(240)
    assert labeling.texts(title) == [["stored"]]
    project_id = labeling.project_of(title)
    assert labeling.project(project_id)["expert_instruction"]


# -- how much of them is kept in memory ------------------------------------------------------------------------------


def test_a_project_to_which_nothing_goes_any_more_is_forgotten(labeling: Labeling) -> None:
    """Where each day has its own projects, a process that runs for years holds those of a day."""
    now = [0.0]
    server = LabelStudioServer(labeling.url, labeling.api_key, 60, 60)
    projects = Projects(server, rules_of(Settings.resolve({"mode": "chat"}, needs_server=False)), lambda: now[0])
    yesterday, today = (
        Destination(project_id=labeling.make_project(fresh_title("Daily"), CHAT)).dumps() for _ in range(2)
    )
    projects.target(yesterday)
    now[0] += 24 * 3600.0
    projects.target(today)
    assert list(projects._known) == [today]
    assert projects.target(yesterday).exists
    server.close()


def test_models_without_number_take_no_memory_without_end(caplog: pytest.LogCaptureFixture) -> None:
    """A sender may name another model with each call. That there are several is said once."""
    rules = rules_of(Settings.resolve({"mode": "chat"}, needs_server=False))
    projects = Projects(LabelStudioServer("http://127.0.0.1:1", "key", 60, 60), rules)
    target = Target(Project(1, "Models", CHAT, ""), rules.binding(CHAT), rules, read_at=0.0)
    for number in range(50):
        assert isinstance(projects.build(chat(request_model=f"model {number}"), f"call {number}", target), Task)
    assert len(messages(caplog, logging.WARNING)) == 1
    assert sum(map(len, projects._model_versions.values())) == 2

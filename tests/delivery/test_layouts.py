"""Layouts and the projects of a real Label Studio."""

from __future__ import annotations

import logging

import pytest

from otel_labelstudio.tasks.binding import Mode, default_label_config
from otel_labelstudio.tasks.label_config import is_same_label_config
from otel_labelstudio.tasks.layouts import Layout, layout_label_config
from otel_labelstudio.tasks.safe_html import choices_html, dialogue_html
from tests.delivery.labeling import Labeling, fresh_title
from tests.delivery.pipelines import Pipelines
from tests.delivery.telemetry import chat, completion
from tests.delivery.test_projects import messages

CHAT = default_label_config(Mode.CHAT)


@pytest.mark.parametrize("layout", list(Layout))
def test_a_new_project_has_the_layouts_configuration(pipelines: Pipelines, labeling: Labeling, layout: Layout) -> None:
    """Label Studio takes it as it is; with no mode given, calls of either kind become tasks with their predictions."""
    title = fresh_title(layout.value)
    pipeline = pipelines(project_name=title, mode=None, layout=layout.value)
    pipeline.accept_calls([chat("Hello?", "Hi."), completion("Write.", "Written.")])
    assert pipeline.flush(240)
    project_id = labeling.project_of(title)
    project = labeling.project(project_id)
    assert is_same_label_config(project["label_config"], layout_label_config(layout))
    assert "Ctrl+Enter submits" in project["expert_instruction"]
    assert labeling.texts(title) == [["Hi."], ["Written."]]


def test_a_mode_that_was_given_still_refuses_the_other_kind(pipelines: Pipelines, labeling: Labeling) -> None:
    """The layout shows both; the mode says which become tasks."""
    title = fresh_title("Chats alone")
    pipeline = pipelines(project_name=title, mode="chat", layout="review")
    pipeline.accept_calls([chat("Hello?", "Hi."), completion()])
    assert pipeline.flush(240)
    assert labeling.texts(title) == [["Hi."]]
    assert pipeline.telemetry.counts()["tasks.rejected[refused]"] == 1


def test_the_servers_configuration_wins_over_a_layout_with_one_warning(
    pipelines: Pipelines, labeling: Labeling, caplog: pytest.LogCaptureFixture
) -> None:
    """An existing project keeps its page; that it is another one is said once."""
    title = fresh_title("Theirs")
    labeling.make_project(title, CHAT)
    pipeline = pipelines(project_name=title, layout="review")
    for _ in range(3):
        pipeline.accept_calls([chat("Hello?")])
        assert pipeline.flush(240)
    assert [task["data"]["prompt"] for task in labeling.tasks(title)] == [[{"role": "user", "content": "Hello?"}]] * 3
    [warning] = messages(caplog, logging.WARNING)
    assert 'has another labeling configuration than layout "review"; the server\'s is used' in warning


def test_a_projects_layout_is_known_without_the_setting(pipelines: Pipelines, labeling: Labeling) -> None:
    """Another exporter, without a layout, delivers into a project that was made with one: its data is there."""
    title = fresh_title("Made before")
    labeling.make_project(title, layout_label_config(Layout.COMPARE))
    call = chat("Hello?", "Hi.")
    pipeline = pipelines(project_name=title)
    pipeline.accept_calls([call])
    assert pipeline.flush(240)
    (task,) = labeling.tasks(title)
    assert task["data"]["dialogue_html"] == dialogue_html(call)
    assert task["data"]["choices"] == [{"html": html} for html in choices_html(call)]

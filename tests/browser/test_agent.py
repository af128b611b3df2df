"""The layout ``agent``, in Chromium."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace

import pytest

from otel_labelstudio.calls import LLMCall
from otel_labelstudio.demo.label_studio import EmbeddedLabelStudio
from tests.browser.delivered_calls import agent_call, deliver
from tests.browser.labeling_page import LabelingPage
from tests.browser.layout_page import LayoutPage, results
from tests.browser.rendering import contrasts
from tests.browser.traced_calls import Sent
from tests.delivery.telemetry import chat


def many_steps() -> LLMCall:
    """The same run, whose steps were taken ten times."""
    call = agent_call()
    question, *steps = call.input_messages
    return replace(chat(), input_messages=(question, *steps * 10), output_messages=call.output_messages)


CALLS: dict[str, LLMCall] = {
    "solved": agent_call(),
    "judged": agent_call(),
    "many": many_steps(),
    "none": chat("A question that needs no tool?", "An answer."),
}


@pytest.fixture(scope="module")
def sent(label_studio: EmbeddedLabelStudio) -> Sent:
    """All of the calls, in one project made with the layout."""
    return deliver(label_studio, CALLS, title="Browser: agent", layout="agent")


@pytest.fixture
def agent(labeling: LabelingPage) -> LayoutPage:
    """A page of the layout, at a laptop's size."""
    labeling.page.set_viewport_size({"width": 1440, "height": 900})
    return LayoutPage(labeling)


def opened(agent: LayoutPage, sent: Sent, name: str) -> LayoutPage:
    agent.open(sent.project_id, sent.task_ids[name])
    return agent


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(1280, 720), (1920, 1080)])
def test_what_was_asked_and_answered_is_seen_together(
    agent: LayoutPage, sent: Sent, width: int, height: int, theme: str
) -> None:
    """Without scrolling, however many steps lie between; the steps scroll in their own pane."""
    agent.page.set_viewport_size({"width": width, "height": height})
    with agent.labeling.dark_theme() if theme == "dark" else nullcontext():
        opened(agent, sent, "many")
        for text in ("Cancel my order HB-20418", "I tried to cancel", "solved", "gpt-4o-mini · 1.5 s", "▸ search"):
            assert agent.sees(text), text
        assert agent.page.locator(".osl-step").count() == 20
        assert min(contrasts(agent.page, ".osl .osl-turn p, .osl .osl-role, .osl .osl-dim")) >= 4.5


def test_a_run_is_accepted_with_two_keys(agent: LayoutPage, sent: Sent) -> None:
    """The verdict on the whole is required, those on the steps are not."""
    opened(agent, sent, "solved").submit("1", "Control+Enter")
    [annotation] = sent.task("solved")["annotations"]
    assert results(annotation)["verdict"] == ["solved"]
    assert results(annotation).keys() == {"verdict", "response"}


def test_each_step_has_a_verdict(agent: LayoutPage, sent: Sent) -> None:
    """A step is a turn of the model with what its tools returned; each is judged by a key that the page shows."""
    page = opened(agent, sent, "judged").page
    steps = page.locator(".osl-step").all()
    assert [step.locator(".osl-call").first.inner_text() for step in steps] == ["▸ search", "▸ cancel"]
    assert steps[1].locator("pre", has_text='"error": "conflict"').count() == 1
    keys = [
        step.locator(".lsf-choice__item", has_text=verdict).inner_text().rpartition("[")[2].rstrip("]")
        for step, verdict in zip(steps, ("right", "wrong arguments"), strict=True)
    ]
    agent.submit("3", *keys, "Control+Enter")
    [annotation] = sent.task("judged")["annotations"]
    said = results(annotation)
    assert (said["verdict"], said["step_verdict_0"], said["step_verdict_1"]) == (
        ["failed"],
        ["right"],
        ["wrong arguments"],
    )


def test_a_call_without_steps_can_be_judged(agent: LayoutPage, sent: Sent) -> None:
    """Question and answer, and no step between."""
    opened(agent, sent, "none")
    assert agent.page.locator(".osl-step").count() == 0
    assert agent.sees("A question that needs no tool?")
    agent.submit("2", "Control+Enter")
    [annotation] = sent.task("none")["annotations"]
    assert results(annotation) == {"verdict": ["partly"], "response": ["An answer."]}
    assert agent.labeling.errors == []

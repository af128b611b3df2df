"""What people do in the page, and what `collect` and `judge` make of it: each act once, in Chromium."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from otel_labelstudio.annotations.collecting import LabelStudioSource, collect
from otel_labelstudio.annotations.judging import judge
from otel_labelstudio.annotations.records import JudgedCall
from otel_labelstudio.delivery.label_studio.server import LabelStudioServer
from otel_labelstudio.demo.api import answer_of
from otel_labelstudio.demo.label_studio import EmbeddedLabelStudio
from tests.annotations.outcomes import CONDITIONAL, CUSTOM, OUTCOMES, Outcome, outcome
from tests.browser.acts import Acts
from tests.browser.delivered_calls import agent_call, choices_call, deliver
from tests.browser.labeling_page import LabelingPage
from tests.browser.layout_page import LayoutPage
from tests.browser.traced_calls import Sent
from tests.delivery.labeling import fresh_title
from tests.delivery.telemetry import chat, completion

# To renew the recordings of tests/annotations
RECORD_IN = os.environ.get("TEST_RECORD_ACTS")


@pytest.fixture
def acts(labeling: LabelingPage) -> Acts:
    labeling.page.set_viewport_size({"width": 1440, "height": 1200})
    return Acts(labeling)


@pytest.fixture
def judged(label_studio: EmbeddedLabelStudio) -> Iterator[Callable[[Sent], dict[str, Outcome]]]:
    """What is said of each call of a project."""
    server = LabelStudioServer(label_studio.url, label_studio.api_key, 60, 60)

    def judged(sent: Sent) -> dict[str, Outcome]:
        if RECORD_IN:
            _record(label_studio, sent, Path(RECORD_IN))
        names = {task_id: name for name, task_id in sent.task_ids.items()}
        found = {}
        for batch in collect(LabelStudioSource(server, [sent.project_id])):
            for task in batch.tasks:
                call = judge(task)
                assert isinstance(call, JudgedCall)
                found[names[task.id]] = outcome(call)
        return found

    yield judged
    server.close()


def test_the_handlers_chat(
    acts: Acts, label_studio: EmbeddedLabelStudio, judged: Callable[[Sent], dict[str, Outcome]]
) -> None:
    """Accepted, edited, edited and back, written anew, rated, skipped in the stream, left as a draft, duplicated; of
    three answers one deleted and one edited."""
    calls = {name: chat(f"{name}?", "The poplar grows fast.\nIt likes wet soil.") for name in OUTCOMES["chat"]}
    calls |= {"choices": choices_call("Dawn", "Ember", "Snow"), "draft": chat("draft?", "The poplar.")}
    sent = deliver(label_studio, calls, title=fresh_title("acts: chat"), mode="chat")
    page = acts.labeling
    done: dict[str, list[Callable[[], object]]] = {
        "accepted": [],
        "edited": [partial(page.edit_answer, " And it is tall.")],
        "edited and back": [partial(page.edit_answer, " And"), partial(acts.take_back, 4)],
        "written anew": [
            partial(page.delete_answer, 0),
            partial(acts.write, "response", "A willow, and nothing else."),
        ],
        "rated": [partial(page.rate, 4)],
        "choices": [partial(page.delete_answer, 0), partial(page.edit_answer, " red")],
        "duplicated": [page.submit, acts.duplicate, partial(page.edit_answer, " And it is tall.")],
    }
    for name, steps in done.items():
        page.open_task(sent.project_id, sent.task_ids[name])
        for step in steps:
            step()
        page.submit()
    page.open_task(sent.project_id, sent.task_ids["draft"])
    acts.leave_a_draft(" And it")
    page.open_data_manager(sent.project_id)
    page.start_stream()
    page.edit_answer(" Half of an ed")
    acts.skip()
    assert judged(sent) == OUTCOMES["chat"]


def test_the_handlers_prompt(
    acts: Acts, label_studio: EmbeddedLabelStudio, judged: Callable[[Sent], dict[str, Outcome]]
) -> None:
    """White space around an answer is kept, and an edit of nothing else is no other answer."""
    calls = {name: completion(f"{name}: ", "  Roses are red.") for name in OUTCOMES["prompt"]}
    sent = deliver(label_studio, calls, title=fresh_title("acts: prompt"), mode="prompt")
    for name, typed in {"accepted": "", "edited": " So are tulips.", "white space": "  "}.items():
        acts.labeling.open_task(sent.project_id, sent.task_ids[name])
        if typed:
            acts.labeling.edit_answer(typed)
        acts.labeling.submit()
    assert judged(sent) == OUTCOMES["prompt"]


def test_the_layout_review(
    acts: Acts, label_studio: EmbeddedLabelStudio, judged: Callable[[Sent], dict[str, Outcome]]
) -> None:
    """A verdict with its reasons, a rating and a comment beside an edit; an answer that was cleared."""
    calls = {name: chat(f"{name}?", "A line.") for name in OUTCOMES["review"]}
    sent = deliver(label_studio, calls, title=fresh_title("acts: review"), layout="review")
    review = LayoutPage(acts.labeling)
    review.open(sent.project_id, sent.task_ids["corrected"])
    acts.labeling.edit_answer("\nAnother.")
    acts.labeling.rate(2)
    acts.write("comment", "Too short.")
    review.page.locator(".osl-dialogue").first.click()
    review.submit("2", "8", "Control+Enter")
    review.open(sent.project_id, sent.task_ids["cleared"])
    acts.labeling.delete_answer(0)
    review.page.locator(".osl-dialogue").first.click()
    review.submit("2", "Control+Enter")
    assert judged(sent) == OUTCOMES["review"]


def test_the_layout_compare(
    acts: Acts, label_studio: EmbeddedLabelStudio, judged: Callable[[Sent], dict[str, Outcome]]
) -> None:
    """The best of three, or none; with a verdict on one of them."""
    calls = {name: choices_call("Every road.", "The long way.", "Just ride.") for name in OUTCOMES["compare"]}
    sent = deliver(label_studio, calls, title=fresh_title("acts: compare"), layout="compare")
    compare = LayoutPage(acts.labeling)
    compare.open(sent.project_id, sent.task_ids["best"])
    compare.page.locator(".osl-card").nth(2).locator(".lsf-choice__item", has_text="bad").click()
    compare.submit("2", "Control+Enter")
    compare.open(sent.project_id, sent.task_ids["none"])
    compare.submit("0", "Control+Enter")
    assert judged(sent) == OUTCOMES["compare"]


def test_the_layout_agent(
    acts: Acts, label_studio: EmbeddedLabelStudio, judged: Callable[[Sent], dict[str, Outcome]]
) -> None:
    """A verdict on the whole and on its second step."""
    sent = deliver(label_studio, {"run": agent_call()}, title=fresh_title("acts: agent"), layout="agent")
    agent = LayoutPage(acts.labeling)
    agent.open(sent.project_id, sent.task_ids["run"])
    agent.page.locator(".osl-step").nth(1).locator(".lsf-choice__item", has_text="wrong arguments").click()
    agent.submit("2", "Control+Enter")
    assert judged(sent) == OUTCOMES["agent"]


def test_an_interface_of_somebodys_own(
    acts: Acts, label_studio: EmbeddedLabelStudio, judged: Callable[[Sent], dict[str, Outcome]]
) -> None:
    """A comparison, a ranking, buckets, a label on a turn, choices with aliases and several of them, a number, a
    comment, and texts of one's own; rankings that nobody touched, which the page stores all the same."""
    calls = {name: choices_call("Dawn", "Ember", "Snow") for name in OUTCOMES["custom"]}
    sent = deliver(label_studio, calls, title=fresh_title("acts: custom"), mode="auto", project_config=CUSTOM)
    acts.page.set_viewport_size({"width": 1440, "height": 2400})
    acts.labeling.open_task(sent.project_id, sent.task_ids["all"])
    editor = acts.labeling.editor
    editor.get_by_text("Ember").first.click()
    acts.move("2", "rank", "ArrowUp", "ArrowUp")
    acts.move("1", "ok", "ArrowLeft")
    acts.move("0", "ok", "ArrowRight")
    editor.get_by_text("wrong fact").click()
    editor.get_by_role("button", name="Label whole utterance").first.click()
    acts.page.keyboard.press("Escape")
    for choice in ("Bad", "polite", "wrong"):
        editor.locator(".lsf-choice__item", has_text=choice).click()
    editor.locator("input[type=number]").fill("7")
    acts.write("why", "It is rude.")
    acts.write("correction", "My own rose.")
    acts.labeling.submit()
    acts.labeling.open_task(sent.project_id, sent.task_ids["untouched"])
    editor.locator(".lsf-choice__item", has_text="Bad").click()
    stored = acts.labeling.submit()
    assert {region["from_name"] for region in stored["result"]} == {"rank", "sort", "verdict", "correction"}
    assert judged(sent) == OUTCOMES["custom"]


def test_an_answer_that_is_on_the_page_after_a_choice_alone(
    acts: Acts, label_studio: EmbeddedLabelStudio, judged: Callable[[Sent], dict[str, Outcome]]
) -> None:
    """Where its box is hidden, the page stores nothing of it, as where it was cleared."""
    calls = {name: chat(f"{name}?", "A line.") for name in OUTCOMES["conditional"]}
    title = fresh_title("acts: conditional")
    sent = deliver(label_studio, calls, title=title, mode="auto", project_config=CONDITIONAL)
    done: dict[str, tuple[str, Callable[[], object]]] = {
        "good": ("good", lambda: None),
        "corrected": ("bad", partial(acts.labeling.edit_answer, " Another.")),
        "cleared": ("bad", partial(acts.labeling.delete_answer, 0)),
    }
    for name, (verdict, step) in done.items():
        acts.labeling.open_page(sent.project_id, sent.task_ids[name])
        acts.labeling.editor.locator(".lsf-choice__item", has_text=verdict).click()
        step()
        acts.labeling.submit()
    assert judged(sent) == OUTCOMES["conditional"]


def _record(server: EmbeddedLabelStudio, sent: Sent, folder: Path) -> None:
    """Keep what the server tells of a project, as the tests without a browser read it."""
    project = answer_of(f"{server.url}/api/projects/{sent.project_id}/", server.api_key)
    export = f"{server.url}/api/projects/{sent.project_id}/export?exportType=JSON&download_all_tasks=true"
    names = {task_id: name for name, task_id in sent.task_ids.items()}
    recorded = {
        "label_config": project["label_config"],
        "tasks": {names[task["id"]]: task for task in answer_of(export, server.api_key)},
    }
    path = folder / f"{project['title'].split(': ')[1].split()[0]}.json"
    path.write_text(json.dumps(recorded, indent=1, ensure_ascii=False) + "\n")

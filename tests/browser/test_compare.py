"""The layout ``compare``, in Chromium."""

from __future__ import annotations

from contextlib import nullcontext

import pytest

from otel_labelstudio.calls import LLMCall
from otel_labelstudio.demo.label_studio import EmbeddedLabelStudio
from tests.browser.delivered_calls import choices_call, deliver, long_call
from tests.browser.labeling_page import LabelingPage
from tests.browser.layout_page import LayoutPage, results
from tests.browser.rendering import contrasts
from tests.browser.traced_calls import Sent

SLOGANS = ("Every road, your road.", "Built for **the long way** home.", "Two wheels. One horizon.")

CALLS: dict[str, LLMCall] = {
    "best": choices_call(*SLOGANS),
    "none": choices_call(*SLOGANS),
    "each": choices_call(*SLOGANS),
    "better": choices_call(*SLOGANS),
    "undecided": choices_call(*SLOGANS),
    "five": choices_call(*(f"ANSWER {number}. " + "word " * 600 for number in range(1, 6))),
    "long": long_call(),
}


@pytest.fixture(scope="module")
def sent(label_studio: EmbeddedLabelStudio) -> Sent:
    """All of the calls, in one project made with the layout."""
    return deliver(label_studio, CALLS, title="Browser: compare", layout="compare")


@pytest.fixture
def compare(labeling: LabelingPage) -> LayoutPage:
    """A page of the layout, at a laptop's size."""
    labeling.page.set_viewport_size({"width": 1440, "height": 900})
    return LayoutPage(labeling)


def opened(compare: LayoutPage, sent: Sent, name: str) -> LayoutPage:
    compare.open(sent.project_id, sent.task_ids[name])
    return compare


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(1280, 720), (1440, 900), (1920, 1080)])
def test_question_and_choices_are_seen_together(
    compare: LayoutPage, sent: Sent, width: int, height: int, theme: str
) -> None:
    """Five long answers side by side below the question, and the numbers below them, without scrolling; also after a
    dialogue of fifty turns."""
    compare.page.set_viewport_size({"width": width, "height": height})
    with compare.labeling.dark_theme() if theme == "dark" else nullcontext():
        opened(compare, sent, "five")
        for text in ("A slogan for a shop", *(f"ANSWER {number}." for number in range(1, 6)), "The best answer:"):
            assert compare.sees(text), text
        cards = [card.bounding_box() for card in compare.page.locator(".osl-card").all()]
        assert len({card["y"] for card in cards if card}) == 1
        opened(compare, sent, "long")
        for text in ("LAST QUESTION: can I cancel", "LAST ANSWER: yes", "The best answer:"):
            assert compare.sees(text), text
        assert min(contrasts(compare.page, ".osl .osl-turn p, .osl .osl-role, .osl .osl-dim")) >= 4.5


def test_the_best_of_three_takes_two_keys(compare: LayoutPage, sent: Sent) -> None:
    """The digit is the choice's number; the answers stay the model's."""
    opened(compare, sent, "best").submit("2", "Control+Enter")
    [annotation] = sent.task("best")["annotations"]
    assert results(annotation) == {"best": ["2"], "response": list(SLOGANS)}


def test_one_is_the_best_or_none(compare: LayoutPage, sent: Sent) -> None:
    """Another digit takes the place of the first; 0 says that none is good."""
    opened(compare, sent, "none").submit("1", "3", "0", "Control+Enter")
    [annotation] = sent.task("none")["annotations"]
    assert results(annotation)["best"] == ["none"]


def test_each_choice_has_a_verdict(compare: LayoutPage, sent: Sent) -> None:
    """By the keys that the page shows beside them."""
    page = opened(compare, sent, "each").page
    keys = [
        card.locator(".lsf-choice__item", has_text=verdict).inner_text().rpartition("[")[2].rstrip("]")
        for card, verdict in zip(page.locator(".osl-card").all(), ("good", "bad", "good"), strict=True)
    ]
    compare.submit("1", *keys, "Control+Enter")
    [annotation] = sent.task("each")["annotations"]
    verdicts = {f"verdict_{index}": [verdict] for index, verdict in enumerate(("good", "bad", "good"))}
    assert results(annotation) == {"best": ["1"], "response": list(SLOGANS), **verdicts}


def test_a_better_answer_is_written(compare: LayoutPage, sent: Sent) -> None:
    """One of the model's is corrected in a panel that is closed until it is needed."""
    page = opened(compare, sent, "better").page
    assert not page.locator(".osl [data-testid='textarea-region']").first.is_visible()
    page.get_by_text("Correct an answer, or write a better one").click()
    compare.labeling.edit_answer(" Ride.")
    page.locator(".osl-dialogue").first.click()
    compare.submit("1", "Control+Enter")
    [annotation] = sent.task("better")["annotations"]
    assert results(annotation)["response"] == [f"{SLOGANS[0]} Ride.", *SLOGANS[1:]]


def test_a_choice_is_asked_for(compare: LayoutPage, sent: Sent) -> None:
    """Submitting without one says which keys there are, and stores nothing."""
    opened(compare, sent, "undecided").press("Control+Enter")
    compare.page.get_by_text("Which answer is the best? Press its number, or 0 for none.").wait_for()
    assert sent.task("undecided")["annotations"] == []

"""The layout ``review``, in Chromium."""

from __future__ import annotations

import base64
import struct
import zlib
from contextlib import nullcontext

import pytest

from otel_labelstudio.calls import BlobPart, LLMCall, Message, ToolCallPart
from otel_labelstudio.demo.label_studio import EmbeddedLabelStudio
from tests.browser.delivered_calls import MARKDOWN, agent_call, choices_call, deliver, long_call, markdown_call, said
from tests.browser.labeling_page import LabelingPage
from tests.browser.layout_page import LayoutPage, results
from tests.browser.rendering import contrasts, left_of
from tests.browser.traced_calls import Sent
from tests.delivery.telemetry import chat, completion

SIZES = [(1280, 720), (1440, 900), (1920, 1080)]
QUESTION, ANSWER = "LAST QUESTION: can I cancel", "LAST ANSWER: yes"
ARABIC = "مرحبا، أين طلبي HB-20418؟"
EMOJI = "👩‍👩‍👧‍👦 🇳🇴 日本語"


def png(width: int, height: int) -> str:
    """A picture of one color, as base64."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress((b"\x00" + b"\x30\x60\xc0" * width) * height)
    return base64.b64encode(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    ).decode()


CALLS: dict[str, LLMCall] = {
    "long": long_call(),
    "markdown": markdown_call(),
    "agent": agent_call(),
    "accepted": chat("Accept me?", "Yes."),
    "rejected": chat("Reject me?", "No."),
    "corrected": chat("Correct me?", "A line."),
    "undecided": chat("Decide?", "Perhaps."),
    "choices": choices_call("Every road.", "The long way.", "Just ride."),
    "long answer": chat("A SHORT QUESTION?", "FIRST LINE\n\n" + "word " * 4_000),
    "arabic": chat(ARABIC, f"{EMOJI}\n\n{ARABIC}"),
    "image": chat(input_messages=(Message("user", (BlobPart("image", png(60, 40), "image/png"),)),)),
    "empty": chat("Say nothing.", ""),
    "tool calls": chat(
        "Weather?", output_messages=(Message("assistant", (ToolCallPart("forecast", {"city": "Oslo"}),)),)
    ),
    "completion": completion("# Complete:\n\ndef total(orders):\n    paid = 0", "    return paid"),
    "no input": chat(input_messages=(), output_messages=(said("assistant", "An answer."),)),
}


@pytest.fixture(scope="module")
def sent(label_studio: EmbeddedLabelStudio) -> Sent:
    """All of the calls, in one project made with the layout."""
    return deliver(label_studio, CALLS, title="Browser: review", layout="review")


@pytest.fixture
def review(labeling: LabelingPage) -> LayoutPage:
    """A page of the layout, at a laptop's size."""
    labeling.page.set_viewport_size({"width": 1440, "height": 900})
    return LayoutPage(labeling)


def opened(review: LayoutPage, sent: Sent, name: str) -> LayoutPage:
    review.open(sent.project_id, sent.task_ids[name])
    return review


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_question_and_answer_are_seen_together(
    review: LayoutPage, sent: Sent, width: int, height: int, theme: str
) -> None:
    """Of a dialogue of fifty turns: without scrolling, with the verdict, the box, the rating and the comment; and the
    text stands out from its background as accessibility guidelines ask (4.5 to 1)."""
    review.page.set_viewport_size({"width": width, "height": height})
    with review.labeling.dark_theme() if theme == "dark" else nullcontext():
        opened(review, sent, "long")
        for text in (QUESTION, ANSWER, "gpt-4o-mini · 1.5 s", "good", "bad", "unsure", "Rate the model's answer"):
            assert review.sees(text), text
        assert review.page.locator(".osl [data-testid='textarea-region']").first.bounding_box()
        assert review.page.locator(".osl .ant-rate").is_visible()
        assert review.page.get_by_placeholder("Comment (optional)").is_visible()
        assert review.page.evaluate("document.documentElement.scrollHeight <= innerHeight")
        assert min(contrasts(review.page, ".osl .osl-turn p, .osl .osl-role, .osl .osl-dim")) >= 4.5


def test_a_long_answer_leaves_the_question_in_sight(review: LayoutPage, sent: Sent) -> None:
    """The answer begins at its beginning and scrolls in its own pane, as it does in the box beside it."""
    opened(review, sent, "long answer")
    assert review.sees("A SHORT QUESTION?")
    assert review.page.locator(".osl-answer").get_by_text("FIRST LINE").is_visible()
    box = review.page.locator('.osl [data-testid="textarea-region"] p').first.bounding_box()
    pane = review.page.locator('.osl [data-testid="textarea-region"]').first.bounding_box()
    assert box is not None
    assert pane is not None
    assert pane["y"] <= box["y"] < pane["y"] + 40


def test_an_answer_is_accepted_with_two_keys(review: LayoutPage, sent: Sent) -> None:
    """No mouse: the verdict and the untouched answer are stored, and which prediction they judge."""
    opened(review, sent, "accepted").submit("1", "Control+Enter")
    task = sent.task("accepted")
    [annotation] = task["annotations"]
    assert results(annotation) == {"verdict": ["good"], "response": ["Yes."]}
    assert annotation["parent_prediction"] == task["predictions"][0]["id"]


def test_an_answer_is_rejected_for_a_reason_with_three_keys(review: LayoutPage, sent: Sent) -> None:
    """The reasons come with the verdict "bad", and several may be chosen."""
    opened(review, sent, "rejected")
    assert not review.page.get_by_text("wrong tool call").is_visible()
    review.submit("2", "5", "Control+Enter")
    [annotation] = sent.task("rejected")["annotations"]
    assert results(annotation) == {"verdict": ["bad"], "reasons": ["wrong tool call"], "response": ["No."]}


def test_an_answer_is_corrected_and_commented(review: LayoutPage, sent: Sent) -> None:
    """An edit with its line breaks, a rating of what the model wrote, and a comment that nobody added by its button."""
    opened(review, sent, "corrected")
    review.labeling.edit_answer("\nAnother.")
    review.labeling.rate(2)
    review.page.get_by_placeholder("Comment (optional)").fill("Too short.")
    review.press("Shift+Enter")
    review.page.locator(".osl-dialogue").first.click()
    review.submit("2", "8", "Control+Enter")
    [annotation] = sent.task("corrected")["annotations"]
    assert results(annotation) == {
        "verdict": ["bad"],
        "reasons": ["style"],
        "response": ["A line.\nAnother."],
        "rating": 2,
        "comment": ["Too short."],
    }


def test_a_verdict_is_asked_for(review: LayoutPage, sent: Sent) -> None:
    """Submitting without one says which keys there are, and stores nothing."""
    opened(review, sent, "undecided").press("Control+Enter")
    review.page.get_by_text("Good, bad or unsure? Press 1, 2 or 3.").wait_for()
    assert sent.task("undecided")["annotations"] == []


def test_the_stream_goes_from_task_to_task_by_keys(review: LayoutPage, label_studio: EmbeddedLabelStudio) -> None:
    """Each is pre-filled; a verdict and Ctrl+Enter bring the next one."""
    calls = {str(number): chat(f"Question {number}?", f"Answer {number}.") for number in (1, 2)}
    streamed = deliver(label_studio, calls, title="Browser: review stream", layout="review")
    review.labeling.open_data_manager(streamed.project_id)
    review.labeling.start_stream()
    for number in (1, 2):
        review.page.locator(".osl .osl-turn").get_by_text(f"Question {number}?").wait_for()
        review.labeling.editor.locator('[data-testid="htx-textbox-content"]', has_text=f"Answer {number}.").wait_for()
        assert review.labeling.answers() == [f"Answer {number}."]
        review.submit("1", "Control+Enter")
    assert [len(streamed.task(name)["annotations"]) for name in calls] == [1, 1]


def test_markdown_is_rendered(review: LayoutPage, sent: Sent) -> None:
    """A heading, a table, a list and code; a link is text with its address; the box has what the model wrote."""
    answer = opened(review, sent, "markdown").page.locator(".osl-answer")
    assert answer.get_by_role("heading", name="Comparison of the two plans").is_visible()
    assert answer.get_by_role("cell", name="49 EUR").is_visible()
    assert answer.locator("ol ul li").count() == 2
    assert answer.locator("pre").inner_text().splitlines()[1].startswith("    ")
    assert answer.get_by_text("(https://example.com/plans)").is_visible()
    assert review.page.locator(".osl a[href]").count() == 0
    assert review.labeling.answers() == [MARKDOWN]


def test_an_agents_steps_can_be_read(review: LayoutPage, sent: Sent) -> None:
    """Arguments as a table, results with their tool's name; what is long is one click away."""
    page = opened(review, sent, "agent").page
    assert page.locator(".osl-args").get_by_role("row", name="order_id HB-20418").first.is_visible()
    assert page.locator(".osl-call", has_text="◂ cancel").is_visible()
    assert page.locator(".osl pre", has_text='"error": "conflict"').is_visible()
    for title, inside in (("◂ search", '"score": 0.9'), ("reasoning", "The order is being picked")):
        fold = page.locator(".osl details", has_text=title).last
        assert not fold.locator("pre, p").first.is_visible()
        fold.locator("summary").click()
        assert inside in fold.locator("pre, p").first.inner_text()
    assert page.locator(".osl details", has_text="system prompt").count() == 1


def test_earlier_turns_are_one_click_away(review: LayoutPage, sent: Sent) -> None:
    """And what the click opens is all of them."""
    question = opened(review, sent, "long").page.locator(".osl-question")
    assert not question.get_by_text("This is turn 1.").is_visible()
    question.locator("summary", has_text="42 earlier turns").click()
    assert question.get_by_text("This is turn 1.").is_visible()


def test_several_choices_are_numbered(review: LayoutPage, sent: Sent) -> None:
    """Each has a box, and the rating says whose answer it judges."""
    opened(review, sent, "choices")
    assert review.page.locator(".osl-answer .osl-role").all_inner_texts() == ["ANSWER 1", "ANSWER 2", "ANSWER 3"]
    assert review.labeling.answers() == ["Every road.", "The long way.", "Just ride."]
    assert review.sees("Rate answer 1 of the model's 3")


def test_right_to_left_text_and_emoji(review: LayoutPage, sent: Sent) -> None:
    """Each line in its own direction: the question mark of an Arabic line stands at its left."""
    opened(review, sent, "arabic")
    assert left_of(review.page, "؟", ".osl-question") < left_of(review.page, "مرحبا", ".osl-question")
    assert review.sees(EMOJI)


def test_an_inline_image_is_shown(review: LayoutPage, sent: Sent) -> None:
    """With its own size, from the task's data alone."""
    image = opened(review, sent, "image").page.locator(".osl .osl-image")
    box = image.bounding_box()
    assert box is not None
    assert (box["width"], box["height"]) == (60, 40)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("empty", "[empty]"),
        ("tool calls", "▸ forecast"),
        ("completion", "def total(orders):\n    paid = 0"),
        ("no input", "[The input of this call is not in its telemetry.]"),
    ],
)
def test_what_is_out_of_the_ordinary_is_shown_and_can_be_judged(
    review: LayoutPage, sent: Sent, name: str, shown: str
) -> None:
    """Also an answer that is empty."""
    opened(review, sent, name)
    assert shown in review.text()
    review.submit("3", "Control+Enter")
    [annotation] = sent.task(name)["annotations"]
    assert results(annotation)["verdict"] == ["unsure"]
    assert review.labeling.errors == []

"""A configuration of the user's own, in Chromium."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from otel_labelstudio.demo.label_studio import EmbeddedLabelStudio
from tests.browser.labeling_page import LabelingPage
from tests.browser.traced_calls import Sent, TracedCall, answered, said, send

MANY_VARIABLES = """
<View>
  <Header value="$model"/>
  <Text name="system" value="$system"/>
  <HyperText name="tools" value="$tools"/>
  <HyperText name="question" value="$question"/>
  <Text name="unknown" value="$something_else"/>
  <Paragraphs name="earlier" value="$history" layout="dialogue"/>
  <Paragraphs name="turns" value="$messages" layout="dialogue" nameKey="who" textKey="what"/>
  <TextArea name="correction" toName="turns" editable="true" rows="4" maxSubmissions="1"/>
  <TextArea name="user_feedback" toName="turns"/>
  <Choices name="sentiment" toName="turns"><Choice value="Positive"/><Choice value="Negative"/></Choices>
</View>"""

# Tags that take something else than text, boxes that cannot hold the answer, several variables in one text
TYPED = """
<View>
  <Header value="$model of $service"/>
  <Text name="both" value="$model / $operation"/>
  <Labels name="kinds" toName="dialogue"><Label value="odd"/></Labels>
  <Paragraphs name="dialogue" value="$messages" layout="dialogue" nameKey="role" textKey="content"/>
  <TextArea name="spoken" toName="dialogue" perRegion="true"/>
  <Table name="settings" value="$parameters"/>
  <Table name="nothing" value="$something_else"/>
  <List name="answers" value="$items" title="Answers"/>
  <Ranker name="rank" toName="answers"/>
  <Choices name="best" toName="dialogue" value="$options"/>
  <Taxonomy name="tree" toName="dialogue" value="$tree"/>
  <Repeater on="$choices" indexFlag="{{idx}}">
    <Text name="choice_{{idx}}" value="$choices[{{idx}}].body"/>
    <TextArea name="note_{{idx}}" toName="choice_{{idx}}"/>
  </Repeater>
  <TextArea name="correction" toName="dialogue" editable="true" rows="4" maxSubmissions="1"/>
</View>"""

CALLS = {
    "markup": TracedCall(
        [said("system", "Be brief."), said("user", "Is <b>this</b> bold?\n<img src='/tracking-pixel'>")],
        [answered("No.")],
    )
}


CHOICES = {"choices": TracedCall([said("user", "Which?")], [answered("The first."), answered("The <b>second</b>.")])}


@pytest.fixture(scope="module")
def sent(label_studio: EmbeddedLabelStudio) -> Sent:
    """The call in a project whose configuration asks for more than the call has."""
    return send(label_studio, CALLS, title="Browser: custom", mode="auto", project_config=MANY_VARIABLES)


def test_every_variable_is_shown(labeling: LabelingPage, sent: Sent) -> None:
    """What the call has stands in its tag, what it lacks is empty; no tag reports an error or keeps loading, and markup
    is text even in a tag that shows HTML."""
    requested: list[str] = []
    labeling.page.on("request", lambda request: requested.append(request.url))
    labeling.open_task(sent.project_id, sent.task_ids["markup"])
    editor = labeling.editor
    assert editor.get_by_role("heading", name="gpt-4o-mini").is_visible()
    assert labeling.text() == "Be brief."
    question = editor.frame_locator("iframe").nth(1).locator("body")
    assert question.inner_text().endswith("Is <b>this</b> bold?\n<img src='/tracking-pixel'>")
    assert not [url for url in requested if "tracking-pixel" in url]
    assert [role for role, _ in labeling.turns()] == ["", "system", "user"]
    assert labeling.answers() == ["No."]
    assert editor.get_by_text("Positive").is_visible()
    assert "wrong format" not in editor.inner_text()
    assert labeling.errors == []
    expect(editor.locator(".lsf-richtext__loading").filter(visible=True)).to_have_count(0)


def test_every_tag_gets_the_type_that_it_takes(labeling: LabelingPage, label_studio: EmbeddedLabelStudio) -> None:
    """Tables, lists to rank and choices of a call's answers are drawn; no tag reports an error, nothing is undefined,
    and the answer stands in the box that can hold it."""
    sent = send(label_studio, CHOICES, title="Browser: typed", mode="auto", project_config=TYPED)
    labeling.open_task(sent.project_id, sent.task_ids["choices"])
    editor = labeling.editor
    assert labeling.text() == "gpt-4o-mini / chat"
    shown = editor.inner_text()
    assert "gpt-4o-mini of" in shown
    assert "undefined" not in shown
    for text in ("The first.", "The <b>second</b>."):
        # In the ranker, the dynamic choices, the repeated texts and the answer's box
        assert shown.count(text) >= 4
    assert labeling.answers() == ["The first.", "The <b>second</b>."]
    assert sent.task("choices")["predictions"][0]["result"][0]["from_name"] == "correction"
    assert labeling.errors == []

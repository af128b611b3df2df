"""Layouts: their labeling configurations, and the data that a task of such a project has."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otel_labelstudio.calls import LLMCall, Message, TextPart, ToolCallPart, ToolCallResponsePart, Usage
from otel_labelstudio.tasks.binding import Mode, binding_from_label_config, refusal
from otel_labelstudio.tasks.build import build_task
from otel_labelstudio.tasks.label_config_warnings import label_config_warnings
from otel_labelstudio.tasks.layouts import Layout, layout_instructions, layout_label_config
from otel_labelstudio.tasks.safe_html import answer_html, choices_html, dialogue_html
from tests.delivery.telemetry import chat, completion
from tests.tasks.calls_strategy import calls
from tests.tasks.parsed_html import Page
from tests.tasks.test_build import is_storable

LAYOUTS = pytest.mark.parametrize("layout", list(Layout))


def data_of(call: LLMCall, label_config: str) -> dict[str, Any]:
    return dict(build_task(call, binding_from_label_config(label_config), call_id="the-id").data)


def said(role: str, text: str) -> Message:
    return Message(role, (TextPart(text),))


def with_choices(*texts: str) -> LLMCall:
    return chat("Q", output_messages=tuple(Message("assistant", (TextPart(text),)) for text in texts))


def test_every_layout_has_its_configuration() -> None:
    """One file each, and none that nobody can choose."""
    folder = Path(__file__).parents[2] / "otel_labelstudio" / "tasks" / "layouts"
    for kind in ("*.xml", "*.html"):
        assert {path.stem for path in folder.glob(kind)} == {layout.value for layout in Layout}


@LAYOUTS
def test_the_answers_go_to_a_box_for_the_dialogue(layout: Layout) -> None:
    """The layout is known by its variables; its box can be edited and keeps line breaks."""
    config = layout_label_config(layout)
    binding = binding_from_label_config(config)
    assert (binding.from_name, binding.to_name) == ("response", "dialogue")
    assert binding.data_key == ("request_html" if layout is Layout.AGENT else "dialogue_html")
    assert binding.object_tag == "HyperText"
    box = ET.fromstring(config).find(".//TextArea[@name='response']")
    assert box is not None
    assert box.get("editable") == "true"
    assert int(box.get("rows", "1")) > 1


@LAYOUTS
def test_there_is_nothing_to_warn_of(layout: Layout) -> None:
    """What ``otel-labelstudio check`` says of configurations that people bring."""
    config = layout_label_config(layout)
    assert label_config_warnings(config, binding_from_label_config(config)) == []


@LAYOUTS
def test_labelers_are_told_the_keys(layout: Layout) -> None:
    """Of each choice with a key of its own, the key and the word."""
    told = re.sub(r"\s+", " ", layout_instructions(layout))
    for choice in ET.fromstring(layout_label_config(layout)).iter("Choice"):
        if choice.get("hotkey"):
            assert f"<b>{choice.get('hotkey')}</b> {choice.get('value')}" in told
    assert "Ctrl+Enter submits" in told
    assert "Escape throws the edit away" in told


@LAYOUTS
def test_the_style_has_nothing_that_label_studio_drops(layout: Layout) -> None:
    """A greater-than sign silently disables its rule; every rule is the layout's own, but for the empty side panels."""
    style = ET.fromstring(layout_label_config(layout)).findtext(".//Style")
    assert style is not None
    assert ">" not in style
    assert "/* style.css */" not in style
    rules = re.findall(r"([^{}]+)\{", re.sub(r"/\*.*?\*/", "", style))
    assert len(rules) > 20
    for selector in (part.strip() for rule in rules for part in rule.split(",")):
        assert selector.startswith((".osl ", f".osl-{layout.value}", ".lsf-sidepanels:has(.osl)"))


@LAYOUTS
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(call=calls())
def test_every_call_becomes_a_task_that_can_be_stored(layout: Layout, call: LLMCall) -> None:
    """Each variable of the configuration is filled, with what Label Studio takes; nothing is None."""
    data = data_of(call, layout_label_config(layout))
    assert is_storable(data)
    roots = {variable.split("[")[0] for variable in re.findall(r'"\$([^"]+)"', layout_label_config(layout))}
    assert all(data[root] or (root, data[root]) == ("steps", []) for root in roots)


def test_the_data_of_review() -> None:
    """Dialogue and answer as HTML, one line of facts, and whose answer the rating judges."""
    call = chat(service_name="shop", usage=Usage(input_tokens=1234, output_tokens=21))
    data = data_of(call, layout_label_config(Layout.REVIEW))
    assert data["dialogue_html"] == dialogue_html(call)
    assert data["answer_html"] == answer_html(call)
    assert data["call_facts"] == "gpt-4o-mini · 1.5 s · 1,234 → 21 tokens · stop · shop"
    assert data["rating_title"] == "Rate the model's answer, as it came:"
    assert data["preview"] == "What is the capital of France? → Paris."


def test_a_rating_of_several_answers_names_one() -> None:
    """It cannot be meant for all of them."""
    data = data_of(with_choices("a", "b", "c"), layout_label_config(Layout.REVIEW))
    assert data["rating_title"] == "Rate answer 1 of the model's 3, as it came:"


def test_facts_that_are_not_known_are_left_out() -> None:
    """No empty places between the dots."""
    call = chat(request_model=None, output_messages=(Message("assistant", (TextPart("a"),)),), error_type="timeout")
    assert data_of(call, layout_label_config(Layout.REVIEW))["call_facts"] == "unknown model · 1.5 s · timeout"


def test_facts_are_one_line() -> None:
    """Of a name that is as long as somebody likes, the beginning."""
    data = data_of(chat(request_model="m" * 500, service_name="s" * 500), layout_label_config(Layout.REVIEW))
    assert data["call_facts"] == f"{'m' * 60} · 1.5 s · stop · {'s' * 60}"


@pytest.mark.parametrize("count", [1, 3, 11])
def test_the_data_of_compare(count: int) -> None:
    """A card for each choice, and its number to choose it by: a digit where there is one, 0 for none of them."""
    call = with_choices(*map(str, range(count)))
    data = data_of(call, layout_label_config(Layout.COMPARE))
    assert data["choices"] == [{"html": html} for html in choices_html(call)]
    assert data["choice_numbers"] == [
        *({"value": str(number), "hotkey": str(number)} for number in range(1, min(count, 9) + 1)),
        *({"value": str(number)} for number in range(10, count + 1)),
        {"value": "none", "hotkey": "0"},
    ]


@pytest.mark.parametrize("role", ["tool", "user"])
def test_the_data_of_agent(role: str) -> None:
    """What was asked, and since then each turn of the model with the results of its tools, whoever brings them."""
    earlier = (said("user", "Hi."), said("assistant", "Hello."))
    steps = (
        Message("assistant", (ToolCallPart("search", {"q": "x"}, "1"), ToolCallPart("look_up", {}, "2"))),
        Message(role, (ToolCallResponsePart("found", "1"),)),
        Message(role, (ToolCallResponsePart("seen", "2"),)),
        said("assistant", "Wait."),
    )
    data = data_of(chat(input_messages=(*earlier, said("user", "Go."), *steps)), layout_label_config(Layout.AGENT))
    assert Page.of(str(data["request_html"])).text == "userHi.\nassistantHello.\nuserGo.\n"
    shown = [Page.of(step["html"]).text for step in data["steps"]]
    assert shown == [f"assistant▸ searchqx▸ look_up{role}◂ searchfound{role}◂ look_upseen", "assistantWait.\n"]


@pytest.mark.parametrize("messages", [(), (said("assistant", "Go."),), (said("user", "Go."),)])
def test_a_call_without_steps_has_none(messages: tuple[Message, ...]) -> None:
    """All of its input is what was asked."""
    call = chat(input_messages=messages)
    data = data_of(call, layout_label_config(Layout.AGENT))
    assert (data["request_html"], data["steps"]) == (dialogue_html(call), [])


def test_a_changed_configuration_is_still_filled() -> None:
    """People move and rename tags and drop what they do not need: the variables in their tags are what counts."""
    config = (
        '<View><HyperText name="d" value="$dialogue_html"/><TextArea name="t" toName="d"/>'
        '<Repeater on="$choices" indexFlag="{{i}}"><HyperText name="c_{{i}}" value="$choices[{{i}}].html"/></Repeater>'
        "</View>"
    )
    call = with_choices("a", "b")
    assert data_of(call, config)["dialogue_html"] == dialogue_html(call)
    assert data_of(call, config)["choices"] == [{"html": html} for html in choices_html(call)]


@pytest.mark.parametrize("tag", ["Text", "Markdown", "Header", "Image"])
@pytest.mark.parametrize("variable", ["dialogue_html", "answer_html"])
def test_html_goes_to_no_other_tag(tag: str, variable: str) -> None:
    """A Text would show its source, and a Markdown would render it anew, with links and loads."""
    config = (
        f'<View><{tag} name="x" value="${variable}"/>'
        '<Paragraphs name="d" value="$prompt"/><TextArea name="t" toName="d"/></View>'
    )
    assert data_of(chat(), config)[variable] == ""


@LAYOUTS
def test_a_layout_takes_what_the_mode_takes(layout: Layout) -> None:
    """Every call in auto mode; a mode that was given refuses the other kind, and says what to set."""
    binding = binding_from_label_config(layout_label_config(layout))
    for call, other in ((chat(), Mode.PROMPT), (completion(), Mode.CHAT)):
        fitting = Mode.CHAT if call.is_chat else Mode.PROMPT
        assert refusal(binding, is_chat=call.is_chat, mode=Mode.AUTO, project="p") is None
        assert refusal(binding, is_chat=call.is_chat, mode=fitting, project="p") is None
        why = refusal(binding, is_chat=call.is_chat, mode=other, project="p")
        assert why is not None
        assert why.startswith(f'mode="{other.value}" takes no ')
        assert f'set mode="{fitting.value}"' in why
        assert "OTEL_EXPORTER_LABELSTUDIO_MODE=auto" in why


@st.composite
def long_dialogues(draw: st.DrawFn) -> LLMCall:
    text = draw(st.sampled_from(["word ", "[", "| a ", "`", "> ", "*a_", "&"])) * 4_000
    return chat(input_messages=tuple(Message("user", (TextPart(text),)) for _ in range(draw(st.integers(1, 30)))))


@settings(max_examples=12, deadline=None)
@given(long_dialogues())
def test_the_size_of_a_tasks_data_stays_near_that_of_the_call(call: LLMCall) -> None:
    """Markup is added, but no text can be written that grows out of proportion."""
    length = sum(len(part.content) for m in call.input_messages for part in m.parts if isinstance(part, TextPart))
    assert len(dialogue_html(call)) < 12 * length + 10_000

"""Every variable of a labeling configuration gets what its name asks for, in the type that its tag takes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from otel_labelstudio.calls import BlobPart, LLMCall, Message, TextPart, UriPart
from otel_labelstudio.tasks.label_config import Variable
from otel_labelstudio.tasks.variables import value_of
from tests.delivery.telemetry import chat

CALL = replace(
    chat("Which?", "First."),
    output_messages=tuple(Message("assistant", (TextPart(text),)) for text in ("First.", "<b>Second</b>")),
    tool_definitions=({"type": "function", "name": "look_up", "description": "Looks up."},),
    request_parameters={"temperature": 0.5},
    metadata={"team": "search", "count": 3},
    service_name="shop",
)
PNG = "iVBORw0KGgoAAAANSUhEUg=="
CHOICES = [
    {"id": "0", "title": "Answer 1", "body": "First."},
    {"id": "1", "title": "Answer 2", "body": "<b>Second</b>"},
]


def value(name: str, tag: str = "Text", call: LLMCall = CALL, **keywords: Any) -> Any:
    return value_of(Variable(name, tag, **keywords), call)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("question", "Which?"),
        ("response", "First."),
        ("response_1", "First."),
        ("answer2", "<b>Second</b>"),
        ("completion_b", "<b>Second</b>"),
        ("answer_3", ""),
        ("service", "shop"),
        ("team", "search"),
        ("count", "3"),
        ("temperature", "0.5"),
        ("nothing", ""),
        ("5", "$5"),
    ],
)
def test_text_by_name(name: str, expected: str) -> None:
    """The call's parts, its facts, its metadata and parameters; empty for what it does not have."""
    assert value(name) == expected


def test_several_variables_in_one_text() -> None:
    """Under the key that Label Studio's server asks for stands the text that its editor would make."""
    assert value("model / $service", template="$model / $service") == "gpt-4o-mini / shop"


@pytest.mark.parametrize(
    ("name", "tag", "expected"),
    [
        ("items", "List", CHOICES),
        ("images", "List", CHOICES),
        ("tools", "List", [{"id": "0", "title": "look_up", "body": '{"description": "Looks up."}'}]),
        ("messages", "List", [{"id": "0", "title": "user", "body": "Which?"}]),
        ("choices", "Repeater", CHOICES),
        ("pages", "Repeater", []),
        ("choices[{{idx}}].body", "Text", CHOICES),
        ("options", "Choices", [{"value": "First.", "alias": "0"}, {"value": "<b>Second</b>", "alias": "1"}]),
        ("kinds", "Choices", []),
        ("tree", "Taxonomy", []),
        ("parameters", "Table", {"temperature": "0.5"}),
        ("metadata", "Table", {"team": "search", "count": "3"}),
        ("responses", "Table", {"Answer 1": "First.", "Answer 2": "<b>Second</b>"}),
        ("service", "Table", {"service": "shop"}),
        ("unknown", "Table", {}),
        ("prompt", "Paragraphs", [{"role": "user", "content": "Which?"}]),
        ("chat", "Chat", [{"role": "user", "content": "Which?"}]),
        ("unknown", "Paragraphs", [{"role": "", "content": ""}]),
        ("answer", "Paragraphs", [{"role": "", "content": "First."}]),
        ("picture", "Image", ""),
        ("answer_2", "HyperText", '<div style="white-space: pre-wrap">&lt;b&gt;Second&lt;/b&gt;</div>'),
    ],
)
def test_structure_by_tag(name: str, tag: str, expected: Any) -> None:
    """A List, a Table, Choices and their like never get a text, not even an empty one."""
    assert value(name, tag) == expected


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (BlobPart("image", PNG, "image/png"), f"data:image/png;base64,{PNG}"),
        (BlobPart("image", f"{PNG[:8]}\n{PNG[8:]}", "image/png"), f"data:image/png;base64,{PNG}"),
        (UriPart("image", f"data:image/png;base64,{PNG}"), f"data:image/png;base64,{PNG}"),
        (BlobPart("image", "aGk=", "image/png"), ""),
        (BlobPart("image", PNG, "image/svg+xml"), ""),
        (UriPart("image", "https://example.com/a.png", "image/png"), ""),
        (BlobPart("image", "", "image/png"), ""),
    ],
)
def test_only_inline_images_are_shown(part: BlobPart | UriPart, expected: str) -> None:
    """Of four types; nothing that the labeler's browser would load from elsewhere, or that may hold a script."""
    call = replace(CALL, input_messages=(Message("user", (TextPart("What is this?"), part)),))
    assert value("picture", "Image", call) == expected

"""What of a labeling configuration works, and will still surprise those who label."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.etree import ElementTree as ET

from otel_labelstudio.tasks.binding import Binding
from otel_labelstudio.tasks.label_config import PARAGRAPHS, AnswerBox, answer_boxes, parsed, shows_variable

_SETTINGS = "under Settings > Labeling Interface"
_ANSWER_NAMES = ("response", "answer", "completion", "output")
# What a call has nothing for, or the open-source edition does not show
_LEFT_EMPTY = ("Audio", "Video", "TimeSeries", "Pdf", "PDF", "ReactCode")
_NOT_OPEN_SOURCE = ("Chat", "ReactCode")


def label_config_warnings(label_config: str, binding: Binding, answer_tag: str | None = None) -> list[str]:
    """The warnings, each with how to mend it. ``binding`` is that of the configuration."""
    root = parsed(label_config)
    if binding.from_name is None:
        return ["it has no TextArea for the answers: tasks have no prediction", *_of_tags(root)]
    of_choice = [] if answer_tag else _of_choice(root, binding.from_name, binding.passed_over)
    return [*of_choice, *_of_answer_box(root, binding.from_name), *_of_tags(root)]


def _of_choice(root: ET.Element, chosen: str, passed_over: Sequence[AnswerBox]) -> Iterator[str]:
    for box in passed_over:
        yield f'the TextArea "{box.name}" is not used for the answers: {box.obstacle}'
    if chosen.lower() in _ANSWER_NAMES:
        return
    fitting = [box.name for box in answer_boxes(root) if box.obstacle is None]
    better = next((name for name in fitting if any(word in name.lower() for word in _ANSWER_NAMES)), None)
    if better is not None and better != chosen:
        yield (f'the answers go to the first TextArea, "{chosen}"; if "{better}" is meant, set answer_tag="{better}"')


def _of_answer_box(root: ET.Element, name: str) -> Iterator[str]:
    box = next(e for e in root.iter("TextArea") if e.get("name") == name)
    if box.get("rows", "1") == "1":
        yield (
            f'the TextArea "{name}" has one row: an answer that somebody edits there loses its line '
            f'breaks; give it rows="8" {_SETTINGS}'
        )
    if box.get("editable", "").lower() != "true":
        yield (
            f'the TextArea "{name}" is not editable: an answer that is filled in cannot be corrected; '
            f'give it editable="true" {_SETTINGS}'
        )


def _of_tags(root: ET.Element) -> Iterator[str]:
    shown = [element for element in root.iter() if element.get("name") and shows_variable(element)]
    if any(e.tag == PARAGRAPHS for e in shown) and not any("white-space" in (e.text or "") for e in root.iter("Style")):
        yield (
            "a <Paragraphs> tag joins the lines of a message; add <Style>[class*=phrase] { white-space: pre-wrap; }"
            f"</Style> {_SETTINGS}"
        )
    if any(shows_variable(element) for element in root.iter("Markdown")):
        yield "a <Markdown> tag shows text of the calls: Label Studio runs scripts that stand in it; use <Text> instead"
    for element in shown:
        if element.tag in _LEFT_EMPTY:
            yield f'the <{element.tag}> tag "{element.get("name")}" stays empty: a call has nothing for it'
        if element.tag in _NOT_OPEN_SOURCE:
            yield f"the open-source edition of Label Studio does not show <{element.tag}> tags"
        if element.tag == "Image":
            yield (
                f'the <Image> tag "{element.get("name")}" shows the last inline image that the call was sent, '
                "and an error where there is none"
            )

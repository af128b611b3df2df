"""The controls of a project's labeling configuration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from xml.etree import ElementTree as ET

from otel_labelstudio.annotations.records import DEFAULT_MAX_RATING, Control
from otel_labelstudio.tasks.label_config import LabelConfigError, parsed

# Label Studio's default (https://labelstud.io/tags)
_INDEX_FLAG = "{{idx}}"
# Of visibleWhen: what hides a control's result too, on the control or on any View around it
_ON_CHOICE = ("choice-selected", "choice-unselected")


def controls_of(label_config: str) -> tuple[Control, ...]:
    """In the order of the configuration; none where it cannot be read."""
    try:
        root = parsed(label_config)
    except LabelConfigError:
        return ()
    objects = {e.attrib["name"]: e for e in root.iter() if e.get("name") and not e.get("toName")}
    repeaters = {e: repeater for repeater in root.iter("Repeater") for e in repeater.iter()}
    conditional = {e for parent in root.iter() if parent.get("visibleWhen") in _ON_CHOICE for e in parent.iter()}
    return tuple(
        _control(e, objects, repeaters.get(e), is_conditional=e in conditional)
        for e in root.iter()
        if e.get("name") and e.get("toName")
    )


def _control(
    element: ET.Element, objects: Mapping[str, ET.Element], repeater: ET.Element | None, *, is_conditional: bool
) -> Control:
    """The index flag of its Repeater is always written as ``{{idx}}``."""
    flag = _INDEX_FLAG if repeater is None else repeater.get("indexFlag", _INDEX_FLAG)
    return Control(
        name=element.attrib["name"].replace(flag, _INDEX_FLAG),
        tag=element.tag,
        to_name=element.attrib["toName"].replace(flag, _INDEX_FLAG),
        repeats=None if repeater is None else _variable(repeater.get("on", "")),
        max_rating=_max_rating(element) if element.tag == "Rating" else None,
        buckets=tuple(b.attrib["name"] for b in element.iter("Bucket") if b.get("name")),
        default_bucket=next((b.get("name") for b in element.iter("Bucket") if b.get("default") == "true"), None),
        items=tuple(_items(element, objects)),
        is_conditional=is_conditional,
    )


def _items(element: ET.Element, objects: Mapping[str, ET.Element]) -> Iterator[str]:
    """The variables that it offers, sorts or compares."""
    if element.tag == "Choices" and element.get("value", "").startswith("$"):
        yield _variable(element.attrib["value"])
    if element.tag in ("Pairwise", "Ranker"):
        shown = (objects.get(name.strip()) for name in element.attrib["toName"].split(","))
        yield from (_variable(e.get("value", "")) for e in shown if e is not None)


def _variable(value: str) -> str:
    return value.strip().removeprefix("$")


def _max_rating(element: ET.Element) -> int:
    text = element.get("maxRating", "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else DEFAULT_MAX_RATING

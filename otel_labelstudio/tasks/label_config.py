"""A labeling configuration: the tags that it has, the TextAreas for answers, and the variables that it shows.

Label Studio reads variables twice, by two rules. Its editor fills in every ``$name`` of an attribute. Its server asks a
task for the key behind a ``value`` that starts with ``$``, all of it, and only where the tag has a name
(``extract_data_types`` of its core/label_config.py): ``$model / $service`` asks for the key ``model / $service``. Both
must be there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from otel_labelstudio.errors import ConfigError

TEXT, PARAGRAPHS, HYPER_TEXT, CHAT = "Text", "Paragraphs", "HyperText", "Chat"
# What a variable for the input of a call may be called
DIALOGUE_NAMES = ("prompt", "input", "question", "text", "dialogue", "messages", "chat", "conversation", "query")
# The object tags that can show a prompt or a dialogue
DIALOGUE_TAGS = (TEXT, PARAGRAPHS, HYPER_TEXT, CHAT)
# Label Studio's defaults for a Paragraphs tag (https://labelstud.io/tags/paragraphs); a Chat tag has no others
_PARAGRAPHS_KEYS, _CHAT_KEYS = ("author", "text"), ("role", "content")

_NAME = r"\w+(?:\.\w+|\[[^\]]*\])*"
_VARIABLE = re.compile(rf"\$({_NAME})")
_IS_VARIABLE = re.compile(rf"\$({_NAME})\Z")


class LabelConfigError(ConfigError):
    """A labeling configuration that no answer can be shown in."""


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable of the configuration, and the type of the tag that uses it.

    ``role_key`` and ``content_key`` are what a Paragraphs tag calls the two fields of a turn. ``template`` is what
    stands in place of a name: a text with several variables in it.
    """

    name: str
    tag: str
    role_key: str = "role"
    content_key: str = "content"
    template: str | None = None


@dataclass(frozen=True, slots=True)
class AnswerBox:
    """A TextArea, and the variable of the object tag that it points to.

    ``obstacle`` says why it cannot hold the answer of a call; None if it can, and only then is there a ``target``.
    """

    name: str
    to_name: str
    target: Variable | None = None
    obstacle: str | None = None


def parsed(label_config: str) -> ET.Element:
    """The configuration's XML; raises `LabelConfigError`."""
    try:
        # The configuration is the user's own or their server's, and expat bounds the expansion of entities
        return ET.fromstring(label_config)  # noqa: S314
    except ET.ParseError as error:
        raise LabelConfigError(f"The labeling configuration is not well-formed XML: {error}.") from None


def is_same_label_config(one: str, other: str) -> bool:
    """Whether two labeling configurations say the same, white space and the order of attributes aside."""
    try:
        return ET.canonicalize(one, strip_text=True) == ET.canonicalize(other, strip_text=True)
    except ET.ParseError:
        return one.strip() == other.strip()


def answer_boxes(root: ET.Element) -> list[AnswerBox]:
    """The TextAreas in the order of the configuration."""
    objects = {e.attrib["name"]: e for e in root.iter() if e.get("name") and not e.get("toName")}
    repeated = {e for repeater in root.iter("Repeater") for e in repeater.iter("TextArea")}
    named = [e for e in root.iter("TextArea") if e.get("name") and e.get("toName")]
    return [_answer_box(e, objects, is_repeated=e in repeated) for e in named]


def variables(root: ET.Element) -> list[Variable]:
    """Every variable of the configuration once; where tags share one, with the tag that has a name, which is the one
    that Label Studio checks."""
    found: dict[str, Variable] = {}
    elements = sorted(root.iter(), key=lambda element: not element.get("name"))
    for element in elements:
        for attribute, value in element.attrib.items():
            for variable in _variables(element, attribute, value):
                found.setdefault(variable.name, variable)
    return list(found.values())


def dialogue_variables(root: ET.Element) -> list[Variable]:
    """The variables of object tags that can show a dialogue, one value each."""
    targets = [_target(e) for e in root.iter() if e.tag in DIALOGUE_TAGS and e.get("name")]
    return [target for target in targets if target]


def shows_variable(element: ET.Element) -> bool:
    """Whether the value of a tag has a variable in it."""
    return bool(_VARIABLE.search(element.get("value", "") or element.get("valueList", "")))


def _variables(element: ET.Element, attribute: str, value: str) -> Iterator[Variable]:
    names = _VARIABLE.findall(value)
    if element.get("name") and attribute == "value" and value.startswith("$") and not _IS_VARIABLE.match(value):
        yield Variable(value[1:], element.tag, template=value)
    # A tag's own value has the tag's type; elsewhere, and beside other text, only text can stand
    is_typed = attribute in ("value", "valueList", "on") and _IS_VARIABLE.match(value)
    for name in names:
        yield _variable(element, name) if is_typed else Variable(name, TEXT)


def _variable(element: ET.Element, name: str) -> Variable:
    role_key, content_key = _CHAT_KEYS if element.tag == CHAT else _PARAGRAPHS_KEYS
    return Variable(name, element.tag, element.get("nameKey", role_key), element.get("textKey", content_key))


def _answer_box(element: ET.Element, objects: dict[str, ET.Element], *, is_repeated: bool) -> AnswerBox:
    name, to_name = element.attrib["name"], element.attrib["toName"].split(",")[0].strip()
    tag = objects.get(to_name)
    target = _target(tag) if tag is not None else None
    if element.get("perRegion", "").lower() == "true":
        obstacle: str | None = "it is for single regions (perRegion)"
    elif is_repeated or "{{" in name:
        obstacle = "it is repeated (Repeater)"
    elif tag is None or target is None:
        obstacle = f'it points to "{to_name}", which is no object tag with a variable as its value'
    elif tag.tag not in DIALOGUE_TAGS:
        obstacle = f'it points to "{to_name}", {_article(tag.tag)} <{tag.tag}>, which shows no text'
    else:
        return AnswerBox(name, to_name, target)
    return AnswerBox(name, to_name, obstacle=obstacle)


def _article(tag: str) -> str:
    return "an" if tag[0] in "AEIOU" else "a"


def _target(element: ET.Element) -> Variable | None:
    """What an object tag shows; None if that is not a single variable."""
    value = element.get("value", "")
    names = _VARIABLE.findall(value)
    if not names or "[" in names[0]:
        return None
    return _variable(element, value[1:] if value.startswith("$") else names[0])

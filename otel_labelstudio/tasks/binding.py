"""What a project's labeling configuration asks of its tasks, and which calls fit it.

The rules are those of LangChain's ``LabelStudioCallbackHandler``: the first TextArea of the configuration is where the
answers go, the object tag that it points to says where the prompt goes and what a call must be. A completion needs a
``Text``, a chat a ``Paragraphs``. ``auto``, which the handler does not have, fits every call to what it meets.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from importlib import resources
from xml.etree import ElementTree as ET

from otel_labelstudio.errors import ConfigError

TEXT, PARAGRAPHS, HYPER_TEXT = "Text", "Paragraphs", "HyperText"

_HINT = (
    "Add one in Label Studio under the project's Settings > Labeling Interface; Browse Templates > Generative AI has "
    "configurations to start from."
)
_VARIABLE_OF_MODE = "OTEL_EXPORTER_LABELSTUDIO_MODE"
_FIT_ANY = f'mode="auto" ({_VARIABLE_OF_MODE}=auto), which takes every call'
_VARIABLE = re.compile(r"\$(\w+)")


class Mode(str, Enum):
    """Which labeling configuration a new project gets, and whether calls are refused or fitted."""

    PROMPT = "prompt"
    CHAT = "chat"
    AUTO = "auto"


class Source(Enum):
    """Where a labeling configuration comes from; by that, another setting mends a call that does not fit it."""

    PROJECT = "project"  # it is there already
    PROJECT_CONFIG = "project_config"  # of a project that is still to be made, as are the mode's own
    MODE = "mode"


class LabelConfigError(ConfigError):
    """A labeling configuration that no answer can be shown in."""


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable of the configuration, and the type of the tag that uses it.

    ``role_key`` and ``content_key`` are what a Paragraphs tag calls the two fields of a turn.
    """

    name: str
    tag: str
    role_key: str = "role"
    content_key: str = "content"


@dataclass(frozen=True, slots=True)
class Binding:
    """Where a call goes in the tasks of a project.

    ``from_name`` and ``to_name`` address the TextArea of the answers, ``data_key`` is the variable of its object tag,
    ``object_tag`` that tag's type. ``role_key`` and ``content_key`` are what a Paragraphs tag calls the two fields of a
    turn. ``variables`` are all other variables that the configuration uses.
    """

    from_name: str
    to_name: str
    data_key: str
    object_tag: str
    role_key: str = "role"
    content_key: str = "content"
    variables: tuple[Variable, ...] = ()


def default_label_config(mode: Mode) -> str:
    """The labeling configuration of a new project in ``mode``; ``auto`` starts as a chat."""
    name = "prompt.xml" if mode is Mode.PROMPT else "chat.xml"
    return (resources.files("otel_labelstudio.tasks") / "configs" / name).read_text(encoding="utf-8")


def binding_from_label_config(label_config: str) -> Binding:
    """The binding of a labeling configuration (XML); raises `LabelConfigError` with what to change."""
    root = _parse(label_config)
    text_area = next((e for e in root.iter("TextArea") if e.get("name") and e.get("toName")), None)
    if text_area is None:
        raise LabelConfigError(f"The labeling configuration has no TextArea for the answers. {_HINT}")
    to_name = text_area.attrib["toName"].split(",")[0].strip()
    objects = {e.attrib["name"]: e for e in root.iter() if e.get("name") and not e.get("toName")}
    target = objects.get(to_name)
    data_key = _variable(target.get("value", "")) if target is not None else None
    if target is None or data_key is None or "[" in data_key:
        raise LabelConfigError(
            f'The TextArea "{text_area.get("name")}" points to "{to_name}", which is no object tag with a variable as '
            f"its value. {_HINT}"
        )
    return Binding(
        from_name=text_area.attrib["name"],
        to_name=to_name,
        data_key=data_key,
        object_tag=target.tag,
        role_key=_role_key(target),
        content_key=_content_key(target),
        variables=_other_variables(root, data_key),
    )


def refusal(
    binding: Binding, *, is_chat: bool, mode: Mode, project: str, source: Source = Source.PROJECT
) -> str | None:
    """Why a call of this kind cannot become a task of the project, with the setting that mends it; None if it can."""
    needed = PARAGRAPHS if is_chat else TEXT
    if binding.object_tag == needed or mode is Mode.AUTO:
        return None
    kind, fitting = ("chat", Mode.CHAT) if is_chat else ("completion", Mode.PROMPT)
    subject = "project_config" if source is Source.PROJECT_CONFIG else f'Project "{project}"'
    misfit = f"{subject} shows the prompt in a <{binding.object_tag}> tag; a {kind} needs a <{needed}> tag."
    if source is Source.PROJECT_CONFIG:
        return f"{misfit} Change it, or set {_FIT_ANY}."
    if binding.object_tag not in (TEXT, PARAGRAPHS):
        return (
            f"{misfit} Change it under Settings > Labeling Interface, or choose another project (project_name, "
            "project_id)."
        )
    if mode is fitting:  # the project has an interface of its own
        return f"{misfit} Choose another project_name to have a project made for it, or set {_FIT_ANY}."
    another = " and another project_name" if source is Source.PROJECT else ""
    return (
        f'mode="{mode.value}" takes no {kind}s: set mode="{fitting.value}" or {_VARIABLE_OF_MODE}={fitting.value}'
        f"{another}, or {_FIT_ANY}. {misfit}"
    )


def remarks(label_config: str) -> list[str]:
    """What of a labeling configuration works, and will still surprise those who label."""
    root = _parse(label_config)
    found = []
    text_area = next((e for e in root.iter("TextArea") if e.get("name") and e.get("toName")), None)
    if text_area is not None and text_area.get("rows", "1") == "1":
        found.append(
            f'the TextArea "{text_area.get("name")}" has one row: an answer that somebody edits there loses its line '
            'breaks; give it rows="8" under Settings > Labeling Interface'
        )
    if any(_variable(e.get("value", "")) for e in root.iter("Markdown")):
        found.append(
            "a <Markdown> tag shows text of the calls: Label Studio runs scripts that stand in it; use <Text> instead"
        )
    return found


def is_same_label_config(one: str, other: str) -> bool:
    """Whether two labeling configurations say the same, white space and the order of attributes aside."""
    try:
        return ET.canonicalize(one, strip_text=True) == ET.canonicalize(other, strip_text=True)
    except ET.ParseError:
        return one.strip() == other.strip()


def _parse(label_config: str) -> ET.Element:
    try:
        # The configuration is the user's own or their server's, and expat bounds the expansion of entities
        return ET.fromstring(label_config)  # noqa: S314
    except ET.ParseError as error:
        raise LabelConfigError(f"The labeling configuration is not well-formed XML: {error}.") from None


def _variable(value: str) -> str | None:
    """The task data's key that an attribute shows, as Label Studio finds it (core/label_config.py)."""
    if value.startswith("$"):
        return value[1:] or None
    found = _VARIABLE.search(value)
    return found.group(1) if found else None


# Label Studio's defaults for a Paragraphs tag: https://labelstud.io/tags/paragraphs
def _role_key(element: ET.Element) -> str:
    return element.get("nameKey", "author")


def _content_key(element: ET.Element) -> str:
    return element.get("textKey", "text")


def _other_variables(root: ET.Element, data_key: str) -> tuple[Variable, ...]:
    variables: dict[str, Variable] = {}
    for element in root.iter():
        for value in element.attrib.values():
            name = _variable(value)
            if name and name != data_key:
                variables.setdefault(name, Variable(name, element.tag, _role_key(element), _content_key(element)))
    return tuple(variables.values())

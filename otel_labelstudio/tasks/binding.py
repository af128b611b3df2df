"""What a project's labeling configuration asks of its tasks, and which calls fit it.

The rules are those of LangChain's ``LabelStudioCallbackHandler``: the first TextArea of the configuration is where the
answers go, the object tag that it points to says where the prompt goes and what a call must be. A completion needs a
``Text``, a chat a ``Paragraphs``. ``auto``, which the handler does not have, fits every call to what it meets.

A TextArea that cannot hold an answer is passed over: one for regions, one that is repeated, one beside an image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from importlib import resources
from xml.etree import ElementTree as ET

from otel_labelstudio.tasks.label_config import (
    DIALOGUE_NAMES,
    PARAGRAPHS,
    TEXT,
    AnswerBox,
    LabelConfigError,
    Variable,
    answer_boxes,
    dialogue_variables,
    parsed,
    variables,
)
from otel_labelstudio.tasks.layouts.data import fill_of

_HINT = (
    "Add one in Label Studio under the project's Settings > Labeling Interface; Browse Templates > Generative AI > "
    "Supervised Language Model Fine-tuning has one to start from. For tasks without a prediction, where people only "
    "rate or rank, set require_prediction=false (OTEL_EXPORTER_LABELSTUDIO_REQUIRE_PREDICTION)."
)
_VARIABLE_OF_MODE = "OTEL_EXPORTER_LABELSTUDIO_MODE"
_FIT_ANY = f'mode="auto" ({_VARIABLE_OF_MODE}=auto), which takes every call'


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


@dataclass(frozen=True, slots=True)
class Binding:
    """Where a call goes in the tasks of a project.

    ``from_name`` and ``to_name`` address the TextArea of the answers, ``prompt`` is the variable of its object tag,
    ``variables`` are all others that the configuration uses. ``passed_over`` are the TextAreas before it. Without a
    TextArea, ``from_name`` and ``to_name`` are None, and tasks have no prediction.
    """

    from_name: str | None
    to_name: str | None
    prompt: Variable
    variables: tuple[Variable, ...] = ()
    passed_over: tuple[AnswerBox, ...] = ()

    @property
    def data_key(self) -> str:
        """The key of the prompt in a task's data."""
        return self.prompt.name

    @property
    def object_tag(self) -> str:
        """The type of the tag that shows the prompt."""
        return self.prompt.tag


def default_label_config(mode: Mode) -> str:
    """The labeling configuration of a new project in ``mode``; ``auto`` starts as a chat."""
    return _read_config("prompt.xml" if mode is Mode.PROMPT else "chat.xml")


def default_instructions() -> str:
    """What labelers are told (HTML) in a project with one of the default labeling configurations."""
    return _read_config("instructions.html")


def _read_config(name: str) -> str:
    return (resources.files("otel_labelstudio.tasks") / "configs" / name).read_text(encoding="utf-8")


def binding_from_label_config(
    label_config: str, answer_tag: str | None = None, *, require_prediction: bool = True
) -> Binding:
    """The binding of a labeling configuration (XML); raises `LabelConfigError` with what to change.

    ``answer_tag`` is the name of the TextArea for the answers; None for the first that can hold one. Where none can,
    that is an error, unless predictions are not required.
    """
    root = parsed(label_config)
    boxes = answer_boxes(root)
    if not require_prediction and answer_tag is None and all(box.obstacle for box in boxes):
        return _without_prediction(root, boxes)
    box = _chosen(boxes, answer_tag)
    if box.target is None:
        raise LabelConfigError(f'The TextArea "{box.name}" cannot hold the answers: {box.obstacle}. {_HINT}')
    passed_over = () if answer_tag else tuple(boxes[: boxes.index(box)])
    return Binding(box.name, box.to_name, box.target, _others(root, box.target), passed_over)


def _without_prediction(root: ET.Element, boxes: Sequence[AnswerBox]) -> Binding:
    """The prompt goes where a variable's name says so, else to the first tag that can show it."""
    shown = dialogue_variables(root)
    prompt = next((variable for variable in shown if variable.name in DIALOGUE_NAMES), None) or next(iter(shown), None)
    if prompt is None:
        raise LabelConfigError(f"The labeling configuration has no tag that shows text. {_HINT}")
    return Binding(None, None, prompt, _others(root, prompt), tuple(boxes))


def _others(root: ET.Element, prompt: Variable) -> tuple[Variable, ...]:
    """A layout's come last: its list, whose items are HTML, takes the place of the one that its Repeater would get."""
    others = [variable for variable in variables(root) if variable.name != prompt.name]
    return tuple(sorted(others, key=lambda variable: fill_of(variable.tag, variable.name) is not None))


def _chosen(boxes: Sequence[AnswerBox], answer_tag: str | None) -> AnswerBox:
    """The box of that name, else the first that can hold an answer, else the first."""
    if not boxes:
        raise LabelConfigError(f"The labeling configuration has no TextArea for the answers. {_HINT}")
    if answer_tag is None:
        return next((box for box in boxes if box.obstacle is None), boxes[0])
    named = next((box for box in boxes if box.name == answer_tag), None)
    if named is None:
        there = ", ".join(box.name for box in boxes)
        raise LabelConfigError(f'The labeling configuration has no TextArea "{answer_tag}" (answer_tag), but {there}.')
    return named


def refusal(
    binding: Binding, *, is_chat: bool, mode: Mode, project: str, source: Source = Source.PROJECT
) -> str | None:
    """Why a call of this kind cannot become a task of the project, with the setting that mends it; None if it can."""
    needed = PARAGRAPHS if is_chat else TEXT
    if binding.object_tag == needed or mode is Mode.AUTO:
        return None
    kind, fitting = ("chat", Mode.CHAT) if is_chat else ("completion", Mode.PROMPT)
    if fill_of(binding.object_tag, binding.data_key):  # a layout shows both kinds: the mode alone chooses
        return None if mode is fitting else f"{_other_mode(mode, fitting, kind)}, or set {_FIT_ANY}."
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
    return f"{_other_mode(mode, fitting, kind)}{another}, or {_FIT_ANY}. {misfit}"


def _other_mode(mode: Mode, fitting: Mode, kind: str) -> str:
    set_mode = f'set mode="{fitting.value}" or {_VARIABLE_OF_MODE}={fitting.value}'
    return f'mode="{mode.value}" takes no {kind}s: {set_mode}'

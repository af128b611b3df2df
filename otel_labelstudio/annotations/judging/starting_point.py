"""What a person found when they began: the model's answers, and where they stood."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from otel_labelstudio.annotations.records import AnnotatedTask, Annotation, Prediction, Region
from otel_labelstudio.calls import LLMCall
from otel_labelstudio.tasks import render
from otel_labelstudio.tasks.build import answers_digest
from otel_labelstudio.tasks.mend import mend_text

# What the prediction of a call without an output message says
_NO_ANSWER = ("",)


@dataclass(frozen=True, slots=True)
class StartingPoint:
    """``texts`` are the model's answers, ``answer_name`` is the control that has what became of them; None where there
    is no such control. ``was_filled_in``: they, or the imported ones, stood in it at the beginning, where it could be
    seen by everybody."""

    texts: tuple[str, ...] = field(repr=False)
    answer_name: str | None
    was_filled_in: bool
    imported_base: str | None = field(default=None, repr=False)
    imported_model: str | None = None

    def texts_in(self, annotation: Annotation) -> tuple[str, ...] | None:
        """What the annotation has in the answers' place; None where nothing is said of it."""
        own = [region for region in _boxes(annotation.regions) if region.from_name == self.answer_name]
        return tuple(text for region in own for text in texts_of(region.value)) if own else None


def own_texts(task: AnnotatedTask, call: LLMCall) -> tuple[str, ...]:
    """The call's answers as people saw them, one for each output message. A prediction that has the checksum of the
    task's meta is the very one that was sent; else they are rendered as this version does it."""
    if not call.output_messages:
        return ()
    digest = task.origin.answers_sha256 if task.origin else None
    for texts in map(_answers_in, task.predictions) if digest else ():
        if len(texts) == len(call.output_messages) and answers_digest(texts) == digest:
            return texts
    return tuple(map(mend_text, render.answers(call)))


def starting_point(task: AnnotatedTask, annotation: Annotation, texts: tuple[str, ...]) -> StartingPoint:
    """Of an annotation; ``texts`` are the call's own answers."""
    parent_id = _root(task, annotation).parent_prediction_id
    parent = next((p for p in task.predictions if p.id == parent_id), None)
    filled_in = _answers_in(parent) if parent else texts if _has_own_prediction(task) else ()
    is_imported = bool(filled_in) and filled_in != (texts or _NO_ANSWER)
    return StartingPoint(
        texts,
        _answer_name(task, annotation),
        was_filled_in=parent_id is not None and bool(filled_in) and not may_be_hidden(task),
        imported_base=filled_in[0] if is_imported and parent else None,
        imported_model=parent.model_version if is_imported and parent else None,
    )


def may_be_hidden(task: AnnotatedTask) -> bool:
    """Whether the answer's control is on the page only after a certain choice: that an annotation has nothing of it
    says that it was not there, or that it was cleared."""
    names = set(_candidates(task))
    return any(control.is_conditional for control in task.project.controls if control.name in names)


def texts_of(value: Any) -> tuple[str, ...]:
    """The texts of a region's value."""
    values = value if isinstance(value, tuple | list) else (value,)
    return tuple(text for text in values if isinstance(text, str))


def _root(task: AnnotatedTask, annotation: Annotation) -> Annotation:
    """A duplicate says what it is a copy of, and no longer which prediction that one began with."""
    by_id = {other.id: other for other in task.annotations if not other.is_draft}
    for _ in range(len(by_id)):  # copies of copies, but no circle
        parent = by_id.get(annotation.parent_annotation_id or 0)
        if annotation.parent_prediction_id is not None or parent is None:
            break
        annotation = parent
    return annotation


def _has_own_prediction(task: AnnotatedTask) -> bool:
    return task.origin is None or task.origin.answers_sha256 is not None


def _answer_name(task: AnnotatedTask, annotation: Annotation) -> str | None:
    """The control of the answer: the one that the task was built for; that of the prediction, where the task does not
    tell; the first that can hold one now, where the interface was changed since; the only one, where nobody tells."""
    names = list(dict.fromkeys(region.from_name for region in _boxes(annotation.regions)))
    candidates = list(_candidates(task))
    chosen = next((name for name in candidates if name in names), None)
    if chosen is None and not candidates and task.origin is None and len(names) == 1:
        return names[0]
    return chosen


def _candidates(task: AnnotatedTask) -> Iterator[str]:
    built_for = task.origin.from_name if task.origin else None
    if built_for is not None:
        yield built_for
    for prediction in task.predictions:
        names = [region.from_name for region in _boxes(prediction.regions)]
        if built_for not in names:
            yield from names
    controls = {control.name: control for control in task.project.controls}
    if built_for is not None and controls and built_for not in controls:
        boxes = (control for control in controls.values() if control.tag == "TextArea" and control.repeats is None)
        yield from (control.name for control in list(boxes)[:1])


def _boxes(regions: Iterable[Region]) -> list[Region]:
    return [region for region in regions if region.type == "textarea" and isinstance(region.value, tuple | list | str)]


def _answers_in(prediction: Prediction) -> tuple[str, ...]:
    """What it says in the first control that it has a text for."""
    boxes = _boxes(prediction.regions)
    return tuple(text for box in boxes if box.from_name == boxes[0].from_name for text in texts_of(box.value))

"""From a task to its judgements: which annotations count, and what each says."""

from __future__ import annotations

from collections.abc import Iterable

from otel_labelstudio.annotations.judging.comparison import compare, without_text
from otel_labelstudio.annotations.judging.opinions import opinion_of
from otel_labelstudio.annotations.judging.starting_point import StartingPoint, own_texts, starting_point
from otel_labelstudio.annotations.judging.verdicts import verdicts_of
from otel_labelstudio.annotations.records import (
    AnnotatedTask,
    Annotation,
    Disregarded,
    JudgedCall,
    Judgement,
    NotJudged,
)


def judge(task: AnnotatedTask, *, keep_bulk: bool = False) -> JudgedCall | NotJudged:
    """What each person said of the task's call. ``keep_bulk``: annotations that an action of the Data Manager made of
    predictions count as their users' judgements too."""
    if task.call is None:
        return NotJudged(task, task.why_no_call or "not_ours")
    texts = own_texts(task, task.call)
    disregarded: dict[int, Disregarded] = {}
    judgements: list[Judgement] = []
    for annotation in sorted(task.annotations, key=lambda annotation: (annotation.created_at, annotation.id)):
        why = _why_nobodys(annotation, keep_bulk=keep_bulk)
        judgement = None if why else _judgement(task, annotation, starting_point(task, annotation, texts))
        if judgement is None:
            disregarded[-annotation.id if annotation.is_draft else annotation.id] = why or Disregarded.EMPTY
        else:
            judgements.append(judgement)
    counted = _latest_of_each(judgements)
    superseded = (j.annotation.id for j in judgements if j.annotation.id not in counted)
    disregarded |= dict.fromkeys(superseded, Disregarded.SUPERSEDED)
    return JudgedCall(task=task, call=task.call, judgements=tuple(counted.values()), disregarded=disregarded)


def _why_nobodys(annotation: Annotation, *, keep_bulk: bool) -> Disregarded | None:
    """Before anything that it says is looked at: a skipped annotation has a whole result, often with half an edit."""
    if annotation.is_skipped:
        return Disregarded.SKIPPED
    if annotation.is_draft:
        return Disregarded.DRAFT
    return Disregarded.BULK if _is_bulk(annotation) and not keep_bulk else None


def _is_bulk(annotation: Annotation) -> bool:
    """Nobody wrote to it or spent time on it. Label Studio's own mark (``bulk_created``) is false for such ones."""
    was_touched = annotation.updated_by is not None or annotation.lead_time_s is not None
    return not was_touched and all(region.origin is None for region in annotation.regions)


def _judgement(task: AnnotatedTask, annotation: Annotation, start: StartingPoint) -> Judgement | None:
    """None where it says nothing."""
    finals = start.texts_in(annotation)
    verdicts = verdicts_of(annotation, task.project.controls, start.answer_name)
    opinion = opinion_of(annotation, task.project.controls, verdicts, len(start.texts))
    is_removed = finals is None and start.was_filled_in and not _is_scripts(annotation)
    compared = without_text(start.texts, is_removed=is_removed) if finals is None else compare(start.texts, finals)
    has_text = bool(compared.answers) and (finals is not None or is_removed)
    if not (has_text or compared.written or verdicts or opinion.says_something):
        return None
    return Judgement(
        annotation=annotation,
        answers=compared.answers,
        written=compared.written,
        verdicts=verdicts,
        preferences=opinion.preferences,
        liked=opinion.liked,
        disliked=opinion.disliked,
        imported_base=start.imported_base,
        imported_model=start.imported_model,
    )


def _is_scripts(annotation: Annotation) -> bool:
    """Whether it was posted by a program, which sends what it has to say and no more; the page marks each region."""
    return bool(annotation.regions) and all(region.origin is None for region in annotation.regions)


def _latest_of_each(judgements: Iterable[Judgement]) -> dict[int, Judgement]:
    """By annotation: of each person the latest, or their latest ground truth; all of nobody known."""
    chosen: dict[object, Judgement] = {}
    for judgement in judgements:
        annotator = judgement.annotator
        person: object = ("of nobody", judgement.annotation.id) if annotator is None else annotator.id
        if person not in chosen or _rank(chosen[person]) <= _rank(judgement):
            chosen[person] = judgement
    counted = sorted(chosen.values(), key=lambda j: (j.annotation.created_at, j.annotation.id))
    return {judgement.annotation.id: judgement for judgement in counted}


def _rank(judgement: Judgement) -> tuple[object, ...]:
    annotation = judgement.annotation
    return annotation.is_ground_truth, annotation.updated_at, annotation.id

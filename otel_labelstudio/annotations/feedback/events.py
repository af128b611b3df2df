"""From a judged call to evaluations: one for each person and control, never averaged.

- A rating and a number are scores, each value of a choice is a label.
- What became of an answer is the evaluation ``correction``: accepted, edited or rejected, its score the share of the
  text that was changed. That the text was left alone is said only where the person said nothing else: who gives one
  star and corrects nothing has not accepted the answer.
- A comparison of two answers is the evaluation ``preference``: left or right. Rankings have no form that a back end
  shows; they are for datasets.
- Comments explain all evaluations of their annotation. Alone, they are one without a result.
- Where the person worked on another model's answer, that somebody had imported, nothing is said of this call.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from otel_labelstudio.annotations.feedback.annotators import NameOf
from otel_labelstudio.annotations.feedback.evaluation import Evaluation, digest
from otel_labelstudio.annotations.records import Act, JudgedAnswer, JudgedCall, Judgement, Verdict
from otel_labelstudio.tasks.mend import mend_text

_CORRECTION, _PREFERENCE = "correction", "preference"
# Neither infinite nor too large for a double
_MOST = 1e300
_LABELS = {
    Act.ACCEPTED: "accepted",
    Act.WHITESPACE: "accepted",
    Act.EDITED: "edited",
    Act.REWRITTEN: "edited",
    Act.REMOVED: "rejected",
}


@dataclass(frozen=True, slots=True)
class EvaluationRules:
    """``names`` replaces names of controls; ``has_corrections`` where corrected texts may leave Label Studio."""

    name_of: NameOf
    names: Mapping[str, str] = field(default_factory=dict)
    has_corrections: bool = False


@dataclass(frozen=True, slots=True)
class _Said:
    name: str
    score: float | None = None
    label: str | None = None
    index: int | None = None
    max_score: float | None = None
    corrected: str | None = None


def evaluations_of(judged: JudgedCall, rules: EvaluationRules) -> tuple[Evaluation, ...]:
    """All that people said of a call, person by person."""
    return tuple(
        evaluation
        for judgement in judged.judgements
        if judgement.imported_base is None
        for evaluation in _of_one_person(judged, judgement, rules)
    )


def _of_one_person(judged: JudgedCall, judgement: Judgement, rules: EvaluationRules) -> Iterator[Evaluation]:
    template = _template(judged, judgement, rules)
    values: Counter[tuple[str, int | None]] = Counter()
    for said in _said(judgement):
        name = rules.names.get(said.name, said.name)
        # The place among the values of one control, so that one choice that replaces another has its key
        place = values[name, said.index]
        values[name, said.index] += 1
        yield replace(
            template,
            key=digest(judged.task.project.url, template.project_id, template.annotation_id, name, said.index, place),
            name=name,
            score=said.score,
            label=said.label,
            index=said.index,
            max_score=said.max_score,
            corrected=said.corrected if rules.has_corrections else None,
        )


def _template(judged: JudgedCall, judgement: Judgement, rules: EvaluationRules) -> Evaluation:
    """What all evaluations of one annotation have in common."""
    call, task, annotation = judged.call, judged.task, judgement.annotation
    project = task.project
    comments = "\n".join(judgement.comments)
    return Evaluation(
        key="",
        name="",
        trace_id=call.trace_id,
        span_id=call.span_id,
        response_id=call.response_id,
        explanation=mend_text(comments) or None,
        annotator=rules.name_of(judgement.annotator, project.url) if judgement.annotator else None,
        annotation_id=annotation.id,
        task_id=task.id,
        project_id=project.id,
        updated_at=annotation.updated_at,
        lead_time_s=annotation.lead_time_s,
        url=f"{project.url}/projects/{project.id}/data?task={task.id}" if project.url else None,
        service_name=call.service_name,
    )


def _said(judgement: Judgement) -> list[_Said]:
    comparisons = {region.from_name for region in judgement.annotation.regions if region.type == "pairwise"}
    found = [
        replace(said, name=_PREFERENCE) if verdict.name in comparisons else said
        for verdict in judgement.verdicts
        for said in _of_verdict(verdict)
    ]
    is_silent = not found and not judgement.preferences
    has_several = len(judgement.answers) > 1
    for answer in judgement.answers:
        if not _LABELS.get(answer.act) or (_LABELS[answer.act] == "accepted" and not is_silent):
            continue
        found.append(_of_answer(answer, answer.index if has_several else None))
    if not found:
        found = [_Said(verdict.name) for verdict in judgement.verdicts if verdict.kind == "comment"][:1]
    return found


def _of_verdict(verdict: Verdict) -> Iterator[_Said]:
    if verdict.kind == "choices" and isinstance(verdict.value, tuple):
        for value in verdict.value:
            yield _Said(verdict.name, label=mend_text(value), index=verdict.index)
    elif isinstance(verdict.value, int | float) and -_MOST < verdict.value < _MOST:
        yield _Said(verdict.name, float(verdict.value), index=verdict.index, max_score=verdict.max_value)


def _of_answer(answer: JudgedAnswer, index: int | None) -> _Said:
    label = _LABELS[answer.act]
    share = {"accepted": 0.0, "rejected": 1.0}.get(label, 1.0 - answer.similarity)
    corrected = mend_text(answer.final) if label == "edited" and answer.final is not None else None
    return _Said(_CORRECTION, round(share, 4), label, index, corrected=corrected)

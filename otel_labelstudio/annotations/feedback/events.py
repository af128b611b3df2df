"""From a judged call to evaluations: one for each person and control, never averaged.

- A rating and a number are scores, each value of a choice is a label.
- What became of an answer is the evaluation ``correction``: accepted, edited or rejected, its score the share of the
  text that was changed. That the text was left alone is said only where the person said nothing else: who gives one
  star and corrects nothing has not accepted the answer.
- A comparison of two answers is the evaluation ``preference``: left or right. Rankings have no form that a back end
  shows; they are for datasets.
- Comments explain all evaluations of their annotation. Alone, they are one without a result.
- Where the person worked on another model's answer, that somebody had imported, nothing is said of this call.
- Answers to compare came of several calls: what is said of one goes to its own span, and what is said of the whole to
  that of the first, which it judges.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from otel_labelstudio.annotations.annotators import NameOf
from otel_labelstudio.annotations.feedback.evaluation import Evaluation, digest
from otel_labelstudio.annotations.records import About, Act, JudgedAnswer, JudgedCall, Judgement, Verdict
from otel_labelstudio.calls import LLMCall
from otel_labelstudio.tasks.mend import mend_text

_CORRECTION, _PREFERENCE = "correction", "preference"
# Neither infinite nor too large for a double
_MOST = 1e300
_OF_ORIGIN = ("trace_id", "span_id", "response_id", "service_name")
_ACCEPTED, _EDITED, _REJECTED = "accepted", "edited", "rejected"
# An answer that was left untouched, with nothing of its text in the annotation, was rated or compared only
_LABELS = {
    Act.ACCEPTED: _ACCEPTED,
    Act.WHITESPACE: _ACCEPTED,
    Act.EDITED: _EDITED,
    Act.REWRITTEN: _EDITED,
    Act.REMOVED: _REJECTED,
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
    about: About = About.CALL
    index: int | None = None
    max_score: float | None = None
    corrected: str | None = field(default=None, repr=False)


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
        name = mend_text(rules.names.get(said.name, said.name))
        # The place among the values of one control, so that one choice that replaces another has its key
        place = values[name, said.index]
        values[name, said.index] += 1
        yield replace(
            _on_its_span(template, judged.call, said),
            key=digest(judged.task.project.url, template.project_id, template.annotation_id, name, said.index, place),
            name=name,
            score=said.score,
            label=said.label,
            index=said.index,
            about=None if said.about is About.CALL else said.about.value,
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
        response_id=_mended(call.response_id),
        explanation=mend_text(comments) or None,
        annotator=_mended(rules.name_of(judgement.annotator, project.url)) if judgement.annotator else None,
        annotation_id=annotation.id,
        task_id=task.id,
        project_id=project.id,
        updated_at=annotation.updated_at,
        lead_time_s=annotation.lead_time_s if math.isfinite(annotation.lead_time_s or 0) else None,
        url=task.url,
        service_name=_mended(call.service_name),
    )


def _on_its_span(template: Evaluation, call: LLMCall, said: _Said) -> Evaluation:
    """Where the answers came of several calls, on the span of the one that gave this answer."""
    origins, index = call.answer_origins, said.index or 0
    if said.about not in (About.CALL, About.ANSWER) or index >= len(origins):
        return template
    trace_id, span_id, response_id, service_name = (
        mend_text(value) if isinstance(value := origins[index].get(name), str) else None for name in _OF_ORIGIN
    )
    return replace(
        template,
        trace_id=trace_id or "",
        span_id=span_id or "",
        response_id=response_id,
        service_name=service_name,
    )


def _said(judgement: Judgement) -> list[_Said]:
    comparisons = {region.from_name for region in judgement.annotation.regions if region.type == "pairwise"}
    found = [
        replace(said, name=_PREFERENCE) if verdict.name in comparisons else said
        for verdict in judgement.verdicts
        for said in _of_verdict(verdict)
    ]
    has_result = bool(found or judgement.preferences)
    found += [said for said in _corrections(judgement.answers) if said.label != _ACCEPTED or not has_result]
    comments = [_Said(verdict.name) for verdict in judgement.verdicts if verdict.kind == "comment"]
    return found or comments[:1]


def _corrections(answers: Sequence[JudgedAnswer]) -> Iterator[_Said]:
    for answer in answers:
        if answer.act in _LABELS:
            said = _of_answer(answer)
            yield replace(said, about=About.ANSWER, index=answer.index) if len(answers) > 1 else said


def _of_verdict(verdict: Verdict) -> Iterator[_Said]:
    if verdict.kind == "choices" and isinstance(verdict.value, tuple):
        for value in verdict.value:
            yield _Said(verdict.name, None, mend_text(value), verdict.about, verdict.index)
    elif isinstance(verdict.value, int | float) and -_MOST < verdict.value < _MOST:
        yield _Said(verdict.name, float(verdict.value), None, verdict.about, verdict.index, verdict.max_value)


def _of_answer(answer: JudgedAnswer) -> _Said:
    label = _LABELS[answer.act]
    share = {_ACCEPTED: 0.0, _REJECTED: 1.0}.get(label, 1.0 - answer.similarity)
    corrected = _mended(answer.final) if label == _EDITED else None
    return _Said(_CORRECTION, round(share, 4), label, corrected=corrected)


def _mended(text: str | None) -> str | None:
    return None if text is None else mend_text(text)

"""What people said of calls, as the judge gives it."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from typing import Any

from otel_labelstudio.annotations.feedback import (
    AnnotatorForm,
    EvaluationRules,
    FeedbackSink,
    FeedbackState,
    FeedbackSummary,
    annotator_naming,
    evaluations_of,
)
from otel_labelstudio.annotations.feedback.writing import FeedbackWriter
from otel_labelstudio.annotations.records import (
    Act,
    AnnotatedProject,
    AnnotatedTask,
    Annotation,
    JudgedAnswer,
    JudgedCall,
    Judgement,
    User,
    Verdict,
)
from otel_labelstudio.calls import LLMCall

SERVER = "http://label-studio.test"
AT = datetime(2026, 11, 26, 12, 30, 15, 123456, tzinfo=timezone.utc)
RULES = EvaluationRules(annotator_naming(AnnotatorForm.HASH, b"a key of this test"))


def call(**facts: Any) -> LLMCall:
    """A call with ids of its own."""
    given: dict[str, Any] = {
        "trace_id": os.urandom(16).hex(),
        "span_id": os.urandom(8).hex(),
        "start_time_unix_nano": 1,
        "end_time_unix_nano": 2,
        "dialect": "genai",
        "operation": "chat",
        "response_id": "chatcmpl-1",
        "service_name": "shop",
    }
    return LLMCall(**{**given, **facts})


def rating(value: float, name: str = "rating", *, max_value: int = 5) -> Verdict:
    return Verdict(name, "rating", value, max_value=max_value)


def choices(*values: str, name: str = "verdict", **facts: Any) -> Verdict:
    return Verdict(name, "choices", values, **facts)


def comment(text: str) -> Verdict:
    return Verdict("comment", "comment", text)


def answer(act: Act = Act.UNTOUCHED, final: str | None = "Paris.", similarity: float = 1.0, index: int = 0) -> Any:
    return JudgedAnswer(index, "Paris.", final, act, similarity)


def judgement(*verdicts: Verdict, annotation_id: int = 7, user_id: int = 3, **facts: Any) -> Judgement:
    """What one person said; without ``answers``, they left the only one alone."""
    by = User(user_id, f"person{user_id}@example.com")
    annotation = Annotation(
        id=annotation_id,
        by=by,
        created_at=AT,
        updated_at=facts.pop("updated_at", AT),
        lead_time_s=4.5,
        regions=facts.pop("regions", ()),
    )
    return Judgement(annotation=annotation, answers=facts.pop("answers", (answer(),)), verdicts=verdicts, **facts)


def judged(
    *judgements: Judgement, of: LLMCall | None = None, task_id: int = 11, updated_at: datetime = AT
) -> JudgedCall:
    of = of or call()
    task = AnnotatedTask(id=task_id, project=AnnotatedProject(5, "shop", SERVER), updated_at=updated_at, call=of)
    return JudgedCall(task=task, call=of, judgements=judgements)


def rated(calls: Sequence[LLMCall], value: float = 4, *, max_value: int = 5) -> list[JudgedCall]:
    """Each call with one rating, on tasks and annotations of their own."""
    said = rating(value, max_value=max_value)
    return [judged(judgement(said, annotation_id=100 + n), of=one, task_id=200 + n) for n, one in enumerate(calls)]


def send(
    judged_calls: Iterable[JudgedCall],
    sink: FeedbackSink,
    state: FeedbackState,
    rules: EvaluationRules,
    *,
    retries_refused: bool = False,
) -> FeedbackSummary:
    """`send_feedback` without collecting and judging before it."""
    writer = FeedbackWriter(sink, state, stop=threading.Event(), retries_refused=retries_refused)
    for one in judged_calls:
        writer.write(one.task.project.key, one.task.id, evaluations_of(one, rules))
    writer.flush()
    return FeedbackSummary(dict(writer.counts), dict(writer.refusals))

"""Judged calls, made by hand."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Any

from otel_labelstudio.annotations.records import (
    About,
    Act,
    AnnotatedProject,
    AnnotatedTask,
    Annotation,
    Disregarded,
    JudgedAnswer,
    JudgedCall,
    Judgement,
    Preference,
    User,
    Verdict,
)
from otel_labelstudio.calls import LLMCall

NOON = datetime(2026, 11, 26, 12, tzinfo=timezone.utc)
PROJECT = AnnotatedProject(3, "Support", "http://labels.example:8080")
BASE = "It ships on Monday."
_ids = itertools.count(1)


def answer(
    act: Act = Act.ACCEPTED, *, final: str | None = None, similarity: float = 1.0, index: int = 0
) -> JudgedAnswer:
    """An answer of the model's, and what became of it."""
    kept = final if act in (Act.EDITED, Act.REWRITTEN, Act.WHITESPACE) else None if act is Act.REMOVED else BASE
    return JudgedAnswer(index, BASE, kept, act, similarity)


def edited(final: str, similarity: float = 0.8, *, base: str = BASE) -> JudgedAnswer:
    return JudgedAnswer(0, base, final, Act.EDITED, similarity)


def rating(value: float, name: str = "rating") -> Verdict:
    return Verdict(name, "rating", value, max_value=5)


def chosen(*values: str, name: str = "verdict", about: About = About.CALL, index: int | None = None) -> Verdict:
    return Verdict(name, "choices", values, about, index)


def comment(text: str) -> Verdict:
    return Verdict("comment", "comment", text)


def best(index: int, of: int) -> tuple[Preference, ...]:
    """One answer is better than all others."""
    return tuple(Preference(index, other, "best") for other in range(of) if other != index)


def judgement(*answers: JudgedAnswer, by: int = 1, says: Iterable[Verdict] = (), **fields: Any) -> Judgement:
    """What a person said; they need 20 seconds for it."""
    annotation = Annotation(
        id=next(_ids), by=User(by), created_at=NOON, updated_at=NOON, lead_time_s=fields.pop("lead_time_s", 20.0)
    )
    return Judgement(annotation=annotation, answers=answers, verdicts=tuple(says), **fields)


def judged(
    *judgements: Judgement,
    model: str | None = "small",
    at: datetime = NOON,
    project: AnnotatedProject = PROJECT,
    disregarded: Iterable[Disregarded] = (),
    **fields: Any,
) -> JudgedCall:
    """A call with what people said of it."""
    began = int(at.timestamp()) * 10**9
    number = next(_ids)
    call = LLMCall(
        trace_id=f"{number:032x}",
        span_id=f"{number:016x}",
        start_time_unix_nano=began,
        end_time_unix_nano=began + 10**9,
        dialect="genai",
        operation="chat",
        request_model=model,
        **{"service_name": "support-bot", **fields},
    )
    task = AnnotatedTask(id=number, project=project, call=call)
    return JudgedCall(task=task, call=call, judgements=judgements, disregarded=dict(enumerate(disregarded)))


def many(count: int, *answers: JudgedAnswer, says: Iterable[Verdict] = (), **fields: Any) -> list[JudgedCall]:
    """So many calls of which one person said the same."""
    return [judged(judgement(*answers, says=tuple(says)), **fields) for _ in range(count)]

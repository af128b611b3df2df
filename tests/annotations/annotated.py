"""Tasks as `collect` gives them, made by hand: for what the page does not do on demand."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

from otel_labelstudio.annotations.records import (
    AnnotatedProject,
    AnnotatedTask,
    Annotation,
    AnswerOrigin,
    Control,
    Prediction,
    Region,
    User,
)
from otel_labelstudio.calls import LLMCall, Message, TextPart
from otel_labelstudio.tasks.build import answers_digest
from tests.delivery.telemetry import chat

NOON = datetime(2026, 11, 26, 12, tzinfo=timezone.utc)
ANNA, BEN = User(1, "anna@example.com"), User(2, "ben@example.com")
OURS = 10
"""The id of the prediction that was sent with the task."""

_ids = itertools.count(1)


def answered(*texts: str) -> LLMCall:
    """A call with these answers."""
    outputs = tuple(Message("assistant", (TextPart(text),), finish_reason="stop") for text in texts)
    return chat("A name for a rose?", output_messages=outputs)


def box(*texts: str, name: str = "response", origin: str | None = "prediction") -> Region:
    """What stands in a TextArea."""
    return Region("textarea", name, "dialogue", texts, origin)


def said(kind: str, name: str, value: Any, *, origin: str | None = "manual", turn: int | None = None) -> Region:
    """What another control says."""
    return Region(kind, name, "dialogue", value, origin, turn)


def annotation(*regions: Region, minute: int = 0, **fields: Any) -> Annotation:
    """Made in the page by Anna, from the task's own prediction."""
    at = NOON + timedelta(minutes=minute)
    made: dict[str, Any] = {
        "id": next(_ids),
        "by": ANNA,
        "updated_by": fields.get("by", ANNA),
        "created_at": at,
        "updated_at": at,
        "lead_time_s": 4.0,
        "parent_prediction_id": OURS,
        "regions": regions,
    }
    return Annotation(**{**made, **fields})


def task(
    call: LLMCall | None, *annotations: Annotation, controls: Sequence[Control] = (), **fields: Any
) -> AnnotatedTask:
    """A task of ours, whose answers stand in ``response``."""
    texts = (
        ["".join(part.content for part in m.parts if isinstance(part, TextPart)) for m in call.output_messages]
        if call
        else []
    )
    made: dict[str, Any] = {
        "id": 1,
        "project": AnnotatedProject(1, "Calls", "http://localhost:8080", tuple(controls)),
        "call": call,
        "origin": AnswerOrigin("response", "dialogue", answers_digest(texts)),
        "annotations": annotations,
        "predictions": (Prediction(OURS, "gpt-4o-mini", (box(*texts, origin=None),)),),
    }
    return AnnotatedTask(**{**made, **fields})

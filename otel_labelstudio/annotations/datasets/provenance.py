"""Where a row comes from: the call, the task, and who did what to it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from otel_labelstudio.annotations.annotators import NameOf
from otel_labelstudio.annotations.datasets.example import Example
from otel_labelstudio.annotations.datasets.judgement_records import verdict_record
from otel_labelstudio.annotations.records import AnnotatedTask, Judgement
from otel_labelstudio.calls import LLMCall, Message
from otel_labelstudio.tasks.render import answers, message_text


def provenance(example: Example, task: AnnotatedTask, name_of: NameOf) -> dict[str, Any]:
    """All that is known of a row but for its place in the dataset."""
    call = example.call
    return {
        "call_id": task.call_id,
        "trace_id": call.trace_id,
        "span_id": call.span_id,
        "response_id": call.response_id,
        "model": call.model,
        "service_name": call.service_name,
        "finish_reasons": list(call.finish_reasons),
        "server": task.project.url or None,
        "project": task.project.id,
        "task": task.id,
        "act": example.act,
        **_origins(call, example.answers),
        "annotations": [_annotation(judgement, task.project.url, name_of) for judgement in example.judgements],
        "base_sha256": _sha256("\n".join(answers(call))),
        "content_sha256": _sha256("\n".join(_texts(example.answers))),
    }


def _origins(call: LLMCall, answers: Sequence[Message]) -> dict[str, Any]:
    """Where answers of several calls were compared, what is known of the call of each in the row; null for one that a
    person wrote or changed."""
    origins, outputs = call.answer_origins, call.output_messages
    if not origins:
        return {}
    return {"answers_of": [dict(origins[outputs.index(one)]) if one in outputs else None for one in answers]}


def _annotation(judgement: Judgement, url: str, name_of: NameOf) -> dict[str, Any]:
    annotation, annotator = judgement.annotation, judgement.annotator
    return {
        "id": annotation.id,
        "unique_id": annotation.unique_id,
        "by": name_of(annotator, url) if annotator else None,
        "created_at": annotation.created_at.isoformat(),
        "updated_at": annotation.updated_at.isoformat(),
        "lead_time_s": annotation.lead_time_s,
        "is_ground_truth": annotation.is_ground_truth,
        "verdicts": [verdict_record(verdict) for verdict in judgement.verdicts],
    }


def _texts(messages: Sequence[Message]) -> list[str]:
    return [message_text(message.role, message.parts) for message in messages]


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

"""What each person said of a call, as JSON, for rows that evaluate."""

from __future__ import annotations

from typing import Any

from otel_labelstudio.annotations.datasets.example import Example
from otel_labelstudio.annotations.records import Judgement, Verdict


def judgement_records(example: Example) -> list[dict[str, Any]]:
    """One record a person, oldest first; who it was stands in the provenance alone. Who began with another model's
    answer judged that one."""
    return [_record(judgement) for judgement in example.judgements if judgement.imported_base is None]


def verdict_record(verdict: Verdict) -> dict[str, Any]:
    """A verdict without what does not apply to it."""
    value = list(verdict.value) if isinstance(verdict.value, tuple) else verdict.value
    record = {"name": verdict.name, "kind": verdict.kind, "value": value, "about": verdict.about.value}
    others = {"index": verdict.index, "max_value": verdict.max_value}
    return record | {name: value for name, value in others.items() if value is not None}


def _record(judgement: Judgement) -> dict[str, Any]:
    return {
        "answers": [
            {"act": answer.act.value, "similarity": round(answer.similarity, 4), "final": answer.final}
            for answer in judgement.answers
        ],
        "written": list(judgement.written),
        "verdicts": [verdict_record(verdict) for verdict in judgement.verdicts],
        "preferences": [{"better": one.better, "worse": one.worse} for one in judgement.preferences],
        "is_ground_truth": judgement.annotation.is_ground_truth,
    }

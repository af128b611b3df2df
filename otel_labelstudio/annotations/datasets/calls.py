"""Rows that lose nothing: the call as this project has it, beside the answers in the same form.

For whoever has another shape to write. Nothing is left out for its content, neither media nor unknown parts.
"""

from __future__ import annotations

from typing import Any

from otel_labelstudio.annotations.datasets.example import Example
from otel_labelstudio.annotations.datasets.features import JSON, JSON_LIST, Feature
from otel_labelstudio.annotations.datasets.judgement_records import judgement_records
from otel_labelstudio.annotations.datasets.options import DatasetOptions, Kind
from otel_labelstudio.calls import Message

NAME = "calls"

_ANSWER = {Kind.DPO: "chosen", Kind.EVAL: "answer"}


def row(example: Example, _: DatasetOptions) -> dict[str, Any]:
    """One row: ``call`` is that of `LLMCall.to_dict`, and answers are messages of the GenAI conventions."""
    written: dict[str, Any] = {_ANSWER.get(example.kind, "completion"): _record(example.completion)}
    if example.kind is Kind.DPO:
        written["rejected"] = _record(example.rejected)
    if example.kind is Kind.KTO:
        written["label"] = example.label
    if example.kind is Kind.EVAL:
        written |= {"reference": _record(example.reference), "judgements": judgement_records(example)}
    return {"call": example.call.to_dict(), **written}


def features(kind: Kind, _: DatasetOptions) -> list[Feature]:
    """The columns with their types, for the dataset's card."""
    columns = {
        Kind.SFT: [Feature("completion", JSON)],
        Kind.DPO: [Feature("chosen", JSON), Feature("rejected", JSON)],
        Kind.KTO: [Feature("completion", JSON), Feature("label", "bool")],
        Kind.EVAL: [Feature("answer", JSON), Feature("reference", JSON), Feature("judgements", JSON_LIST)],
    }
    return [Feature("call", JSON), *columns[kind]]


def _record(message: Message | None) -> dict[str, Any] | None:
    return message.to_dict() if message else None

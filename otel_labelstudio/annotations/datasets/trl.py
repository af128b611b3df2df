"""Rows for TRL, and for Unsloth, which reads the same.

Prompt and completion, so that the loss is on what a person vouched for and not on what the model said before. Arguments
are objects, contents texts and keys never null: a chat template turns anything else into wrong text, mostly silently.
https://huggingface.co/docs/trl/dataset_formats
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from otel_labelstudio.annotations.datasets.example import Example
from otel_labelstudio.annotations.datasets.features import JSON_LIST, TEXT, TEXT_MESSAGES, Feature
from otel_labelstudio.annotations.datasets.json_text import json_text
from otel_labelstudio.annotations.datasets.judgement_records import judgement_records
from otel_labelstudio.annotations.datasets.left_out import LeftOut, RowLeftOutError
from otel_labelstudio.annotations.datasets.messages import WireMessage, dialogue_of
from otel_labelstudio.annotations.datasets.options import DatasetOptions, Kind
from otel_labelstudio.annotations.datasets.tools import function_tools

NAME = "trl"


def row(example: Example, options: DatasetOptions) -> dict[str, Any]:
    """One row; without ``tools`` where the call has none."""
    dialogue = dialogue_of(example.call, example.comparable_answers, reasoning=options.reasoning, media=options.media)
    written = [_message(message, options) for message in (*dialogue.prompt, *dialogue.answers)]
    count = len(dialogue.prompt)
    tools = function_tools(example.call.tool_definitions)
    return {
        "prompt": written[:count],
        **_answers(example, written[count:]),
        **({"tools": json_text(tools) if options.tools_as_text else tools} if tools else {}),
    }


def features(kind: Kind, options: DatasetOptions) -> list[Feature]:
    """The columns with their types, for the dataset's card."""
    messages = TEXT_MESSAGES if options.tools_as_text else JSON_LIST
    columns = [Feature(name, messages) for name in ("prompt", *_COLUMNS[kind])]
    columns += [Feature("label", "bool")] if kind is Kind.KTO else []
    columns += [Feature("judgements", JSON_LIST), Feature("model", TEXT)] if kind is Kind.EVAL else []
    return [*columns, Feature("tools", TEXT if options.tools_as_text else JSON_LIST)]


_COLUMNS = {
    Kind.SFT: ("completion",),
    Kind.DPO: ("chosen", "rejected"),
    Kind.KTO: ("completion",),
    Kind.EVAL: ("answer", "reference"),
}


def _answers(example: Example, answers: list[WireMessage]) -> dict[str, Any]:
    columns: dict[str, Any] = {
        name: [answers[at]] if at < len(answers) else None for at, name in enumerate(_COLUMNS[example.kind])
    }
    if example.kind is Kind.KTO:
        columns["label"] = example.label
    if example.kind is Kind.EVAL:
        columns |= {"judgements": judgement_records(example), "model": example.call.model}
    return columns


def _message(message: WireMessage, options: DatasetOptions) -> WireMessage:
    if "tool_calls" not in message:
        return message
    return {**message, "tool_calls": [_tool_call(call, options) for call in message["tool_calls"]]}


def _tool_call(call: dict[str, Any], options: DatasetOptions) -> dict[str, Any]:
    arguments = call["function"]["arguments"]
    if not isinstance(arguments, Mapping):
        raise RowLeftOutError(LeftOut.TOOL_ARGUMENTS)
    if not options.tools_as_text:
        return call
    return {**call, "function": {**call["function"], "arguments": json_text(arguments)}}

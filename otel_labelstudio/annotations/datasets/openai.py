"""Rows for fine-tuning at OpenAI and Azure, and for Together, Fireworks and Mistral, which take the same.

Arguments are JSON text, the content of an answer of tool calls alone is null, and ``weight: 0`` keeps earlier answers
out of the loss. Keys that OpenAI does not know are refused there, so there are none.
https://developers.openai.com/api/docs/guides/supervised-fine-tuning and .../direct-preference-optimization
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from otel_labelstudio.annotations.datasets.example import Example
from otel_labelstudio.annotations.datasets.features import JSON, JSON_LIST, Feature
from otel_labelstudio.annotations.datasets.json_text import json_text
from otel_labelstudio.annotations.datasets.judgement_records import judgement_records
from otel_labelstudio.annotations.datasets.left_out import LeftOut, RowLeftOutError
from otel_labelstudio.annotations.datasets.messages import WireMessage, dialogue_of
from otel_labelstudio.annotations.datasets.options import DatasetOptions, Kind
from otel_labelstudio.annotations.datasets.tools import function_tools
from otel_labelstudio.calls import LLMCall

NAME = "openai"
_PARALLEL = "parallel_tool_calls"


def row(example: Example, options: DatasetOptions) -> dict[str, Any]:
    """One row; without ``tools`` where the call has none, and what is said of them."""
    dialogue = dialogue_of(example.call, example.answers, reasoning=False, media=options.media)
    if not dialogue.is_every_tool_call_answered:
        raise RowLeftOutError(LeftOut.TOOL_RESULT)
    if example.kind is not Kind.EVAL:
        _expect_objects(dialogue.answers[0])
    prompt = [_message(message) for message in dialogue.prompt]
    answers = [_message(message) for message in dialogue.answers]
    return _ROWS[example.kind](example, prompt, answers, _tools(example.call))


def features(kind: Kind, _: DatasetOptions) -> list[Feature]:
    """The columns with their types, for the dataset's card."""
    if kind is Kind.SFT:
        return [*(Feature(name, JSON_LIST) for name in ("messages", "tools")), Feature(_PARALLEL, "bool")]
    if kind is Kind.EVAL:
        return [Feature("item", JSON)]
    return [Feature("input", JSON), *(Feature(name, JSON_LIST) for name in _PREFERENCES)]


_PREFERENCES = ("preferred_output", "non_preferred_output")
_Tools = dict[str, Any]


def _supervised(_: Example, prompt: list[WireMessage], answers: list[WireMessage], tools: _Tools) -> dict[str, Any]:
    return {"messages": [*map(_without_loss, prompt), *answers], **tools}


def _preference(_: Example, prompt: list[WireMessage], answers: list[WireMessage], tools: _Tools) -> dict[str, Any]:
    outputs = {name: [answer] for name, answer in zip(_PREFERENCES, answers, strict=True)}
    return {"input": {"messages": prompt, **tools}, **outputs}


def _item(example: Example, prompt: list[WireMessage], answers: list[WireMessage], tools: _Tools) -> dict[str, Any]:
    """For evaluations, which name what stands in it: ``{{ item.reference }}``."""
    reference = answers[1] if example.reference is not None else None
    item = {"messages": prompt, **tools, "answer": answers[0], "reference": reference}
    return {"item": {**item, "judgements": judgement_records(example), "model": example.call.model}}


_ROWS = {Kind.SFT: _supervised, Kind.DPO: _preference, Kind.EVAL: _item}


def _tools(call: LLMCall) -> _Tools:
    """What the call had for tools, and whether several could be called at once, without which the model learns to do
    what the application may not take."""
    tools = function_tools(call.tool_definitions)
    if not tools:
        return {}
    parallel = call.request_parameters.get(_PARALLEL)
    return {"tools": tools, **({_PARALLEL: parallel} if isinstance(parallel, bool) else {})}


def _expect_objects(learned: WireMessage) -> None:
    """As arguments of an answer that is learned. The rejected one, and those before, may have what the model wrote."""
    arguments = (call["function"]["arguments"] for call in learned.get("tool_calls", ()))
    if not all(isinstance(one, Mapping) for one in arguments):
        raise RowLeftOutError(LeftOut.TOOL_ARGUMENTS)


def _without_loss(message: WireMessage) -> WireMessage:
    return {**message, "weight": 0} if message["role"] == "assistant" else message


def _message(message: WireMessage) -> WireMessage:
    if message["role"] == "tool":
        return {name: value for name, value in message.items() if name != "name"}
    if "tool_calls" not in message:
        return message
    calls = [_tool_call(call) for call in message["tool_calls"]]
    return {**message, "content": message["content"] or None, "tool_calls": calls}


def _tool_call(call: dict[str, Any]) -> dict[str, Any]:
    name, arguments = call["function"]["name"], call["function"]["arguments"]
    text = arguments if isinstance(arguments, str) else json_text(arguments)
    return {**call, "function": {"name": name, "arguments": text}}

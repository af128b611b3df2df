"""Recorded calls become tasks, people accept them as they are, and the rows say what went over the wire.

The truth of the corpus was written from the HTTP traffic, not from the telemetry.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from otel_labelstudio import read_calls
from otel_labelstudio.annotations.datasets import DatasetOptions, Kind
from otel_labelstudio.annotations.datasets.example import Example
from otel_labelstudio.annotations.datasets.examples import examples_of
from otel_labelstudio.annotations.datasets.left_out import RowLeftOutError
from otel_labelstudio.annotations.datasets.trl import row
from otel_labelstudio.calls import LLMCall
from tests.annotations.datasets.garden import accepted

# Role, kind, and what was said
Fact = tuple[str, str, Any]

# What telemetry does not have as it was on the wire, though the corpus counts its input as whole, with the reason
NOT_AS_ON_THE_WIRE = {
    ("*", "r_responses_previous_id"): "the turns that the request goes on from stand in front, as the model saw them",
    ("*", "c_agent_tools"): "the wire's truth does not spell the tools' results out",
    ("*", "c_tools_parallel"): "the wire's truth does not spell the tools' results out",
    ("*", "c_tools"): "the wire's truth does not spell the tools' results out",
    ("openlit-1.45.0-langchain", "b_named_roles"): "a developer's message is written as the user's",
    ("tl-openai-0.47.5", "r_responses_tools"): "tool calls and results of the input are not written",
    ("mastra-1.71.0-otel-1.4.0", "g_image"): "[file] stands in the place of the image",
}


@pytest.mark.parametrize(("fixture", "least"), [("corpus", 780), ("gateways", 447)])
def test_accepted_calls_give_rows_that_equal_the_wire(fixture: str, least: int, request: pytest.FixtureRequest) -> None:
    """Of every producer each call that the telemetry has whole comes back with the messages of the wire, in their
    order: texts, tool calls with arguments, results. What cannot be written is left out, never written wrong."""
    counts: Counter[str] = Counter()
    wrong = []
    for path in sorted(request.getfixturevalue(fixture).glob("*/*/truth.json")):
        for outcome, what in outcomes(path):
            counts[outcome] += 1
            wrong += [what] if outcome == "wrong" else []
    assert wrong == []
    assert counts["equal"] >= least


def outcomes(truth_file: Path) -> Iterator[tuple[str, str]]:
    """Of each row of a recording: whether it equals a call of the wire."""
    truth = json.loads(truth_file.read_text(encoding="utf-8"))
    wires = [part for call in truth["expect"] if not call["error"] for part in calls_of(call)]
    for call in read_calls(sorted(truth_file.parent.glob("*.pb"))):
        written = row_of(call) if call.output_messages else None
        if written is None:
            yield "left out", ""
        elif any(equals(written, wire) for wire in wires):
            yield "equal", ""
        else:
            is_known = is_expected(truth, written, wires)
            yield "known" if is_known else "wrong", f"{truth['producer']}/{truth['scenario']}: {facts_of(written)}"


def calls_of(wire: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A legacy completion of several prompts is as many calls."""
    prompts = wire["prompts"] if wire["mode"] == "prompt" else 1
    if prompts == 1:
        yield wire
        return
    share = max(1, len(wire["completions"]) // prompts)
    for at in range(prompts):
        completions = wire["completions"][at * share : (at + 1) * share]
        one = {"wire": wire["wire"][at : at + 1], "input": wire["input"][at : at + 1]}
        yield {**wire, **one, "completions": completions}


def row_of(call: LLMCall) -> dict[str, Any] | None:
    """The row of a call that a person accepted."""
    options = DatasetOptions()
    found = next(examples_of(accepted(call), Kind.SFT, options))
    try:
        return row(found, options) if isinstance(found, Example) else None
    except RowLeftOutError:
        return None


def is_expected(truth: dict[str, Any], written: dict[str, Any], wires: list[dict[str, Any]]) -> bool:
    """Whether the telemetry of the call with this answer lacks something, so that no reader could have it right."""
    if any((producer, truth["scenario"]) in NOT_AS_ON_THE_WIRE for producer in ("*", truth["producer"])):
        return True
    is_cut = bool(truth.get("abandoned_stream_app_got"))
    answer = merged(facts(written["completion"]))
    answered = [wire for wire in wires if any(said == answer for said in answers_of(wire))]
    return is_cut or all(wire["input"] != wire["wire"] for wire in answered)


def equals(written: dict[str, Any], wire: dict[str, Any]) -> bool:
    return same(merged(wire["wire"]), facts_of(written)) and merged(facts(written["completion"])) in answers_of(wire)


def answers_of(wire: dict[str, Any]) -> list[list[Fact]]:
    """Each of the answers on the wire; a refusal is one."""
    calls = [("assistant", "tool_call", call) for call in wire["tool_calls"]]
    texts = wire["completions"] or [wire.get("refusal") or ""]
    return [merged([("assistant", "text", text), *calls]) for text in texts]


def facts_of(written: dict[str, Any]) -> list[Fact]:
    return merged(facts(written["prompt"]))


def facts(messages: Iterable[dict[str, Any]]) -> Iterator[Fact]:
    for message in messages:
        kind = "tool_result" if message["role"] == "tool" else "text"
        yield message["role"], kind, message["content"]
        for call in message.get("tool_calls", ()):
            yield "assistant", "tool_call", (call["function"]["name"], call["function"]["arguments"])


def merged(found: Iterable[Fact]) -> list[Fact]:
    """Texts of one role as one, without white space: several parts of a message may be joined by any."""
    listed: list[Fact] = []
    for role, kind, value in found:
        if kind == "tool_call":
            listed.append((role, kind, (value[0], canonical(value[1]))))
        elif kind == "tool_result":
            listed.append((role, kind, value))
        elif text := "".join(value.split()):
            if listed and listed[-1][:2] == (role, kind):
                text = listed.pop()[2] + text
            listed.append((role, kind, text))
    return listed


def same(wire: list[Fact], written: list[Fact]) -> bool:
    return len(wire) == len(written) and all(map(same_fact, wire, written))


def same_fact(wire: Fact, written: Fact) -> bool:
    """Alike; a producer may have wrapped a tool's result."""
    if wire[:2] != written[:2] or wire[1] != "tool_result":
        return wire == written
    return any(canonical(text) == canonical(wire[2]) for text in texts_in(written[2]))


def texts_in(value: Any) -> Iterator[Any]:
    """A tool's result, and every text in it."""
    yield value
    held = loaded(value) if isinstance(value, str) else value
    if isinstance(held, dict | list):
        for item in held.values() if isinstance(held, dict) else held:
            yield from texts_in(item)


def loaded(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def canonical(value: Any) -> str:
    held = loaded(value) if isinstance(value, str) else value
    if isinstance(held, str):
        return held.strip()
    return json.dumps(held, sort_keys=True) if held not in (None, "", {}) else "{}"

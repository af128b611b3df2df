"""Calls of a recording that become one: answers to the same input, and the calls of one run."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otel_labelstudio.calls import JOINED, LLMCall, Message, TextPart, ToolCallPart, ToolCallResponsePart, Usage
from otel_labelstudio.joining import Join, joined
from otel_labelstudio.settle.fold import FoldedCall
from otel_labelstudio.tasks import render
from tests.tasks.calls_strategy import calls
from tests.test_folding import reading, text

QUESTION = (text("user", "Name a river in Europe."),)


def folded(*calls: LLMCall) -> list[FoldedCall]:
    return [FoldedCall(call, (call.key,), "resource") for call in calls]


def answered(span_id: str, answer: str, model: str, **fields: object) -> LLMCall:
    values: dict[str, object] = {
        "input_messages": QUESTION,
        "output_messages": (text("assistant", answer),),
        "request_model": model,
        "usage": Usage(input_tokens=5),
    }
    return reading(span_id * 8, **(values | fields))  # type: ignore[arg-type]


def requested(call_id: str, tool: str, **arguments: str) -> Message:
    return Message("assistant", (ToolCallPart(tool, arguments, call_id),), finish_reason="tool_calls")


def returned(call_id: str, response: str) -> Message:
    return Message("tool", (ToolCallResponsePart(response, call_id),))


# -- answers to the same input ------------------------------------------------------------------------------------


def test_answers_of_two_models_to_the_same_input_become_one_call() -> None:
    """With both answers, and of which model each is; nothing that labelers see names a model."""
    one, other = answered("0a", "The Rhine.", "model-a"), answered("0b", "The Danube.", "model-b")
    (both,) = joined(folded(one, other), Join.INPUT)
    assert dict(zip(map(said, both.call.output_messages), both.call.answer_models, strict=True)) == {
        "The Rhine.": "model-a",
        "The Danube.": "model-b",
    }
    assert both.call.model is None
    assert both.call.input_messages == QUESTION
    assert both.call.usage == Usage()
    assert {origin["span_id"] for origin in both.call.metadata[JOINED]} == {one.span_id, other.span_id}


def test_the_order_of_answers_says_nothing_of_their_models() -> None:
    """It changes from input to input, and is the same each time."""
    first = set()
    for number in range(40):
        question = (text("user", f"Name river number {number}."),)
        trace_id = f"{number + 1:032x}"
        pair = [
            answered(span_id, answer, model, input_messages=question, trace_id=trace_id)
            for span_id, answer, model in (("0a", "A", "model-a"), ("0b", "B", "model-b"))
        ]
        (both,) = joined(folded(*pair), Join.INPUT)
        assert joined(folded(*pair), Join.INPUT) == [both]
        first.add(both.call.answer_models[0])
    assert first == {"model-a", "model-b"}


def test_providers_that_write_one_input_differently_are_joined() -> None:
    """Instructions apart or as a message are the same to whom it is shown."""
    apart = answered("0a", "Rhine", "a", system_instructions=(TextPart("Be brief."),))
    within = answered("0b", "Danube", "b", input_messages=(text("system", "Be brief."), *QUESTION))
    assert len(joined(folded(apart, within), Join.INPUT)) == 1


@pytest.mark.parametrize(
    "other",
    [
        answered("0b", "The Danube.", "b", input_messages=(text("user", "Name a lake."),)),
        answered("0b", "The Danube.", "b", tool_definitions=({"type": "function", "name": "search"},)),
        answered("0b", "The Danube.", "b", operation="text_completion"),
        answered("0b", "The Rhine.", "b"),
        answered("0b", "", "b", output_messages=(), error_type="timeout"),
    ],
    ids=["another question", "other tools", "another kind", "the same answer", "no answer"],
)
def test_what_cannot_be_compared_stays_as_it_is(other: LLMCall) -> None:
    """Another input, or nothing to choose from."""
    calls = folded(answered("0a", "The Rhine.", "a"), other)
    assert joined(calls, Join.INPUT) == calls


def test_a_joined_call_is_known_by_a_key_of_its_own() -> None:
    """So that it is a task beside those of its calls; the same each time, and another one with a third answer."""
    one, other, third = (answered(f"0{n}", f"River {n}", f"model-{n}") for n in range(1, 4))
    (both,), (again,), (three,) = (
        joined(folded(*calls), Join.INPUT) for calls in ((one, other), (one, other), (one, other, third))
    )
    assert both.keys == again.keys
    assert len({one.key, other.key, both.keys[0], three.keys[0]}) == 4


def test_what_all_calls_say_alike_is_said_of_the_joined_one() -> None:
    """A filter on the environment, or a report by prompt version, finds what it asks for."""
    pair = [
        FoldedCall(call, (call.key,), span_id, {"service.name": span_id, "deployment.environment": "production"})
        for span_id, call in (
            ("0a", answered("0a", "The Rhine.", "a", metadata={"prompt_version": 7, "run": 1})),
            ("0b", answered("0b", "The Danube.", "b", metadata={"prompt_version": 7, "run": 2})),
        )
    ]
    (both,) = joined(pair, Join.INPUT)
    assert both.resource_attributes == {"deployment.environment": "production"}
    assert {name: value for name, value in both.call.metadata.items() if name != JOINED} == {"prompt_version": 7}


@pytest.mark.parametrize("join", Join)
def test_what_is_missing_of_one_call_is_missing_of_the_joined_one(join: Join) -> None:
    """So that nobody trains with an answer that was cut."""
    cut = answered("0a", "The Rh", "a", incomplete=("the answer was cut",))
    for pair in (folded(cut, answered("0b", "The Danube.", "b", at=2)), folded(answered("0c", "I", "c"), cut)):
        (both,) = joined(pair, join)
        assert both.call.incomplete == ("the answer was cut",)


# -- the calls of one run -----------------------------------------------------------------------------------------

ASKED, FOUND = requested("c1", "search", q="river"), returned("c1", "Rhine, Danube")


def test_a_run_tells_its_steps() -> None:
    """Of an agent whose last call repeats all of them, the run is what that call says; the rest is of all calls."""
    first = answered("0a", "", "m", output_messages=(ASKED,))
    last = answered("0b", "The Rhine.", "m", at=2, input_messages=(*QUESTION, ASKED, FOUND))
    (run,) = joined(folded(first, last), Join.TRACE)
    assert [said(message) for message in run.call.input_messages] == [said(m) for m in last.input_messages]
    assert run.call.output_messages == last.output_messages
    assert run.call.incomplete == ()
    assert run.call.usage == Usage(input_tokens=10)
    assert (run.call.start_time_unix_nano, run.call.end_time_unix_nano) == (
        first.start_time_unix_nano,
        last.end_time_unix_nano,
    )


def test_a_run_of_several_agents_tells_what_each_answered() -> None:
    """An agent with an input of its own adds its answers and its tools' results, not what it was told; the call says
    that no model was sent what it shows."""
    plan = answered("0a", "Search, then write.", "planner")
    told = (text("user", "You search: river"),)
    search = answered("0b", "", "worker", at=1, input_messages=told, output_messages=(ASKED,))
    found = answered("0c", "Two rivers.", "worker", at=2, input_messages=(*told, ASKED, FOUND))
    final = answered("0d", "The Rhine.", "planner", at=3, input_messages=(*QUESTION, plan.output_messages[0]))
    (run,) = joined(folded(plan, search, found, final), Join.TRACE)
    assert [said(message) for message in run.call.input_messages] == [
        "Name a river in Europe.",
        "Search, then write.",
        '[tool call] search({"q": "river"})',
        "Rhine, Danube",
        "Two rivers.",
    ]
    assert said(run.call.output_messages[0]) == "The Rhine."
    assert run.call.incomplete == ("joined from 4 calls, 2 of them with an input of its own",)


def test_turns_of_a_dialogue_that_say_the_same_are_kept() -> None:
    """A user may answer yes twice."""
    yes = text("user", "yes")
    first = answered("0a", "Sure?", "m")
    second = answered("0b", "Really?", "m", at=1, input_messages=(*QUESTION, first.output_messages[0], yes))
    third = answered("0c", "Done.", "m", at=2, input_messages=(*second.input_messages, second.output_messages[0], yes))
    (run,) = joined(folded(first, second, third), Join.TRACE)
    assert [said(message) for message in run.call.input_messages] == [said(m) for m in third.input_messages]


def test_other_traces_are_other_runs() -> None:
    """And a completion is no step of one."""
    calls = folded(
        answered("0a", "A", "m"),
        answered("0b", "B", "m", trace_id="b" * 32),
        answered("0c", "C", "m", operation="text_completion"),
    )
    assert joined(calls, Join.TRACE) == calls


# -- whatever comes -----------------------------------------------------------------------------------------------


@given(st.lists(calls(), max_size=6), st.sampled_from(Join))
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_no_call_is_lost_by_joining(found: list[LLMCall], join: Join) -> None:
    """Each is there, alone or named by the call that it was joined into, but for one that answers as another does; and
    what is joined can be stored."""
    readings = [replace(call, span_id=f"{number:016x}") for number, call in enumerate(found, 1)]
    told: set[str] = set()
    for one in joined(folded(*readings), join):
        told |= {origin["span_id"] for origin in one.call.metadata.get(JOINED, [{"span_id": one.call.span_id}])}
        assert LLMCall.from_dict(json.loads(json.dumps(one.call.to_dict(), default=str))).key == one.call.key
    if join is Join.TRACE:
        assert told == {call.span_id for call in readings}
    assert told <= {call.span_id for call in readings}


def said(message: Message) -> str:
    return render.message_text(message.role, message.parts)

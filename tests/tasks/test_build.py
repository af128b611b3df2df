"""A call and a binding become a task, whatever the call holds."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from otel_labelstudio.bounds import bounded_time
from otel_labelstudio.calls import LLMCall, Message, ReasoningPart, TextPart, ToolCallPart, Usage
from otel_labelstudio.tasks.binding import Binding, Mode, binding_from_label_config, default_label_config
from otel_labelstudio.tasks.build import Task, build_task
from tests.delivery.telemetry import chat, completion
from tests.tasks.calls_strategy import calls, storable_texts

CHAT = binding_from_label_config(default_label_config(Mode.CHAT))
PROMPT = binding_from_label_config(default_label_config(Mode.PROMPT))
CUSTOM = binding_from_label_config(
    '<View><Header name="h" value="$tools"/><Text name="s" value="$system"/><HyperText name="x" value="$page"/>'
    '<Paragraphs name="o" value="$messages" nameKey="n" textKey="t"/><Text name="d" value="$a.b"/>'
    '<Repeater on="$l"><Text name="r" value="$l[{{idx}}]"/></Repeater>'
    '<Paragraphs name="p" value="$turns"/><TextArea name="a" toName="p"/></View>'
)
several = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def built(call: LLMCall, binding: Binding = CHAT, **keywords: Any) -> Task:
    return build_task(call, binding, call_id="the-id", **keywords)


def is_storable(value: Any) -> bool:
    """Whether Label Studio can store it on either database, and read it again."""
    if isinstance(value, dict):
        return all(isinstance(name, str) and is_storable(name) and is_storable(item) for name, item in value.items())
    if isinstance(value, list):
        return all(map(is_storable, value))
    if isinstance(value, str):
        return "\x00" not in value and value.encode("utf-8", "replace").decode() == value
    return value is None or isinstance(value, bool | int) or value == value


def in_range(call: LLMCall) -> LLMCall:
    start, end = bounded_time(call.start_time_unix_nano), bounded_time(call.end_time_unix_nano)
    return replace(call, start_time_unix_nano=start, end_time_unix_nano=end)


@several
@given(calls())
def test_a_call_is_read_back_as_it_was_written(call: LLMCall) -> None:
    """to_dict and from_dict lose nothing, also by way of JSON; a time out of range is brought into it."""
    assert LLMCall.from_dict(call.to_dict()) == in_range(call)
    assert LLMCall.from_dict(json.loads(json.dumps(call.to_dict()))) == in_range(call)


@several
@given(calls(storable_texts))
def test_meta_holds_the_whole_call(call: LLMCall) -> None:
    """Whoever builds a dataset later has everything."""
    task = json.loads(json.dumps(built(call).to_dict()))
    assert LLMCall.from_dict(task["meta"]["call"]) == in_range(call)


@several
@given(calls(), st.sampled_from([CHAT, PROMPT, CUSTOM]))
def test_every_call_becomes_a_task_that_can_be_stored(call: LLMCall, binding: Binding) -> None:
    """JSON of the plain kind, no NUL, no lone surrogate, no NaN, wherever it may stand."""
    task = built(call, binding).to_dict()
    assert is_storable(task)
    json.dumps(task, allow_nan=False)


@several
@given(calls(), st.sampled_from([CHAT, CUSTOM]))
def test_a_dialogue_is_at_least_one_turn_of_text(call: LLMCall, binding: Binding) -> None:
    """Label Studio's editor goes blank on anything else."""
    turns = built(call, binding).data[binding.data_key]
    assert turns
    for turn in turns:
        assert turn.keys() == {binding.prompt.role_key, binding.prompt.content_key}
        assert all(isinstance(text, str) for text in turn.values())


@several
@given(calls())
def test_a_prompt_is_text(call: LLMCall) -> None:
    """Whatever kind of call is fitted to it."""
    assert isinstance(built(call, PROMPT).data["prompt"], str)


@several
@given(calls())
def test_the_prediction_is_one_list_of_texts(call: LLMCall) -> None:
    """One text a choice, at least one: the server checks nothing of it."""
    assume(not call.is_unanswered)
    (region,) = built(call).prediction["result"]
    assert (region["from_name"], region["to_name"], region["type"]) == ("response", "dialogue", "textarea")
    assert len(region["value"]["text"]) == max(1, len(call.output_messages))
    assert all(isinstance(text, str) for text in region["value"]["text"])
    assert isinstance(built(call).prediction["model_version"], str)


def test_the_data_of_a_task() -> None:
    """What a person sorts and filters by, under the names that the Data Manager shows."""
    call = chat(
        "Hello?",
        "Hi.",
        service_name="shop",
        conversation_id="c-1",
        usage=Usage(input_tokens=3, output_tokens=2),
        run_id="run-1",
        start_time_unix_nano=1_763_800_000_000_000_000,
        end_time_unix_nano=1_763_800_001_500_000_000,
    )
    data = dict(built(call).data)
    assert data == {
        "prompt": [{"role": "user", "content": "Hello?"}],
        "preview": "Hello? → Hi.",
        "model": "gpt-4o-mini",
        "provider": "openai",
        "operation": "chat",
        "service": "shop",
        "started_at": "2025-11-22T08:26:40.000+00:00",
        "latency_ms": 1500.0,
        "input_tokens": 3,
        "output_tokens": 2,
        "finish_reason": "stop",
        "conversation_id": "c-1",
        "run_id": "run-1",
        "trace_id": call.trace_id,
        "span_id": call.span_id,
        "call_id": "the-id",
    }


def test_a_call_without_a_run_id_is_known_by_its_span() -> None:
    """LangChain's run id where the span carries it, else trace and span id."""
    call = chat()
    assert built(call).data["run_id"] == f"{call.trace_id}-{call.span_id}"


def test_a_completion_is_its_text_alone() -> None:
    """As the handler has it: no role before it."""
    assert built(completion("Write a poem."), PROMPT).data["prompt"] == "Write a poem."


def test_several_choices_are_several_texts() -> None:
    """The model offered three answers: all are shown, the first is the preview's."""
    outputs = tuple(Message("assistant", (TextPart(text),)) for text in ("a", "b", "c"))
    task = built(chat("Q", output_messages=outputs))
    assert task.prediction["result"][0]["value"]["text"] == ["a", "b", "c"]
    assert task.data["preview"] == "Q → a"


def test_an_incomplete_call_is_marked() -> None:
    """In its preview, and with the reason in a column of its own."""
    data = built(chat("Q", "half", incomplete=("the stream broke off",))).data
    assert data["incomplete"] == "the stream broke off"
    assert data["preview"].startswith("[incomplete]")


FAILURE = "the call broke off and its telemetry has no answer (TimeoutError)"


def test_a_call_that_failed_before_any_answer_has_no_prediction() -> None:
    """An empty one would look like the model's answer; the task says that there is none, and which error came."""
    task = built(chat("Q", output_messages=(), error_type="TimeoutError", incomplete=(FAILURE,)))
    assert task.to_dict()["predictions"] == []
    assert task.data["error_type"] == "TimeoutError"
    assert task.data["incomplete"] == FAILURE
    assert task.data["preview"] == "[incomplete] Q → [TimeoutError]"
    assert task.meta["call"]["error_type"] == "TimeoutError"
    assert task.meta["otel_labelstudio"] == {
        "from_name": "response",
        "to_name": "dialogue",
        "data_key": "prompt",
        "no_prediction": True,
    }


def test_a_call_that_failed_after_part_of_its_answer_has_that_as_its_prediction() -> None:
    """It is what there is to judge, beside the error's type."""
    task = built(chat("Q", "half", error_type="TimeoutError"))
    assert task.prediction["result"][0]["value"]["text"] == ["half"]
    assert task.data["error_type"] == "TimeoutError"
    assert "no_prediction" not in task.meta["otel_labelstudio"]


@pytest.mark.parametrize(
    ("template", "version"),
    [("{model}", "gpt-4o-mini"), ("production", "production"), ("{provider}/{model}", "openai/gpt-4o-mini")],
)
def test_the_model_version(template: str, version: str) -> None:
    """The model's name as the handler has it, or what the user makes of it."""
    assert built(chat(), model_version_template=template).prediction["model_version"] == version


def test_a_model_named_like_a_template_is_only_a_name() -> None:
    """Nothing in a call is ever filled in."""
    assert built(chat(request_model="{provider}")).prediction["model_version"] == "{provider}"


def test_reasoning_is_in_meta_only() -> None:
    """A person corrects the answer, not the thoughts."""
    output = Message("assistant", (ReasoningPart("hmm"), TextPart("Yes."), ToolCallPart("look", {"at": 1})))
    task = built(chat(output_messages=(output,)))
    assert task.prediction["result"][0]["value"]["text"] == ['Yes.\n[tool call] look({"at": 1})']
    assert "hmm" in json.dumps(task.meta)
    assert "hmm" not in json.dumps(task.data)


def test_only_a_text_completion_is_a_prompt() -> None:
    """Every other operation is a dialogue."""
    assert not completion().is_chat
    assert replace(completion(), operation="generate_content").is_chat

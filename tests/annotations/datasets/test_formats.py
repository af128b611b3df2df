"""How rows are written: messages, tools and media in each format."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from otel_labelstudio import read_calls
from otel_labelstudio.annotations.datasets import DatasetOptions, Kind
from otel_labelstudio.annotations.datasets.example import Example
from otel_labelstudio.annotations.datasets.examples import examples_of
from otel_labelstudio.annotations.datasets.formats import FORMATS
from otel_labelstudio.annotations.datasets.left_out import LeftOut, RowLeftOutError
from otel_labelstudio.annotations.datasets.rows import rows_of
from otel_labelstudio.annotations.datasets.tools import function_tools
from otel_labelstudio.annotations.records import JudgedCall
from otel_labelstudio.calls import (
    BlobPart,
    GenericPart,
    LLMCall,
    Message,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolCallResponsePart,
    UriPart,
)
from tests.annotations.datasets.garden import (
    ANSWER,
    ASK_STOCK,
    QUESTION,
    STOCK,
    SYSTEM,
    accepted,
    answering,
    assistant,
    call,
    edited,
    text,
)
from tests.annotations.datasets.openai_rules import faults_of_preference, faults_of_supervised

IMAGE = BlobPart("image", "aGVsbG8=", "image/png")


def row(of: JudgedCall, name: str = "trl", kind: Kind = Kind.SFT, **options: Any) -> dict[str, Any]:
    """The first row of a kind."""
    chosen = DatasetOptions(format=name, **options)
    found = next(examples_of(of, kind, chosen))
    assert isinstance(found, Example)
    return FORMATS[name].row(found, chosen)


def prompt(of: LLMCall, **options: Any) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = row(accepted(of), **options)["prompt"]
    return messages


def test_there_is_one_system_message_in_front() -> None:
    """Instructions and the leading system and developer messages, joined by a blank line; a later one stays."""
    of = answering(
        input_messages=(text("developer", "Be brief."), text("user", "A?"), text("system", "Now."), text("user", "B?"))
    )
    assert [(message["role"], message["content"]) for message in prompt(of)] == [
        ("system", f"{SYSTEM}\n\nBe brief."),
        ("user", "A?"),
        ("system", "Now."),
        ("user", "B?"),
    ]


def test_results_of_tools_are_messages_behind_their_calls() -> None:
    """Also those that stand in a user's message, behind which the user speaks; each has the name of its tool."""
    tulip = ToolCallPart("stock", {"article": "tulip"}, "call_2")
    results = (
        TextPart("And lilies?"),
        ToolCallResponsePart("none", "call_2"),
        ToolCallResponsePart({"count": 4}, "call_1"),
    )
    of = answering(input_messages=(text("user", "?"), assistant(ASK_STOCK, tulip), Message("user", results)))
    assert prompt(of)[3:] == [
        {"role": "tool", "tool_call_id": "call_2", "name": "stock", "content": "none"},
        {"role": "tool", "tool_call_id": "call_1", "name": "stock", "content": '{"count": 4}'},
        {"role": "user", "content": "And lilies?"},
    ]


def test_tool_calls_without_ids_are_given_some() -> None:
    """By position, in the prompt and in the answer, the same in call and result."""
    ask = replace(ASK_STOCK, id=None)
    of = answering(
        input_messages=(
            text("user", "?"),
            assistant(ask, ask),
            *(Message("tool", (ToolCallResponsePart(result),)) for result in ("a", "b")),
        ),
        output_messages=(assistant(ask),),
    )
    written = row(accepted(of))
    assert [one["id"] for one in written["prompt"][2]["tool_calls"]] == ["call_1", "call_2"]
    assert [message.get("tool_call_id") for message in written["prompt"][3:]] == ["call_1", "call_2"]
    assert written["completion"][0]["tool_calls"][0]["id"] == "call_3"


def test_results_with_ids_of_their_own_belong_to_the_calls_that_wait() -> None:
    """Some telemetry numbers calls and results each for itself; where their numbers differ, nobody knows which."""
    tulip = ToolCallPart("stock", {"article": "tulip"}, "fc_2")
    asked = (text("user", "?"), assistant(replace(ASK_STOCK, id="fc_1"), tulip))
    results = tuple(Message("tool", (ToolCallResponsePart(result, f"call_{result}"),)) for result in ("4", "7"))
    written = prompt(answering(input_messages=(*asked, *results)))
    assert [(message["tool_call_id"], message["content"]) for message in written[3:]] == [("fc_1", "4"), ("fc_2", "7")]
    with pytest.raises(RowLeftOutError):
        prompt(answering(input_messages=(*asked, results[0])))


def two_calls(*response_ids: str | None) -> LLMCall:
    """An assistant asks for roses (``a``) and tulips (``b``), and results with these ids follow."""
    asked = assistant(replace(ASK_STOCK, id="a"), ToolCallPart("stock", {"article": "tulip"}, "b"))
    results = tuple(ToolCallResponsePart(f"result {at}", of) for at, of in enumerate(response_ids))
    return answering(input_messages=(text("user", "?"), asked, *(Message("tool", (part,)) for part in results)))


@pytest.mark.parametrize("response_ids", [("b", "unknown"), ("unknown", "a"), ("a", "a")])
def test_results_are_never_given_to_another_call_than_their_own(response_ids: tuple[str, ...]) -> None:
    """Where one id fits and another does not, nobody knows whose the other is: the row is left out."""
    with pytest.raises(RowLeftOutError) as raised:
        prompt(two_calls(*response_ids))
    assert raised.value.reason is LeftOut.TOOL_RESULT


def test_a_result_without_an_id_takes_no_call_that_another_result_names() -> None:
    """It is that of the call which is left over."""
    written = prompt(two_calls(None, "a"))[3:]
    assert [(message["tool_call_id"], message["content"]) for message in written] == [
        ("b", "result 0"),
        ("a", "result 1"),
    ]


def test_results_numbered_apart_belong_to_their_own_turn() -> None:
    """A call that was never answered does not get the result of a later one."""
    first, second = assistant(replace(ASK_STOCK, id="fc_1")), assistant(replace(ASK_STOCK, id="fc_2"))
    result = Message("tool", (ToolCallResponsePart("4", "call_9"),))
    of = answering(input_messages=(text("user", "?"), first, text("user", "And?"), second, result))
    assert prompt(of)[-1]["tool_call_id"] == "fc_2"


def test_ids_of_tool_calls_are_unique() -> None:
    """Some telemetry has a tool's name for an id; each result stays with its call, and both answers of a pair, which do
    not stand behind each other, have the same id."""
    ask = assistant(replace(ASK_STOCK, id="stock"))
    results = [Message("tool", (ToolCallResponsePart(count, "stock"),)) for count in ("4", "7")]
    of = answering(
        input_messages=(text("user", "?"), ask, results[0], text("user", "Now?"), ask, results[1]),
        output_messages=(ask,),
    )
    written = row(edited(of, '[tool call] stock({"article": "lily"})'), kind=Kind.DPO)
    calls = [one["id"] for message in written["prompt"] for one in message.get("tool_calls", ())]
    told = {message["tool_call_id"]: message["content"] for message in written["prompt"] if message["role"] == "tool"}
    assert told == {calls[0]: "4", calls[1]: "7"}
    [[chosen], [rejected]] = [written[name][0]["tool_calls"] for name in ("chosen", "rejected")]
    assert chosen["id"] == rejected["id"] not in calls


def test_tool_calls_that_came_as_items_of_their_own_are_one_answer() -> None:
    """As OpenAI's Responses API has them: their results follow together."""
    tulip = ToolCallPart("stock", {"article": "tulip"}, "call_2")
    turn = (text("assistant", "Let me look."), assistant(ASK_STOCK), assistant(tulip))
    results = tuple(Message("tool", (ToolCallResponsePart("4", name),)) for name in ("call_1", "call_2"))
    of = answering(input_messages=(text("user", "?"), *turn, *results))
    assert [message["role"] for message in prompt(of)] == ["system", "user", "assistant", "tool", "tool"]
    assert prompt(of)[2]["content"] == "Let me look."
    assert [one["id"] for one in prompt(of)[2]["tool_calls"]] == ["call_1", "call_2"]


def test_no_key_is_null_and_no_list_empty() -> None:
    """Chat templates ask whether a key is there."""
    written = row(accepted(answering()))

    def values(held: Any) -> Iterator[Any]:
        yield held
        if isinstance(held, dict | list):
            for item in held.values() if isinstance(held, dict) else held:
                yield from values(item)

    assert not [value for value in values(written["prompt"]) if value is None or value == []]


def test_reasoning_is_written_on_demand() -> None:
    """As reasoning_content."""
    of = answering(output_messages=(assistant(ReasoningPart("Four."), TextPart(ANSWER)),))
    assert row(accepted(of))["completion"] == [{"role": "assistant", "content": ANSWER}]
    assert row(accepted(of), reasoning=True)["completion"] == [
        {"role": "assistant", "content": ANSWER, "reasoning_content": "Four."}
    ]


def test_both_answers_of_a_pair_have_reasoning_or_none() -> None:
    """An edited answer has none, and a pair in which only the rejected one thinks would teach not to think."""
    thought = (assistant(ReasoningPart("Four."), TextPart("A")), assistant(ReasoningPart("5?"), TextPart("B")))
    corrected = row(edited(answering(output_messages=thought[:1]), "Z"), kind=Kind.DPO, reasoning=True)
    assert [corrected[name] for name in ("chosen", "rejected")] == [
        [{"role": "assistant", "content": "Z"}],
        [{"role": "assistant", "content": "A"}],
    ]
    bad = row(edited(answering(output_messages=thought[:1]), "Z"), kind=Kind.KTO, reasoning=True, edited_is_bad=True)
    assert bad == {**bad, "completion": [{"role": "assistant", "content": "A"}], "label": False}
    preferred = row(edited(answering(output_messages=thought), "B"), kind=Kind.DPO, reasoning=True)
    assert [preferred[name][0]["reasoning_content"] for name in ("chosen", "rejected")] == ["5?", "Four."]


@pytest.mark.parametrize("number", [float("inf"), float("nan")])
@pytest.mark.parametrize(("name", "options"), [("trl", {}), ("trl", {"tools_as_text": True}), ("openai", {})])
def test_a_row_with_a_number_that_json_has_not_is_left_out(name: str, options: dict[str, Any], number: float) -> None:
    """Python would write it, and no other parser reads the file then."""
    of = accepted(call(output_messages=(assistant(ToolCallPart("stock", {"article": number}, "call_1")),)))
    found = rows_of(of, DatasetOptions(format=name, kinds=(Kind.SFT,), **options), lambda _, __: None)
    assert (found.rows, found.reasons) == ((), {("sft", LeftOut.TOOL_ARGUMENTS): 1})


@pytest.mark.parametrize("name", ["trl", "openai"])
@pytest.mark.parametrize("arguments", ['"rose"', '["rose"]', "5"])
def test_arguments_that_are_no_object_are_not_learned(name: str, arguments: str) -> None:
    """Whoever edits a tool call may write any JSON."""
    of = edited(call(), f"[tool call] stock({arguments})")
    found = rows_of(of, DatasetOptions(format=name), lambda _, __: None)
    assert (found.rows, found.reasons) == ((), {(kind, LeftOut.TOOL_ARGUMENTS): 1 for kind in ("sft", "dpo")})


def test_a_tool_call_that_no_parser_takes_can_be_rejected_at_openai() -> None:
    """Its arguments are text there, as the model wrote them: the correction is worth learning."""
    broken = assistant(ToolCallPart("stock", '{"article": ', "call_1"))
    made = row(edited(call(output_messages=(broken,)), '[tool call] stock({"article": "rose"})'), "openai", Kind.DPO)
    written = [
        made[name][0]["tool_calls"][0]["function"]["arguments"] for name in ("preferred_output", "non_preferred_output")
    ]
    assert written == ['{"article": "rose"}', '{"article": ']


def test_media_are_left_out_or_written_as_parts() -> None:
    """A row without its image would teach to make one up."""
    of = answering(input_messages=(Message("user", (TextPart("What is it?"), IMAGE, UriPart("image", "https://x/y"))),))
    with pytest.raises(RowLeftOutError) as raised:
        prompt(of)
    assert raised.value.reason is LeftOut.MEDIA
    assert prompt(of, media=True)[1]["content"] == [
        {"type": "text", "text": "What is it?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGVsbG8="}},
        {"type": "image_url", "image_url": {"url": "https://x/y"}},
    ]


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        ((Message("user", (GenericPart("video"),)),), LeftOut.UNKNOWN_PART),
        ((text("judge", "?"),), LeftOut.UNKNOWN_ROLE),
        ((text("user", "?"), Message("tool", (ToolCallResponsePart("4", "call_1"),))), LeftOut.TOOL_RESULT),
        ((text("user", "?"), assistant(ToolCallPart("stock", "rose")), text("user", "?")), LeftOut.TOOL_ARGUMENTS),
        ((Message("user", (replace(IMAGE, content=""),)),), LeftOut.MEDIA),
    ],
)
def test_what_a_format_cannot_say_is_a_reason(messages: tuple[Message, ...], reason: LeftOut) -> None:
    """Nothing is written in part."""
    with pytest.raises(RowLeftOutError) as raised:
        prompt(answering(input_messages=messages), media=True)
    assert raised.value.reason is reason


SHAPES = [
    STOCK,
    {"type": "function", "function": {name: value for name, value in STOCK.items() if name != "type"}},
    {"name": "stock", "description": STOCK["description"], "input_schema": STOCK["parameters"]},
    {"toolSpec": {"name": "stock", "description": STOCK["description"], "inputSchema": {"json": STOCK["parameters"]}}},
    {"function_declarations": [{name: value for name, value in STOCK.items() if name != "type"}]},
]


@pytest.mark.parametrize("shape", SHAPES, ids=["flat", "nested", "input_schema", "toolSpec", "function_declarations"])
def test_tool_definitions_of_every_shape_are_openais(shape: dict[str, Any]) -> None:
    """Flat as in the GenAI conventions, nested as OpenAI's, Anthropic's, Bedrock's and Gemini's."""
    function = {name: value for name, value in STOCK.items() if name != "type"}
    assert function_tools([shape]) == [{"type": "function", "function": function}]


def test_tools_that_the_provider_runs_are_left_out_and_types_are_json_schemas() -> None:
    """Gemini writes types in capitals; a tool without parameters has an object of none."""
    gemini = {"name": "look", "parameters": {"type": "OBJECT", "properties": {"type": {"type": "STRING"}}}}
    assert function_tools([{"type": "web_search"}, gemini, {"type": "function", "name": "bare"}]) == [
        {
            "type": "function",
            "function": {
                "name": "look",
                "parameters": {"type": "object", "properties": {"type": {"type": "string"}}},
            },
        },
        {"type": "function", "function": {"name": "bare", "parameters": {"type": "object", "properties": {}}}},
    ]


def test_openai_trains_the_last_answer_alone() -> None:
    """Earlier answers have no weight, arguments are text, and tool calls alone have no content."""
    written = row(accepted(answering()), "openai")
    assert written["messages"] == [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": QUESTION},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "call_1",
                    "type": "function",
                    "function": {"name": "stock", "arguments": '{"article": "rose", "shop": 3}'},
                }
            ],
            "weight": 0,
        },
        {"role": "tool", "tool_call_id": "call_1", "content": '{"count": 4}'},
        {"role": "assistant", "content": ANSWER},
    ]


@pytest.mark.parametrize(("kind", "place"), [(Kind.SFT, ()), (Kind.DPO, ("input",)), (Kind.EVAL, ("item",))])
def test_openai_is_told_whether_tools_are_called_at_once(kind: Kind, place: tuple[str, ...]) -> None:
    """As in the request; a call without tools, or that did not say it, has no such key."""

    def parallel(**fields: Any) -> Any:
        made = row(edited(answering(**fields), "Four."), "openai", kind)
        return (made[place[0]] if place else made).get("parallel_tool_calls", "not there")

    said = {"parallel_tool_calls": False}
    assert parallel(request_parameters=said) is False
    assert parallel() == parallel(request_parameters=said, tool_definitions=()) == "not there"
    assert parallel(request_parameters={"parallel_tool_calls": "false"}) == "not there"


def test_openais_rows_are_as_documented(corpus: Path) -> None:
    """Of every recorded call with tools, and of others: each field as OpenAI's documentation has it, to learn and as
    pairs."""
    written = 0
    for path in sorted(corpus.glob("*/*tools*/truth.json")):
        for number, of in enumerate(read_calls(sorted(path.parent.glob("*.pb")))):
            if not of.output_messages:
                continue
            for judged, kind, faults in (
                (accepted(of, number), Kind.SFT, faults_of_supervised),
                (edited(of, "Another answer.", number=number), Kind.DPO, faults_of_preference),
            ):
                try:
                    made = row(judged, "openai", kind, incomplete=True)
                except RowLeftOutError:
                    continue
                assert faults(made) == [], path.parent
                written += 1
    assert written > 300


def test_the_rules_find_faults() -> None:
    """The checker of the test above is one."""
    wrong = row(accepted(answering()), "openai")
    for message in wrong["messages"]:
        message["audio"] = None
    wrong["messages"][2]["tool_calls"][0]["function"]["arguments"] = {}
    wrong["tools"][0]["function"]["parameters"]["type"] = "OBJECT"
    assert len(faults_of_supervised(wrong)) > 5


def test_rows_of_an_evaluation_have_each_persons_word() -> None:
    """The model's answer, what it should have been, and what was said."""
    written = row(edited(answering(), "Yes, just four."), kind=Kind.EVAL)
    assert written["answer"] == [{"role": "assistant", "content": ANSWER}]
    assert written["reference"] == [{"role": "assistant", "content": "Yes, just four."}]
    [judgement] = written["judgements"]
    assert judgement["answers"][0]["final"] == "Yes, just four."
    assert row(edited(answering(), "Yes, just four."), "openai", Kind.EVAL)["item"]["reference"]["content"]


def test_calls_lose_nothing() -> None:
    """A call with media, unknown parts and reasoning comes back as it was."""
    strange = (Message("user", (TextPart("?"), IMAGE, GenericPart("video", {"id": 7}))),)
    of = answering(input_messages=strange, output_messages=(assistant(ReasoningPart("Hm."), TextPart(ANSWER)),))
    written = row(accepted(of), "calls")
    assert LLMCall.from_dict(written["call"]) == of
    assert Message.from_dict(written["completion"]) == of.output_messages[0]


def test_a_completions_prompt_is_a_users_message() -> None:
    """A legacy call has no dialogue."""
    of = call(operation="text_completion", system_instructions=(), tool_definitions=())
    of = replace(of, output_messages=(text("assistant", "Four."),))
    assert row(accepted(of)) == {
        "prompt": [{"role": "user", "content": QUESTION}],
        "completion": [{"role": "assistant", "content": "Four."}],
    }

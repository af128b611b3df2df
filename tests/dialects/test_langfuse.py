"""Langfuse's spans, as langfuse 5.0.4 (Python) and 5.11 (JavaScript) wrote them; long values are shortened."""

from __future__ import annotations

import json
from typing import Any

import pytest

from otel_labelstudio.calls import LLMCall
from otel_labelstudio.dialects import Skip, SkipReason, read
from otel_labelstudio.spans.model import STATUS_CODE_ERROR, Scope, Span

GENERATION = {"langfuse.observation.type": "generation", "langfuse.observation.model.name": "gpt-4o-mini-2026-01-01"}


def span(attributes: dict[str, Any], **fields: Any) -> Span:
    scope = Scope("langfuse-sdk", "5.0.4")
    return Span(trace_id="0" * 31 + "1", span_id="0" * 15 + "1", scope=scope, attributes=attributes, **fields)


def one_call(given: Any, answer: Any, **attributes: Any) -> LLMCall:
    held = {
        **GENERATION,
        "langfuse.observation.input": given if isinstance(given, str) else json.dumps(given),
        "langfuse.observation.output": answer if isinstance(answer, str) else json.dumps(answer),
        **attributes,
    }
    calls = read(span(held))
    assert not isinstance(calls, Skip), calls
    (call,) = calls
    return call


def texts(call: LLMCall) -> list[tuple[str, list[Any]]]:
    messages = (*call.input_messages, *call.output_messages)
    return [(m.role, [p.get("content", p.get("name")) for p in m.to_dict()["parts"]]) for m in messages]


def test_the_openai_wrapper_s_chat_with_tools() -> None:
    """Input is {"tools", "messages"}, output one message; what OpenAI would default to is no parameter that was set."""
    call = one_call(
        {
            "tools": [{"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}],
            "messages": [{"role": "developer", "content": "Use tools."}, {"role": "user", "content": "Weather?"}],
        },
        {
            "role": "assistant",
            "content": "Let me check.",
            "tool_calls": [{"id": "c1", "function": {"arguments": '{"city": "Paris"}', "name": "get_weather"}}],
        },
        **{
            "langfuse.observation.model.parameters": '{"temperature": 1, "max_tokens": "Infinity", "top_p": 1}',
            "langfuse.observation.usage_details": (
                '{"completion_tokens": 7, "prompt_tokens": 19, "prompt_tokens_details": {"cached_tokens": 3}}'
            ),
            "session.id": "s-1",
            "user.id": "u-1",
            "langfuse.trace.tags": ["a", "b"],
            "langfuse.observation.metadata.ticket": "7",
            "langfuse.observation.prompt.name": "weather",
        },
    )
    assert texts(call) == [
        ("system", ["Use tools."]),
        ("user", ["Weather?"]),
        ("assistant", ["Let me check.", "get_weather"]),
    ]
    assert call.tool_definitions[0]["name"] == "get_weather"
    assert call.request_parameters == {"temperature": 1, "top_p": 1}
    assert call.usage.to_dict() == {"input_tokens": 19, "output_tokens": 7, "cache_read_input_tokens": 3}
    assert (call.conversation_id, call.user_id, call.tags) == ("s-1", "u-1", ("a", "b"))
    assert call.metadata == {"ticket": 7, "prompt.name": "weather"}


def test_tools_that_the_langchain_handler_wrote_as_messages_are_definitions() -> None:
    """It appends every tool on offer as a message of role tool; a tool's response, which answers an id, stays."""
    call = one_call(
        [
            {"role": "user", "content": "Weather?"},
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [{"name": "f", "args": {}, "id": "c1", "type": "tool_call"}],
            },
            {"role": "tool", "content": "18°C", "tool_call_id": "c1"},
            {"role": "tool", "content": {"type": "function", "function": {"name": "f", "parameters": {}}}},
        ],
        {"role": "assistant", "content": "It is 18°C."},
    )
    assert [m.role for m in call.input_messages] == ["user", "assistant", "tool"]
    assert [tool["name"] for tool in call.tool_definitions] == ["f"]


@pytest.mark.parametrize("answer", ["The capital is Paris.", '{"city": "Paris"}', "3.10", "[1, 2]", "true"])
def test_plain_text_is_the_answer_as_it_is(answer: str) -> None:
    """Text is written without JSON's quotes; an answer that happens to be JSON is still the model's own text."""
    call = one_call([{"role": "user", "content": "hi"}], answer)
    assert texts(call)[-1] == ("assistant", [answer])


def test_several_choices() -> None:
    """A list of messages: one a choice."""
    call = one_call(
        [{"role": "user", "content": "France?"}],
        [{"role": "assistant", "content": "Paris."}, {"role": "assistant", "content": "It is Paris."}],
    )
    assert texts(call)[1:] == [("assistant", ["Paris."]), ("assistant", ["It is Paris."])]


def test_choices_that_a_stream_mixed_cannot_be_read() -> None:
    """The wrapper strings the pieces of all choices together: "Option Option 1: 2:"."""
    found = read(
        span(
            {
                **GENERATION,
                "langfuse.observation.input": '[{"role": "user", "content": "France?"}]',
                "langfuse.observation.output": '{"role": "assistant", "content": "Option Option 1: 2: Paris.Paris."}',
                "langfuse.observation.model.parameters": '{"n": 2}',
                "langfuse.observation.completion_start_time": '"2026-11-22T07:28:15.357873Z"',
            }
        )
    )
    assert found == Skip(SkipReason.ANSWER_UNREADABLE)


def test_a_responses_answer_with_its_id_from_the_metadata() -> None:
    """Output is one item or a list of items, whose ids are not the response's; a stream's metadata has that."""
    item = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "content": [{"type": "output_text", "text": "Paris."}],
    }
    call = one_call(
        "France?",
        item,
        **{
            "langfuse.observation.metadata.id": '"resp_2"',
            "langfuse.observation.metadata.object": '"response"',
            "langfuse.observation.metadata.temperature": "1.0",
        },
    )
    assert texts(call) == [("user", ["France?"]), ("assistant", ["Paris."])]
    assert call.response_id == "resp_2"
    assert call.metadata == {}


def test_usage_that_counts_cached_tokens_apart_is_added_up() -> None:
    """@langfuse/openai writes input without what was read from the cache."""
    call = one_call(
        "hi",
        "yo",
        **{"langfuse.observation.usage_details": '{"input":15,"output":7,"total":25,"input_cached_tokens":3}'},
    )
    assert call.usage.to_dict() == {"input_tokens": 18, "output_tokens": 7, "cache_read_input_tokens": 3}


@pytest.mark.parametrize("kind", ["span", "agent", "tool", "chain", "retriever", "embedding", "event"])
def test_other_observations_are_no_calls(kind: str) -> None:
    """Input and output stand on all of them."""
    attributes = {
        "langfuse.observation.type": kind,
        "langfuse.observation.input": "a",
        "langfuse.observation.output": "b",
    }
    assert read(span(attributes)) == Skip(SkipReason.NOT_INFERENCE)


@pytest.mark.parametrize("fields", [{"status_code": STATUS_CODE_ERROR}, {}])
def test_a_failed_generation_is_failed(fields: dict[str, Any]) -> None:
    """JavaScript leaves the span's status unset and says the level alone."""
    attributes = {**GENERATION, "langfuse.observation.input": "hi", "langfuse.observation.level": "ERROR"}
    skip = read(span(attributes, **fields))
    assert skip == Skip(SkipReason.FAILED)
    assert isinstance(skip, Skip)
    assert [failed.error_type for failed in skip.failed] == ["_OTHER"]


def test_a_streamed_tool_call_without_a_role_is_the_answer() -> None:
    """@langfuse/openai 5.11 writes the tool calls of a stream and nothing else."""
    call = one_call(
        {"messages": [{"role": "user", "content": "Weather?"}]},
        {"tool_calls": [{"function": {"name": "get_weather", "arguments": '{"city": "Paris"}'}}]},
    )
    assert call.output_messages[0].to_dict()["parts"] == [
        {"type": "tool_call", "name": "get_weather", "arguments": {"city": "Paris"}}
    ]


def test_a_langchain_message_without_a_role_answers_the_tool_call_before_it() -> None:
    """@langfuse/langchain 5.11 writes a ToolMessage without its role and without the id that it answers."""
    call = one_call(
        {
            "messages": [
                {"role": "user", "content": "Weather?"},
                {
                    "role": "assistant",
                    "content": "",
                    "tool_calls": [{"id": "c1", "function": {"name": "f", "arguments": "{}"}}],
                },
                {"content": "18°C", "additional_kwargs": {}},
            ],
            "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}],
        },
        {"role": "assistant", "content": "It is 18°C."},
    )
    assert call.input_messages[2].to_dict() == {
        "role": "tool",
        "parts": [{"type": "tool_call_response", "response": "18°C", "id": "c1"}],
    }
    assert [tool["name"] for tool in call.tool_definitions] == ["f"]


def test_plain_question_and_answer_are_a_completion_unless_the_metadata_say_responses() -> None:
    """Chats and Responses hold objects, but @langfuse/openai writes a Responses answer's text alone."""
    assert one_call("Write a poem.", "Roses are red").operation == "text_completion"
    assert one_call('["Write a poem."]', "Roses are red").operation == "text_completion"
    of_responses = {"langfuse.observation.metadata.status": "completed", "langfuse.observation.metadata.tools": "[]"}
    assert one_call("Write a poem.", "Roses are red", **of_responses).operation == "chat"


def test_answers_that_were_asked_for_and_not_recorded_are_missed() -> None:
    """@langfuse/openai records the first choice only."""
    call = one_call(
        "hi", {"role": "assistant", "content": "yo"}, **{"langfuse.observation.model.parameters": '{"n":2}'}
    )
    assert call.incomplete == ("2 answers were asked for, and 1 of them recorded",)


def test_of_items_that_a_limit_cut_the_whole_ones_are_read() -> None:
    """A list of Responses items that breaks off in an item's first property."""
    item = {"arguments": '{"city": "Paris"}', "call_id": "c1", "name": "get_weather", "type": "function_call"}
    call = one_call("Weather?", json.dumps([item, item])[: len(json.dumps([item])) + 15])
    assert call.output_messages[0].to_dict()["parts"] == [
        {"type": "tool_call", "id": "c1", "name": "get_weather", "arguments": {"city": "Paris"}}
    ]
    assert call.incomplete == ("the answer was cut at a limit on the length of attributes",)

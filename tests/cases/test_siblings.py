"""The forms of the inputs beside this file in other producers' hands: what is read is the form, not the producer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from otel_labelstudio.calls import LLMCall
from otel_labelstudio.earlier_turns import EARLIER_TURNS_MISSING
from otel_labelstudio.recordings import Recording, read_recording
from otel_labelstudio.spans.model import LogRecord, Scope, Span, SpanEvent
from tests.cases.telling import differences, told

TRACE = "a" * 32
MODEL = {"gen_ai.request.model": "m-1"}
CHAT = {"gen_ai.operation.name": "chat", **MODEL}


def span(attributes: Mapping[str, Any], *events: tuple[str, Mapping[str, Any]], at: int = 0, **fields: Any) -> Span:
    """A span that starts ``at`` and takes 100 nanoseconds."""
    defaults = {"trace_id": TRACE, "span_id": f"{at + 1:016x}", "scope": Scope("own")}
    return Span(
        attributes=attributes,
        events=tuple(SpanEvent(name, at, held) for name, held in events),
        start_time_unix_nano=at,
        end_time_unix_nano=at + 100,
        **{**defaults, **fields},
    )


def record(name: str, body: Any, at: int = 0, **fields: Any) -> LogRecord:
    return LogRecord(event_name=name, body=body, time_unix_nano=at, **{"scope": Scope("own"), **fields})


def calls_of(*telemetry: Span | LogRecord) -> list[LLMCall]:
    spans = [item for item in telemetry if isinstance(item, Span)]
    records = [item for item in telemetry if isinstance(item, LogRecord)]
    return read_recording(Recording(spans, records)).calls


def parts(*texts: str) -> list[dict[str, str]]:
    return [{"type": "text", "content": text} for text in texts]


def text(value: Any) -> str:
    return json.dumps(value)


QUESTION = [{"role": "user", "parts": parts("Which colour is moss?")}]
ANSWER = [{"role": "assistant", "parts": parts("Green."), "finish_reason": "stop"}]
ASKED, ANSWERED = ["user: Which colour is moss?"], [["text: Green."]]
CALL = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"at": "moss"}'}}

SIBLINGS: dict[str, tuple[list[Span | LogRecord], list[dict[str, Any]]]] = {
    "tool calls as JSON text in a log record": (
        [
            span({**CHAT, "gen_ai.system": "own"}),
            record("gen_ai.user.message", {"content": "Look."}, trace_id=TRACE, span_id=f"{1:016x}"),
            record(
                "gen_ai.choice",
                {"index": 0, "message": {"role": "assistant", "tool_calls": text([CALL])}},
                at=1,
                trace_id=TRACE,
                span_id=f"{1:016x}",
            ),
        ],
        [{"in": ["user: Look."], "out": [['call: look {"at": "moss"}']]}],
    ),
    "a message as JSON text, with tool calls": (
        [span(CHAT, ("gen_ai.choice", {"message": text({"role": "assistant", "content": "", "tool_calls": [CALL]})}))],
        [{"out": [['call: look {"at": "moss"}']]}],
    ),
    "flat choices stay choices where each has a text": (
        [
            span(
                {
                    "llm.request.type": "chat",
                    "gen_ai.request.model": "m-1",
                    "gen_ai.prompt.0.content": "Which?",
                    "gen_ai.prompt.0.role": "user",
                    "gen_ai.completion.0.content": "This.",
                    "gen_ai.completion.0.role": "assistant",
                    "gen_ai.completion.1.content": "That.",
                    "gen_ai.completion.1.role": "assistant",
                    "gen_ai.completion.1.function_call.name": "look",
                    "gen_ai.completion.1.function_call.arguments": "{}",
                }
            )
        ],
        [{"in": ["user: Which?"], "out": [["text: This."], ["text: That.", "call: look {}"]]}],
    ),
    "tools numbered beyond ten": (
        [
            span(
                {
                    **CHAT,
                    "gen_ai.input.messages": text(QUESTION),
                    "gen_ai.output.messages": text(ANSWER),
                    **{f"gen_ai.tool.{number}.name": f"tool-{number}" for number in range(12)},
                }
            )
        ],
        [{"tools": [f"tool-{number}" for number in range(12)]}],
    ),
    "an answer object of a wrapper of the Vercel AI SDK": (
        [
            span(
                {
                    **CHAT,
                    "gen_ai.prompt": text({"messages": [{"role": "user", "content": "Look."}]}),
                    "gen_ai.completion": text(
                        {
                            "text": "I look.",
                            "reasoning": [{"type": "reasoning", "text": "So..."}],
                            "toolCalls": [{"toolCallId": "c1", "toolName": "look", "args": {"at": "moss"}}],
                            "warnings": [],
                        }
                    ),
                }
            )
        ],
        [{"in": ["user: Look."], "out": [["reasoning: So...", "text: I look.", 'call: look {"at": "moss"}']]}],
    ),
    "a broadcast of a request that failed": (
        [
            span(
                {
                    **CHAT,
                    "gen_ai.prompt": text({"messages": [{"role": "user", "content": "Hi"}]}),
                    "gen_ai.completion": text({"completion": None, "reasoning": None, "rawRequest": {}}),
                }
            )
        ],
        [],
    ),
    "reasoning in flat keys, the answer in the conventions' messages": (
        [
            span(
                {
                    **CHAT,
                    "gen_ai.input.messages": text(QUESTION),
                    "gen_ai.output.messages": text(ANSWER),
                    "gen_ai.completion.0.role": "assistant",
                    "gen_ai.completion.0.content": "Green.",
                    "gen_ai.completion.0.reasoning": text([{"type": "summary_text", "text": "Plants are."}]),
                }
            )
        ],
        [{"in": ASKED, "out": [["reasoning: Plants are.", "text: Green."]], "incomplete": False}],
    ),
    "Genkit in Go: reasoning, media": (
        [
            span(
                {
                    "genkit:metadata:subtype": "model",
                    "genkit:name": "vertexai/gemini-2.5-pro",
                    "genkit:input": text(
                        {
                            "messages": [
                                {
                                    "role": "user",
                                    "content": [{"text": "What is it?"}, {"media": {"url": "https://x.test/a.png"}}],
                                }
                            ]
                        }
                    ),
                    "genkit:output": text(
                        {"message": {"role": "model", "content": [{"reasoning": "Red, so..."}, {"text": "A rose."}]}}
                    ),
                },
                scope=Scope("genkit-tracer"),
            )
        ],
        [{"out": [["reasoning: Red, so...", "text: A rose."]], "model": "gemini-2.5-pro", "provider": "vertexai"}],
    ),
    "messages under a gateway's other names": (
        [
            span(
                {
                    **CHAT,
                    "gen_ai.request.messages": text([{"role": "user", "content": "Which colour is moss?"}]),
                    "gen_ai.response.messages": text([{"role": "assistant", "content": "Green."}]),
                }
            )
        ],
        [{"in": ASKED, "out": ANSWERED}],
    ),
    "an operation that nobody knows, in message events": (
        [
            span(
                {**CHAT, "gen_ai.operation.name": "realtime"},
                ("gen_ai.user.message", {"content": "Which colour is moss?"}),
                ("gen_ai.choice", {"message": {"content": "Green."}}),
            )
        ],
        [{"in": ASKED, "out": ANSWERED}],
    ),
    "an operation that nobody knows and that names an agent": (
        [
            span(
                {
                    **CHAT,
                    "gen_ai.operation.name": "run_agent_turn",
                    "gen_ai.input.messages": text(QUESTION),
                    "gen_ai.output.messages": text(ANSWER),
                }
            )
        ],
        [],
    ),
    "Braintrust around Anthropic's client, and a task": (
        [
            span(
                {
                    "braintrust.span_attributes": text({"type": "llm"}),
                    "braintrust.input_json": text([{"role": "user", "content": "Which colour is moss?"}]),
                    "braintrust.output_json": text(
                        [{"role": "assistant", "content": [{"type": "text", "text": "Green."}]}]
                    ),
                    "braintrust.metadata": text({"provider": "anthropic", "model": "claude-x", "tenant": "t1"}),
                    "braintrust.metrics": text({"prompt_tokens": 9, "prompt_cached_tokens": 4}),
                }
            ),
            span(
                {
                    "braintrust.span_attributes": text({"type": "task"}),
                    "braintrust.input_json": text("Which colour is moss?"),
                    "braintrust.output_json": text("Green."),
                },
                at=1000,
            ),
        ],
        [{"in": ASKED, "out": ANSWERED, "usage": {"input_tokens": 9, "cache_read_input_tokens": 4}}],
    ),
    "Spring AI's observation filter, with quotes in the texts": (
        [
            span(
                {
                    **CHAT,
                    "gen_ai.prompt": '["Answer in "plain" words.", "Which colour is moss?"]',
                    "gen_ai.completion": '["{"colour": "green", "sure": true}"]',
                },
                scope=Scope("org.springframework.boot"),
            )
        ],
        [
            {
                "in": ['user: Answer in "plain" words.', "user: Which colour is moss?"],
                "out": [['text: {"colour": "green", "sure": true}']],
                "incomplete": True,
            }
        ],
    ),
    "an answer in a record, the prompt on the span": (
        [
            span({**CHAT, "gen_ai.input.messages": text(QUESTION)}),
            record(
                "gen_ai.choice",
                {"index": 0, "message": {"content": "Green."}, "finish_reason": "stop"},
                trace_id=TRACE,
                span_id=f"{1:016x}",
            ),
        ],
        [{"in": ASKED, "out": ANSWERED, "finish": ["stop"], "incomplete": False}],
    ),
    "a stream of the Agents SDK, whose answer is a whole response": (
        [
            span(
                {
                    "gen_ai.system": "openai",
                    "gen_ai.request.model": "m-1",
                    "request_data": text({"model": "m-1", "messages": []}),
                    "input": text([{"role": "user", "content": "Which colour is moss?"}]),
                    "output": text(
                        [
                            {
                                "id": "__fake_id__",
                                "object": "response",
                                "output": [
                                    {
                                        "type": "message",
                                        "role": "assistant",
                                        "content": [{"type": "output_text", "text": "Green."}],
                                    }
                                ],
                            }
                        ]
                    ),
                },
                scope=Scope("logfire.openai_agents"),
            )
        ],
        [{"in": ASKED, "out": ANSWERED}],
    ),
    "a completion of Logfire with several choices": (
        [
            span(
                {
                    "gen_ai.operation.name": "text_completion",
                    "gen_ai.request.model": "m-1",
                    "request_data": text({"model": "m-1", "prompt": "Which colour is moss?"}),
                    "gen_ai.output.messages": text([*ANSWER, *ANSWER]),
                },
                scope=Scope("logfire.openai"),
            )
        ],
        [{"in": ASKED, "out": [*ANSWERED, *ANSWERED], "incomplete": False}],
    ),
    "a whole text of 256 characters": (
        [
            span(
                {
                    **CHAT,
                    "gen_ai.input.messages": QUESTION,
                    "gen_ai.output.messages": [{"role": "assistant", "parts": parts("Moss is green. " * 17 + "!")}],
                }
            )
        ],
        [{"in": ASKED, "incomplete": False}],
    ),
    "a refusal that stands in LiteLLM's raw request alone": (
        [
            span(
                {
                    **MODEL,
                    "gen_ai.operation.name": "acompletion",
                    "llm.request.type": "acompletion",
                    "gen_ai.input.messages": text(QUESTION),
                    "gen_ai.output.messages": text([{"role": "assistant", "parts": [], "finish_reason": "stop"}]),
                },
                scope=Scope("litellm"),
            ),
            span(
                {
                    "llm.openai.messages": str([{"role": "user", "content": "Which colour is moss?"}]),
                    "llm.openai.choices": str(
                        [{"finish_reason": "stop", "message": {"role": "assistant", "refusal": "I cannot tell."}}]
                    ),
                },
                scope=Scope("litellm"),
                name="raw_gen_ai_request",
                at=10,
                parent_span_id=f"{1:016x}",
            ),
        ],
        [{"in": ASKED, "out": [["text: I cannot tell."]], "incomplete": False}],
    ),
    "records without ids, after the other": (
        [
            record("gen_ai.user.message", {"content": "One?"}, at=1),
            record("gen_ai.choice", {"index": 0, "message": {"content": "1."}, "finish_reason": "stop"}, at=2),
            record("gen_ai.choice", {"index": 1, "message": {"content": "I."}, "finish_reason": "stop"}, at=3),
            record("gen_ai.user.message", {"content": "Two?"}, at=4),
            record("gen_ai.choice", {"index": 0, "message": {"content": "2."}}, at=5),
        ],
        [
            {"in": ["user: One?"], "out": [["text: 1."], ["text: I."]], "incomplete": True},
            {"in": ["user: Two?"], "out": [["text: 2."]]},
        ],
    ),
    "records without ids, of two calls at once": (
        [
            record("gen_ai.user.message", {"content": "One?"}, at=1),
            record("gen_ai.user.message", {"content": "Two?"}, at=2),
            record("gen_ai.choice", {"index": 0, "message": {"content": "1."}}, at=3),
            record("gen_ai.choice", {"index": 0, "message": {"content": "2."}}, at=4),
        ],
        [],
    ),
    "an agent's span with its call's events and no operation": (
        [
            span(
                {"gen_ai.system": "own"},
                ("gen_ai.user.message", {"content": "Which colour is moss?"}),
                ("gen_ai.choice", {"message": {"content": "Green."}}),
                name="agent_turn moss",
            )
        ],
        [],
    ),
    "Claude Code after a tool": (
        [
            span(
                {
                    "span.type": "llm_request",
                    "gen_ai.system": "anthropic",
                    "gen_ai.request.model": "m-1",
                    "new_context": "[TOOL RESULT: toolu_1]\nmoss.txt\n\n---\n\n[USER]\nAnd now?",
                    "response.model_output": "One file.",
                },
                scope=Scope("com.anthropic.claude_code.tracing"),
            )
        ],
        [{"in": ["tool: moss.txt", "user: And now?"], "out": [["text: One file."]], "incomplete": True}],
    ),
    "ADOT beside OpenInference, with the whole request in the record": (
        [
            span(
                {
                    "openinference.span.kind": "LLM",
                    "llm.model_name": "m-1",
                    "llm.input_messages.0.message.role": "user",
                    "llm.output_messages.0.message.role": "assistant",
                }
            ),
            record(
                "own",
                {
                    "input": {
                        "messages": [
                            {
                                "role": "user",
                                "content": text(
                                    {"model": "m-1", "messages": [{"role": "user", "content": "Which colour is moss?"}]}
                                ),
                            },
                            {"role": "user", "content": "Which colour is moss?"},
                        ]
                    },
                    "output": {
                        "messages": [
                            {
                                "role": "assistant",
                                "content": text({"choices": [{"message": {"role": "assistant", "content": "Green."}}]}),
                            },
                            {"role": "assistant", "content": "Green."},
                        ]
                    },
                },
                trace_id=TRACE,
                span_id=f"{1:016x}",
            ),
        ],
        [{"in": ASKED, "out": ANSWERED, "model": "m-1"}],
    ),
    "ADOT beside an agent's framework, with objects around the texts": (
        [
            span({**CHAT, "gen_ai.system": "own"}),
            record(
                "own",
                {
                    "input": {
                        "messages": [
                            {"role": "user", "content": {"content": text([{"text": "Which colour is moss?"}])}}
                        ]
                    },
                    "output": {
                        "messages": [
                            {
                                "role": "assistant",
                                "content": {"message": text([{"text": "Green."}]), "finish_reason": "stop"},
                            }
                        ]
                    },
                },
                trace_id=TRACE,
                span_id=f"{1:016x}",
            ),
        ],
        [{"in": ASKED, "out": ANSWERED}],
    ),
    "a gateway's answer as an object around its text": (
        [
            span(
                {
                    **MODEL,
                    "gen_ai.prompt_json": text([{"role": "user", "content": "Which colour is moss?"}]),
                    "gen_ai.completion_json": text({"text": "Green."}),
                }
            )
        ],
        [{"in": ASKED, "out": ANSWERED}],
    ),
    "VoltAgent, the answer on the agent's span": (
        [
            span({"entity.type": "agent", "voltagent.operation_id": "o", "output": "Green."}, span_id="ee" * 8),
            span(
                {
                    "span.type": "llm",
                    "llm.model": "m-1",
                    "llm.messages": text([{"role": "user", "content": "Which colour is moss?"}]),
                    "llm.tools": "look, touch",
                },
                at=10,
                parent_span_id="ee" * 8,
            ),
        ],
        [{"in": ASKED, "out": ANSWERED, "tools": ["look", "touch"], "incomplete": False}],
    ),
    "LangWatch: a list of the choices' messages": (
        [
            span(
                {
                    "langwatch.span.type": "llm",
                    "gen_ai.request.model": "openai/m-1",
                    "langwatch.input": text({"type": "text", "value": "Which colour is moss?"}),
                    "langwatch.output": text(
                        {
                            "type": "list",
                            "value": [
                                {"type": "chat_messages", "value": [{"role": "assistant", "content": "Green."}]},
                                {"type": "chat_messages", "value": [{"role": "assistant", "content": "Grey."}]},
                            ],
                        }
                    ),
                }
            )
        ],
        [{"in": ASKED, "out": [["text: Green."], ["text: Grey."]]}],
    ),
    "the input in OpenInference's keys, the answer in the conventions'": (
        [
            span(
                {
                    **CHAT,
                    "openinference.span.kind": "LLM",
                    "llm.input_messages.0.message.role": "user",
                    "llm.input_messages.0.message.content": "Which colour is moss?",
                    "gen_ai.output.messages": text(ANSWER),
                    "gen_ai.usage.output_tokens": 2,
                }
            )
        ],
        [{"in": ASKED, "out": ANSWERED, "usage": {"output_tokens": 2}, "incomplete": False}],
    ),
    "a request that goes on from an earlier answer": (
        [
            span(
                {
                    "openinference.span.kind": "LLM",
                    "llm.model_name": "m-1",
                    "input.value": text({"input": "Which colour is moss?"}),
                    "output.value": text(
                        {
                            "id": "resp_1",
                            "object": "response",
                            "output": [{"type": "message", "role": "assistant", "content": "Green."}],
                        }
                    ),
                }
            ),
            span(
                {
                    "openinference.span.kind": "LLM",
                    "llm.model_name": "m-1",
                    "input.value": text({"input": "And slate?", "previous_response_id": "resp_1"}),
                    "output.value": text(
                        {
                            "id": "resp_2",
                            "object": "response",
                            "output": [{"type": "message", "role": "assistant", "content": "Grey."}],
                        }
                    ),
                },
                at=1000,
            ),
        ],
        [
            {"in": ASKED, "out": ANSWERED},
            {"in": [*ASKED, "assistant: Green.", "user: And slate?"], "out": [["text: Grey."]], "incomplete": False},
        ],
    ),
    "what is new since the conversation's last call": (
        [
            span(
                {
                    **CHAT,
                    "gen_ai.conversation.id": "s1",
                    "gen_ai.input.messages_delta": text(QUESTION),
                    "gen_ai.output.messages": text(ANSWER),
                }
            ),
            span(
                {
                    **CHAT,
                    "gen_ai.conversation.id": "s1",
                    "gen_ai.input.messages_delta": text([*ANSWER, {"role": "user", "parts": parts("And slate?")}]),
                    "gen_ai.output.messages": text([{"role": "assistant", "parts": parts("Grey.")}]),
                },
                at=1000,
            ),
        ],
        [
            {"in": ASKED, "incomplete": False},
            {"in": [*ASKED, "assistant: Green.", "user: And slate?"], "out": [["text: Grey."]], "incomplete": False},
        ],
    ),
}


@pytest.mark.parametrize("form", SIBLINGS)
def test_a_form_is_read_whoever_writes_it(form: str) -> None:
    """The turns, answers and facts that a person reads in the telemetry, and no call more."""
    telemetry, expected = SIBLINGS[form]
    assert differences(calls_of(*telemetry), expected) == []


def test_turns_that_are_not_at_hand_are_said_to_be_missing() -> None:
    """A task that begins in the middle of a conversation says so."""
    alone = span(
        {
            **CHAT,
            "lk.input.base_span_id": "b" * 16,
            "gen_ai.input.messages": text(QUESTION),
            "gen_ai.output.messages": text(ANSWER),
        }
    )
    [call] = calls_of(alone)
    assert EARLIER_TURNS_MISSING in call.incomplete
    assert told(call)["in"] == ASKED


def test_a_parent_with_two_calls_lends_to_neither() -> None:
    """Nothing tells which of two requests below one node was answered so."""
    node = span(
        {"lk.chat_ctx": text({"items": [{"type": "message", "role": "user", "content": ["Hi"]}]})}, span_id="e" * 16
    )
    requests = [
        span(
            {**CHAT, "lk.llm_metrics": "{}"},
            ("gen_ai.choice", {"role": "assistant", "content": f"Answer {at}"}),
            at=at,
            parent_span_id="e" * 16,
        )
        for at in (10, 20)
    ]
    calls = calls_of(node, *requests)
    assert [told(call)["in"] for call in calls] == [[], []]
    assert all("the input is missing" in call.incomplete for call in calls)

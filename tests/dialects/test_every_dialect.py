"""The same conversation in every dialect, in the forms that each documents, reads as the same conversation."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from otel_labelstudio.dialects import DIALECTS, NAME_PREFIXES
from otel_labelstudio.recordings import Recording, read_recording
from otel_labelstudio.spans.model import LogRecord, Scope, Span, SpanEvent
from tests.cases.telling import told

TRACE, SPAN = "a" * 32, "b" * 16
SYSTEM, QUESTION, ANSWER = "Be brief.", "Which colour is moss?", "Green."
MODEL = {"gen_ai.request.model": "m-1"}
CHAT = {**MODEL, "gen_ai.operation.name": "chat"}


def text(value: Any) -> str:
    return json.dumps(value)


def part(said: str) -> list[dict[str, str]]:
    return [{"type": "text", "content": said}]


MESSAGES = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": QUESTION}]
REPLY = {"role": "assistant", "content": ANSWER}
CHOICES = [{"index": 0, "finish_reason": "stop", "message": REPLY}]
REQUEST, RESPONSE = {"model": "m-1", "messages": MESSAGES}, {"model": "m-1", "choices": CHOICES}
PARTED = [{"role": message["role"], "parts": part(message["content"])} for message in MESSAGES]
PARTED_REPLY = [{"role": "assistant", "parts": part(ANSWER), "finish_reason": "stop"}]
GEMINI = {
    "config": {"system_instruction": SYSTEM},
    "contents": [{"role": "user", "parts": [{"text": QUESTION}]}],
}
GENKIT = [{"role": message["role"], "content": [{"text": message["content"]}]} for message in MESSAGES]
EVENTS = [
    ("gen_ai.system.message", {"content": SYSTEM}),
    ("gen_ai.user.message", {"content": QUESTION}),
    ("gen_ai.choice", {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": ANSWER}}),
]
VERCEL = [MESSAGES[0], {"role": "user", "content": [{"type": "text", "text": QUESTION}]}]
LIVEKIT = [{"type": "message", "role": turn["role"], "content": [turn["content"]]} for turn in MESSAGES]
MOVED = {"input": {"messages": MESSAGES}, "output": {"messages": [REPLY]}}
STEP = {"mastra.model_step.input": text(MESSAGES), "mastra.model_step.output": text({"text": ANSWER, "toolCalls": []})}


def span(attributes: Mapping[str, Any], events: Any = (), **fields: Any) -> Span:
    defaults = {"trace_id": TRACE, "span_id": SPAN, "scope": Scope("own"), "end_time_unix_nano": 100}
    events = tuple(SpanEvent(name, 1, held) for name, held in events)
    return Span(attributes=attributes, events=events, **{**defaults, **fields})


def records(*events: tuple[str, Any], attribute: str = "") -> list[LogRecord]:
    """Log records of the span, with their names in the field for it or in an attribute."""
    return [
        LogRecord(
            trace_id=TRACE,
            span_id=SPAN,
            time_unix_nano=at,
            body=body,
            scope=Scope("own"),
            **({"attributes": {attribute: name}} if attribute else {"event_name": name}),
        )
        for at, (name, body) in enumerate(events)
    ]


def flat(prefix: str, inner: str, messages: list[dict[str, str]]) -> dict[str, str]:
    return {f"{prefix}{n}{inner}.{k}": v for n, message in enumerate(messages) for k, v in message.items()}


# Each dialect's forms: what is recorded of the conversation in each
FORMS: dict[str, list[list[Span | LogRecord]]] = {
    "genai": [
        [span({**CHAT, "gen_ai.input.messages": text(PARTED), "gen_ai.output.messages": text(PARTED_REPLY)})],
        [span({**CHAT, "gen_ai.input.messages": PARTED, "gen_ai.output.messages": PARTED_REPLY})],
        [
            span(
                {
                    **CHAT,
                    "gen_ai.system_instructions": text(part(SYSTEM)),
                    "gen_ai.input.messages": text(PARTED[1:]),
                    "gen_ai.output.messages": text(PARTED_REPLY),
                }
            )
        ],
        [
            span(
                CHAT,
                [
                    (
                        "gen_ai.client.inference.operation.details",
                        {"gen_ai.input.messages": text(PARTED), "gen_ai.output.messages": text(PARTED_REPLY)},
                    )
                ],
            )
        ],
    ],
    "genai_events": [
        [span(CHAT, EVENTS)],
        [span(CHAT), *records(*EVENTS)],
        [span(CHAT), *records(*EVENTS, attribute="event.name")],
        [span(CHAT), *records(*EVENTS, attribute="event_name")],
        [span(CHAT), *records(*((name, text(body)) for name, body in EVENTS))],
    ],
    "genai_prompt_events": [
        [
            span(
                CHAT,
                [
                    ("gen_ai.content.prompt", {"gen_ai.prompt": text(MESSAGES)}),
                    ("gen_ai.content.completion", {"gen_ai.completion": text([REPLY])}),
                ],
            )
        ],
        [span({**CHAT, "gen_ai.prompt": text(REQUEST), "gen_ai.completion": text(RESPONSE)})],
        [
            span(
                {
                    **CHAT,
                    "gen_ai.prompt": text(REQUEST),
                    "gen_ai.completion": text({"completion": ANSWER, "reasoning": None}),
                }
            )
        ],
    ],
    "gateways": [[span({**MODEL, "gen_ai.prompt_json": text(MESSAGES), "gen_ai.completion_json": text([REPLY])})]],
    "openllmetry": [
        [
            span(
                {
                    **MODEL,
                    "llm.request.type": "chat",
                    **flat("gen_ai.prompt.", "", MESSAGES),
                    **flat("gen_ai.completion.", "", [REPLY]),
                }
            )
        ]
    ],
    "openinference": [
        [
            span(
                {
                    "openinference.span.kind": "LLM",
                    "llm.model_name": "m-1",
                    **flat("llm.input_messages.", ".message", MESSAGES),
                    **flat("llm.output_messages.", ".message", [REPLY]),
                }
            )
        ],
        [span({"openinference.span.kind": "LLM", "input.value": text(REQUEST), "output.value": text(RESPONSE)})],
    ],
    "langsmith": [
        [span({"langsmith.span.kind": "llm", "gen_ai.prompt": text(REQUEST), "gen_ai.completion": text(RESPONSE)})]
    ],
    "langfuse": [
        [
            span(
                {
                    "langfuse.observation.type": "generation",
                    "langfuse.observation.model.name": "m-1",
                    "langfuse.observation.input": text(MESSAGES),
                    "langfuse.observation.output": text(REPLY),
                }
            )
        ]
    ],
    "mlflow": [
        [
            span(
                {
                    "mlflow.spanType": '"CHAT_MODEL"',
                    "mlflow.spanInputs": text(REQUEST),
                    "mlflow.spanOutputs": text(RESPONSE),
                }
            )
        ]
    ],
    "laminar": [
        [
            span(
                {
                    **MODEL,
                    "lmnr.span.type": "LLM",
                    "gen_ai.input.messages": text(MESSAGES),
                    "gen_ai.output.messages": text(CHOICES),
                }
            )
        ]
    ],
    "haystack": [
        [
            span(
                {
                    "haystack.component.type": "OpenAIChatGenerator",
                    "haystack.component.input": text({"messages": MESSAGES}),
                    "haystack.component.output": text({"replies": [{**REPLY, "meta": {"model": "m-1"}}]}),
                }
            )
        ]
    ],
    "vercel_ai": [
        [
            span(
                {
                    "ai.operationId": "ai.generateText.doGenerate",
                    "ai.model.id": "m-1",
                    "ai.prompt.messages": text(VERCEL),
                    "ai.response.text": ANSWER,
                }
            )
        ]
    ],
    "google_adk": [
        [
            span(
                {
                    **MODEL,
                    "gcp.vertex.agent.llm_request": text(GEMINI),
                    "gcp.vertex.agent.llm_response": text({"content": {"role": "model", "parts": [{"text": ANSWER}]}}),
                },
                name="call_llm",
            )
        ]
    ],
    "logfire": [
        [span({**CHAT, "request_data": text(REQUEST), "response_data": text({"message": REPLY})})],
        [
            span(
                {
                    **CHAT,
                    "events": text(
                        [
                            {"event.name": "gen_ai.system.message", "role": "system", "content": SYSTEM},
                            {"event.name": "gen_ai.user.message", "role": "user", "content": QUESTION},
                            {"event.name": "gen_ai.choice", "index": 0, "message": REPLY},
                        ]
                    ),
                }
            )
        ],
        [span({**MODEL, "request_data": text(REQUEST), "input": text(MESSAGES), "output": text([REPLY])})],
    ],
    "genkit": [
        [
            span(
                {
                    "genkit:metadata:subtype": "model",
                    "genkit:name": "plugin/m-1",
                    "genkit:input": text({"messages": GENKIT}),
                    "genkit:output": text({"message": {"role": "model", "content": [{"text": ANSWER}]}}),
                }
            )
        ]
    ],
    "braintrust": [
        [
            span(
                {
                    "braintrust.span_attributes": text({"type": "llm"}),
                    "braintrust.metadata": text({"model": "m-1"}),
                    "braintrust.input_json": text(MESSAGES),
                    "braintrust.output_json": text(CHOICES),
                }
            )
        ]
    ],
    "langwatch": [
        [
            span(
                {
                    **MODEL,
                    "langwatch.span.type": "llm",
                    "langwatch.input": text({"type": "chat_messages", "value": MESSAGES}),
                    "langwatch.output": text({"type": "text", "value": ANSWER}),
                }
            )
        ]
    ],
    "mastra": [
        [
            span(
                {
                    "mastra.span.type": "model_step",
                    "input": text({"body": REQUEST}),
                    "output": text({"text": ANSWER, "toolCalls": []}),
                }
            )
        ],
        [
            span({**CHAT, "mastra.span.type": "model_inference"}, parent_span_id="c" * 16),
            span({"mastra.span.type": "model_step", **STEP}, span_id="c" * 16),
        ],
    ],
    "voltagent": [
        [span({"span.type": "llm", "llm.model": "m-1", "llm.messages": text(MESSAGES), "output": ANSWER})],
        [
            span({"span.type": "llm", "llm.model": "m-1", "llm.messages": text(MESSAGES)}, parent_span_id="c" * 16),
            span({"entity.type": "agent", "voltagent.operation_id": "o", "output": ANSWER}, span_id="c" * 16),
        ],
    ],
    "livekit": [
        [
            span({**MODEL, "lk.llm_metrics": "{}"}, EVENTS[2:], parent_span_id="c" * 16, name="llm_request"),
            span(
                {
                    "lk.chat_ctx": text(
                        {
                            "items": [
                                {"type": "message", **message, "content": [message["content"]]} for message in MESSAGES
                            ]
                        }
                    )
                },
                span_id="c" * 16,
            ),
        ]
    ],
    "litellm": [
        [
            span(
                {**MODEL, "llm.request.type": "responses", **flat("gen_ai.prompt.", "", MESSAGES[1:])},
                scope=Scope("litellm"),
            ),
            span(
                {
                    "llm.openai.instructions": SYSTEM,
                    "llm.openai.output": str([{"type": "message", "role": "assistant", "content": ANSWER}]),
                },
                scope=Scope("litellm"),
                name="raw_gen_ai_request",
                span_id="c" * 16,
                parent_span_id=SPAN,
            ),
        ]
    ],
    "adot": [[span(CHAT), *records(("own", MOVED))]],
    # Neither tells the roles, nor does Claude Code the system prompt
    "spring_ai": [
        [
            span(CHAT, scope=Scope("org.springframework.boot")),
            *records(
                ("", f"Chat Model Prompt Content:\n{text([QUESTION])}"),
                ("", f"Chat Model Completion:\n{text([ANSWER])}"),
            ),
        ],
        [
            span(
                {**CHAT, "gen_ai.prompt": text([QUESTION]), "gen_ai.completion": text([ANSWER])},
                scope=Scope("org.springframework.boot"),
            )
        ],
    ],
    "claude_code": [
        [
            span(
                {
                    **MODEL,
                    "span.type": "llm_request",
                    "new_context": f"[USER]\n{QUESTION}",
                    "response.model_output": ANSWER,
                },
                scope=Scope("com.anthropic.claude_code.tracing"),
            )
        ]
    ],
}
WITHOUT_SYSTEM = ("spring_ai", "claude_code")


@pytest.mark.parametrize(
    ("dialect", "telemetry"), [(name, telemetry) for name, forms in FORMS.items() for telemetry in forms]
)
def test_a_conversation_reads_the_same_in_every_form(dialect: str, telemetry: list[Span | LogRecord]) -> None:
    """System prompt, question, answer and model come out as they went in, and as one call."""
    recording = Recording(
        [item for item in telemetry if isinstance(item, Span)],
        [item for item in telemetry if isinstance(item, LogRecord)],
    )
    [call] = read_recording(recording).calls
    found = told(call)
    system = [] if dialect in WITHOUT_SYSTEM else [f"system: {SYSTEM}"]
    assert (found["in"], found["out"]) == ([*system, f"user: {QUESTION}"], [[f"text: {ANSWER}"]])
    assert found["model"] == "m-1"


def test_every_dialect_is_held_to_it() -> None:
    """A new dialect comes with the forms that its producers write."""
    assert FORMS.keys() == {dialect.NAME for dialect in DIALECTS}


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.NAME)
def test_a_dialect_is_asked_about_its_own_spans(dialect: Any) -> None:
    """It declares a prefix of each span's attributes or events that it recognises, so that none is passed over."""
    spans = [item for form in FORMS[dialect.NAME] for item in form if isinstance(item, Span)]
    names = [name for one in spans for name in (*one.attributes, *(event.name for event in one.events))]
    assert set(dialect.PREFIXES) <= set(NAME_PREFIXES)
    assert not dialect.PREFIXES or any(name.startswith(dialect.PREFIXES) for name in names)

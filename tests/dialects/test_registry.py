"""Which dialect has the word, and what is said of spans that give no call."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from otel_labelstudio.calls import LLMCall
from otel_labelstudio.dialects import DIALECTS, Skip, SkipReason, read
from otel_labelstudio.dialects.shared.damages import NOT_UNDERSTOOD
from otel_labelstudio.earlier_turns import EARLIER_TURNS_MISSING
from otel_labelstudio.spans.model import Scope, Span, SpanEvent

ANSWER = json.dumps([{"role": "assistant", "parts": [{"type": "text", "content": "Hi"}]}])
GOES_ON = {"gen_ai.request.previous_response.id": "resp_1"}
CHAT = {"gen_ai.operation.name": "chat", "gen_ai.input.messages": ANSWER, "gen_ai.output.messages": ANSWER}


def test_dialects_have_names_of_their_own() -> None:
    """`LLMCall.dialect` tells which one read the call."""
    assert len({dialect.NAME for dialect in DIALECTS}) == len(DIALECTS)


def test_other_spans_are_not_genai() -> None:
    """HTTP, databases, queues."""
    span = Span(trace_id="1", span_id="2", name="GET /", attributes={"http.request.method": "GET", "url.path": "/"})
    assert read(span) == Skip(SkipReason.NOT_GENAI)


def test_a_span_without_attributes_may_tell_of_a_model_by_its_events() -> None:
    """The content may be all there is."""
    details = {"gen_ai.input.messages": ANSWER, "gen_ai.output.messages": ANSWER}
    event = SpanEvent("gen_ai.client.inference.operation.details", attributes=details)
    assert not isinstance(read(Span(trace_id="1", span_id="2", events=(event,))), Skip)


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("openinference.span.kind", "CHAIN"),
        ("openinference.span.kind", "AGENT"),
        ("langsmith.span.kind", "prompt"),
        ("langfuse.observation.type", "span"),
        ("mlflow.spanType", '"AGENT"'),
        ("traceloop.span.kind", "workflow"),
        ("ai.operationId", "ai.generateText"),
        ("lmnr.span.type", "TOOL"),
    ],
)
def test_a_vendors_kind_goes_before_the_operation(key: str, kind: str) -> None:
    """Chains, agents and prompt templates say ``chat`` and carry messages too."""
    assert read(Span(trace_id="1", span_id="2", attributes={**CHAT, key: kind})) == Skip(SkipReason.NOT_INFERENCE)


def test_spans_that_are_no_calls_cost_next_to_nothing() -> None:
    """Nearly all traffic is of this kind; a generous bound, so that only a change of order shows."""
    attributes = {f"http.request.header.x-{n}": "v" for n in range(20)}
    span = Span(trace_id="1", span_id="2", name="GET /", attributes=attributes)

    def seconds() -> float:
        start = time.thread_time()
        for _ in range(10_000):
            read(span)
        return time.thread_time() - start

    assert min(seconds() for _ in range(3)) < 1


def a_chat(answer: object = None, **fields: Any) -> Span:
    """A chat of the conventions with this as the JSON of its output messages."""
    attributes = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m-1", "gen_ai.input.messages": ANSWER}
    if answer is not None:
        attributes["gen_ai.output.messages"] = json.dumps(answer)
    return Span(trace_id="1", span_id="2", attributes=attributes, **fields)


def one_text(said: str) -> list[dict[str, Any]]:
    return [{"role": "assistant", "parts": [{"type": "text", "content": said}]}]


@pytest.mark.parametrize("said", ["<groq.Stream object at 0x7f99f0b21050>", "null"])
def test_what_stands_for_an_answer_is_none(said: str) -> None:
    """An object's repr, and JSON's null, were written where the instrumentation did not know the answer."""
    assert read(a_chat(one_text(said))) == Skip(SkipReason.ANSWER_UNREADABLE)


@pytest.mark.parametrize(
    "answer",
    [
        one_text(json.dumps({"id": "x", "object": "response", "output": [{"type": "message"}]})),
        one_text(json.dumps({"role": "assistant", "content": "Hi"})),
        [{"role": "assistant", "parts": [{"type": "hologram", "data": "Hi"}]}],
    ],
    ids=["a response", "a message", "a part of a type that nobody knows"],
)
def test_an_answer_that_is_not_understood_says_so(answer: object) -> None:
    """It is never an empty or a raw-JSON prediction without a mark."""
    reading = read(a_chat(answer))
    assert not isinstance(reading, Skip)
    assert reading[0].output_messages[0].parts
    assert NOT_UNDERSTOOD in reading[0].incomplete


@pytest.mark.parametrize("said", ['{"role": "engineer", "name": "Ada"}', '[{"id": 1}]', '{"output": "x"}', "{"])
def test_json_that_the_model_wrote_is_an_answer(said: str) -> None:
    """JSON modes answer with objects of all kinds."""
    reading = read(a_chat(one_text(said)))
    assert not isinstance(reading, Skip)
    assert NOT_UNDERSTOOD not in reading[0].incomplete


def test_a_failed_call_keeps_what_was_asked() -> None:
    """For those who review errors: the input, the error's type, and no answer."""
    skip = read(a_chat(status_code=2, events=(SpanEvent("exception", attributes={"exception.type": "Timeout"}),)))
    assert isinstance(skip, Skip)
    assert skip.reason is SkipReason.FAILED
    (failed,) = skip.failed
    assert failed.error_type == "Timeout"
    assert [message.role for message in failed.input_messages] == ["assistant"]
    assert failed.output_messages == ()
    assert failed.incomplete == ("the call broke off and its telemetry has no answer (Timeout)",)
    assert "Hi" not in repr(skip)


def test_a_finish_reason_tells_of_a_failure() -> None:
    """Mastra's spans end well, and the empty answer has ended with an error."""
    skip = read(a_chat([{"role": "assistant", "parts": [], "finish_reason": "error"}]))
    assert isinstance(skip, Skip)
    assert skip.reason is SkipReason.FAILED
    (failed,) = skip.failed
    assert (failed.error_type, failed.output_messages) == ("_OTHER", ())


def test_a_failed_call_says_that_its_earlier_turns_are_elsewhere() -> None:
    """As one that was answered does: they come in front of it where they are at hand."""
    new = {"gen_ai.input.messages": ANSWER.replace("assistant", "user"), "error.type": "Timeout"}
    skip = read(Span(trace_id="1", span_id="2", attributes={**CHAT, **new, **GOES_ON, "gen_ai.output.messages": "[]"}))
    assert isinstance(skip, Skip)
    assert [EARLIER_TURNS_MISSING in failed.incomplete for failed in skip.failed] == [True]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"scope": Scope("livekit-agents")}, "transcripts"),
        ({"scope": Scope("com.anthropic.claude_code.tracing")}, "ENABLE_BETA_TRACING_DETAILED=1"),
        ({"scope": Scope("org.springframework.boot")}, "spring.ai.chat.observations.log-prompt=true"),
        ({"scope": Scope("litellm")}, "turn_off_message_logging"),
        ({"resource": {"telemetry.auto.version": "0.12.0-aws"}}, "AGENT_OBSERVABILITY_ENABLED=false"),
        ({"dropped_attributes_count": 7}, "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT=10000"),
    ],
)
def test_a_hint_names_what_captures_the_content(fields: dict[str, Any], words: str) -> None:
    """The producer's own switch, or why its content is not there."""
    attributes = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m-1"}
    skip = read(Span(trace_id="1", span_id="2", attributes=attributes, **fields))
    assert isinstance(skip, Skip)
    assert skip.reason is SkipReason.CONTENT_NOT_CAPTURED
    assert words in skip.hint


def test_content_that_nobody_reads_is_not_told_to_be_missing() -> None:
    """The names of the attributes that seem to hold it are said, and nothing of what they hold."""
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "m-1",
        "vendor.input": "Hi",
        "vendor.id": "7",
    }
    skip = read(Span(trace_id="1", span_id="2", attributes=attributes))
    expected = "they have it in attributes that are not understood (vendor.input)"
    assert skip == Skip(SkipReason.ANSWER_UNREADABLE, expected)


def test_every_hint_and_key_is_declared_by_a_dialect() -> None:
    """Facts are known fields of a call, and a scope's hint is declared once."""
    fields = set(LLMCall.__dataclass_fields__)
    assert {fact for dialect in DIALECTS for fact in dialect.KEYS} <= fields
    scopes = [scope for dialect in DIALECTS for scope in dialect.HINTS if scope]
    assert len(scopes) == len(set(scopes))

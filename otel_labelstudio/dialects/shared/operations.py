"""Which operation a span is of, and whether that asks a model to answer.

Operations are the producers' own words. Those that are known are told in the conventions' words; of those that nobody
knows, a span that names a model and holds messages is a call, unless the name says that it is something around a call.
"""

from __future__ import annotations

import re

from otel_labelstudio.spans.attributes import text
from otel_labelstudio.spans.model import Span

# gen-ai-spans.md
_OPERATION = "gen_ai.operation.name"
CHAT, TEXT_COMPLETION = "chat", "text_completion"
_MODELS = ("gen_ai.request.model", "gen_ai.response.model")
_TOOL_CALL = ("gen_ai.tool.call.id", "gen_ai.tool.call.arguments", "gen_ai.tool.call.result")

_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")
_CONVENTIONS = (CHAT, TEXT_COMPLETION, "generate_content")
# Operations that ask a model to answer, by their names in telemetry
_INFERENCES = {
    **{name: name for name in _CONVENTIONS},
    # OpenLLMetry's LangChain instrumentation 0.53 and 0.54; azure-ai-projects 2 and others after OpenAI's APIs
    **dict.fromkeys(("llm_request", "responses", "chat_completion", "llm_call"), CHAT),
    "completion": TEXT_COMPLETION,
    # LiteLLM 1.80 to 1.110: the name of its own function
    **dict.fromkeys(("acompletion", "aresponses", "anthropic_messages", "aanthropic_messages"), CHAT),
    "atext_completion": TEXT_COMPLETION,
    **dict.fromkeys(("agenerate_content", "generate_content_stream", "agenerate_content_stream"), "generate_content"),
}
# LiteLLM's "completion" is a chat
_LITELLM = "litellm"
# Words in the names of operations that are around a call, or of another kind of model. The conventions; OpenLLMetry;
# Strands' cycles; Mastra's steps and chunks; Spring AI's "framework"; LiteLLM's other functions, with an "a" before
# those that are asynchronous
_OTHERS = frozenset(
    (
        *("agent", "agents", "workflow", "pipeline", "chain", "task", "framework", "session", "turn", "handoff"),
        *("cycle", "loop", "step", "chunk", "plan", "planner", "guardrail", "middleware", "parser", "prompt"),
        *("tool", "tools", "memory", "retrieval", "retrieve", "retriever", "search", "vector", "fetch", "upsert"),
        *("embedding", "embeddings", "embed", "rerank", "image", "speech", "transcription", "moderation", "evaluate"),
        *("evaluation", "eval", "score", "count", "tokenize"),
    )
)


def operation_of(span: Span) -> str:
    """The operation in the conventions' words, guessed where a limit dropped it or the producer names none."""
    named = text(span.attributes.get(_OPERATION))
    if named:
        return known_operation(named, span)
    if not span.attributes.keys().isdisjoint(_TOOL_CALL):
        return "execute_tool"
    word = span.name.split(" ", 1)[0]
    has_model = any(key in span.attributes for key in _MODELS)
    return word if word in _CONVENTIONS or (not has_model and _is_other(word)) else CHAT


def known_operation(name: str, span: Span) -> str:
    """The conventions' word for an operation; the name as it is where they have none."""
    if name.lower() == "completion" and span.scope.name == _LITELLM:
        return CHAT
    return _INFERENCES.get(name.lower(), name)


def is_inference(operation: str) -> bool:
    """Whether the operation is known to ask a model to answer."""
    return operation in _INFERENCES


def is_no_inference(operation: str) -> bool:
    """Whether the operation is known to be something else."""
    return operation not in _INFERENCES and _is_other(operation)


def names_a_model(span: Span) -> bool:
    return any(span.attributes.get(key) for key in _MODELS)


def _is_other(name: str) -> bool:
    words = [word.lower() for word in _WORD.findall(name)]
    return any(word in _OTHERS or word.removeprefix("a") in _OTHERS for word in words)

"""What became of a call: what it used, why it ended, which error ended it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from otel_labelstudio.calls import Usage
from otel_labelstudio.spans.attributes import Fields, decoded, first, integer, text, texts
from otel_labelstudio.spans.model import STATUS_CODE_ERROR, Span

_USAGE = Fields(
    {
        # 1.27 and later; 1.26 and OpenLLMetry before 0.49; OpenLLMetry's oldest
        "input_tokens": ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.usage.prompt_tokens"),
        "output_tokens": (
            "gen_ai.usage.output_tokens",
            "gen_ai.usage.completion_tokens",
            "llm.usage.completion_tokens",
        ),
        # 1.40; OpenLLMetry and Strands; Langtrace; pydantic-ai
        "cache_read_input_tokens": (
            "gen_ai.usage.cache_read.input_tokens",
            "gen_ai.usage.cache_read_input_tokens",
            "gen_ai.usage.cached_tokens",
            "gen_ai.usage.details.cache_read_tokens",
        ),
        # semantic-conventions-genai; 1.40 and 1.41; OpenLLMetry; Strands; pydantic-ai
        "cache_write_input_tokens": (
            "gen_ai.usage.cache_write.input_tokens",
            "gen_ai.usage.cache_creation.input_tokens",
            "gen_ai.usage.cache_creation_input_tokens",
            "gen_ai.usage.cache_write_input_tokens",
            "gen_ai.usage.details.cache_write_tokens",
        ),
        # 1.41; OpenLLMetry 0.60; OpenLLMetry 0.47; pydantic-ai
        "reasoning_output_tokens": (
            "gen_ai.usage.reasoning.output_tokens",
            "gen_ai.usage.reasoning_tokens",
            "llm.usage.reasoning_tokens",
            "gen_ai.usage.details.reasoning_tokens",
        ),
    }
)

# Logfire adds Anthropic's cached tokens to the input's, and keeps the provider's own counts here
_REPORTED_USAGE = "gen_ai.usage.raw"

# The conventions; Semantic Kernel; OpenLLMetry 0.40; OpenInference and VoltAgent
_FINISH_REASON_KEYS = (
    "gen_ai.response.finish_reasons",
    "gen_ai.response.finish_reason",
    "gen_ai.response.stop_reason",
    "llm.finish_reason",
)
# The conventions' word for an error without a name
UNNAMED_ERROR = "_OTHER"
# gen-ai-output-messages.json
_IN_CONVENTIONS = frozenset(("stop", "length", "content_filter", "tool_call", "error"))
# OpenAI, Anthropic, Gemini, Bedrock, Cohere and the frameworks around them
_FINISH_REASONS = {
    **dict.fromkeys(("end_turn", "stop_sequence", "completed", "complete", "eos_token", "eos", "end"), "stop"),
    **dict.fromkeys(("tool_calls", "tool_use", "function_call"), "tool_call"),
    **dict.fromkeys(("max_tokens", "max_output_tokens", "model_length", "model_context_window_exceeded"), "length"),
    **dict.fromkeys(("safety", "recitation", "blocklist", "prohibited_content", "spii"), "content_filter"),
    **dict.fromkeys(("guardrail_intervened", "content_filtered"), "content_filter"),
    **dict.fromkeys(("failed", "malformed_function_call"), "error"),
    **dict.fromkeys(("unknown", "none", "null", "finish_reason_unspecified"), ""),
}


def usage_of(attributes: Mapping[str, Any]) -> Usage:
    """Token counts under any of the names that the conventions and OpenLLMetry have given them.

    ``input_tokens`` is what the provider reported, where the span has that.
    """
    counts = {name: integer(held) for name, held in _USAGE.values(attributes).items()}
    if _REPORTED_USAGE in attributes:
        reported = decoded(attributes[_REPORTED_USAGE]).value
        if isinstance(reported, dict) and (tokens := integer(reported.get("input_tokens"))) is not None:
            counts["input_tokens"] = tokens
    return Usage(**counts)


def finish_reasons_of(attributes: Mapping[str, Any]) -> tuple[str, ...]:
    """One reason a choice, as they stand in the span; a list, the JSON text of one (Logfire), or a single text."""
    return tuple([finish_reason_of(reason) or "" for reason in texts(first(attributes, _FINISH_REASON_KEYS))])


def finish_reason_of(reason: str | None) -> str | None:
    """A finish reason in the conventions' words where they have one for it, else as the provider says it."""
    if not reason or reason in _IN_CONVENTIONS:
        return reason or None
    word = reason.removeprefix("FinishReason.").lower().replace("-", "_")
    return _FINISH_REASONS.get(word, word) or None


def error_type_of(span: Span) -> str | None:
    """Which error ended the call; None where it went well."""
    found = text(span.attributes.get("error.type"))
    if found or span.status_code != STATUS_CODE_ERROR:
        return found
    raised = (text(event.attributes.get("exception.type")) for event in span.events if event.name == "exception")
    return next((name for name in raised if name), UNNAMED_ERROR)

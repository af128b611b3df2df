"""Token counts and request parameters in every provider's spelling, in the conventions' words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from otel_labelstudio.calls import JSONObject, Usage
from otel_labelstudio.spans.attributes import Fields, bounded, decoded_object, integer, texts

# Each count under the names of OpenAI (Chat, Responses), Anthropic, Gemini, Bedrock, LangChain, the Vercel AI SDK and
# Langfuse; a dot leads into an object of details
_COUNT_KEYS: dict[str, tuple[str, ...]] = {
    "input_tokens": (
        *("input_tokens", "prompt_tokens", "inputTokens", "promptTokens", "promptTokenCount", "prompt_token_count"),
        *("input", "prompt", "input_token_count"),
    ),
    "output_tokens": (
        *("output_tokens", "completion_tokens", "outputTokens", "completionTokens", "candidatesTokenCount"),
        *("candidates_token_count", "output", "completion", "output_token_count"),
    ),
    "cache_read_input_tokens": (
        *("prompt_tokens_details.cached_tokens", "input_tokens_details.cached_tokens", "cache_read_input_tokens"),
        *("input_token_details.cache_read", "inputTokenDetails.cacheReadTokens", "cachedInputTokens", "cached_tokens"),
        *("cacheReadInputTokens", "cachedContentTokenCount", "cached_content_token_count", "input_cached_tokens"),
        *("prompt_details.cache_read", "input_cache_read", "cached", "cachedContentTokens", "prompt_cached_tokens"),
    ),
    "cache_write_input_tokens": (
        *("cache_creation_input_tokens", "cache_write_input_tokens", "input_token_details.cache_creation"),
        *("input_tokens_details.cache_write_tokens", "prompt_tokens_details.cache_write_tokens"),
        *("inputTokenDetails.cacheWriteTokens", "cacheWriteInputTokens", "prompt_details.cache_write"),
        *("input_cache_creation", "prompt_cache_creation_tokens"),
    ),
    "reasoning_output_tokens": (
        *("completion_tokens_details.reasoning_tokens", "output_tokens_details.reasoning_tokens", "reasoningTokens"),
        *("output_token_details.reasoning", "outputTokenDetails.reasoningTokens", "thoughtsTokenCount"),
        *("thoughts_token_count", "output_reasoning_tokens", "completion_details.reasoning", "reasoning_tokens"),
        *("reasoning_output_tokens", "thoughtsTokens", "completion_reasoning_tokens"),
    ),
}

# gen_ai.request.* -> the names that providers and frameworks give it
_PARAMETER_KEYS: dict[str, tuple[str, ...]] = {
    "temperature": ("temperature", "ls_temperature"),
    "top_p": ("top_p", "topP"),
    "top_k": ("top_k", "topK"),
    "max_tokens": (
        *("max_tokens", "max_completion_tokens", "max_output_tokens", "maxTokens", "maxOutputTokens"),
        *("max_tokens_to_sample", "max_new_tokens", "maxCompletionTokens", "num_predict", "ls_max_tokens"),
    ),
    "frequency_penalty": ("frequency_penalty", "frequencyPenalty"),
    "presence_penalty": ("presence_penalty", "presencePenalty"),
    "stop_sequences": ("stop_sequences", "stop", "stopSequences", "ls_stop"),
    "seed": ("seed",),
    "choice.count": ("n", "num_completions", "candidate_count", "candidateCount", "numGenerations"),
    "stream": ("stream", "streaming"),
    "reasoning.level": ("reasoning_effort", "reasoningEffort", "reasoning.effort"),
    "tool_choice": ("tool_choice", "toolChoice"),
    "parallel_tool_calls": ("parallel_tool_calls", "parallelToolCalls"),
    "response_format": ("response_format", "responseFormat", "text.format"),
    "logit_bias": ("logit_bias", "logitBias"),
    "logprobs": ("logprobs",),
    "top_logprobs": ("top_logprobs", "topLogprobs"),
    "best_of": ("best_of",),
    "echo": ("echo",),
    "suffix": ("suffix",),
    "service_tier": ("service_tier", "serviceTier"),
    "thinking": ("thinking", "thinkingConfig", "thinking_config"),
    "modalities": ("modalities", "responseModalities", "response_modalities"),
    "previous_response.id": ("previous_response_id", "previousResponseId"),
}


_COUNTS, _PARAMETERS = Fields(_COUNT_KEYS), Fields(_PARAMETER_KEYS)
_COUNT_NAMES = frozenset(key for keys in _COUNT_KEYS.values() for key in keys)
PARAMETER_NAMES = frozenset(key for keys in _PARAMETER_KEYS.values() for key in keys)
_PATHS = [key.split(".") for key in (*_COUNT_NAMES, *PARAMETER_NAMES) if "." in key]
# The objects of details, such as prompt_tokens_details, each with what is known of it
_DETAILS = {outer: [key for other, key in _PATHS if other == outer] for outer, _ in _PATHS}
_LISTS = frozenset(("stop_sequences",))
# Langfuse writes what its user did not set as these
_UNSET: tuple[Any, ...] = (None, "", "Infinity", "inf", "NOT_GIVEN", [], {})


def usage_from(*counts: Any) -> Usage:
    """The counts of one call, each from the first of these that has it: objects, JSON texts of such, or `Usage`."""
    found: dict[str, int] = {}
    split: JSONObject | None = None
    for item in reversed(counts):
        if isinstance(item, Usage):
            found |= item.to_dict()
        elif item is not None and (held := decoded_object(item)):
            found |= _COUNTS.values(_counts(_flat(held)))
            split = held if "input" in held and "output" in held else split
    if split is not None:  # Langfuse counts the cached tokens apart, and the reasoning; others within the whole
        found |= {f"{side}_tokens": sum(_parts_of(split, side)) for side in ("input", "output")}
    return Usage(**found)


def request_parameters_from(*objects: Any) -> dict[str, Any]:
    """The parameters that the request set, from the first object that has each; what is not known is left out.

    Only known names are taken: requests also carry credentials, headers and addresses.
    """
    found: dict[str, Any] = {}
    for item in map(decoded_object, reversed(objects)):
        if item:
            found |= _PARAMETERS.values(_set(_flat(item)))
    return {
        name: list(texts(found[name])) if name in _LISTS else found[name] for name in _PARAMETER_KEYS if name in found
    }


def _flat(item: JSONObject) -> JSONObject:
    """The object with what its objects of details hold under ``details.key``; what is written so goes before."""
    details = item.keys() & _DETAILS.keys()
    inner = {
        f"{name}.{key}": item[name][key]
        for name in details
        if isinstance(item[name], dict)
        for key in _DETAILS[name]
        if key in item[name]
    }
    return {**inner, **item} if inner else item


def _counts(item: JSONObject) -> dict[str, int]:
    return {
        key: count
        for key, value in item.items()
        if key in _COUNT_NAMES and (count := integer(value)) is not None and count >= 0
    }


def _set(item: JSONObject) -> dict[str, Any]:
    known = {key: bounded(value) for key, value in item.items() if key in PARAMETER_NAMES}
    return {key: value for key, value in known.items() if value not in _UNSET}


def _parts_of(counts: JSONObject, side: str) -> Iterator[int]:
    """``input`` and ``input_*``, ``output`` and ``output_*``."""
    for name, value in counts.items():
        if name == side or name.startswith(f"{side}_"):
            yield integer(value) or 0

"""The peers in each form of content capture that they have, and what their telemetry loses in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.peers.losses import (
    Loss,
    broken_off,
    choices_joined,
    first_message_alone,
    item_id,
    replaced_media,
    texts_first,
    texts_last,
    with_echoed_parameters,
    with_own_id,
    with_parts,
    with_requested_model,
    without,
    without_counts,
    without_first_message,
    without_id,
    without_kind,
    without_parameters,
)
from tests.peers.scenarios import ANSWERED, CHAT, EMBEDDINGS, RESPONSES, SCENARIOS, Scenario

READ_SO_FAR = "Answer 0: über «64» \U0001f6b2"
"""Of the answer to "stream broken off", what the application has read."""


@dataclass(frozen=True)
class Form:
    """A peer with one setting of its switches.

    ``methods`` are those of the client that it traces; ``hint`` is what we say where it captures no content.
    """

    name: str
    peer: str
    environment: Mapping[str, str] = field(default_factory=dict)
    losses: tuple[Loss, ...] = ()
    methods: tuple[str, ...] = ()
    hint: str = ""

    @property
    def scenarios(self) -> list[Scenario]:
        """Those that it traces."""
        return [each for each in SCENARIOS if not self.methods or each.method in self.methods]

    @property
    def answered(self) -> list[Scenario]:
        """Those of them that are a call each."""
        return [each for each in self.scenarios if each in ANSWERED]

    def losses_of(self, scenario: Scenario) -> list[Loss]:
        """What is lost in a scenario."""
        return [loss for loss in self.losses if scenario.name in loss.scenarios]


def _named(*methods: str) -> tuple[str, ...]:
    return tuple(each.name for each in ANSWERED if not methods or each.method in methods)


_WITH_TOOLS = ("tool calls", "tool calls, async", "text beside tool calls", "tool results")
_STREAMED_TOOLS = ("stream of tool calls", "stream of tool calls, async")
_ONLY_TOOL_CALLS = ("tool calls", "tool calls, async")
_CHATS_ONLY = (CHAT, EMBEDDINGS)
_WHOLE_RESPONSES = tuple(name for name in _named(RESPONSES) if name != "response, streamed")
_CACHED = ("dialogue", "tool results")

# -- opentelemetry-instrumentation-openai-v2 ----------------------------------------------------------------------

_OPT_IN = {"OTEL_SEMCONV_STABILITY_OPT_IN": "gen_ai_latest_experimental"}
_CAPTURE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"

_OPENAI_V2 = (
    Loss("tools that are offered are not captured", (*_WITH_TOOLS, *_STREAMED_TOOLS), without("tools")),
    Loss("of the usage there are two counts", _CACHED, without_counts("cache_read_input_tokens")),
    Loss("of the usage there are two counts", ("reasoning",), without_counts("reasoning_output_tokens")),
    Loss("a stream was not asked for its usage", ("stream without usage",), without("usage")),
    Loss("the application went away", ("stream broken off",), broken_off(READ_SO_FAR, "error")),
    Loss(
        "answers of neither text nor tool calls are empty: no function_call, no refusal", ("function call", "refusal")
    ),
)
_OPENAI_V2_MESSAGES = (
    *_OPENAI_V2,
    Loss("content in parts is left out", ("image", "inline image"), without("input")),
    Loss("the text comes after the tool calls", ("text beside tool calls",), texts_last),
)

# -- opentelemetry-instrumentation-openai (OpenLLMetry) -----------------------------------------------------------

_OPENLLMETRY = (
    Loss("these parameters are not captured", ("parameters",), without_parameters("seed", "stop_sequences")),
    Loss("a stream was not asked for its usage", ("stream without usage", "completion, streamed"), without("usage")),
    Loss("the item's own id is in the place of the call's", ("response of tool calls",), with_parts("output", item_id)),
    Loss("the reasoning comes after the text", ("response with reasoning",), texts_first),
)
_OPENLLMETRY_ATTRIBUTES = (
    *_OPENLLMETRY,
    Loss("with an image inline, the input is not captured", ("inline image",), without("input")),
    Loss("the application went away", ("stream broken off",), broken_off(READ_SO_FAR, None)),
)
_OPENLLMETRY_EVENTS = (
    *_OPENLLMETRY,
    Loss(
        "tools that are offered to chats are not captured",
        (*_WITH_TOOLS, "function call", *_STREAMED_TOOLS),
        without("tools"),
    ),
    Loss("a tool's result is without its id", ("tool results",), with_parts("input", without_id("tool_call_response"))),
    Loss("the choice has the content alone", ("refusal",)),
    Loss("an answer that is not whole has no event", ("stream broken off",)),
)

# -- LiteLLM ------------------------------------------------------------------------------------------------------

_RAW = "the span of the raw request, from which content comes where the call's own has none"
_LITELLM = (
    Loss("of a completion the answer's text is empty", ("completion",)),
    Loss("a stream was not asked for its usage", ("completion, streamed",), without("usage")),
    Loss("the choices of a stream are joined piece by piece", ("stream of several choices",), choices_joined),
    Loss("the id is one that the proxy made", _named(RESPONSES), with_own_id, stands_in=_RAW),
)
_LITELLM_SPANS = (
    *_LITELLM,
    Loss("the model is as it was asked for", _named(), with_requested_model, stands_in=_RAW),
    Loss(
        "of the call's own usage there are two counts",
        (*_CACHED, "reasoning"),
        without_counts("cache_read_input_tokens", "reasoning_output_tokens"),
        stands_in=_RAW,
    ),
    Loss(
        "the call's own parameters are three",
        ("parameters",),
        without_parameters("seed", "frequency_penalty", "presence_penalty", "stop_sequences"),
        stands_in=_RAW,
    ),
    Loss(
        "the call's own tool calls are without ids; of a stream the raw request has no answer",
        ("text beside tool calls", *_STREAMED_TOOLS),
        with_parts("output", without_id("tool_call")),
        stands_in=_RAW,
    ),
    Loss("calls and results of tools are empty texts", ("response to tool results",), first_message_alone),
    Loss("the answer says with which parameters it was made", _WHOLE_RESPONSES, with_echoed_parameters),
)
_LITELLM_EVENTS = (
    *_LITELLM,
    Loss("the model is as it was asked for", _named(), with_requested_model),
    Loss(
        "of the usage there are two counts",
        (*_CACHED, "reasoning"),
        without_counts("cache_read_input_tokens", "reasoning_output_tokens"),
    ),
    Loss("an answer without text is empty", (*_ONLY_TOOL_CALLS, *_STREAMED_TOOLS, "function call", "refusal")),
    Loss("tool calls are left out", ("text beside tool calls",), with_parts("output", without_kind("tool_call"))),
    Loss("tools that are offered are not captured", ("text beside tool calls", "tool results"), without("tools")),
    Loss("the event of a response has no answer", _named(RESPONSES)),
)
_LITELLM_V2 = (
    *_LITELLM[1:],
    Loss("the model is as it was asked for", _named(), with_requested_model),
    Loss(
        "reasoning is not counted",
        ("reasoning", "response with reasoning"),
        without_counts("reasoning_output_tokens"),
    ),
    Loss("media are replaced", ("inline image",), with_parts("input", replaced_media)),
    Loss("instructions are not captured", ("response with instructions",), without_first_message),
    Loss("reasoning is left out", ("response with reasoning",), with_parts("output", without_kind("reasoning"))),
)

FORMS = (
    Form("openai-v2, log records", "openai_v2", {_CAPTURE: "true"}, _OPENAI_V2, _CHATS_ONLY),
    *(
        Form(f"openai-v2, {mode}", "openai_v2", {**_OPT_IN, _CAPTURE: mode}, _OPENAI_V2_MESSAGES, _CHATS_ONLY)
        for mode in ("span_only", "event_only", "span_and_event")
    ),
    Form("openllmetry, attributes", "openllmetry", losses=_OPENLLMETRY_ATTRIBUTES),
    Form("openllmetry, events", "openllmetry", {"OPENLLMETRY_FORM": "events"}, _OPENLLMETRY_EVENTS),
    Form("litellm, attributes", "litellm", losses=_LITELLM_SPANS),
    Form(
        "litellm, event_only",
        "litellm",
        {**_OPT_IN, _CAPTURE: "event_only", "LITELLM_OTEL_INTEGRATION_ENABLE_EVENTS": "true"},
        _LITELLM_EVENTS,
    ),
    Form("litellm v2", "litellm", {"LITELLM_OTEL_V2": "true", _CAPTURE: "span_and_event"}, _LITELLM_V2),
)

WITHOUT_CONTENT = (
    Form("openai-v2, off", "openai_v2", methods=_CHATS_ONLY, hint=_CAPTURE),
    Form("openllmetry, off", "openllmetry", {"TRACELOOP_TRACE_CONTENT": "false"}, hint="TRACELOOP_TRACE_CONTENT"),
)

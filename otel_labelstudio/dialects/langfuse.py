"""Langfuse's SDKs (Python 3 and later, JavaScript 4 and later), which are OpenTelemetry underneath.

Input and output of a generation are what the wrapper, the LangChain handler or the application itself passed: a
request, a list of messages, one message, or plain text, as JSON text but for the plain text. The LangChain handler
appends the tools on offer to the messages, as messages of role tool.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from otel_labelstudio.calls import JSONObject
from otel_labelstudio.dialects.dialect import Findings, Skip, SkipReason
from otel_labelstudio.dialects.shared.capture_hints import APPLICATION
from otel_labelstudio.dialects.shared.exchange import findings_of_exchange
from otel_labelstudio.dialects.shared.span_outcome import UNNAMED_ERROR, error_type_of
from otel_labelstudio.providers.request import Request, request_from
from otel_labelstudio.providers.response import Response, response_from
from otel_labelstudio.providers.tools import tool_definitions_from
from otel_labelstudio.providers.usage import request_parameters_from, usage_from
from otel_labelstudio.spans.attributes import below, decoded, number, text, texts
from otel_labelstudio.spans.model import LogRecord, Span

NAME = "langfuse"
PREFIXES: tuple[str, ...] = ("langfuse.",)
KEYS: Mapping[str, tuple[str, ...]] = {
    "conversation_id": ("langfuse.session.id",),
    "user_id": ("langfuse.user.id",),
    "tags": ("langfuse.trace.tags",),
}
HINTS: Mapping[str, str] = {
    "": f"pass input and output to the generation; a mask may have removed them {APPLICATION}",
}

# langfuse 5.0.4 (Python), _client/attributes.py; @langfuse/core 5.11 (JavaScript) has the same
_TYPE = "langfuse.observation.type"
_INPUT, _OUTPUT = "langfuse.observation.input", "langfuse.observation.output"
_MODEL = "langfuse.observation.model.name"
_PARAMETERS = "langfuse.observation.model.parameters"
_USAGE = "langfuse.observation.usage_details"
_METADATA, _TRACE_METADATA = "langfuse.observation.metadata.", "langfuse.trace.metadata."
_PROMPT_NAME, _PROMPT_VERSION = "langfuse.observation.prompt.name", "langfuse.observation.prompt.version"
_LEVEL = "langfuse.observation.level"
# Only a stream has it
_STREAM_BEGAN = "langfuse.observation.completion_start_time"

# What the OpenAI wrapper copies from a streamed response into the metadata
_OF_RESPONSE = frozenset(
    (
        *("id", "object", "parallel_tool_calls", "temperature", "tool_choice", "tools", "top_p", "background"),
        *("reasoning", "status", "truncation", "metadata"),
    )
)
_ALWAYS_COPIED = frozenset(("finish_reason", "resourceAttributes", "scope"))
# The LangChain handler's way to say what the call belongs to; LangGraph's
_SESSION, _USER, _TAGS = ("langfuse_session_id", "thread_id"), ("langfuse_user_id",), "langfuse_tags"
_FRAMEWORK = ("ls_", "lc_", "langgraph_", "langfuse_", "checkpoint_ns", "versions", "is_langchain_root", "__")


def recognises(span: Span) -> bool:
    return _TYPE in span.attributes


def read(span: Span, log_records: Sequence[LogRecord] = ()) -> Findings | Skip:  # noqa: ARG001
    attributes = span.attributes
    if attributes.get(_TYPE) != "generation":
        return Skip(SkipReason.NOT_INFERENCE)
    metadata = {k: decoded(v).value for k, v in {**below(attributes, _TRACE_METADATA), **_own(attributes)}.items()}
    response = _response(attributes, metadata)
    request = _request(attributes, metadata)
    if _is_mixed(attributes, request, response):
        return Skip(SkipReason.ANSWER_UNREADABLE)
    return findings_of_exchange(
        NAME,
        request,
        response,
        provider=text(metadata.get("ls_provider")),
        conversation_id=None if attributes.get("session.id") else _first(metadata, _SESSION),
        user_id=None if attributes.get("user.id") else _first(metadata, _USER),
        tags=texts(metadata.get(_TAGS)),
        metadata={**dict(_attached(metadata)), **_prompt(attributes)},
        error_type=_error_type(span),
    )


def _error_type(span: Span) -> str | None:
    """JavaScript leaves the span's status unset and says the level alone."""
    return error_type_of(span) or (UNNAMED_ERROR if span.attributes.get(_LEVEL) == "ERROR" else None)


def _is_mixed(attributes: Mapping[str, Any], request: Request, response: Response) -> bool:
    """Of several choices streamed at once, the wrapper for OpenAI strings all pieces together, word by word."""
    choices = number(request.parameters.get("choice.count")) or 1
    return _STREAM_BEGAN in attributes and choices > 1 and len(response.outputs) == 1


def _own(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return below(attributes, _METADATA)


def _request(attributes: Mapping[str, Any], metadata: Mapping[str, Any]) -> Request:
    value = decoded(attributes.get(_INPUT)).value
    tools: tuple[JSONObject, ...] = ()
    held = attributes.get(_INPUT)
    messages = value.get("messages") if isinstance(value, dict) else value
    if isinstance(messages, list):
        tools = tool_definitions_from([item["content"] for item in messages if _is_tool_on_offer(item)])
        if tools or any(_is_nameless(item) for item in messages):
            messages = list(_with_tools_role(item for item in messages if not _is_tool_on_offer(item)))
            held = {**value, "messages": messages} if isinstance(value, dict) else messages
    request = request_from(held)
    is_plain = _is_plain(value) and _is_plain(decoded(attributes.get(_OUTPUT)).value)
    parameters = request_parameters_from(attributes.get(_PARAMETERS))
    # The OpenAI wrapper writes OpenAI's defaults where nothing was set; a request's own parameters go before
    return replace(
        request,
        parameters={**parameters, **request.parameters},
        tool_definitions=request.tool_definitions or tools,
        model=request.model or text(metadata.get("ls_model_name")) or text(attributes.get(_MODEL)),
        is_text_completion=request.is_text_completion or (is_plain and not _is_of_responses(metadata)),
    )


def _is_of_responses(metadata: Mapping[str, Any]) -> bool:
    """Whether the wrapper for OpenAI copied properties of a Responses answer into the metadata."""
    return "object" in metadata or {"status", "tools"} <= metadata.keys()


def _is_plain(value: Any) -> bool:
    """Whether it is plain text, as both are of completions; a chat's or a response's are objects, one at least."""
    return value is not None and not isinstance(value, (list, dict))


def _is_nameless(item: Any) -> bool:
    """A LangChain message of which @langfuse/langchain did not know the class: a tool's, since it knows the others."""
    return isinstance(item, dict) and "role" not in item and "content" in item and "additional_kwargs" in item


def _with_tools_role(messages: Iterable[Any]) -> Iterator[Any]:
    """Messages of no role as answers to the tool calls before them, in their order."""
    unanswered: list[Any] = []
    for item in messages:
        if isinstance(item, dict) and isinstance(item.get("tool_calls"), list):
            unanswered = [call.get("id") for call in item["tool_calls"] if isinstance(call, dict)]
        if _is_nameless(item) and unanswered:
            yield {**item, "role": "tool", "tool_call_id": unanswered.pop(0)}
        else:
            yield item


def _is_tool_on_offer(item: Any) -> bool:
    """A tool definition that the LangChain handler wrote as a message; a tool's response answers a call's id."""
    if not isinstance(item, dict) or item.get("role") != "tool" or "tool_call_id" in item:
        return False
    content = item.get("content")
    return isinstance(content, dict) and any(key in content for key in ("function", "name", "type"))


def _response(attributes: Mapping[str, Any], metadata: Mapping[str, Any]) -> Response:
    response = response_from(attributes.get(_OUTPUT))
    reason = text(metadata.get("finish_reason"))
    if len(response.outputs) == 1 and reason and not response.outputs[0].finish_reason:
        response = replace(response, outputs=(replace(response.outputs[0], finish_reason=reason),))
    return replace(
        response,
        id=response.id or (text(metadata.get("id")) if metadata.get("object") else None),
        model=response.model or text(attributes.get(_MODEL)),
        usage=usage_from(attributes.get(_USAGE), response.usage),
    )


def _attached(metadata: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in metadata.items():
        is_copied = key in _ALWAYS_COPIED or (key in _OF_RESPONSE and _is_of_responses(metadata))
        if not is_copied and not key.startswith(_FRAMEWORK) and value not in (None, "", [], {}):
            yield key, value


def _first(metadata: Mapping[str, Any], names: Sequence[str]) -> str | None:
    return next((str(metadata[name]) for name in names if metadata.get(name)), None)


def _prompt(attributes: Mapping[str, Any]) -> dict[str, Any]:
    keys: Iterable[tuple[str, str]] = (("prompt.name", _PROMPT_NAME), ("prompt.version", _PROMPT_VERSION))
    return {name: attributes[key] for name, key in keys if attributes.get(key) is not None}

"""OpenInference (Arize), Python and JavaScript, for some thirty libraries: flat numbered keys beside the raw values.

The flat keys are the convention; ``input.value`` and ``output.value`` hold what the library was given and gave back,
which for a client of a provider's API is the raw request and response. Where the raw value tells the same texts and
calls as the flat keys, it is the one that is read, since the flat keys leave out audio, files, refusals, reasoning and
which items belong to one answer; where it tells something else (an agent's state, a Python repr), the flat keys are.
What its configuration hides in the flat keys is not taken from elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from otel_labelstudio.calls import Message, ReasoningPart, TextPart
from otel_labelstudio.dialects.dialect import Findings, Skip, SkipReason
from otel_labelstudio.dialects.shared.capture_hints import APPLICATION
from otel_labelstudio.dialects.shared.exchange import INPUT_HIDDEN, PARTS_HIDDEN, findings_of_exchange, has_content
from otel_labelstudio.dialects.shared.openinference_messages import (
    flat_messages,
    flat_texts,
    is_redacted,
    tells_the_same,
)
from otel_labelstudio.providers.messages import joined
from otel_labelstudio.providers.request import Request, prompt_inputs, request_from
from otel_labelstudio.providers.response import Response, response_from
from otel_labelstudio.providers.tools import tool_definitions_from
from otel_labelstudio.providers.usage import request_parameters_from, usage_from
from otel_labelstudio.spans.attributes import Groups, decoded, first, grouped, has_any_below, nested, text
from otel_labelstudio.spans.model import LogRecord, Span

NAME = "openinference"
PREFIXES: tuple[str, ...] = ("openinference.", "llm.")
KEYS: Mapping[str, tuple[str, ...]] = {"tags": ("tag.tags",)}
HINTS: Mapping[str, str] = {
    "": f"unset OPENINFERENCE_HIDE_INPUTS, OPENINFERENCE_HIDE_OUTPUTS and their siblings {APPLICATION}",
}

# All keys: the specification's semantic conventions, and openinference-semantic-conventions 0.1 (Python, JavaScript)
_KIND = "openinference.span.kind"
_INPUT, _OUTPUT = "input.value", "output.value"
_INPUT_MESSAGES, _OUTPUT_MESSAGES = "llm.input_messages.", "llm.output_messages."
# Flat in openinference-instrumentation-openai, a list of texts in the LangChain one
_PROMPTS, _CHOICES = "llm.prompts", "llm.choices"
_TOOLS = "llm.tools."
_PARAMETERS = "llm.invocation_parameters"
_FINISH_REASON = "llm.finish_reason"
# openinference-instrumentation-anthropic 3.1 writes the asked and the answering model apart, the others write one
_MODEL, _REQUEST_MODEL, _RESPONSE_MODEL = "llm.model_name", "llm.request.model_name", "llm.response.model_name"
_PROVIDER = ("llm.provider", "llm.system")
_TOKEN_COUNT = "llm.token_count."  # noqa: S105
_METADATA = "metadata"
_PROMPT_TEMPLATE = "llm.prompt_template."
# Keys in which something is spelled out flat
_FLAT = (_INPUT_MESSAGES, _OUTPUT_MESSAGES, f"{_PROMPTS}.", f"{_CHOICES}.", _TOOLS, _TOKEN_COUNT, _PROMPT_TEMPLATE)

# LangChain's and LangGraph's own words among the application's metadata
_FRAMEWORK = ("ls_", "lc_", "langgraph_", "checkpoint_ns", "versions", "__")
_LAYERED = ("openinference.instrumentation.llama_index", "@arizeai/openinference-instrumentation-llama-index")
_CONVERSATION = ("thread_id", "session_id", "conversation_id")
# An answer's id in the Python repr of an object
_RESPONSE_ID = re.compile(r"\b(?:chatcmpl|cmpl|resp|msg)[-_][\w-]{8,}")


def recognises(span: Span) -> bool:
    # A limit on the number of attributes may have taken the kind, which some instrumentations write last
    attributes = span.attributes
    return _KIND in attributes or has_any_below(attributes, _INPUT_MESSAGES, _OUTPUT_MESSAGES)


def read(span: Span, log_records: Sequence[LogRecord] = ()) -> Findings | Skip:  # noqa: ARG001
    attributes = span.attributes
    is_call = str(attributes.get(_KIND, "")).upper() == "LLM"
    if not is_call and (_KIND in attributes or not (_PARAMETERS in attributes or _MODEL in attributes)):
        return Skip(SkipReason.NOT_INFERENCE)
    if _is_layer(span):
        return Skip(SkipReason.NOT_INFERENCE)
    flat = grouped(attributes, _FLAT)
    inputs = flat_messages(flat.get(_INPUT_MESSAGES, {}), "user")
    request, response = _request(span, flat, inputs), _response(span, flat)
    metadata = decoded(attributes.get(_METADATA)).value
    metadata = metadata if isinstance(metadata, dict) else {}
    return findings_of_exchange(
        NAME,
        request,
        response,
        incomplete=(*_hidden(attributes, request), *_dropped(flat, request, inputs)),
        is_answer_hidden=is_redacted(attributes, _OUTPUT, _OUTPUT_MESSAGES, f"{_CHOICES}."),
        provider=text(first(attributes, _PROVIDER)),
        conversation_id=None if attributes.get("session.id") else _conversation(metadata),
        metadata={**_attached(metadata), **_prompt_template(flat)},
    )


def _is_layer(span: Span) -> bool:
    """Whether it is a method of LlamaIndex that calls another: ``predict`` calls ``chat``, and both are of kind LLM.

    Those that ask the model have messages or a prompt, unless these were hidden or lost.
    """
    is_damaged = span.dropped_attributes_count > 0 or is_redacted(span.attributes, _INPUT)
    if span.scope.name not in _LAYERED or is_damaged:
        return False
    return not has_any_below(span.attributes, _INPUT_MESSAGES, _OUTPUT_MESSAGES, _PROMPTS)


def _request(span: Span, flat: Groups, inputs: tuple[Message, ...]) -> Request:
    attributes = span.attributes
    raw = request_from(attributes.get(_INPUT))
    prompts = flat_texts(flat.get(f"{_PROMPTS}.", {}), attributes.get(_PROMPTS), "prompt")
    configured = decoded(attributes.get(_PARAMETERS)).value
    configured = configured if isinstance(configured, dict) else {}
    told = raw
    if prompts and not inputs:
        told = Request(prompt_inputs(prompts))
    elif not _is_raw_preferred(span, inputs, _as_messages(raw), flat, _INPUT_MESSAGES):
        told = Request((inputs,))
    named = (attributes.get(_REQUEST_MODEL), raw.model, configured.get("model"), configured.get("model_name"))
    return Request(
        told.inputs,
        told.system_instructions,
        tool_definitions=tool_definitions_from(_schemas(flat)) or raw.tool_definitions,
        parameters={**raw.parameters, **request_parameters_from(configured)},
        model=next((name for name in map(text, named) if name), None) or text(attributes.get(_MODEL)),
        is_text_completion=not inputs and (bool(prompts) or raw.is_text_completion),
        is_cut=told.is_cut,
    )


def _response(span: Span, flat: Groups) -> Response:
    attributes = span.attributes
    held = attributes.get(_OUTPUT)
    raw = response_from(held)
    outputs = flat_messages(flat.get(_OUTPUT_MESSAGES, {}), "assistant") or tuple(
        Message("assistant", (TextPart(choice),) if choice else ())
        for choice in flat_texts(flat.get(f"{_CHOICES}.", {}), attributes.get(_CHOICES), "completion")
    )
    is_raw = _is_raw_preferred(span, outputs, raw.outputs, flat, _OUTPUT_MESSAGES)
    outputs = raw.outputs if is_raw else _one_answer(outputs, held)
    reason = text(attributes.get(_FINISH_REASON))
    if len(outputs) == 1 and not outputs[0].finish_reason and reason:
        outputs = (replace(outputs[0], finish_reason=reason),)
    found = _RESPONSE_ID.search(held) if raw.id is None and isinstance(held, str) else None
    return Response(
        outputs,
        id=raw.id or (found.group() if found else None),
        model=text(attributes.get(_RESPONSE_MODEL)) or raw.model or text(attributes.get(_MODEL)),
        usage=usage_from(raw.usage, flat.get(_TOKEN_COUNT)),
        is_cut=is_raw and raw.is_cut,
    )


def _is_raw_preferred(span: Span, told: Sequence[Message], raw: Sequence[Message], flat: Groups, prefix: str) -> bool:
    if is_redacted(span.attributes, prefix):
        return False
    if _has_reasoning(told) and not _has_reasoning(raw):
        return False
    is_damaged = span.dropped_attributes_count > 0 or not has_content(told) or _first_number(flat, prefix) > 1
    return has_content(raw) and tells_the_same(told, raw, is_flat_damaged=is_damaged)


def _has_reasoning(messages: Sequence[Message]) -> bool:
    return any(isinstance(part, ReasoningPart) for message in messages for part in message.parts)


def _first_number(flat: Groups, prefix: str) -> int:
    """The number of the first message; those before it were dropped. The Responses API's begin at 1 or at 0."""
    keys = flat.get(prefix, {})
    if "0.message.role" in keys:
        return 0
    numbers = (key.split(".", 1)[0] for key in keys)
    return min((int(number) for number in numbers if number.isdecimal()), default=0)


def _as_messages(request: Request) -> tuple[Message, ...]:
    system = request.system_instructions
    return (*((Message("system", system),) if system else ()), *request.messages)


def _one_answer(flat: tuple[Message, ...], held: Any) -> tuple[Message, ...]:
    """The flat keys write each item of a Responses answer as a message, as they do the choices of a chat."""
    if len(flat) < 2:
        return flat
    value = decoded(held).value
    is_items = isinstance(value, dict) and (value.get("object") == "response" or "output" in value)
    return (joined(flat),) if is_items else flat


def _schemas(flat: Groups) -> list[Any]:
    # llm.tools.N.tool.json_schema
    found = nested(flat.get(_TOOLS, {}))
    tools = [item.get("tool") for item in (found if isinstance(found, list) else ()) if isinstance(item, dict)]
    return [tool.get("json_schema") for tool in tools if isinstance(tool, dict)]


def _hidden(attributes: Mapping[str, Any], request: Request) -> Iterator[str]:
    if is_redacted(attributes, _INPUT, _INPUT_MESSAGES, _PROMPTS, f"{_PROMPTS}.") and not has_content(request.messages):
        yield INPUT_HIDDEN
    elif is_redacted(attributes, _INPUT_MESSAGES, _OUTPUT_MESSAGES):
        yield PARTS_HIDDEN


def _dropped(flat: Groups, request: Request, inputs: Sequence[Message]) -> Iterator[str]:
    first = _first_number(flat, _INPUT_MESSAGES)
    if first > 1 and len(request.messages) <= len(inputs):
        yield f"the first {first} messages are missing"


def _conversation(metadata: Mapping[str, Any]) -> str | None:
    return next((str(metadata[key]) for key in _CONVERSATION if metadata.get(key)), None)


def _attached(metadata: Mapping[str, Any]) -> dict[str, Any]:
    return {str(key): value for key, value in metadata.items() if not str(key).startswith(_FRAMEWORK)}


def _prompt_template(flat: Groups) -> dict[str, Any]:
    held = flat.get(_PROMPT_TEMPLATE, {})
    return {f"prompt_template.{name}": decoded(value).value for name, value in held.items()}

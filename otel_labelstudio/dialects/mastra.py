"""Mastra's exporters (``@mastra/otel`` 0.3, ``@mastra/otel-exporter`` 1): a span for each step of a generation.

The generation is the whole loop of model and tools, its steps are the calls. In 0.3 the step has the provider's raw
request and response, cut off below a depth. In 1 the step has the messages, and the inference inside it what the
conventions say of it (model, usage, the text of the answer), so that a call is both together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from otel_labelstudio.calls import Message, Part, ReasoningPart, ToolCallPart
from otel_labelstudio.dialects.dialect import Findings, Skip, SkipReason
from otel_labelstudio.dialects.shared.exchange import findings_of_exchange
from otel_labelstudio.dialects.shared.operations import CHAT
from otel_labelstudio.providers.request import Request, request_from
from otel_labelstudio.providers.response import Response, response_from
from otel_labelstudio.spans.attributes import decoded_object, text
from otel_labelstudio.spans.model import LogRecord, Span

NAME = "mastra"
PREFIXES: tuple[str, ...] = ("mastra.",)
KEYS: Mapping[str, tuple[str, ...]] = {
    "conversation_id": ("mastra.metadata.threadId", "threadId"),
    "user_id": ("mastra.metadata.resourceId", "resourceId"),
}
HINTS: Mapping[str, str] = {}

_TYPE = "mastra.span.type"
_INFERENCE, _STEPS = "model_inference", ("model_step", "llm_step")
# @mastra/otel 0.3
_INPUT, _OUTPUT, _RAW, _MODEL = "input", "output", "body", "modelMetadata"
# @mastra/otel-exporter 1.4
_STEP_INPUT, _STEP_OUTPUT = "mastra.model_step.input", "mastra.model_step.output"
_STEP_RAW = "mastra.metadata.body"

# What stands in place of a value below the depth
_CUT_OFF = "[MaxDepth]"
_NOT_WHOLE = "Mastra cut off what is nested deeply in its messages"
_SHORTENED = ("[tool: ", "[tool-result: ")
_TOOLS_SHORTENED = "Mastra left out what its tools were asked and what they answered"


def recognises(span: Span) -> bool:
    return _TYPE in span.attributes


def read(span: Span, log_records: Sequence[LogRecord] = ()) -> Findings | Skip:  # noqa: ARG001
    attributes = span.attributes
    kind = attributes[_TYPE]
    if kind == _INFERENCE:
        return Findings(NAME, CHAT)  # its content is the conventions', and its step's
    if kind not in _STEPS or _INPUT not in attributes:
        return Skip(SkipReason.NOT_INFERENCE)
    model = decoded_object(attributes.get(_MODEL)) or {}
    request = _request(attributes[_INPUT])
    cut_off = [m for m in request.messages if any(map(_is_cut_off, m.parts))]
    return findings_of_exchange(
        NAME,
        replace(
            request,
            inputs=(tuple(map(_without_cut_off, request.messages)),),
            model=text(model.get("modelId")) or request.model,
        ),
        _response(attributes),
        incomplete=(_NOT_WHOLE,) if cut_off else (),
        provider=_provider(model),
    )


def borrows(span: Span) -> bool:
    return span.attributes.get(_TYPE) == _INFERENCE


def lends(span: Span) -> bool:
    return span.attributes.get(_TYPE) in _STEPS and _STEP_INPUT in span.attributes


def lend(span: Span) -> Findings:
    """The messages that a step has of the inference inside it."""
    attributes = span.attributes
    request = request_from(attributes[_STEP_INPUT])
    response = _combined(response_from(attributes.get(_STEP_OUTPUT)), response_from(attributes.get(_STEP_RAW)))
    return findings_of_exchange(NAME, request, response, incomplete=_shortened(request))


def _request(value: Any) -> Request:
    return request_from((decoded_object(value) or {}).get("body") or value)


def _is_cut_off(part: Part) -> bool:
    """Whether nothing of the part is left, as of a call of a tool in Chat Completions."""
    return isinstance(part, ToolCallPart) and part.name == _CUT_OFF


def _without_cut_off(message: Message) -> Message:
    return replace(message, parts=tuple(part for part in message.parts if not _is_cut_off(part)))


def _response(attributes: Mapping[str, Any]) -> Response:
    response = _combined(response_from(attributes.get(_OUTPUT)), response_from(attributes.get(_RAW)))
    return replace(response, id=response.id or text(attributes.get("id")))


def _combined(own: Response, raw: Response) -> Response:
    """Mastra's own answer, which is not cut off, with the reasoning that only the provider's has."""
    thoughts = tuple(p for m in raw.outputs[:1] for p in m.parts if isinstance(p, ReasoningPart))
    outputs = own.outputs or raw.outputs
    if len(outputs) == 1 and not any(isinstance(part, ReasoningPart) for part in outputs[0].parts):
        outputs = (replace(outputs[0], parts=(*thoughts, *outputs[0].parts)),)
    return replace(raw, outputs=outputs)


def _provider(model: Mapping[str, Any]) -> str | None:
    """openai of openai.chat."""
    name = text(model.get("modelProvider"))
    return name.split(".")[0] if name else None


def _shortened(request: Request) -> Iterator[str]:
    texts = (str(getattr(part, "content", getattr(part, "response", ""))) for m in request.messages for part in m.parts)
    if any(said.startswith(_SHORTENED) for said in texts):
        yield _TOOLS_SHORTENED

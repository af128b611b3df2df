"""Haystack's own tracing (``haystack.tracing``): one span a component, its inputs and outputs as JSON text.

The components whose type ends in ``Generator`` call a model. Which one, with what usage and why it stopped, stands in
the metadata of the replies: a chat message's own, or a list beside the plain replies of a text generator.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from otel_labelstudio.calls import Message
from otel_labelstudio.dialects.dialect import Findings, Skip, SkipReason
from otel_labelstudio.dialects.shared.capture_hints import APPLICATION
from otel_labelstudio.dialects.shared.exchange import findings_of_exchange
from otel_labelstudio.providers.messages import messages_from
from otel_labelstudio.providers.request import request_from
from otel_labelstudio.providers.response import Response
from otel_labelstudio.providers.usage import usage_from
from otel_labelstudio.spans.attributes import decoded, has_any_below, text
from otel_labelstudio.spans.model import LogRecord, Span

NAME = "haystack"
PREFIXES: tuple[str, ...] = ("haystack.",)
KEYS: Mapping[str, tuple[str, ...]] = {}
HINTS: Mapping[str, str] = {"": f"set HAYSTACK_CONTENT_TRACING_ENABLED=true {APPLICATION}"}

# haystack-ai 2.31.0: the tags of the operations haystack.component.run and haystack.pipeline.run
_OPERATIONS = ("haystack.component.", "haystack.pipeline.", "haystack.agent.")
_COMPONENT_TYPE = "haystack.component.type"
_INPUT, _OUTPUT = "haystack.component.input", "haystack.component.output"

# Generators that make something else than text
_OTHERS = ("ImageGenerator", "AudioGenerator", "SpeechGenerator")


def recognises(span: Span) -> bool:
    return has_any_below(span.attributes, *_OPERATIONS)


def read(span: Span, log_records: Sequence[LogRecord] = ()) -> Findings | Skip:  # noqa: ARG001
    kind = text(span.attributes.get(_COMPONENT_TYPE)) or ""
    if not kind.endswith("Generator") or kind.endswith(_OTHERS):
        return Skip(SkipReason.NOT_INFERENCE)
    request = request_from(span.attributes.get(_INPUT))
    response = _response(span.attributes.get(_OUTPUT))
    return findings_of_exchange(
        NAME,
        replace(request, is_text_completion=not kind.endswith("ChatGenerator")),
        response,
        provider=kind.removesuffix("Generator").removesuffix("Chat").lower(),
    )


def _response(value: Any) -> Response:
    held = decoded(value)
    output = held.value if isinstance(held.value, dict) else {}
    replies = output.get("replies")
    replies = replies if isinstance(replies, list) else []
    metas = [meta if isinstance(meta, dict) else {} for meta in _metas(output, replies)]
    first = metas[0] if metas else {}
    return Response(
        tuple(_with_reason(message, meta) for message, meta in zip(_messages(replies), metas, strict=False)),
        id=text(first.get("id")),
        model=text(first.get("model")),
        usage=usage_from(first.get("usage")),
        is_cut=held.is_cut,
    )


def _messages(replies: Sequence[Any]) -> Iterator[Message]:
    for reply in replies:
        yield next(iter(messages_from(reply, "assistant")), Message("assistant", ()))


def _metas(output: Mapping[str, Any], replies: Sequence[Any]) -> list[Any]:
    beside = output.get("meta")
    beside = beside if isinstance(beside, list) else []
    own = [reply.get("meta", reply.get("_meta")) if isinstance(reply, dict) else None for reply in replies]
    return [meta or (beside[at] if at < len(beside) else None) for at, meta in enumerate(own)]


def _with_reason(message: Message, meta: Mapping[str, Any]) -> Message:
    reason = text(meta.get("finish_reason"))
    return replace(message, finish_reason=message.finish_reason or reason)

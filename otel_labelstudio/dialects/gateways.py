"""Gateways that write the whole prompt and the whole answer into two attributes of names near the conventions' own.

Cloudflare AI Gateway is known from its documentation and from the readers of other back-ends; nothing was recorded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from otel_labelstudio.dialects.dialect import Findings, Skip, SkipReason
from otel_labelstudio.dialects.shared.exchange import findings_of_exchange
from otel_labelstudio.dialects.shared.operations import is_no_inference, operation_of
from otel_labelstudio.providers.request import request_from
from otel_labelstudio.providers.response import response_from
from otel_labelstudio.spans.attributes import decoded, first
from otel_labelstudio.spans.model import LogRecord, Span

NAME = "gateways"
PREFIXES: tuple[str, ...] = ("gen_ai.",)
# Cloudflare AI Gateway, documentation of its OpenTelemetry export
KEYS: Mapping[str, tuple[str, ...]] = {"provider": ("gen_ai.model.provider",)}
HINTS: Mapping[str, str] = {}

# Cloudflare AI Gateway; the names that Braintrust's OpenTelemetry guide asks for are the same. Then names that come up
# where people write them by hand
_PROMPTS = ("gen_ai.prompt_json", "gen_ai.request.messages", "gen_ai.prompt.messages")
_COMPLETIONS = ("gen_ai.completion_json", "gen_ai.response.messages", "gen_ai.completion.messages")
# An answer that is an object around its text
_TEXTS = frozenset(("text", "content"))


def recognises(span: Span) -> bool:
    return any(key in span.attributes for key in (*_PROMPTS, *_COMPLETIONS))


def read(span: Span, log_records: Sequence[LogRecord] = ()) -> Findings | Skip:  # noqa: ARG001
    if is_no_inference(operation_of(span)):
        return Skip(SkipReason.NOT_INFERENCE)
    request, answer = first(span.attributes, _PROMPTS), decoded(first(span.attributes, _COMPLETIONS))
    is_text = isinstance(answer.value, dict) and answer.value.keys() <= _TEXTS
    response = next(iter(answer.value.values()), None) if is_text else first(span.attributes, _COMPLETIONS)
    return findings_of_exchange(NAME, request_from(request), response_from(response))

"""LiteLLM's span below a call, ``raw_gen_ai_request``: what went to the provider and came back, a key for each field.

The call itself is written in the conventions' words and in OpenLLMetry's. Of a Responses call these leave out the
instructions and the tools, and in 1.80 the answer; of any call an answer that is neither text nor tool calls, such as a
refusal. Those are borrowed from the span below. Its values are Python's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from otel_labelstudio.dialects.dialect import Findings, Skip, SkipReason
from otel_labelstudio.dialects.shared.exchange import findings_of_exchange
from otel_labelstudio.providers.request import request_from
from otel_labelstudio.providers.response import response_from
from otel_labelstudio.spans.attributes import decoded
from otel_labelstudio.spans.model import LogRecord, Span

NAME = "litellm"
PREFIXES: tuple[str, ...] = ("llm.",)
KEYS: Mapping[str, tuple[str, ...]] = {}
HINTS: Mapping[str, str] = {"litellm": "do not set turn_off_message_logging in the traced application"}

# litellm 1.80 to 1.110, integrations/opentelemetry.py; llm.<provider>.<field>
_SCOPE, _RAW = "litellm", "raw_gen_ai_request"
_PREFIX = "llm."
_REQUEST_TYPE = "llm.request.type"
# litellm 1.108, as json.dumps writes it
_ANSWER, _NO_PARTS = "gen_ai.output.messages", '"parts": []'
_RESPONSES = ("responses", "aresponses")
_OF_ANSWER = frozenset(("id", "object", "choices", "output", "usage", "role", "stop_reason"))


def recognises(span: Span) -> bool:
    return lends(span)


def read(span: Span, log_records: Sequence[LogRecord] = ()) -> Findings | Skip:  # noqa: ARG001
    return Skip(SkipReason.NOT_INFERENCE)


def borrows(span: Span) -> bool:
    if span.scope.name != _SCOPE:
        return False
    is_unanswered = _NO_PARTS in str(span.attributes.get(_ANSWER, ""))
    return is_unanswered or span.attributes.get(_REQUEST_TYPE) in _RESPONSES


def lends(span: Span) -> bool:
    return span.scope.name == _SCOPE and span.name == _RAW


def lend(span: Span) -> Findings:
    fields = {name: decoded(value).value for name, value in _fields(span.attributes).items()}
    asked = {name: value for name, value in fields.items() if name not in _OF_ANSWER}
    answered = {name: value for name, value in fields.items() if name in (*_OF_ANSWER, "model")}
    return findings_of_exchange(NAME, request_from(asked), response_from(answered))


def _fields(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Without the prefix and the provider's name; what is empty is not set."""
    fields = {key.split(".", 2)[2]: value for key, value in attributes.items() if _is_field(key)}
    return {name: value for name, value in fields.items() if value not in (None, "", "[]", "{}")}


def _is_field(key: str) -> bool:
    return key.startswith(_PREFIX) and key.count(".") >= 2

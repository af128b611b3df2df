"""What a call is known by where its trace and span id do not say it.

A call is known by the ids of its span and the index of the prompt (`CallKey`), as long as these are valid: in
OpenTelemetry they have 16 and 8 bytes, not all of them zero. Senders also write none, zeros, digests of 32 bytes, and
numbers of their own; a ``call_filter`` may blank them; log records carry the ids of an application's span around many
calls; and a generator that was copied by a fork gives the same ids again. Then a call is known by what it said and
when:

- In the place of an id that is not valid comes a part of a digest. The same telemetry sent again, by whichever door,
  or read from a file, gives the same one.
- Where the ids are those of several calls, the digest's number takes the place of the prompt's index.

The digest is of the response id, or of the messages where there is none, and in both cases of the times, the scope and
the service: servers that answer with a constant id are many, and so are calls that say the same.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from hashlib import blake2b
from typing import Any

from otel_labelstudio.calls import LLMCall

# From here on, an index is a digest's number; no span has so many prompts
FIRST_DIGEST_INDEX = 2**16

_TRACE_ID, _SPAN_ID = re.compile(r"(?=.*[^0])[0-9a-fA-F]{32}"), re.compile(r"(?=.*[^0])[0-9a-fA-F]{16}")
# opentelemetry/proto/trace/v1/trace.proto, Span.trace_id and span_id
_TRACE_ID_DIGITS, _SPAN_ID_DIGITS = 32, 16
_RESOURCE_BYTES = 8


def has_valid_ids(call: LLMCall) -> bool:
    """Whether both are what OpenTelemetry calls valid."""
    return bool(_TRACE_ID.fullmatch(call.trace_id) and _SPAN_ID.fullmatch(call.span_id))


def with_valid_ids(call: LLMCall) -> LLMCall:
    """The call with valid ids: its own as far as they are."""
    if has_valid_ids(call):
        return call
    digest = _digest(call)
    trace_id = call.trace_id if _TRACE_ID.fullmatch(call.trace_id) else digest[:_TRACE_ID_DIGITS]
    span_id = call.span_id if _SPAN_ID.fullmatch(call.span_id) else digest[-_SPAN_ID_DIGITS:]
    return replace(call, trace_id=trace_id, span_id=span_id)


def with_digest_index(call: LLMCall) -> LLMCall:
    """The call with an index that no other call of the same ids has."""
    number = int(_digest(call)[:8], 16) % 2**31
    return replace(call, prompt_index=FIRST_DIGEST_INDEX + number + call.prompt_index)


def has_digest_index(call: LLMCall) -> bool:
    """Whether `with_digest_index` gave it its index."""
    return call.prompt_index >= FIRST_DIGEST_INDEX


def resource_digest(attributes: Mapping[str, Any]) -> str:
    """By which the resources of two spans are compared."""
    text = json.dumps(attributes, sort_keys=True, default=str)
    return blake2b(text.encode(), digest_size=_RESOURCE_BYTES).hexdigest()


def _digest(call: LLMCall) -> str:
    said = call.response_id or [message.to_dict() for message in (*call.input_messages, *call.output_messages)]
    when_and_where = call.start_time_unix_nano, call.end_time_unix_nano, call.scope, call.service_name
    text = json.dumps([*when_and_where, said], sort_keys=True, default=str)
    return blake2b(text.encode(), digest_size=24).hexdigest()

"""Which readings are the same call.

One call of a model may be traced more than once: by the instrumentation of a framework and by that of the client below
it, by a wrapper and its inner span, by a client's own spans, by a span that was sent twice. Two readings are the same
call where

1. they are of the same span and prompt, and began at the same time: ids that were used again are those of another
   call. Different prompts of one span are never the same call. What log records told of before their span came is the
   span's, where it was written during it, and its answer does not contradict. Or
2. their response ids are equal, their times overlap, and neither answers nor inputs contradict each other. A response
   id alone proves little: local servers number from one after each start or draw from a thousand numbers, stand-ins
   answer with a constant, caches answer with an old one. Or
3. there are no response ids to compare, the scopes differ, the times overlap, the models may be one, both answers and
   inputs are equal, and nothing says that they are of different applications: two tenants may ask the same at once. One
   application has one service name, one resource, and one destination for its calls.

Different response ids of one form (``chatcmpl-...``) are different calls, whatever else is equal; those of different
forms are names that different layers gave (``msg_...``, a request's UUID), and prove nothing.

Two spans of one scope are two calls, the same question asked twice at once and answered alike: one instrumentation sees
a call once. Known exceptions: platforms that write all their integrations, a framework's and the client's below it,
under one scope (`LAYERED_SCOPES`), which takes equal response ids; and Logfire, which writes a stream as two spans, of
which the first has no answer and gives no reading, so that there is nothing to fold.

Times overlap with a slack for coarse clocks. A reading without duration (Logfire's at the end of a stream, a call out
of a single log record) was written when the call was over, and may stand shortly after the other's end.

A call that failed before any answer (`failed_calls`) has no answer to compare. Its readings are one call where all of
them failed, some perhaps after part of the answer, and their inputs are equal: a framework's failed span and the
client's below it. A client that tried again has several; each that failed is a call of its own, and so is the one that
succeeded.

Ancestry is not looked at. Traceloop 0.47 to 0.53 make unrelated calls parent and child, and two instrumentations of one
bare call make two traces.

"Equal" is meant between dialects, which write, and lose, differently: see `content_items`. What one reading has the
other may lack (a choice, an image, the end of a text that was cut); but the smaller must be contained in the larger. Of
a reading that is known to be incomplete, it is enough that its input shares something with the other's, or is missing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from hashlib import blake2b

from otel_labelstudio.calls import LLMCall
from otel_labelstudio.dialects import LAYERED_SCOPES
from otel_labelstudio.dialects.shared.records_without_span import INCOMPLETE_WITHOUT_SPAN
from otel_labelstudio.identity import has_digest_index
from otel_labelstudio.settle.content_items import (
    SHORTEST_CUT,
    Said,
    is_contained,
    shares_something,
)

# JavaScript's clocks tell milliseconds, so that an inner span may begin just after its wrapper's end
_CLOCK_SLACK_NS = 2_000_000
POINT_SLACK_NS = 100_000_000
# No call passes through so many layers: what goes on beyond that makes comparing slow, not the call richer
_MOST_READINGS = 64
_ID_FORM = re.compile(r"[A-Za-z]+(?=[-_])")


def fingerprints(reading: LLMCall, said: Said | None = None) -> tuple[str, ...]:
    """Short keys, of which two readings of one call have at least one in common; so may two of different calls.

    ``said``, here and below, keeps what was worked out of the readings for the next comparison.
    """
    said = said or Said()
    keys = [span_fingerprint(reading.trace_id, reading.span_id)]
    if reading.response_id:
        keys.append(response_fingerprint(reading.response_id))
    items = said.answer(reading) or said.input(reading)
    if reading.error_type:  # another reading of it may have part of the answer, or none
        items = said.answer(reading) | said.input(reading)
    keys += [f"said {_digest(item[:SHORTEST_CUT])}" for item in items]
    return tuple(keys)


def span_fingerprint(trace_id: str, span_id: str) -> str:
    """What all readings of a span have in common."""
    return f"span {trace_id} {span_id}"


def response_fingerprint(response_id: str) -> str:
    """What all readings of one answer have in common."""
    return f"id {_digest(response_id)}"


def closest_call(reading: LLMCall, calls: Iterable[list[LLMCall]], said: Said | None = None) -> list[LLMCall] | None:
    """Of several calls, each a list of its readings, the one that the reading is of; None where it is of none."""
    said, scope, span_id = said or Said(), reading.scope, reading.span_id
    if not scope.startswith(LAYERED_SCOPES):  # of many alike, nearly all are out at the first look
        calls = [call for call in calls if len(call) > 1 or call[0].scope != scope or call[0].span_id == span_id]
    found = [call for call in calls if len(call) < _MOST_READINGS and _is_reading_of(reading, call, said)]
    return min(found, key=lambda call: min(_distance(reading, other) for other in call), default=None)


def is_same_call(one: LLMCall, other: LLMCall, said: Said | None = None) -> bool:
    """Whether the two are readings of the same call, by the rules at the head of this module."""
    said = said or Said()
    if one.span_id and one.span_id == other.span_id and one.trace_id == other.trace_id:
        return _is_of_one_span(one, other, said)
    is_one_scope = one.scope == other.scope
    if is_one_scope and not one.scope.startswith(LAYERED_SCOPES):
        return False
    ids_equal = _are_response_ids_equal(one.response_id, other.response_id)
    if ids_equal is False or (is_one_scope and not ids_equal) or not _overlap(one, other):
        return False
    if ids_equal is None and not (_may_be_one_model(one, other) and said.may_be_of_one_application(one, other)):
        return False
    if not ids_equal and (one.is_unanswered or other.is_unanswered):
        return _is_same_failure(one, other, said)
    agree = shares_something if ids_equal else is_contained
    if not agree(said.answer(one), said.answer(other)):
        return False
    agree = shares_something if one.incomplete or other.incomplete else agree
    return agree(said.input(one), said.input(other))


def _is_same_failure(one: LLMCall, other: LLMCall, said: Said) -> bool:
    """Whether both failed on the same input; no answer would tell two failures apart that share a system prompt."""
    return bool(one.error_type and other.error_type) and is_contained(said.input(one), said.input(other))


def _is_of_one_span(one: LLMCall, other: LLMCall, said: Said) -> bool:
    """Of two readings with the same ids."""
    if one.prompt_index == other.prompt_index:
        return one.start_time_unix_nano == other.start_time_unix_nano
    is_told_before = _is_told_by_records(one) != _is_told_by_records(other)
    is_during = _gap_ns(one, other) <= POINT_SLACK_NS
    if not is_told_before or not is_during:
        return False
    return shares_something(said.answer(one), said.answer(other)) and shares_something(
        said.input(one), said.input(other)
    )


def _is_told_by_records(reading: LLMCall) -> bool:
    return has_digest_index(reading) and INCOMPLETE_WITHOUT_SPAN in reading.incomplete


def _is_reading_of(reading: LLMCall, call: Sequence[LLMCall], said: Said) -> bool:
    """Whether the reading is of the call of one of these, and no second one of a scope that the call has already."""
    if len(call) == 1:
        return is_same_call(reading, call[0], said)
    same = [is_same_call(reading, other, said) for other in call]
    return any(same) and all(same[at] or other.scope != reading.scope for at, other in enumerate(call))


def _are_response_ids_equal(one: str | None, other: str | None) -> bool | None:
    """None where the two cannot be compared."""
    if not one or not other:
        return None
    if one == other:
        return True
    return False if _id_form(one) == _id_form(other) else None


def _id_form(response_id: str) -> str:
    form = _ID_FORM.match(response_id)
    return form.group() if form else ""


def _overlap(one: LLMCall, other: LLMCall) -> bool:
    is_point = one.scope != other.scope and (_is_point(one) or _is_point(other))
    return _gap_ns(one, other) <= (POINT_SLACK_NS if is_point else _CLOCK_SLACK_NS)


def _gap_ns(one: LLMCall, other: LLMCall) -> int:
    """Between the two; negative where they overlap."""
    began_last = max(one.start_time_unix_nano, other.start_time_unix_nano)
    return began_last - min(one.end_time_unix_nano, other.end_time_unix_nano)


def _is_point(reading: LLMCall) -> bool:
    return reading.start_time_unix_nano == reading.end_time_unix_nano


def _may_be_one_model(one: LLMCall, other: LLMCall) -> bool:
    """Whether a model's name of one is, or is contained in, one of the other's; no name contradicts nothing."""
    names, others = _models(one), _models(other)
    return not names or not others or any(name in more or more in name for name in names for more in others)


def _models(reading: LLMCall) -> list[str]:
    """As a provider's own name: ``openai/gpt-4o`` and ``models/gemini-2.5-flash`` without what stands before."""
    return [name.rsplit("/", 1)[-1].lower() for name in (reading.request_model, reading.response_model) if name]


def _distance(one: LLMCall, other: LLMCall) -> int:
    return abs(one.start_time_unix_nano - other.start_time_unix_nano) + abs(
        one.end_time_unix_nano - other.end_time_unix_nano
    )


def _digest(item: str) -> str:
    return blake2b(item.encode(errors="surrogatepass"), digest_size=8).hexdigest()

"""Which readings are the same call.

One call of a model may be traced more than once: by the instrumentation of a framework and by that of the client below
it, by a wrapper and its inner span, by a client's own spans, by a span that was sent twice. Two readings are the same
call, *twins*, where

1. they are of the same span and prompt. Different prompts of one span are never the same call. Or
2. their response ids are equal, their times overlap, and neither answers nor inputs contradict each other. A response
   id alone proves little: local servers number from one after each start or draw from a thousand numbers, stand-ins
   answer with a constant, caches answer with an old one. Or
3. there are no response ids to compare, the scopes differ, the times overlap, the models may be one, and both answers
   and inputs are equal.

Different response ids of one form (``chatcmpl-...``) are different calls, whatever else is equal; those of different
forms are names that different layers gave (``msg_...``, a request's UUID), and prove nothing.

Two spans of one scope are two calls, the same question asked twice at once and answered alike: one instrumentation sees
a call once. Known exceptions: platforms that write all their integrations, a framework's and the client's below it,
under one scope (`_LAYERED_SCOPES`), which takes equal response ids; and Logfire, which writes a stream as two spans, of
which the first has no answer and gives no reading, so that there is nothing to fold.

Times overlap with a slack for coarse clocks. A reading without duration (Logfire's at the end of a stream, a call out
of a single log record) was written when the call was over, and may stand shortly after its twin's end.

Ancestry is not looked at. Traceloop 0.47 to 0.53 make unrelated calls parent and child, and two instrumentations of one
bare call make two traces.

"Equal" is meant between dialects, which write, and lose, differently: see `comparing`. What one reading has the other
may lack (a choice, an image, the end of a text that was cut); but the smaller must be contained in the larger. Of a
reading that is known to be incomplete, it is enough that its input shares something with its twin's, or is missing.

The richest reading of a call wins whole, of two equally rich the one nearer to the wire. Nothing is merged field by
field, so that a call is never a mixture of dialects. Where several calls run at once, a reading goes to the call that
is nearest in time and has none of its scope yet.
"""

from __future__ import annotations

import re
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from hashlib import blake2b
from typing import NamedTuple

from otel_labelstudio.calls import GenericPart, LLMCall, Part, ReasoningPart
from otel_labelstudio.comparing import SHORTEST_CUT, answer_items, input_items, is_contained, shares_something

# JavaScript's clocks tell milliseconds, so that an inner span may begin just after its wrapper's end
_CLOCK_SLACK_NS = 2_000_000
_POINT_SLACK_NS = 100_000_000
_LAYERED_SCOPES = ("langfuse", "langsmith", "lmnr", "mlflow")
# With more calls than this under way at once that answer alike, only the nearest are looked at
_CANDIDATES = 64
_ID_FORM = re.compile(r"[A-Za-z]+(?=[-_])")


class CallKey(NamedTuple):
    """What tells readings apart: which span, and which of its prompts."""

    trace_id: str
    span_id: str
    prompt_index: int

    @classmethod
    def of(cls, call: LLMCall) -> CallKey:
        return cls(call.trace_id, call.span_id, call.prompt_index)


@dataclass(frozen=True, slots=True)
class FoldedCall:
    """A call in its richest reading, and the keys of all its readings, that one's first."""

    call: LLMCall
    keys: tuple[CallKey, ...]


def fold(readings: Iterable[LLMCall]) -> list[FoldedCall]:
    """Each call once, in the order in which the calls started; the order of the readings does not matter."""
    calls: list[list[LLMCall]] = []
    waiting: defaultdict[str, deque[list[LLMCall]]] = defaultdict(lambda: deque(maxlen=_CANDIDATES))
    for reading in sorted(readings, key=_order):
        keys = fingerprints(reading)
        candidates = {id(call): call for key in keys for call in waiting.get(key, ())}
        call = closest_call(reading, candidates.values())
        if call is None:
            call = []
            calls.append(call)
        call.append(reading)
        for key in keys:
            if not any(other is call for other in waiting[key]):
                waiting[key].append(call)
    return [_folded(call) for call in calls]


def fingerprints(reading: LLMCall) -> tuple[str, ...]:
    """Short keys, of which two readings of one call have at least one in common; so may two of different calls."""
    keys = [span_fingerprint(reading.trace_id, reading.span_id)]
    if reading.response_id:
        keys.append(response_fingerprint(reading.response_id))
    keys += [f"said {_digest(item[:SHORTEST_CUT])}" for item in answer_items(reading) or input_items(reading)]
    return tuple(keys)


def span_fingerprint(trace_id: str, span_id: str) -> str:
    """What all readings of a span have in common."""
    return f"span {trace_id} {span_id}"


def response_fingerprint(response_id: str) -> str:
    """What all readings of one answer have in common."""
    return f"id {_digest(response_id)}"


def closest_call(reading: LLMCall, calls: Iterable[list[LLMCall]]) -> list[LLMCall] | None:
    """Of several calls, each a list of its readings, the one that the reading is of; None where it is of none."""
    twins = [call for call in calls if _is_reading_of(reading, call)]
    return min(twins, key=lambda call: min(_distance(reading, other) for other in call), default=None)


def is_same_call(one: LLMCall, other: LLMCall) -> bool:
    """Whether the two are readings of the same call, by the rules at the head of this module."""
    if one.span_id and (one.trace_id, one.span_id) == (other.trace_id, other.span_id):
        return one.prompt_index == other.prompt_index
    ids_equal = _are_response_ids_equal(one.response_id, other.response_id)
    if ids_equal is False or not _overlap(one, other):
        return False
    if one.scope == other.scope and not (ids_equal and one.scope.startswith(_LAYERED_SCOPES)):
        return False
    if ids_equal is None and not _may_be_one_model(one, other):
        return False
    agree = shares_something if ids_equal else is_contained
    if not agree(answer_items(one), answer_items(other)):
        return False
    agree = shares_something if one.incomplete or other.incomplete else agree
    return agree(input_items(one), input_items(other))


def richer(one: LLMCall, other: LLMCall) -> LLMCall:
    """Of two readings of a call, the one that tells more; the choice does not depend on their order."""
    return max(one, other, key=_richness)


def completed(call: LLMCall, other: LLMCall) -> LLMCall:
    """The call with what it lacks taken from another reading of the same span: its log records, which came apart.

    Those are one dialect's input, so that this mixes nothing; it is for no other twins.
    """
    lacking = {f.name: getattr(other, f.name) for f in fields(LLMCall) if not getattr(call, f.name)}
    return replace(call, **{name: value for name, value in lacking.items() if name not in ("run_id", "incomplete")})


def _folded(readings: Sequence[LLMCall]) -> FoldedCall:
    if len(readings) == 1:
        return FoldedCall(readings[0], (CallKey.of(readings[0]),))
    ranked = sorted(readings, key=_richness, reverse=True)
    return FoldedCall(ranked[0], tuple(dict.fromkeys(CallKey.of(reading) for reading in ranked)))


def _is_reading_of(reading: LLMCall, call: Sequence[LLMCall]) -> bool:
    """Whether the reading is a twin of one of the call's, and no second one of a scope that the call has already."""
    same = [is_same_call(reading, other) for other in call]
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
    gap_ns = max(one.start_time_unix_nano, other.start_time_unix_nano) - min(
        one.end_time_unix_nano, other.end_time_unix_nano
    )
    return gap_ns <= (_POINT_SLACK_NS if is_point else _CLOCK_SLACK_NS)


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


def _order(reading: LLMCall) -> tuple[object, ...]:
    return (reading.start_time_unix_nano, -reading.end_time_unix_nano, *CallKey.of(reading), _richness(reading))


def _richness(reading: LLMCall) -> tuple[object, ...]:
    """Whole before cut; then the dialogue, ten times what surrounds it; then the shorter, which is nearer to the wire.

    Last names, so that no two are equal.
    """
    dialogue = [p for m in (*reading.input_messages, *reading.output_messages) for p in m.parts]
    facts = (
        10 * sum(map(_weight, (*dialogue, *reading.system_instructions)))
        + 5 * len(reading.tool_definitions)
        + sum(
            len(held)
            for held in (
                reading.usage.to_dict(),
                reading.request_parameters,
                reading.finish_reasons,
                reading.tags,
            )
        )
        + sum(
            bool(held)
            for held in (
                reading.response_id,
                reading.request_model,
                reading.response_model,
                reading.provider,
                reading.conversation_id,
                reading.user_id,
                reading.metadata,  # however many keys: most are a framework's own bookkeeping
            )
        )
    )
    duration_ns = reading.end_time_unix_nano - reading.start_time_unix_nano
    nearness = (duration_ns > 0, -duration_ns)  # without a duration, it was written when the call was over
    return (not reading.incomplete, facts, nearness, reading.dialect, reading.scope, reading.trace_id, reading.span_id)


def _weight(part: Part) -> int:
    """A part that nobody understood is worth half of one that was; reasoning is what most dialects lose."""
    if isinstance(part, GenericPart):
        return 1
    return 3 if isinstance(part, ReasoningPart) else 2


def _digest(item: str) -> str:
    return blake2b(item.encode(errors="surrogatepass"), digest_size=8).hexdigest()

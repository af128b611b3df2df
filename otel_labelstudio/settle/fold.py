"""The readings of one call become that call.

The richest reading of a call wins whole, of two equally rich the one nearer to the wire. Nothing is merged field by
field, so that a call is never a mixture of dialects. Where several calls run at once, a reading goes to the call that
is nearest in time and has none of its scope yet.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import groupby
from typing import Any

from otel_labelstudio.calls import CallKey, GenericPart, LLMCall, Part, ReasoningPart
from otel_labelstudio.dialects import LAYERED_SCOPES
from otel_labelstudio.settle.content_items import Said
from otel_labelstudio.settle.same_call import closest_call, fingerprints

# With more calls than this under way at once that answer alike, only the nearest are looked at
_CANDIDATES = 64


@dataclass(frozen=True, slots=True)
class FoldedCall:
    """A call in its richest reading, and the keys of all its readings. It is known by the first of them: that of the
    reading that began first, in whatever order they came, however rich each is. ``resource`` is a digest of where it
    comes from, ``resource_attributes`` are what a call filter sees of that; both are empty where it is not known."""

    call: LLMCall
    keys: tuple[CallKey, ...]
    resource: str = ""
    resource_attributes: Mapping[str, Any] = field(default_factory=dict)

    def keys_of(self, call: LLMCall) -> tuple[CallKey, ...]:
        """Those of the call as a filter has left it: one that has changed the ids does not want them to be told."""
        return self.keys if call.key == self.call.key else (call.key,)


def fold(readings: Iterable[LLMCall], said: Said | None = None) -> list[FoldedCall]:
    """Each call once, in the order in which the calls started; the order of the readings does not matter.

    ``said`` keeps what was worked out of the readings.
    """
    said = said or Said()
    calls: list[list[LLMCall]] = []
    waiting: defaultdict[str, _Waiting] = defaultdict(_Waiting)
    for reading in _in_order(readings):
        span, *others = fingerprints(reading, said)
        candidates = {id(call): call for call in waiting[span].calls}
        for key in others:
            candidates |= waiting[key].of_other_scopes_than(reading.scope)
        found = closest_call(reading, candidates.values(), said)
        call = [] if found is None else found
        if found is None:
            calls.append(call)
        call.append(reading)
        for key in (span, *others):
            waiting[key].add(call, reading.scope)
    return [_folded(call) for call in calls]


class _Waiting:
    """The calls that have a fingerprint in common, the newest, and the scopes of their readings."""

    __slots__ = ("calls", "scopes")

    def __init__(self) -> None:
        self.calls: deque[list[LLMCall]] = deque(maxlen=_CANDIDATES)
        self.scopes: set[str] = set()

    def add(self, call: list[LLMCall], scope: str) -> None:
        if len(call) == 1 or not any(other is call for other in self.calls):
            self.calls.append(call)
        self.scopes.add(scope)

    def of_other_scopes_than(self, scope: str) -> dict[int, list[LLMCall]]:
        """None where all are of this one scope, as where thousands say the same: two spans of it are two calls."""
        if self.scopes == {scope} and not scope.startswith(LAYERED_SCOPES):
            return {}
        return {id(call): call for call in self.calls}


def completed(call: LLMCall, other: LLMCall) -> LLMCall:
    """The call with what it lacks taken from another reading of the same span: its log records, which came apart.

    Those are one dialect's input, so that this mixes nothing; it is for no other readings.
    """
    lacking = {f.name: getattr(other, f.name) for f in fields(LLMCall) if not getattr(call, f.name)}
    return replace(call, **{name: value for name, value in lacking.items() if name not in ("run_id", "incomplete")})


def _folded(readings: Sequence[LLMCall]) -> FoldedCall:
    if len(readings) == 1:
        return FoldedCall(readings[0], (readings[0].key,))
    # They came in their order
    keys = dict.fromkeys(reading.key for reading in readings)
    return FoldedCall(max(readings, key=_richness), tuple(keys))


def _in_order(readings: Iterable[LLMCall]) -> Iterator[LLMCall]:
    """By their times and keys, of which few are equal, so that those alone are weighed."""
    for _, same in groupby(sorted(readings, key=_order), key=_order):
        first, *others = same
        yield from sorted((first, *others), key=_richness) if others else (first,)


def _order(reading: LLMCall) -> tuple[object, ...]:
    return (reading.start_time_unix_nano, -reading.end_time_unix_nano, *reading.key)


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

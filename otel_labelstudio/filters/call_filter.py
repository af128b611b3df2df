"""How the user's call filter is applied to calls."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, TypeAlias

from otel_labelstudio.bounds import MAX_COUNT, MAX_ID_LENGTH
from otel_labelstudio.calls import LLMCall
from otel_labelstudio.errors import is_failure
from otel_labelstudio.settings.functions import RESOURCE_ATTRIBUTES, signature_of
from otel_labelstudio.telemetry import Telemetry

CallFilter: TypeAlias = "Callable[..., LLMCall | None]"

# Why a call was dropped, as counters say it
FILTERED, FILTER_FAILED = "filtered", "filter_failed"


def filtered(
    calls: Iterable[LLMCall],
    call_filter: CallFilter | None,
    telemetry: Telemetry,
    warn: Callable[[str], None],
    resource_attributes: Mapping[str, Any] | None = None,
) -> list[LLMCall]:
    """What the function lets through. A call that it fails on, or returns as something that cannot be stored, is
    dropped: the filter may be there to keep a secret."""
    if call_filter is None:
        return list(calls)
    named = _named_arguments(call_filter, resource_attributes)
    kept = []
    for call in calls:
        try:
            passed = _applied(call_filter, call, named)
        except BaseException as error:
            if not is_failure(error):
                raise
            # Without the error's text, which may hold what the call holds
            warn(f"call_filter failed with {type(error).__name__}: such calls are dropped.")
            telemetry.count("calls.dropped", reason=FILTER_FAILED)
            continue
        if passed is None:
            telemetry.count("calls.dropped", reason=FILTERED)
        else:
            kept.append(passed)
    return kept


def _named_arguments(call_filter: CallFilter, resource_attributes: Mapping[str, Any] | None) -> dict[str, Any]:
    """What the filter is given by name. It can only read: other calls are routed by the very same attributes."""
    if not _takes_resource_attributes(_ByIdentity(call_filter)):
        return {}
    return {RESOURCE_ATTRIBUTES: MappingProxyType(resource_attributes or {})}


class _ByIdentity:
    """A filter as a key of a cache, which asks nothing of the filter itself: it may refuse to be compared."""

    def __init__(self, call_filter: CallFilter) -> None:
        self.call_filter = call_filter

    def __hash__(self) -> int:
        return id(self.call_filter)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _ByIdentity) and other.call_filter is self.call_filter


@lru_cache(maxsize=64)  # asked for every span, and to work it out takes longer than many a filter
def _takes_resource_attributes(which: _ByIdentity) -> bool:
    found = signature_of(which.call_filter)
    return found is not None and RESOURCE_ATTRIBUTES in found.parameters


def _applied(call_filter: CallFilter, call: LLMCall, named: Mapping[str, Any]) -> LLMCall | None:
    passed = call_filter(call, **named)
    if passed is None or passed is call:
        return passed
    if not isinstance(passed, LLMCall):
        raise TypeError(f"call_filter returned {type(passed).__name__}")
    return _storable(passed)


def _storable(passed: LLMCall) -> LLMCall:
    """The call as the outbox will give it out: a filter may put anything into it, which no later stage shall meet.

    Raises what cannot be written or read back so, and `ValueError` for what cannot be a key.
    """
    call = LLMCall.from_dict(json.loads(json.dumps(passed.to_dict(), default=str)))
    for digits in (call.trace_id, call.span_id, call.parent_span_id):
        if len(digits) > MAX_ID_LENGTH or not digits.isascii() or not digits.isprintable():
            raise ValueError("an id that is none")
    if not 0 <= call.prompt_index <= MAX_COUNT:
        raise ValueError("a prompt_index out of range")
    return call

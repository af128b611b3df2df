"""The readings of a recording become its calls, each once. One on which that fails costs itself alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from otel_labelstudio.calls import CallKey, LLMCall
from otel_labelstudio.earlier_turns import with_turns_of_each_other
from otel_labelstudio.identity import has_valid_ids, resource_digest, with_digest_index, with_valid_ids
from otel_labelstudio.outbox.entry import Origin
from otel_labelstudio.settle.content_items import Said
from otel_labelstudio.settle.fold import FoldedCall, fold
from otel_labelstudio.settle.isolation import isolate
from otel_labelstudio.settle.recorded import RecordedReading, RecordedTelemetry
from otel_labelstudio.spans.model import Attributes


class FoldedRecording:
    """The calls in the order in which they started, and how many of their readings came without valid ids."""

    def __init__(self, recorded: RecordedTelemetry) -> None:
        self.calls: list[FoldedCall] = []
        self.without_valid_ids = 0
        self._readings: list[LLMCall] = []
        self._origins: dict[CallKey, Origin] = {}
        self._resources: dict[CallKey, Attributes] = {}
        self._other_keys: defaultdict[CallKey, list[CallKey]] = defaultdict(list)
        self._folded: list[FoldedCall] = []
        self._known: set[CallKey] = set()
        self._recorded = recorded
        recorded.each(self._identify, recorded.readings)
        isolate(sorted(self._readings, key=lambda call: call.start_time_unix_nano), self._fold, self._set_aside)
        recorded.each(self._add, self._folded)

    def _identify(self, reading: RecordedReading) -> None:
        call = with_valid_ids(reading.call)
        self._origins[call.key] = Origin(resource_digest(reading.joined.span.resource))
        self._resources[call.key] = reading.joined.span.resource
        self._other_keys[call.key] += reading.other_keys
        self._readings.append(call)
        self.without_valid_ids += not has_valid_ids(reading.call)

    def _fold(self, readings: Sequence[LLMCall]) -> None:
        self._folded += fold(with_turns_of_each_other(readings), Said(self._origins))

    def _set_aside(self, _: LLMCall, error: str) -> None:
        self._recorded.count_fault(f"cannot be settled ({error})")

    def _add(self, folded: FoldedCall) -> None:
        """Of calls with the same ids, which were used again, the first keeps them."""
        others = (other for key in folded.keys for other in self._other_keys[key])
        key = folded.call.key
        call, keys = folded.call, tuple(dict.fromkeys((*folded.keys, *others)))
        if keys[0] in self._known:
            call = with_digest_index(call)
            keys = (call.key,)
        self._known.add(keys[0])
        self.calls.append(FoldedCall(call, keys, self._origins[key].resource, self._resources[key]))

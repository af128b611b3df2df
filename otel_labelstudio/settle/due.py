"""Settling: what has waited long enough becomes calls, each pending from then on.

Only the process that delivers settles, on its worker's thread. Reading and comparing, which take time, happen outside
of the transaction, so that whoever accepts calls meanwhile hardly waits; and for a bounded time, so that delivery goes
on in between. An item on which anything raises becomes a dead letter.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from functools import partial

from otel_labelstudio.calls import CallKey, LLMCall
from otel_labelstudio.earlier_turns import Continuation, continuation_of, with_turns_of_each_other
from otel_labelstudio.errors import OutboxError
from otel_labelstudio.filters.selection import Selection
from otel_labelstudio.outbox import Outbox
from otel_labelstudio.outbox.entry import HeldItem, Origin, Put, SettlingReading, Unreadable
from otel_labelstudio.outbox.serialization import key_of
from otel_labelstudio.settle.content_items import Said
from otel_labelstudio.settle.fold import completed, fold
from otel_labelstudio.settle.held import Decision, HeldGroups
from otel_labelstudio.settle.isolation import isolate
from otel_labelstudio.settle.same_call import (
    POINT_SLACK_NS,
    closest_call,
    fingerprints,
    response_fingerprint,
    span_fingerprint,
)
from otel_labelstudio.skips import Skips
from otel_labelstudio.spans.model import SpanIds
from otel_labelstudio.telemetry import Telemetry

_DUE_LIMIT = 1000
_NEIGHBOURS_LIMIT = 2000
# For how long what is held is decided on, before it is delivery's turn
_TURN_S = 0.2


class Settler:
    """Settles what an outbox has. ``other_spans`` are the ids of spans that were seen and tell of no model;
    ``takes_failed_calls``: see `failed_calls`; ``clock`` gives seconds since 1970. Raises `OutboxError`."""

    def __init__(
        self,
        outbox: Outbox,
        selection: Selection,
        telemetry: Telemetry,
        skips: Skips,
        other_spans: Collection[SpanIds],
        *,
        settle_s: float,
        takes_failed_calls: bool = False,
        clock: Callable[[], float],
    ) -> None:
        self._outbox, self._rows, self._selection = outbox, outbox.settling, selection
        self._telemetry, self._skips, self._other_spans = telemetry, skips, other_spans
        self._settle_s, self._takes_failed_calls, self._clock = settle_s, takes_failed_calls, clock

    def settle(self, due_by: float) -> None:
        """Settle some of what is due by then (seconds since 1970; infinity: all that waits)."""
        try:
            self.settle_held(due_by)
        finally:  # what is held keeps no reading waiting
            self.settle_readings(due_by)

    # -- what is held --------------------------------------------------------------------------------------------

    def settle_held(self, due_by: float) -> None:
        """Make readings of what is held."""
        groups = self._rows.due_groups(due_by, _DUE_LIMIT)
        if not groups:
            return
        deciding = HeldGroups(self._rows, set(self._other_spans), takes_failed_calls=self._takes_failed_calls)
        decisions: list[Decision] = []
        ends_at = time.monotonic() + _TURN_S
        for ids in sorted(groups, key=lambda ids: not ids[1]):  # what belongs to no span last
            isolate([ids], partial(self._decide, deciding, due_by, decisions), partial(self._bury_group, due_by))
            if time.monotonic() > ends_at:
                break
        isolate(decisions, self._write_down, self._bury_decided)

    def _decide(
        self, deciding: HeldGroups, due_by: float, decisions: list[Decision], groups: Sequence[SpanIds]
    ) -> None:
        decisions += [deciding.decide(ids, due_by, self._clock()) for ids in groups]

    def _bury_group(self, due_by: float, ids: SpanIds, error: str) -> None:
        items = self._rows.held_of(ids) if ids[1] else self._rows.held_of_no_span(due_by)
        self._bury_held([item for item in items if item.due_at <= due_by], error)

    def _bury_decided(self, decision: Decision, error: str) -> None:
        """What was to become a reading, and cannot be written down."""
        self._bury_held(decision.release, error)

    def _bury_held(self, items: Sequence[HeldItem], error: str) -> None:
        self._outbox.dead_letters.bury_held(items, f"cannot be settled ({error})")
        self._telemetry.count("tasks.rejected", len(items), reason="settling_failed")

    def _write_down(self, decisions: Sequence[Decision]) -> None:
        """What was decided, in one transaction."""
        now = self._clock()
        routed = [
            item
            for decision in decisions
            for calls, joined in decision.calls
            for item in self._selection.routed(calls, now, joined.span)
        ]
        due_at = now + self._settle_s
        with self._outbox.transaction():
            put = [
                self._outbox.accepting.put(
                    one.call, one.destination, due_at=due_at, resource=one.resource, is_accepted=True
                )
                for one in routed
            ]
            for decision in decisions:
                self._rows.defer(decision.defer)
                self._rows.release(decision.release)
                self._outbox.accepting.note_seen(decision.seen)
                for item, reason in decision.bury:
                    self._outbox.dead_letters.bury_held([item], reason)
                for call in decision.told:
                    self._complete(call)
        self._telemetry.count("calls.accepted", put.count(Put.ACCEPTED))
        self._telemetry.count("calls.repeated", put.count(Put.KNOWN))
        for decision in decisions:
            self._count(decision)

    def _complete(self, told: LLMCall) -> None:
        """Fill what a reading lacks from its span's log records, as far as it settles still."""
        key = key_of(told)
        reading = self._rows.reading_that_settles(key)
        if reading is not None:
            self._rows.replace(key, completed(reading, told))

    def _count(self, decision: Decision) -> None:
        self._telemetry.count("log_records.unmatched", decision.unmatched)
        self._telemetry.count("tasks.rejected", len(decision.bury), reason="unreadable")
        for skip in decision.skips:
            self._skips.count(skip)

    # -- readings ------------------------------------------------------------------------------------------------

    def settle_readings(self, due_by: float) -> None:
        """Fold readings into calls."""
        due, unreadable = self._rows.due_readings(due_by, _DUE_LIMIT)
        self._bury(unreadable)
        if not due:
            return
        later, unreadable = self._rows.later_readings(due_by, _NEIGHBOURS_LIMIT)
        self._bury(unreadable)
        try:
            self._fold(later, due)
        except OutboxError:
            raise
        except Exception:  # one of them, or one that is due later, cannot be compared
            isolate(due, partial(self._fold, ()), self._bury_reading)

    def _fold(self, later: Sequence[SettlingReading], due: Sequence[SettlingReading]) -> None:
        settling = self._with_earlier_turns((*later, *due))
        due_keys = {reading.call.key for reading in due}
        known: dict[str, list[LLMCall]] = {}
        origins = {key: reading.origin for key, reading in settling.items()}
        said = Said(origins)
        settled = []
        for folded in fold([reading.call for reading in settling.values()], said):
            if due_keys.intersection(folded.keys):
                readings = [settling[key] for key in folded.keys]
                marks = _marks(readings, said)
                earlier = self._earlier(readings, marks, known, origins, said)
                settled.append((readings, settling[folded.call.key], marks, earlier))
        with self._outbox.transaction():
            for readings, richest, marks, earlier in settled:
                self._rows.settle(readings, richest, earlier=earlier, fingerprints=marks)
        late = sum(len(readings) for readings, _, _, earlier in settled if earlier)
        self._telemetry.count("calls.late_duplicates", late)

    def _with_earlier_turns(self, readings: Iterable[SettlingReading]) -> dict[CallKey, SettlingReading]:
        """Calls that have only the new turns of a conversation get the others from the call that they continue."""
        settling = {reading.call.key: reading for reading in readings}
        if any(continuation_of(reading.call) for reading in settling.values()):
            for whole in with_turns_of_each_other([r.call for r in settling.values()], self._find_continued):
                reading = settling[whole.key]
                if whole != reading.call:
                    self._rows.replace(reading.key, whole)
                    settling[whole.key] = replace(reading, call=whole)
        return settling

    def _find_continued(self, call: LLMCall, continuation: Continuation) -> LLMCall | None:
        """The call that another one goes on from, where it settled before."""
        mark = response_fingerprint(continuation.response_id)
        if continuation.span_id:
            mark = span_fingerprint(call.trace_id, continuation.span_id)
        known = self._rows.readings_of(self._rows.calls_that_said([mark], call.start_time_unix_nano))
        readings = [reading for of_call in known.values() for reading, _ in of_call if reading.scope == call.scope]
        return max(readings, key=lambda reading: reading.start_time_unix_nano, default=None)

    def _earlier(
        self,
        readings: Sequence[SettlingReading],
        marks: Sequence[tuple[str, int]],
        known: dict[str, list[LLMCall]],
        origins: dict[CallKey, Origin],
        said: Said,
    ) -> str | None:
        """The call, settled before, that these readings are of. ``known`` and ``origins`` keep what was read, for the
        next one."""
        ended_at = max(reading.call.end_time_unix_nano for reading in readings) + POINT_SLACK_NS
        call_ids = self._rows.calls_that_said({mark for mark, _ in marks}, ended_at)
        for call_id, of_call in self._rows.readings_of(call_ids - known.keys()).items():
            known[call_id] = [call for call, _ in of_call]
            origins.update((call.key, origin) for call, origin in of_call)
        candidates = {call_id: known[call_id] for call_id in sorted(call_ids)}
        for reading in readings:
            same = closest_call(reading.call, candidates.values(), said)
            if same is not None:
                return next(call_id for call_id, of_call in candidates.items() if of_call is same)
        return None

    def _bury_reading(self, reading: SettlingReading, error: str) -> None:
        self._bury([Unreadable(reading.seq, f"cannot be settled ({error})")])

    def _bury(self, items: Sequence[Unreadable]) -> None:
        if items:
            self._outbox.dead_letters.bury((item.seq, item.reason) for item in items)
            self._telemetry.count("tasks.rejected", len(items), reason="unreadable")


def _marks(readings: Sequence[SettlingReading], said: Said) -> list[tuple[str, int]]:
    """What the readings say, and when each began."""
    marks = ((mark, r.call.start_time_unix_nano) for r in readings for mark in fingerprints(r.call, said))
    return list(dict.fromkeys(marks))

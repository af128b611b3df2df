"""What a door accepts: read, selected, and stored in the outbox, all that came together in one transaction.

On the caller's thread, and without asking a server. Nothing is raised into the application: what cannot be stored is
counted, and said once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TypeVar

from otel_labelstudio import dialects
from otel_labelstudio.arrivals import Arrival, Arrivals
from otel_labelstudio.calls import LLMCall
from otel_labelstudio.dialects.relatives import has_relatives
from otel_labelstudio.dialects.shared.records_without_span import is_content_event
from otel_labelstudio.errors import OutboxError, OutboxFullError, safe_text
from otel_labelstudio.filters.selection import RoutedCall, Selection
from otel_labelstudio.outbox import Outbox
from otel_labelstudio.outbox.entry import Put
from otel_labelstudio.outbox.serialization import key_text
from otel_labelstudio.printable import counted, logger
from otel_labelstudio.settle.failed_calls import with_failed_calls
from otel_labelstudio.settle.fold import FoldedCall
from otel_labelstudio.settle.held import fate, waits_for_log_records
from otel_labelstudio.skips import Skips
from otel_labelstudio.spans.model import LogRecord, Span, SpanIds, service_of
from otel_labelstudio.telemetry import Telemetry

_logger = logger(__name__)

_T = TypeVar("_T")
_R = TypeVar("_R")

# In place of a dialect's name: which one a record is of shows when it has found its span
_LOG_RECORDS = "log records"

# Of so many spans that tell of no model the ids are known, the newest
_OTHER_SPANS = 10_000


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a source of telemetry that can be read again: the ``number`` of what was read there, which grows, and
    when it was received (seconds since 1970). Noted with what came of it, in one transaction."""

    source: str
    number: int
    received_at: float


@dataclass(slots=True)
class _Arrived:
    """What came together: readings with their destinations, telemetry that waits to be read, what was skipped, what
    became of spans of LLM calls, and where all of it is from."""

    readings: list[RoutedCall] = field(default_factory=list)
    waiting: list[Span | LogRecord] = field(default_factory=list)
    skips: list[dialects.Skip] = field(default_factory=list)
    seen: list[tuple[SpanIds, str]] = field(default_factory=list)
    sources: list[Arrival] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Accepted:
    """``is_whole`` where all fitted into the outbox, ``is_news`` where there is something new in it."""

    is_whole: bool = True
    is_news: bool = False


class Acceptance:
    """``is_all_or_nothing`` is for a door whose sender can send again: where not all that came together can be stored,
    `OutboxError` is raised, and nothing of it is stored. ``takes_failed_calls``: see `settle.failed_calls`. ``clock``
    gives seconds since 1970."""

    def __init__(
        self,
        outbox: Outbox,
        selection: Selection,
        skips: Skips,
        arrivals: Arrivals,
        telemetry: Telemetry,
        warn: Callable[[str], None],
        *,
        settle_s: float,
        takes_failed_calls: bool,
        is_all_or_nothing: bool,
        clock: Callable[[], float],
    ) -> None:
        self._outbox, self._selection, self._skips = outbox, selection, skips
        self._arrivals, self._telemetry, self._warn = arrivals, telemetry, warn
        self._settle_s, self._takes_failed_calls = settle_s, takes_failed_calls
        self._is_all_or_nothing, self._clock = is_all_or_nothing, clock
        self._was_full = False
        self._is_outbox_broken = False
        # Spans of the application's own, in whose context an instrumentation may have written a call's log records
        self.other_spans: deque[SpanIds] = deque(maxlen=_OTHER_SPANS)
        # Without a door for log records, a span without content waits for none
        self.joins_log_records = False

    def accept_spans(
        self, spans: Iterable[Span], *, other_spans: Collection[SpanIds] = (), position: Position | None = None
    ) -> Accepted:
        """Read the spans and put their calls into the outbox.

        ``other_spans`` are the ids of further spans, which have been seen to tell of no model; ``position`` is where
        all of them were read.
        """
        accepted_at = position.received_at if position else self._clock()
        arrived = _Arrived()
        received = 0
        for span in spans:
            received += 1
            self._receive(span, accepted_at, arrived)
        accepted = self._store(arrived, position=position)
        self._note_arrivals(arrived.sources)
        self._telemetry.count("spans.received", received)
        self._pass_over(other_spans)
        self._each(self._skips.count, arrived.skips, "")
        return accepted

    def accept_log_records(self, log_records: Iterable[LogRecord], *, position: Position | None = None) -> Accepted:
        """Hold the records with content of LLM calls until their spans are there."""
        looked_at = self._each(lambda record: (record, is_content_event(record)), log_records, "log_records.unmatched")
        content: list[Span | LogRecord] = [record for record, is_content in looked_at if is_content]
        accepted = self._store(_Arrived(waiting=content), position=position)
        self._note_arrivals(Arrival(service_of(record), _LOG_RECORDS) for record in content)
        self._telemetry.count("log_records.received", len(content))
        return accepted

    def accept_calls(self, calls: Iterable[LLMCall | FoldedCall], *, may_be_stored: bool = False) -> Accepted:
        """Put calls that were read elsewhere, and may have been folded there, into the outbox.

        ``may_be_stored`` has each looked up before it is imported, for calls that an earlier run may have delivered.
        """
        now = self._clock()
        routed = self._each(lambda call: self._routed(call, now), calls)
        return self._store(_Arrived(list(chain.from_iterable(routed))), may_be_stored=may_be_stored)

    def _routed(self, call: LLMCall | FoldedCall, now: float) -> list[RoutedCall]:
        if isinstance(call, LLMCall):
            return self._selection.routed([call], now)
        return [
            replace(one, resource=call.resource, keys=tuple(map(key_text, call.keys_of(one.call))))
            for one in self._selection.routed([call.call], now, resource_attributes=call.resource_attributes)
        ]

    def read_to(self, source: str) -> int:
        """The number of the last position of a source from which something was stored; 0 if nothing was."""
        return int(self._outbox.notes.read(_read_to(source)) or 0)

    def _receive(self, span: Span, accepted_at: float, arrived: _Arrived) -> None:
        try:
            self._read(span, accepted_at, arrived)
        except Exception as error:  # one span that cannot be read must not cost the others of its batch
            self._warn(f"A span could not be read ({type(error).__name__}). Further ones are only counted.")
            arrived.skips.append(dialects.Skip(dialects.SkipReason.FAULT))

    def _read(self, span: Span, accepted_at: float, arrived: _Arrived) -> None:
        reading = dialects.read(span)
        arrived.sources += _arrivals_of(span, reading)
        if has_relatives(span) or (self.joins_log_records and waits_for_log_records(reading)):
            arrived.waiting.append(span)
            return
        if self._takes_failed_calls:
            reading = with_failed_calls(reading)
        if isinstance(reading, dialects.Skip):
            arrived.skips.append(reading)
        else:
            arrived.readings += self._selection.routed(reading, accepted_at, span)
        if not self.joins_log_records:
            return
        if isinstance(reading, dialects.Skip) and reading.reason is dialects.SkipReason.NOT_GENAI:
            self.other_spans.append((span.trace_id, span.span_id))
        else:
            arrived.seen.append(((span.trace_id, span.span_id), fate(reading).value))

    def _note_arrivals(self, arrivals: Iterable[Arrival]) -> None:
        """What an operator is shown costs no call."""
        try:
            self._arrivals.note(arrivals)
        except Exception as error:
            self._warn(f"What arrives could not be counted ({type(error).__name__}).")

    def _pass_over(self, other_spans: Collection[SpanIds]) -> None:
        self._telemetry.count("spans.received", len(other_spans))
        self._telemetry.count("spans.skipped", len(other_spans), reason=dialects.SkipReason.NOT_GENAI.value)
        if self.joins_log_records:
            self.other_spans.extend(other_spans)

    def _store(self, arrived: _Arrived, *, may_be_stored: bool = False, position: Position | None = None) -> Accepted:
        if not arrived.readings and not arrived.waiting and not arrived.seen:
            return Accepted()
        try:
            put, fit, waiting = self._write(arrived, may_be_stored, position)
        except Exception as error:
            if self._is_all_or_nothing:
                raise error if isinstance(error, OutboxError) else OutboxError(safe_text(error)) from None
            self._count_lost(arrived, error)
            return Accepted(is_whole=False)
        self._is_outbox_broken = False
        self._telemetry.count("calls.accepted", put.count(Put.ACCEPTED))
        self._telemetry.count("calls.repeated", put.count(Put.KNOWN))
        dropped = put.count(Put.FULL) + fit.count(False)
        self._count_dropped(dropped, waiting)
        return Accepted(is_whole=not dropped, is_news=bool(put or fit))

    def _write(
        self, arrived: _Arrived, may_be_stored: bool, position: Position | None
    ) -> tuple[list[Put], list[bool], int]:
        """One transaction for all that came together: what became of each item, and how many wait now."""
        due_at = self._clock() + self._settle_s
        accepting = self._outbox.accepting
        with self._outbox.transaction():
            is_empty = not len(self._outbox)
            self._was_full &= not is_empty
            put = self._each(
                lambda one: accepting.put(
                    one.call,
                    one.destination,
                    due_at=due_at,
                    resource=one.resource,
                    keys=one.keys,
                    may_be_stored=may_be_stored,
                ),
                arrived.readings,
            )
            fit = self._each(lambda telemetry: self._hold(telemetry, due_at), arrived.waiting)
            # Without it, log records wait for their span until nobody waits for it any longer
            self._each(lambda seen: accepting.note_seen([seen]), arrived.seen, "")
            if self._is_all_or_nothing and (Put.FULL in put or False in fit):
                raise OutboxFullError("the outbox is full", is_hopeless=is_empty)
            if position:
                self._outbox.notes.write(_read_to(position.source), str(position.number))
            self._outbox.check_in_place()
            return put, fit, len(self._outbox)

    def _hold(self, telemetry: Span | LogRecord, due_at: float) -> bool:
        """Whether it fits, at the cost of log records that wait for a span that may never come."""
        if self._outbox.accepting.hold(telemetry, due_at=due_at):
            return True
        given_up = self._outbox.accepting.make_room()
        self._telemetry.count("log_records.unmatched", given_up, reason="no_room")
        return given_up > 0 and self._outbox.accepting.hold(telemetry, due_at=due_at)

    def _count_lost(self, arrived: _Arrived, error: Exception) -> None:
        """The disk is full, or fails: said once until it works again."""
        self._telemetry.count("calls.dropped", len(arrived.readings) + len(arrived.waiting), reason="outbox_error")
        if not self._is_outbox_broken:
            _logger.error("New calls are dropped: %s", safe_text(error))
        self._is_outbox_broken = True

    def _count_dropped(self, dropped: int, waiting: int) -> None:
        """Said once until the outbox was empty: while it is worked off, single calls fit."""
        self._telemetry.count("calls.dropped", dropped, reason="outbox_full")
        if dropped and not self._was_full:
            self._was_full = True
            _logger.error(
                "The outbox is full, with %s: new calls are dropped (outbox_max_calls, outbox_max_bytes).",
                counted(waiting, "call"),
            )

    def _each(self, work: Callable[[_T], _R], items: Iterable[_T], lost: str = "calls.dropped") -> list[_R]:
        """What became of each item; those on which it fails cost themselves alone, counted as ``lost``."""
        results = []
        for item in items:
            try:
                results.append(work(item))
            except OutboxError:  # noqa: PERF203
                raise
            except Exception as error:
                self._warn(f"A call could not be stored ({type(error).__name__}). Further ones are only counted.")
                if lost:
                    self._telemetry.count(lost, reason="fault")
        return results


def _arrivals_of(span: Span, reading: tuple[LLMCall, ...] | dialects.Skip) -> list[Arrival]:
    """Nothing for a span that tells of no model."""
    dialect = reading.dialect if isinstance(reading, dialects.Skip) else reading[0].dialect if reading else ""
    return [Arrival(service_of(span), dialect)] if dialect else []


def _read_to(source: str) -> str:
    return f"read to, {source}"

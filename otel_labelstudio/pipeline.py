"""The one way through the house. Read this first.

    bytes, ReadableSpan --decode--> Span --read--> reading --redact--> (outbox)
                                                  (outbox) --settle--> call --build--> task --deliver--> Label Studio

============  =============================================================================================
decode        ``spans/``     a door makes `Span` and `LogRecord` of what it receives
read          ``dialects/``  a dialect makes `LLMCall` of a span, or says why it gives none
redact        ``selection.py``  the user's filter and the bound on media; the destination is fixed here too
outbox        ``outbox/``    accepted means: here
settle        ``settle/``    the readings of one call become one; content in log records finds its span
build         ``tasks/``     a call and the project's labeling configuration give a task
deliver       ``delivery/``  the worker brings what is pending to the sink
============  =============================================================================================

Everything up to the outbox happens on the caller's thread and asks no server; everything after it on the worker's.
"""

from __future__ import annotations

import time
import weakref
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import TypeVar

from otel_labelstudio import dialects, forking
from otel_labelstudio.calls import LLMCall
from otel_labelstudio.config import Settings
from otel_labelstudio.delivery.deliveries import Deliveries
from otel_labelstudio.delivery.election import Election
from otel_labelstudio.delivery.housekeeping import Housekeeping, Settling
from otel_labelstudio.delivery.label_studio.server import LabelStudioServer
from otel_labelstudio.delivery.label_studio.sink import LabelStudioSink, Waits
from otel_labelstudio.delivery.progress import DeliveryProgress
from otel_labelstudio.delivery.rechecks import Rechecks
from otel_labelstudio.delivery.sink import Sink
from otel_labelstudio.delivery.state import DeliveryState
from otel_labelstudio.delivery.worker import Worker
from otel_labelstudio.destinations.destination import Destination
from otel_labelstudio.dialects.relatives import has_relatives
from otel_labelstudio.dialects.shared.spanless import is_content_event
from otel_labelstudio.errors import OutboxError, OutboxFullError
from otel_labelstudio.outbox import Outbox
from otel_labelstudio.outbox.entry import DeadLetter, Put
from otel_labelstudio.printable import logger
from otel_labelstudio.routing import Route, Router, rules_of
from otel_labelstudio.selection import Addressed, Selection
from otel_labelstudio.settle.due import Settler
from otel_labelstudio.settle.held import fate, waits_for_log_records
from otel_labelstudio.skips import Skips
from otel_labelstudio.spans.model import LogRecord, Span, SpanIds
from otel_labelstudio.telemetry import Telemetry

_logger = logger(__name__)

_T = TypeVar("_T")
_R = TypeVar("_R")

_STRANGERS = 10_000


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a source of telemetry that can be read again: the ``number`` of what was read there, which grows, and
    when it was received (seconds since 1970). Noted with what came of it, in one transaction."""

    source: str
    number: int
    received_at: float


@dataclass(slots=True)
class _Arrived:
    """What came together: readings with their destinations, telemetry that waits to be read, what was skipped, and what
    became of spans of LLM calls."""

    readings: list[Addressed] = field(default_factory=list)
    waiting: list[Span | LogRecord] = field(default_factory=list)
    skips: list[dialects.Skip] = field(default_factory=list)
    seen: list[tuple[SpanIds, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Stored:
    """How many readings were accepted and how many were known, how many did not fit; whether nothing waited before, and
    how much does now."""

    accepted: int
    repeated: int
    dropped: int
    was_empty: bool
    waiting: int


class Pipeline:
    """From spans to tasks. Making one opens no connection and starts no thread.

    Doors with equal settings share one, see `open`: what a log record holds must meet its span.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        sink: Sink | None = None,
        clock: Callable[[], float] = time.time,
        routes: Sequence[Route] = (),
        is_all_or_nothing: bool = False,
    ) -> None:
        """``sink`` replaces the Label Studio of the settings; ``clock`` gives seconds since 1970.

        ``routes`` take some calls to projects of their own. ``is_all_or_nothing`` is for a door whose sender can send
        again: where not all that came together can be stored, `OutboxError` is raised, and nothing of it is stored.
        """
        self.settings = settings
        self._router = Router(settings, routes)
        self._is_all_or_nothing = is_all_or_nothing
        self._given_sink = sink
        self._clock = clock
        self.telemetry = Telemetry()
        self._doors = 1
        # Without a door for log records, a span without content waits for none
        self.joins_log_records = False
        self._build_stages()
        forking.register(self)

    @classmethod
    def open(cls, settings: Settings, *, for_log_records: bool = False) -> Pipeline:
        """The pipeline of these settings, one for all doors of this process; each door closes it."""
        with forking.opening:
            pipeline = _open_pipelines.get(settings)
            if pipeline is None:
                pipeline = _open_pipelines[settings] = cls(settings)
            else:
                pipeline._doors += 1
            pipeline.joins_log_records |= for_log_records
            pipeline.take_up_what_was_left()
            return pipeline

    def accept_spans(
        self, spans: Iterable[Span], *, strangers: Collection[SpanIds] = (), position: Position | None = None
    ) -> bool:
        """Read the spans and put their calls into the outbox; False when some did not fit.

        ``strangers`` are the ids of further spans, which have been seen to tell of no model; ``position`` is where all
        of them were read.
        """
        accepted_at = position.received_at if position else self._clock()
        arrived = _Arrived()
        received = 0
        for span in spans:
            received += 1
            self._receive(span, accepted_at, arrived)
        is_whole = self._store(arrived, position=position)
        self.telemetry.count("spans.received", received)
        self._pass_over(strangers)
        self._each(self._skips.count, arrived.skips, "")
        return is_whole

    def accept_log_records(self, log_records: Iterable[LogRecord], *, position: Position | None = None) -> bool:
        """Hold the records with content of LLM calls until their spans are there; False when some did not fit."""
        looked_at = self._each(lambda record: (record, is_content_event(record)), log_records, "log_records.unmatched")
        content: list[Span | LogRecord] = [record for record, is_content in looked_at if is_content]
        is_whole = self._store(_Arrived(waiting=content), position=position)
        self.telemetry.count("log_records.received", len(content))
        return is_whole

    def accept_calls(self, calls: Iterable[LLMCall], *, may_be_stored: bool = False) -> bool:
        """Put calls that were read elsewhere into the outbox; False when some did not fit.

        ``may_be_stored`` has each looked up before it is imported, for calls that an earlier run may have delivered.
        """
        now = self._clock()
        addressed = self._each(lambda call: self._selection.addressed([call], now), calls)
        return self._store(_Arrived(list(chain.from_iterable(addressed))), may_be_stored=may_be_stored)

    def take_up_what_was_left(self) -> None:
        """An earlier run's calls, and its rechecks, do not wait for this one's first call."""
        try:
            if self.settings.outbox and (len(self._outbox) or self._outbox.queue.next_recheck_in_s() < float("inf")):
                self._worker.notify()
        except Exception as error:
            _logger.error("Cannot read what an earlier run left in the outbox: %s", _said(error))  # noqa: TRY400

    def read_to(self, source: str) -> int:
        """The number of the last position of a source from which something was stored; 0 if nothing was."""
        return int(self._outbox.notes.read(_read_to(source)) or 0)

    def flush(self, timeout_s: float) -> bool:
        """Settle and deliver what waits; whether all of it was delivered within the time."""
        return self._drain(timeout_s)

    def close(self, timeout_s: float) -> bool:
        """A door closes; the last one settles and delivers what waits. Whether all was delivered within the time."""
        with forking.opening:
            self._doors -= 1
            if self._doors > 0:
                return True
            if _open_pipelines.get(self.settings) is self:
                del _open_pipelines[self.settings]
        deadline = time.monotonic() + timeout_s
        is_empty = self._drain(timeout_s, is_last=True)
        self._stop(deadline - time.monotonic())
        if not is_empty:
            self._say_what_is_left()
        return is_empty

    def progress(self) -> DeliveryProgress:
        """How far delivery has come; raises `OutboxError` where the outbox cannot be read."""
        paused = [str(Destination.loads(destination)) for destination in self._deliveries.paused()]
        return DeliveryProgress.of(self.telemetry.counts(), len(self._outbox), paused)

    def dead_letters(self) -> list[DeadLetter]:
        """The calls that were refused for good."""
        return self._outbox.dead_letters.all()

    def _build_stages(self) -> None:
        settings = self.settings
        self._was_full = False
        self._is_outbox_broken = False
        self._warnings: set[str] = set()
        # Spans of the application's own, in whose context an instrumentation may have written a call's log records
        self._strangers: deque[SpanIds] = deque(maxlen=_STRANGERS)
        self._skips = Skips(self.telemetry, self._warn_once)
        self._selection = Selection(settings, self._router, self.telemetry, self._warn_once)
        self._outbox = Outbox(
            settings.outbox,
            max_calls=settings.outbox_max_calls,
            max_bytes=settings.outbox_max_bytes,
            clock=self._clock,
        )
        self.telemetry.watch(self._outbox)
        sink = self._given_sink or self._label_studio()
        deliveries = self._deliveries = Deliveries(
            self._outbox,
            sink,
            self.telemetry,
            batch_size=settings.batch_size,
            max_new_projects=settings.max_new_projects,
        )
        jobs = (
            Housekeeping(self._outbox),
            Settling(self._outbox, self._settler()),
            deliveries,
            Rechecks(self._outbox.queue, sink),
        )
        self._worker = Worker(self._outbox, deliveries, jobs, Election(settings.outbox))
        self._state = DeliveryState(self._outbox, deliveries)
        self.telemetry.observe(self._state)

    def _settler(self) -> Settler:
        return Settler(
            self._outbox,
            self._selection,
            self.telemetry,
            self._skips,
            self._strangers,
            settle_s=self.settings.settle_s,
            clock=self._clock,
        )

    def _label_studio(self) -> LabelStudioSink:
        settings = self.settings
        return LabelStudioSink(
            LabelStudioServer(settings.url, settings.api_key, settings.timeout_s, settings.import_timeout_s),
            rules_of(settings),
            Waits(settings.resend_wait_s, settings.recheck_wait_s),
            self.telemetry,
            self._clock,
            self._router.rules,
            deletes_duplicates=settings.delete_duplicates,
        )

    def _receive(self, span: Span, accepted_at: float, arrived: _Arrived) -> None:
        try:
            self._read(span, accepted_at, arrived)
        except Exception as error:  # one span that cannot be read must not cost the others of its batch
            self._warn_once(f"A span could not be read ({type(error).__name__}). Further ones are only counted.")
            arrived.skips.append(dialects.Skip(dialects.SkipReason.FAULT))

    def _read(self, span: Span, accepted_at: float, arrived: _Arrived) -> None:
        reading = dialects.read(span)
        if has_relatives(span) or (self.joins_log_records and waits_for_log_records(reading)):
            arrived.waiting.append(span)
            return
        if isinstance(reading, dialects.Skip):
            arrived.skips.append(reading)
        else:
            arrived.readings += self._selection.addressed(reading, accepted_at, span)
        if not self.joins_log_records:
            return
        if isinstance(reading, dialects.Skip) and reading.reason is dialects.SkipReason.NOT_GENAI:
            self._strangers.append((span.trace_id, span.span_id))
        else:
            arrived.seen.append(((span.trace_id, span.span_id), fate(reading).value))

    def _pass_over(self, strangers: Collection[SpanIds]) -> None:
        self.telemetry.count("spans.received", len(strangers))
        self.telemetry.count("spans.skipped", len(strangers), reason=dialects.SkipReason.NOT_GENAI.value)
        if self.joins_log_records:
            self._strangers.extend(strangers)

    def _store(self, arrived: _Arrived, *, may_be_stored: bool = False, position: Position | None = None) -> bool:
        """One transaction for all that came together."""
        if not arrived.readings and not arrived.waiting and not arrived.seen:
            return True
        try:
            with self._outbox.transaction():
                stored = self._put(arrived, may_be_stored)
                if position:
                    self._outbox.notes.write(_read_to(position.source), str(position.number))
        except Exception as error:
            if self._is_all_or_nothing:
                raise error if isinstance(error, OutboxError) else OutboxError(_said(error)) from None
            self._say_not_stored(error, len(arrived.readings) + len(arrived.waiting))
            return False
        self._is_outbox_broken = False
        self._was_full &= not stored.was_empty
        self.telemetry.count("calls.accepted", stored.accepted)
        self.telemetry.count("calls.repeated", stored.repeated)
        self.telemetry.count("calls.dropped", stored.dropped, reason="outbox_full")
        if stored.dropped and not self._was_full:  # once until it was empty: while it is worked off, single calls fit
            self._was_full = True
            _logger.error(
                "The outbox is full (%d calls wait): new calls are dropped (outbox_max_calls, outbox_max_bytes).",
                stored.waiting,
            )
        self._wake()
        return not stored.dropped

    def _put(self, arrived: _Arrived, may_be_stored: bool) -> _Stored:
        due_at = self._clock() + self.settings.settle_s
        outbox, accepting = self._outbox, self._outbox.accepting
        was_empty = not len(outbox)
        put = self._each(
            lambda reading: accepting.put(*reading, due_at=due_at, may_be_stored=may_be_stored), arrived.readings
        )
        fit = self._each(lambda telemetry: accepting.hold(telemetry, due_at=due_at), arrived.waiting)
        # Without it, log records wait for their span until nobody waits for it any longer
        self._each(lambda seen: accepting.note_seen([seen]), arrived.seen, "")
        dropped = put.count(Put.FULL) + fit.count(False)
        if dropped and self._is_all_or_nothing:
            raise OutboxFullError("the outbox is full", is_hopeless=was_empty)
        return _Stored(put.count(Put.ACCEPTED), put.count(Put.KNOWN), dropped, was_empty, len(outbox))

    def _each(self, work: Callable[[_T], _R], items: Iterable[_T], lost: str = "calls.dropped") -> list[_R]:
        """What became of each item; those on which it fails cost themselves alone, counted as ``lost``."""
        results = []
        for item in items:
            try:
                results.append(work(item))
            except OutboxError:  # noqa: PERF203
                raise
            except Exception as error:
                self._warn_once(f"A call could not be stored ({type(error).__name__}). Further ones are only counted.")
                if lost:
                    self.telemetry.count(lost, reason="fault")
        return results

    def _wake(self) -> None:
        try:
            self._worker.notify()
        except Exception as error:  # what is stored is stored, and the next call wakes it
            self._warn_once(f"The delivery thread could not be woken ({type(error).__name__}).")

    def _drain(self, timeout_s: float, *, is_last: bool = False) -> bool:
        try:
            return self._worker.drain(timeout_s, is_last=is_last)
        except Exception as error:
            _logger.error("Cannot wait for what is to be delivered: %s", _said(error))  # noqa: TRY400
            return False

    def _stop(self, timeout_s: float) -> None:
        try:
            self._worker.stop(timeout_s)
        except Exception as error:
            _logger.error("The delivery thread could not be stopped: %s", _said(error))  # noqa: TRY400

    def _say_not_stored(self, error: Exception, number: int) -> None:
        self.telemetry.count("calls.dropped", number, reason="outbox_error")
        if not self._is_outbox_broken:
            _logger.error("New calls are dropped: %s", _said(error))
        self._is_outbox_broken = True

    def _warn_once(self, text: str) -> None:
        if text not in self._warnings:
            self._warnings.add(text)
            _logger.warning("%s", text)

    def _say_what_is_left(self) -> None:
        try:
            left = len(self._outbox)
        except Exception as error:
            _logger.error("Cannot read what is left in the outbox: %s", _said(error))  # noqa: TRY400
            return
        if self.settings.outbox:
            _logger.warning("%d calls stay in the outbox %s for the next start.", left, self.settings.outbox)
        else:
            self.telemetry.count("calls.dropped", left, reason="shutdown")
            _logger.error("%d calls were not delivered to %s before the shutdown.", left, self.settings.url)

    # -- forking ---------------------------------------------------------------------------------------------------

    def before_fork(self) -> None:
        """No thread is inside SQLite while the process is copied."""
        self._outbox.lock()

    def after_fork_in_parent(self) -> None:
        """The end of `before_fork`."""
        self._outbox.unlock()

    def after_fork_in_child(self) -> None:
        """The parent delivers what it holds. The worker's locks and connection may have been in use by a thread that
        does not exist here: they are left alone, not closed."""
        self._outbox.unlock()
        _inherited.append((self._outbox, self._worker))
        self.telemetry = Telemetry()
        self._build_stages()


def _said(error: Exception) -> str:
    """What a log line says of an error: of one that nobody foresaw, no text, which may hold what people asked."""
    return str(error) if isinstance(error, OutboxError) else f"unexpected {type(error).__name__}"


def _read_to(source: str) -> str:
    return f"read to, {source}"


_open_pipelines: weakref.WeakValueDictionary[Settings, Pipeline] = weakref.WeakValueDictionary()
_inherited: list[object] = []

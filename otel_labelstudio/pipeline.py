"""The one way through the house. Read this first.

    bytes, ReadableSpan --decode--> Span --read--> reading --filter, outbox, settle--> call --build--> Task --deliver-->

============  =============================================================================================
decode        ``spans/``     a door makes `Span` and `LogRecord` of what it receives
read          ``dialects/``  a dialect makes `LLMCall` of a span, or says why it gives none
filter        ``filters.py``   a function of the user's: from a call to a call or None
outbox        ``delivery/outbox.py``   accepted means: here; the destination is fixed here (``routing.py``)
settle        ``folding.py``, ``holding.py``   the readings of one call become one; content finds its span
build         ``tasks/``     a call and the project's labeling configuration give a task
deliver       ``delivery/``  the worker brings what is pending to the sink
============  =============================================================================================

Everything up to the outbox happens on the caller's thread and asks no server; everything after it on the worker's.
"""

from __future__ import annotations

import logging
import time
import weakref
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from otel_labelstudio import dialects, forking, holding
from otel_labelstudio.calls import LLMCall
from otel_labelstudio.config import Settings
from otel_labelstudio.delivery.election import Election
from otel_labelstudio.delivery.label_studio import LabelStudioServer
from otel_labelstudio.delivery.letters import DeadLetter, Put
from otel_labelstudio.delivery.outbox import Outbox
from otel_labelstudio.delivery.sink import LabelStudioSink, Sink, Waits
from otel_labelstudio.delivery.worker import Worker
from otel_labelstudio.dialects.relatives import has_relatives
from otel_labelstudio.dialects.shared.spanless import is_content_event
from otel_labelstudio.errors import OutboxError, OutboxFullError
from otel_labelstudio.filters import filtered
from otel_labelstudio.holding import Addressed, HeldTelemetry
from otel_labelstudio.media import without_large_media
from otel_labelstudio.routing import Route, Router, rules_of
from otel_labelstudio.spans.model import LogRecord, Span, SpanIds
from otel_labelstudio.telemetry import Telemetry

_logger = logging.getLogger(__name__)

_STRANGERS = 10_000


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a source of telemetry that can be read again: the ``number`` of what was read there, which grows, and
    when it was received (seconds since 1970). Noted with what came of it, in one transaction."""

    source: str
    number: int
    received_at: float


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
        readings: list[Addressed] = []
        waiting: list[Span] = []
        skipped: list[tuple[dialects.Skip, Span]] = []
        received = 0
        for span in spans:
            received += 1
            reading = self._read(span)
            lacks_records = self.joins_log_records and holding.may_lack_log_records(reading)
            if lacks_records or has_relatives(span):
                waiting.append(span)
            elif isinstance(reading, dialects.Skip):
                skipped.append((reading, span))
            else:
                readings += self._addressed(reading, accepted_at, span)
        is_whole = self._store(readings, [(holding.SPAN, span) for span in waiting], position=position)
        self.telemetry.count("spans.received", received)
        self._pass_over(strangers)
        for skip, span in skipped:
            self._skip(skip)
            if self.joins_log_records and skip.reason is dialects.SkipReason.NOT_GENAI:
                self._strangers.append((span.trace_id, span.span_id))
        return is_whole

    def accept_log_records(self, log_records: Iterable[LogRecord], *, position: Position | None = None) -> bool:
        """Hold the records with content of LLM calls until their spans are there; False when some did not fit."""
        content = [record for record in log_records if is_content_event(record)]
        is_whole = self._store([], [(holding.LOG_RECORD, record) for record in content], position=position)
        self.telemetry.count("log_records.received", len(content))
        return is_whole

    def accept_calls(self, calls: Iterable[LLMCall], *, may_be_stored: bool = False) -> bool:
        """Put calls that were read elsewhere into the outbox; False when some did not fit.

        ``may_be_stored`` has each looked up before it is imported, for calls that an earlier run may have delivered.
        """
        return self._store(self._addressed(calls, self._clock()), [], may_be_stored=may_be_stored)

    def take_up_what_was_left(self) -> None:
        """An earlier run's calls, and its audits, do not wait for this one's first call."""
        try:
            if self.settings.outbox and (len(self._outbox) or self._outbox.next_audit_at() < float("inf")):
                self._worker.notify()
        except OutboxError as error:
            _logger.error("What an earlier run left cannot be told: %s", error)  # noqa: TRY400

    def read_to(self, source: str) -> int:
        """The number of the last position of a source from which something was stored; 0 if nothing was."""
        return int(self._outbox.noted(_read_to(source)) or 0)

    def flush(self, timeout_s: float) -> bool:
        """Settle and deliver what waits; whether all of it was delivered within the time."""
        return self._worker.drain(timeout_s)

    def close(self, timeout_s: float) -> bool:
        """A door closes; the last one settles and delivers what waits. Whether all was delivered within the time."""
        with forking.opening:
            self._doors -= 1
            if self._doors > 0:
                return True
            if _open_pipelines.get(self.settings) is self:
                del _open_pipelines[self.settings]
        is_empty = self._worker.drain(timeout_s, is_last=True)
        self._worker.stop()
        if not is_empty:
            self._say_what_is_left()
        return is_empty

    def dead_letters(self) -> list[DeadLetter]:
        """The calls that were refused for good."""
        return self._outbox.dead_letters()

    def _build_stages(self) -> None:
        settings = self.settings
        self._was_full = False
        self._is_outbox_broken = False
        self._warnings: set[str] = set()
        # Spans of the application's own, in whose context an instrumentation may have written a call's log records
        self._strangers: deque[SpanIds] = deque(maxlen=_STRANGERS)
        self._outbox = Outbox(
            settings.outbox,
            max_calls=settings.outbox_max_calls,
            max_bytes=settings.outbox_max_bytes,
            clock=self._clock,
        )
        self.telemetry.watch(self._outbox)
        self._held = HeldTelemetry(
            self._outbox,
            self.telemetry,
            address=lambda calls, span: self._addressed(calls, self._clock(), span),
            skip=self._skip,
            settle_s=settings.settle_s,
            clock=self._clock,
        )
        sink = self._given_sink or LabelStudioSink(
            LabelStudioServer(settings.url, settings.api_key, settings.timeout_s, settings.import_timeout_s),
            rules_of(settings),
            Waits(settings.doubt_wait_s, settings.audit_wait_s),
            self.telemetry,
            self._clock,
            self._router.rules,
        )
        self._worker = Worker(
            self._outbox,
            sink,
            self.telemetry,
            settle=self._settle,
            election=Election(settings.outbox),
            batch_size=settings.batch_size,
            clock=self._clock,
        )

    def _read(self, span: Span) -> tuple[LLMCall, ...] | dialects.Skip:
        try:
            return dialects.read(span)
        except Exception as error:  # one span that cannot be read must not cost the others of its batch
            self._warn_once(f"A span could not be read ({type(error).__name__}). Further ones are only counted.")
            return dialects.Skip(dialects.SkipReason.FAULT)

    def _pass_over(self, strangers: Collection[SpanIds]) -> None:
        self.telemetry.count("spans.received", len(strangers))
        self.telemetry.count("spans.skipped", len(strangers), reason=dialects.SkipReason.NOT_GENAI.value)
        if self.joins_log_records:
            self._strangers.extend(strangers)

    def _addressed(self, calls: Iterable[LLMCall], accepted_at: float, span: Span | None = None) -> list[Addressed]:
        """What the filter lets through of the calls of a span, and where it goes."""
        kept = filtered(calls, self.settings.call_filter, self.telemetry, self._warn_once)
        if not kept:
            return []
        destination = self._router.destination(span, datetime.fromtimestamp(accepted_at)).dumps()
        return [(call, destination) for call in kept]

    def _store(
        self,
        readings: list[Addressed],
        held: list[tuple[str, Span | LogRecord]],
        *,
        may_be_stored: bool = False,
        position: Position | None = None,
    ) -> bool:
        """One transaction for all that came together."""
        if not readings and not held:
            return True
        readings = [(without_large_media(call, self.settings.media_max_bytes), to) for call, to in readings]
        due_at = self._clock() + self.settings.settle_s
        try:
            with self._outbox.transaction():
                is_empty = not len(self._outbox)
                self._was_full &= not is_empty
                put = [self._outbox.put(call, to, due_at=due_at, in_doubt=may_be_stored) for call, to in readings]
                fit = [self._outbox.hold(kind, holding.to_body(t), due_at=due_at) for kind, t in held]
                dropped = put.count(Put.FULL) + fit.count(False)
                if dropped and self._is_all_or_nothing:
                    raise OutboxFullError("the outbox is full", is_hopeless=is_empty)
                if position:
                    self._outbox.note(_read_to(position.source), str(position.number))
        except OutboxError as error:
            if self._is_all_or_nothing:
                raise
            self.telemetry.count("calls.dropped", len(readings) + len(held), reason="outbox_error")
            if not self._is_outbox_broken:
                _logger.error("New calls are dropped: %s", error)  # noqa: TRY400 - the message says it all
            self._is_outbox_broken = True
            return False
        self._is_outbox_broken = False
        self.telemetry.count("calls.accepted", put.count(Put.ACCEPTED))
        self.telemetry.count("calls.repeated", put.count(Put.KNOWN))
        self.telemetry.count("calls.dropped", dropped, reason="outbox_full")
        if dropped and not self._was_full:  # once until it was empty: while it is worked off, single calls fit
            self._was_full = True
            _logger.error(
                "The outbox is full (%d calls wait): new calls are dropped (outbox_max_calls, outbox_max_bytes).",
                len(self._outbox),
            )
        self._worker.notify()
        return not dropped

    def _settle(self, due_by: float) -> None:
        """What has waited long enough becomes calls; on the worker's thread."""
        self._held.settle(due_by, self._strangers)
        self.telemetry.count("calls.late_twins", self._outbox.settle(due_by))

    def _skip(self, skip: dialects.Skip) -> None:
        self.telemetry.count("spans.skipped", reason=skip.reason.value)
        if skip.hint:
            self._warn_once(f"LLM calls arrive without their content: {skip.hint}")

    def _warn_once(self, text: str) -> None:
        if text not in self._warnings:
            self._warnings.add(text)
            _logger.warning("%s", text)

    def _say_what_is_left(self) -> None:
        try:
            left = len(self._outbox)
        except OutboxError as error:
            _logger.error("What is left in the outbox cannot be told: %s", error)  # noqa: TRY400
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


def _read_to(source: str) -> str:
    return f"read to, {source}"


_open_pipelines: weakref.WeakValueDictionary[Settings, Pipeline] = weakref.WeakValueDictionary()
_inherited: list[object] = []

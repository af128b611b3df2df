"""The one way through the house. Read this first.

    bytes, ReadableSpan --decode--> Span --read--> reading --redact--> (outbox)
                                                  (outbox) --settle--> call --build--> task --deliver--> Label Studio

============  =============================================================================================
decode        ``spans/``     a door makes `Span` and `LogRecord` of what it receives
read          ``dialects/``  a dialect makes `LLMCall` of a span, or says why it gives none
redact        ``filters/``   the user's filter and the bound on media; the destination is fixed here too
outbox        ``outbox/``    accepted means: here (``acceptance.py``)
settle        ``settle/``    the readings of one call become one; content in log records finds its span
build         ``tasks/``     a call and the project's labeling configuration give a task
deliver       ``delivery/``  the worker brings what is pending to the sink
============  =============================================================================================

Everything up to the outbox happens on the caller's thread and asks no server; everything after it on the worker's.
"""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Collection, Iterable, Sequence

from otel_labelstudio import forking
from otel_labelstudio.acceptance import Acceptance, Accepted, Position
from otel_labelstudio.arrivals import Arrivals
from otel_labelstudio.calls import LLMCall
from otel_labelstudio.delivery.deliveries import Deliveries
from otel_labelstudio.delivery.election import Election
from otel_labelstudio.delivery.housekeeping import Housekeeping, Settling
from otel_labelstudio.delivery.label_studio.batch_context import Waits
from otel_labelstudio.delivery.label_studio.sink import LabelStudioSink
from otel_labelstudio.delivery.lanes import Lanes
from otel_labelstudio.delivery.progress import DeliveryProgress
from otel_labelstudio.delivery.rechecks import Rechecks
from otel_labelstudio.delivery.sink import Sink
from otel_labelstudio.delivery.worker import Worker
from otel_labelstudio.destinations.destination import Destination
from otel_labelstudio.errors import safe_text
from otel_labelstudio.filters.selection import Selection
from otel_labelstudio.outbox import Outbox
from otel_labelstudio.outbox.entry import DeadLetter
from otel_labelstudio.outbox.sent_to import SentTo
from otel_labelstudio.overview import PipelineOverview
from otel_labelstudio.printable import counted, logger
from otel_labelstudio.routing import Route, Router, rules_of
from otel_labelstudio.servers import server_of
from otel_labelstudio.settings import Settings
from otel_labelstudio.settle.due import Settler
from otel_labelstudio.settle.fold import FoldedCall
from otel_labelstudio.skips import Skips
from otel_labelstudio.spans.model import LogRecord, Span, SpanIds
from otel_labelstudio.telemetry import Telemetry

_logger = logger(__name__)


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
        self._must_end_at = float("inf")
        self._joins_log_records = False
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

    @classmethod
    def all_open(cls) -> list[Pipeline]:
        """Those of this process that a door has opened and not closed."""
        with forking.opening:
            return list(_open_pipelines.values())

    @property
    def joins_log_records(self) -> bool:
        """Whether there is a door for log records: without one, a span without content waits for none."""
        return self._joins_log_records

    @joins_log_records.setter
    def joins_log_records(self, is_so: bool) -> None:
        self._joins_log_records = self._acceptance.joins_log_records = is_so

    def accept_spans(
        self, spans: Iterable[Span], *, other_spans: Collection[SpanIds] = (), position: Position | None = None
    ) -> bool:
        """Read the spans and put their calls into the outbox; False when some did not fit.

        ``other_spans`` are the ids of further spans, which have been seen to tell of no model; ``position`` is where
        all of them were read.
        """
        return self._told(self._acceptance.accept_spans(spans, other_spans=other_spans, position=position))

    def accept_log_records(self, log_records: Iterable[LogRecord], *, position: Position | None = None) -> bool:
        """Hold the records with content of LLM calls until their spans are there; False when some did not fit."""
        return self._told(self._acceptance.accept_log_records(log_records, position=position))

    def accept_calls(self, calls: Iterable[LLMCall | FoldedCall], *, may_be_stored: bool = False) -> bool:
        """Put calls that were read elsewhere, and may have been folded there, into the outbox; False when some did not
        fit.

        ``may_be_stored`` has each looked up before it is imported, for calls that an earlier run may have delivered.
        """
        return self._told(self._acceptance.accept_calls(calls, may_be_stored=may_be_stored))

    def take_up_what_was_left(self) -> None:
        """An earlier run's calls, and its rechecks, do not wait for this one's first call."""
        try:
            if self.settings.outbox and (len(self._outbox) or self._outbox.queue.next_recheck_in_s() < float("inf")):
                self._worker.notify()
        except Exception as error:
            _logger.error("Cannot read what an earlier run left in the outbox: %s", safe_text(error))  # noqa: TRY400

    def read_to(self, source: str) -> int:
        """The number of the last position of a source from which something was stored; 0 if nothing was."""
        return self._acceptance.read_to(source)

    def check_outbox(self) -> None:
        """Raises `OutboxGoneError` where the outbox's file was removed or replaced, and takes nothing any more."""
        self._outbox.check_in_place()

    @property
    def sent_to(self) -> SentTo:
        """To which projects calls of each destination were sent."""
        return self._outbox.sent_to

    def flush(self, timeout_s: float) -> bool:
        """Settle and deliver what waits; whether all of it was delivered within the time."""
        return self._drain(timeout_s)

    def must_end_by(self, deadline: float) -> None:
        """Closing lasts no longer than to this time (of `time.monotonic`), whatever time the doors are given."""
        self._must_end_at = deadline

    def close(self, timeout_s: float, *, is_kept_elsewhere: bool = False) -> bool:
        """A door closes; the last one settles and delivers what waits. Whether all was delivered within the time.

        What was not is logged as lost unless it ``is_kept_elsewhere``, as in a file that can be sent again.
        """
        with forking.opening:
            self._doors -= 1
            if self._doors > 0:
                return True
            if _open_pipelines.get(self.settings) is self:
                del _open_pipelines[self.settings]
        deadline = min(time.monotonic() + timeout_s, self._must_end_at)
        is_empty = self._drain(deadline - time.monotonic(), is_last=True)
        self._stop(deadline - time.monotonic())
        if not is_empty and not is_kept_elsewhere:
            self._say_what_is_left()
        return is_empty

    def progress(self) -> DeliveryProgress:
        """How far delivery has come; raises `OutboxError` where the outbox cannot be read."""
        paused = [str(Destination.loads(destination)) for destination in self._deliveries.paused()]
        return DeliveryProgress.of(self.telemetry.counts(), len(self._outbox), paused)

    def dead_letters(self) -> list[DeadLetter]:
        """The calls that were refused for good."""
        return self._outbox.dead_letters.all()

    def overview(self, most: int) -> PipelineOverview:
        """What an operator looks at, with at most so many of each kind; raises `OutboxError`."""
        outbox = self._outbox.figures.status(most)
        return PipelineOverview.of(outbox, self._arrivals.sources(), self.telemetry.counts(), self._skips.hints(), most)

    def retry_dead_letters(self) -> int:
        """Deliver them after all, once their cause is corrected; how many there were. Raises `OutboxError`."""
        number = self._outbox.dead_letters.retry()
        self._wake()
        return number

    def _told(self, accepted: Accepted) -> bool:
        if accepted.is_news:
            self._wake()
        return accepted.is_whole

    def _build_stages(self) -> None:
        settings = self.settings
        self._warnings: set[str] = set()
        self._arrivals = Arrivals(self._clock)
        self._skips = Skips(self.telemetry, self._arrivals, self._warn_once)
        self._selection = Selection(settings, self._router, self.telemetry, self._warn_once)
        self._outbox = Outbox(
            settings.outbox,
            max_calls=settings.outbox_max_calls,
            max_bytes=settings.outbox_max_bytes,
            clock=self._clock,
        )
        self.telemetry.watch(self._outbox)
        self._acceptance = Acceptance(
            self._outbox,
            self._selection,
            self._skips,
            self._arrivals,
            self.telemetry,
            self._warn_once,
            settle_s=settings.settle_s,
            takes_failed_calls=settings.failed_calls,
            is_all_or_nothing=self._is_all_or_nothing,
            clock=self._clock,
        )
        self._acceptance.joins_log_records = self._joins_log_records
        sink, lanes = self._given_sink or self._label_studio(), Lanes()
        deliveries = self._deliveries = Deliveries(
            self._outbox,
            sink,
            self.telemetry,
            lanes,
            batch_size=settings.batch_size,
            max_new_projects=settings.max_new_projects,
        )
        jobs = (
            Housekeeping(self._outbox),
            Settling(self._outbox, self._settler()),
            deliveries,
            Rechecks(self._outbox.queue, sink, lanes),
        )
        self._election = Election(settings.outbox, lambda: self._outbox.is_kept)
        self._worker = Worker(self._outbox, deliveries, jobs, self._election)
        self.telemetry.observe(self._outbox.figures)

    def _settler(self) -> Settler:
        return Settler(
            self._outbox,
            self._selection,
            self.telemetry,
            self._skips,
            self._acceptance.other_spans,
            settle_s=self.settings.settle_s,
            takes_failed_calls=self.settings.failed_calls,
            clock=self._clock,
        )

    def _label_studio(self) -> LabelStudioSink:
        settings = self.settings
        return LabelStudioSink(
            server_of(settings),
            rules_of(settings),
            Waits(settings.resend_wait_s, settings.recheck_wait_s),
            self.telemetry,
            self._clock,
            self._router.rules,
            deletes_duplicates=settings.delete_duplicates,
        )

    def _warn_once(self, text: str) -> None:
        if text not in self._warnings:
            self._warnings.add(text)
            _logger.warning("%s", text)

    def _wake(self) -> None:
        try:
            self._worker.notify()
        except Exception as error:  # what is stored is stored, and the next call wakes it
            self._warn_once(f"The delivery thread could not be woken ({type(error).__name__}).")

    def _drain(self, timeout_s: float, *, is_last: bool = False) -> bool:
        try:
            return self._worker.drain(timeout_s, is_last=is_last)
        except Exception as error:
            _logger.error("Cannot wait for what is to be delivered: %s", safe_text(error))  # noqa: TRY400
            return False

    def _stop(self, timeout_s: float) -> None:
        try:
            self._worker.stop(timeout_s)
        except Exception as error:
            _logger.error("The delivery thread could not be stopped: %s", safe_text(error))  # noqa: TRY400

    def _say_what_is_left(self) -> None:
        try:
            left, is_kept = len(self._outbox), self._outbox.is_kept
        except Exception as error:
            _logger.error("Cannot read what is left in the outbox: %s", safe_text(error))  # noqa: TRY400
            return
        if not left:  # the last ones were delivered just after the time
            return
        calls = counted(left, "call")
        if is_kept and self._worker.is_another_elected:
            _logger.info("Another process delivers %s from the outbox %s.", calls, self.settings.outbox)
        elif is_kept:
            _logger.warning("The outbox %s keeps %s for the next start.", self.settings.outbox, calls)
        else:
            self.telemetry.count("calls.dropped", left, reason="shutdown")
            _logger.error(
                "Lost at the shutdown: %s not delivered to %s; an outbox in a file keeps such calls for the next start "
                "(outbox=, OTEL_EXPORTER_LABELSTUDIO_OUTBOX).",
                calls,
                self.settings.url,
            )

    # -- forking ---------------------------------------------------------------------------------------------------

    def before_fork(self) -> None:
        """No thread is inside SQLite, or opens a file, while the process is copied."""
        self._outbox.lock()
        self._election.before_fork()

    def after_fork_in_parent(self) -> None:
        """The end of `before_fork`."""
        self._election.after_fork_in_parent()
        self._outbox.unlock()

    def after_fork_in_child(self) -> None:
        """The parent delivers what it holds. The worker's locks and connection may have been in use by a thread that
        does not exist here: they are left alone, not closed."""
        self._election.leave_to_parent()
        self._outbox.unlock()
        _inherited.append((self._outbox, self._worker))
        self.telemetry.leave_to_parent(self._outbox, self._outbox.figures)
        self.telemetry = Telemetry()
        self._build_stages()


_open_pipelines: weakref.WeakValueDictionary[Settings, Pipeline] = weakref.WeakValueDictionary()
_inherited: list[object] = []

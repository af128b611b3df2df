"""The thread that brings what is due in the outbox to the sink.

It starts with the first call and is a daemon: it never keeps a process alive, `drain` waits for it. Its own HTTP calls
are not traced. A destination that fails waits by itself: one project's trouble does not hold up another's calls.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from opentelemetry import context
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY

from otel_labelstudio.delivery.election import Election
from otel_labelstudio.delivery.letters import Letter
from otel_labelstudio.delivery.outbox import Outbox
from otel_labelstudio.delivery.retry import Backoff
from otel_labelstudio.delivery.sink import Sink
from otel_labelstudio.delivery.targets import Destination
from otel_labelstudio.errors import (
    DeliveryError,
    OutboxError,
    PausedDeliveryError,
    RetryableDeliveryError,
    UnknownOutcomeError,
)
from otel_labelstudio.printable import logger
from otel_labelstudio.telemetry import Telemetry

_logger = logger(__name__)

_MAX_IMPORT_BYTES = 32 * 2**20
# How long the thread sleeps while calls wait: a new one wakes it only where none did
_LONGEST_SLEEP_S = 1.0
# How often a process asks whether the one that delivers has died
_ELECTION_WAIT_S = 1.0
# Delivered calls that are looked up at once, and when to try again where that failed
_AUDIT_LIMIT = 1000
_AUDIT_RETRY_S = 60.0
# The pause after settling, as a multiple of what that took
_SETTLE_SHARE = 20
# A call on which the server fails each time, by itself too, waits so long: it must not hold up all others
_SET_ASIDE_AFTER, _SET_ASIDE_S = 3, 60.0
# A clock that is set by less is only kept in step
_CLOCK_SLACK_S = 1.0
# After the outbox could not be written
_OUTBOX_WAIT_S = 1.0
_FOREVER = float("inf")


@dataclass(slots=True)
class _Trouble:
    """A destination that failed: how many calls to try next and when, when the server allows it, what was said."""

    limit: int
    failed_alone: int = 0
    backoff: Backoff = field(default_factory=Backoff)
    retry_at: float = 0.0
    allowed_at: float = 0.0
    said: str = ""


class Worker:
    """Settles and delivers in the background. ``clock`` is seconds, comparable with the outbox's due times; ``settle``
    makes calls of what is due by a time."""

    def __init__(
        self,
        outbox: Outbox,
        sink: Sink,
        telemetry: Telemetry,
        *,
        settle: Callable[[float], None],
        election: Election,
        batch_size: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._outbox, self._sink, self._telemetry = outbox, sink, telemetry
        self._settle, self._election = settle, election
        self._batch_size, self._clock = batch_size, clock
        self._is_elected = False
        self._is_another_elected = False
        self._is_outbox_broken = False
        self._said_fault = ""
        self._audit_at = 0.0
        self._settle_at = 0.0
        self._seen_at = 0.0
        self._wake = threading.Condition()
        self._thread: threading.Thread | None = None
        self._delivering = threading.Lock()
        self._has_news = False  # since the thread last looked
        self._is_idle = False  # the thread sleeps until it is woken
        self._hurry = 0  # how many callers wait for an empty outbox
        self._stopped = False
        self._troubles: dict[str, _Trouble] = {}

    def notify(self) -> None:
        """There is something new in the outbox."""
        with self._wake:
            self._has_news = True
            self._start()
            if self._is_idle:  # else it looks by itself soon: waking it for each call would cost the application
                self._wake.notify_all()

    def drain(self, timeout_s: float, *, is_last: bool = False) -> bool:
        """Deliver all that waits, without regard to when it is due; whether the outbox is empty within the time.

        ``is_last`` says that there is no later time: what failed is tried again at once, but for what the server has
        put off, and no request may outlast the time.
        """
        deadline = time.monotonic() + timeout_s
        if self._is_empty():
            return True
        with self._wake:
            self._hurry += 1
            if is_last:
                self._sink.hurry(deadline)
                for trouble in list(self._troubles.values()):
                    trouble.retry_at = trouble.allowed_at
                    trouble.backoff.reset()
            self._has_news = True
            self._start()
            self._wake.notify_all()
        try:
            while self._has_work() and time.monotonic() < deadline:
                if is_last and self._is_hopeless(deadline):
                    break
                if self._is_running():
                    with self._wake:
                        self._wake.wait(min(0.1, max(0.0, deadline - time.monotonic())))
                else:
                    # The interpreter is shutting down and starts no more threads: do its work here
                    wait_s = self._run_once()
                    time.sleep(max(0.0, min(wait_s, 0.2, deadline - time.monotonic())))
            return self._is_empty()
        finally:
            with self._wake:
                self._hurry -= 1

    def stop(self) -> None:
        """Deliver no more; a request under way is not waited for."""
        with self._wake:
            self._stopped = True
            self._wake.notify_all()
        if not self._is_running():
            self._let_go()

    def _has_work(self) -> bool:
        """Whether there is something that this process has to deliver."""
        return not self._is_empty() and not self._stopped and not self._is_another_elected

    def _is_empty(self) -> bool:
        try:
            return len(self._outbox) == 0
        except OutboxError:  # said where it is worked on
            return False

    def _let_go(self) -> None:
        self._sink.close()
        self._election.resign()

    def _start(self) -> None:
        if self._stopped or self._is_running():
            return
        thread = threading.Thread(target=self._run, name="otel-labelstudio-delivery", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # at interpreter shutdown, Python 3.12 and newer
            return
        self._thread = thread

    def _is_running(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _run(self) -> None:
        while True:
            with self._wake:
                self._has_news = False
            wait_s = self._run_once()
            with self._wake:
                self._wake.notify_all()  # for those who wait in drain()
                if not self._has_news and not self._stopped and wait_s > 0:
                    # What another process accepts wakes nobody here
                    self._is_idle = wait_s == _FOREVER and not self._outbox.is_durable
                    self._wake.wait(None if self._is_idle else min(wait_s, _LONGEST_SLEEP_S))
                    self._is_idle = False
                if self._stopped:
                    break
        self._let_go()

    def _is_hopeless(self, deadline: float) -> bool:
        """Whether all that waits has failed and will not be tried again before the deadline."""
        if not self._delivering.acquire(blocking=False):
            return False  # what is in flight may succeed
        try:
            if self._outbox.next_settling_at() < _FOREVER:
                return False
            troubles = [self._troubles.get(destination) for destination in self._outbox.destinations()]
            ready = (trouble.retry_at if trouble else 0.0 for trouble in troubles)
            next_at = min(ready, default=self._outbox.next_pending_at())
        except OutboxError:
            return False
        finally:
            self._delivering.release()
        return next_at - self._clock() > deadline - time.monotonic()

    def _run_once(self) -> float:
        """Settle, and deliver one batch to each destination; seconds until there is something to do again."""
        with self._delivering:
            if self._stopped:
                return _FOREVER
            token = context.attach(context.set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))
            try:
                return self._work() if self._elect() else _ELECTION_WAIT_S
            except OutboxError as error:
                if not self._is_outbox_broken:
                    _logger.error("Delivery waits: %s", error)  # noqa: TRY400 - the message says it all
                self._is_outbox_broken = True
            except Exception as error:
                where = _where(error)
                if where != self._said_fault:
                    _logger.error("Delivery failed unexpectedly (%s); it goes on.\n%s", type(error).__name__, where)  # noqa: TRY400
                self._said_fault = where
            finally:
                context.detach(token)
            self._is_elected = False  # what is in flight could perhaps not be put back: it is taken over from ourselves
            return _OUTBOX_WAIT_S

    def _elect(self) -> bool:
        """Whether this process delivers; the first time, it takes over what another may have left."""
        self._is_another_elected = not self._election.is_won()
        if not self._is_another_elected and not self._is_elected:
            self._is_elected = True
            self._outbox.recover()
        return self._is_elected

    def _work(self) -> float:
        self._follow_clock()
        self._settle_if_it_is_time()
        waits = [self._serve(destination) for destination in self._outbox.destinations()]
        waits.append(self._audit())
        waits.append(self._outbox.next_pending_at() - self._clock())
        next_settling_at = self._outbox.next_settling_at()
        is_settling_now = self._hurry and next_settling_at < _FOREVER
        waits.append(0.0 if is_settling_now else max(next_settling_at, self._settle_at) - self._clock())
        self._is_outbox_broken = False
        return min(waits)

    def _settle_if_it_is_time(self) -> None:
        """Settling looks at all that waits for company, so that a steady trickle is settled by the handful."""
        now = self._clock()
        if now < self._settle_at and not self._hurry:
            return
        due_by = _FOREVER if self._hurry else now
        began_at = time.perf_counter()
        self._settle(due_by)
        is_all = self._outbox.next_settling_at() > due_by
        self._settle_at = now + _SETTLE_SHARE * (time.perf_counter() - began_at) if is_all else now

    def _follow_clock(self) -> None:
        """A clock that was set back puts nothing off."""
        now = self._clock()
        if now < self._seen_at - _CLOCK_SLACK_S:
            self._audit_at = self._settle_at = 0.0
            for trouble in self._troubles.values():
                trouble.retry_at = trouble.allowed_at = now
        self._seen_at = now

    def _audit(self) -> float:
        """Look up what was in doubt once more; seconds until there is something to look up."""
        now = self._clock()
        if now < self._audit_at:
            return self._audit_at - now
        due = self._outbox.due_audits(_AUDIT_LIMIT)
        done = [self._audit_destination(destination, call_ids) for destination, call_ids in due.items()]
        if not all(done):
            self._audit_at = now + _AUDIT_RETRY_S
            return _AUDIT_RETRY_S
        return self._outbox.next_audit_at() - now

    def _audit_destination(self, destination: str, call_ids: list[str]) -> bool:
        try:
            self._sink.audit(destination, call_ids, self._outbox)
        except DeliveryError as error:
            _logger.info("The audit of %s is put off: %s", Destination.loads(destination), error)
            return False
        return True

    def _serve(self, destination: str) -> float:
        """Deliver a batch to a destination if it is not in trouble; seconds until it can be tried again."""
        now = self._clock()
        trouble = self._troubles.get(destination)
        if trouble is not None and trouble.retry_at > now:
            return trouble.retry_at - now
        limit = trouble.limit if trouble is not None else self._batch_size
        letters = self._outbox.take(destination, limit=limit, max_bytes=_MAX_IMPORT_BYTES)
        try:
            if self._sink.deliver(destination, letters, self._outbox):
                self._succeeded(destination)
        except DeliveryError as error:
            self._failed(destination, error)
            if isinstance(error, UnknownOutcomeError):
                self._narrow(destination, letters)
        except OutboxError:
            raise
        except Exception as error:
            # A fault of ours: the calls stay
            self._failed(destination, RetryableDeliveryError(f"unexpected {type(error).__name__}\n{_where(error)}"))
        finally:
            self._outbox.put_back(letters)
        return 0.0

    def _failed(self, destination: str, error: DeliveryError) -> None:
        trouble = self._troubles.setdefault(destination, _Trouble(self._batch_size))
        asked_s = getattr(error, "retry_after_s", None) or 0.0
        now = self._clock()
        trouble.retry_at = now + trouble.backoff.next_wait_s(asked_s)
        trouble.allowed_at = now + asked_s
        self._telemetry.count("deliveries.failed", reason=type(error).__name__)
        if isinstance(error, PausedDeliveryError):
            if trouble.said != str(error):
                _logger.error("Delivery to %s is paused: %s", Destination.loads(destination), error)
            trouble.said = str(error)
        elif not trouble.said:
            _logger.warning("Delivery to %s is retried: %s", Destination.loads(destination), error)
            trouble.said = str(error)
        self._outbox.note("last_error", str(error))

    def _narrow(self, destination: str, letters: Sequence[Letter]) -> None:
        """Try half as many next; a call that fails by itself again and again is set aside, if others wait."""
        trouble = self._troubles[destination]
        trouble.failed_alone = trouble.failed_alone + 1 if len(letters) == 1 else 0
        if trouble.failed_alone >= _SET_ASIDE_AFTER and len(self._outbox) > 1:
            self._outbox.put_back(letters, not_before=self._clock() + _SET_ASIDE_S)
            trouble.failed_alone = 0
        trouble.limit = max(1, len(letters) // 2)

    def _succeeded(self, destination: str) -> None:
        trouble = self._troubles.get(destination)
        if trouble is None:
            return
        if trouble.said:
            _logger.warning("Delivery to %s goes on.", Destination.loads(destination))
        if trouble.limit < self._batch_size:
            self._troubles[destination] = _Trouble(min(2 * trouble.limit, self._batch_size))
        else:
            del self._troubles[destination]


def _where(error: BaseException) -> str:
    """The lines of code that raised an error, without its message, which may repeat what a call said."""
    return "".join(traceback.format_tb(error.__traceback__))

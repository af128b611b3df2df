"""The thread that settles what is due in the outbox and brings it to the sink.

It starts with the first call and is a daemon: it never keeps a process alive, `drain` waits for it. Its own HTTP calls
are not traced. It works in rounds. A round has several jobs, each of which survives what happens in the others; nothing
but `stop` ends the thread (`background`), and where it has died all the same, the next call starts another.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from typing import Protocol

from opentelemetry import context
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY

from otel_labelstudio.background import FOREVER, BackgroundThread, where_raised
from otel_labelstudio.delivery.deliveries import Deliveries
from otel_labelstudio.delivery.election import Election
from otel_labelstudio.errors import OutboxError
from otel_labelstudio.outbox import Outbox
from otel_labelstudio.printable import logger

_logger = logger(__name__)

# How long the thread sleeps while calls wait: a new one wakes it only where none did
_LONGEST_SLEEP_S = 1.0
# How often a process asks whether the one that delivers has died
_ELECTION_WAIT_S = 1.0
# After a job failed unexpectedly, or the outbox could not be written
_FAULT_WAIT_S = 1.0
# How often it is written down that somebody works on the outbox
_SEEN_EVERY_S = 15.0


class Job(Protocol):
    """A part of each round."""

    def run(self, *, is_hurried: bool) -> float:
        """Do what is due, for a bounded time; seconds until there is something to do again, infinity where there is
        nothing. ``is_hurried`` where somebody waits for an empty outbox."""


class Worker:
    """Runs the jobs, of which ``deliveries`` is one, in the background."""

    def __init__(self, outbox: Outbox, deliveries: Deliveries, jobs: Sequence[Job], election: Election) -> None:
        self._outbox, self._deliveries, self._jobs, self._election = outbox, deliveries, jobs, election
        self._is_elected = False
        self._is_another_elected = False
        self._elections = 0  # how often it was asked who delivers
        self._answered = 0  # which of these times the answer is of
        self._said: defaultdict[Job | None, set[str]] = defaultdict(set)
        self._thread = BackgroundThread("otel-labelstudio-delivery", "Delivery", self._step, at_end=self._let_go)
        self._round_ended = threading.Condition()
        self._working = threading.Lock()
        self._has_news = False  # since the thread last looked
        self._is_idle = False  # the thread sleeps until it is woken
        self._hurry = 0  # how many callers wait for an empty outbox
        self._seen_at = -FOREVER

    def notify(self) -> None:
        """There is something new in the outbox."""
        with self._round_ended:
            self._has_news = True
            if self._is_idle:  # else it looks by itself soon: waking it for each call would cost the application
                self._thread.wake()
            else:
                self._thread.start()

    def drain(self, timeout_s: float, *, is_last: bool = False) -> bool:
        """Deliver all that waits, without regard to when it is due; whether the outbox is empty within the time.

        ``is_last`` says that there is no later time: what failed is tried again at once, but for what the server has
        put off, no request may outlast the time, and what another process delivers is left to it.
        """
        deadline = time.monotonic() + timeout_s
        if self._is_done(deadline):
            return True
        with self._round_ended:
            self._hurry += 1
            if is_last:
                self._deliveries.hurry(deadline)
            before = self._elections
            self._thread.wake()
        try:
            while not self._is_empty() and not self._thread.is_stopped and time.monotonic() < deadline:
                if is_last and (self._is_left_to_another(before) or self._is_hopeless(deadline)):
                    break
                if self._thread.is_alive:
                    with self._round_ended:
                        self._round_ended.wait(min(0.1, max(0.0, deadline - time.monotonic())))
                else:
                    # The interpreter is shutting down and starts no more threads: do its work here
                    wait_s = self._round()
                    time.sleep(max(0.0, min(wait_s, 0.2, deadline - time.monotonic())))
            return self._is_done(deadline)
        finally:
            with self._round_ended:
                self._hurry -= 1

    def stop(self, timeout_s: float) -> None:
        """Deliver no more; wait for what is under way, within the time."""
        self._thread.stop(max(0.0, timeout_s))

    @property
    def is_another_elected(self) -> bool:
        """Whether another process delivered when it was asked last."""
        return self._is_another_elected

    def _is_left_to_another(self, elections: int) -> bool:
        """Whether another process delivers, by an election that began after so many: what was known, or asked, before
        may be over by now."""
        return self._is_another_elected and self._answered > elections

    def _is_done(self, deadline: float) -> bool:
        """Whether the outbox is empty, and what became of its calls is counted."""
        return self._is_empty() and self._deliveries.wait_until_counted(deadline - time.monotonic())

    def _is_empty(self) -> bool:
        try:
            return len(self._outbox) == 0
        except OutboxError:  # said where it is worked on
            return False

    def _let_go(self) -> None:
        # What is under way still could disturb who delivers next, in this process or in another
        self._deliveries.close(at_end=self._election.resign)

    def _step(self) -> float:
        with self._round_ended:
            self._has_news = self._is_idle = False
        wait_s = self._round()
        # What another process accepts wakes nobody here; nor does what waits, whatever the jobs say of it
        may_idle = wait_s == FOREVER and not self._outbox.is_durable and self._is_empty()
        with self._round_ended:
            self._round_ended.notify_all()
            if self._has_news:
                return 0.0
            self._is_idle = may_idle
            return FOREVER if self._is_idle else min(wait_s, _LONGEST_SLEEP_S)

    def _is_hopeless(self, deadline: float) -> bool:
        """Whether all that waits has failed and will not be tried again before the deadline."""
        if not self._working.acquire(blocking=False):
            return False  # what is in flight may succeed
        try:
            if self._deliveries.under_way() or self._outbox.settling.next_at() < FOREVER:
                return False
            return self._deliveries.next_in_s() > deadline - time.monotonic()
        except OutboxError:
            return False
        finally:
            self._working.release()

    def _round(self) -> float:
        """Each job once; seconds until there is something to do again."""
        with self._working:
            if self._thread.is_stopped:
                return FOREVER
            token = context.attach(context.set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))
            try:
                return self._work()
            finally:
                context.detach(token)

    def _work(self) -> float:
        try:
            if not self._elect():
                return _ELECTION_WAIT_S
            self._note_seen()
        except Exception as error:
            return self._survive(None, error)
        self._said.pop(None, None)
        return min(self._run_job(job) for job in self._jobs)

    def _elect(self) -> bool:
        """Whether this process delivers; the first time, it takes over what another may have left."""
        self._elections += 1
        self._is_another_elected = not self._election.is_won()
        self._answered = self._elections
        if self._is_another_elected:
            self._is_elected = False
        elif not self._is_elected:
            self._outbox.queue.recover(but_for=self._deliveries.under_way())
            self._is_elected = True
        return self._is_elected

    def _note_seen(self) -> None:
        if time.monotonic() - self._seen_at >= _SEEN_EVERY_S and not self._is_empty():
            self._outbox.notes.delivery_seen()
            self._seen_at = time.monotonic()

    def _run_job(self, job: Job) -> float:
        try:
            wait_s = job.run(is_hurried=self._hurry > 0)
        except Exception as error:
            return self._survive(job, error)
        self._said.pop(job, None)
        return wait_s

    def _survive(self, job: Job | None, error: Exception) -> float:
        """Say once what failed. What is in flight could perhaps not be put back: it is taken over from ourselves."""
        self._is_elected = False
        if isinstance(error, OutboxError):
            said = f"Delivery waits: {error}"
        else:
            said = f"Delivery failed unexpectedly ({type(error).__name__}) and is tried again.\n{where_raised(error)}"
        if said not in self._said[job]:
            _logger.error("%s", said)
            self._said[job].add(said)
        return _FAULT_WAIT_S

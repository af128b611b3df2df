"""Work in the background that goes on until it is told to stop, whatever a step of it raises.

A step does what there is to do and says in how many seconds it is to be run again. What it raises is logged, without
the error's text, which may hold what people asked; then the step is run again after a moment. So no input and no disk
ends a thread. Should one have ended all the same, it is started again by whoever wakes it or asks for its health.

How it goes can be seen: `BackgroundThread.last_progress_at`, `BackgroundThread.error`, and `running`, all threads of
this process that should be alive.
"""

from __future__ import annotations

import os
import threading
import time
import traceback
import weakref
from collections.abc import Callable, Hashable
from contextlib import suppress

from otel_labelstudio.errors import LabelStudioExportError
from otel_labelstudio.printable import logger

_logger = logger(__name__)

# What a step returns that has nothing to do until somebody wakes it
FOREVER = float("inf")
_RETRY_S = 1.0
_SAID_EVERY_S = 600.0
_MOST_KEYS = 100


class Seldom:
    """Tells for each key whether it is time to say something again. Not for several threads."""

    def __init__(self, every_s: float = _SAID_EVERY_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._every_s, self._clock = every_s, clock
        self._said_at: dict[Hashable, float] = {}

    def is_due(self, key: Hashable) -> bool:
        """True the first time, and then once in a while."""
        now = self._clock()
        if now - self._said_at.get(key, -FOREVER) < self._every_s:
            return False
        if len(self._said_at) >= _MOST_KEYS:
            self._said_at.clear()
        self._said_at[key] = now
        return True


class Attempts:
    """A step that is run again and again, and how it went. ``what`` stands in the log: "Reading the inbox"."""

    def __init__(
        self,
        what: str,
        step: Callable[[], float],
        *,
        retry_s: float = _RETRY_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._what, self._step, self._retry_s, self._clock = what, step, retry_s, clock
        self._seldom = Seldom(clock=clock)
        # When a step last ended without an error, of ``clock``, and the type of the error of the last one if it did not
        self.last_progress_at = clock()
        self.error = ""

    def attempt(self) -> float:
        """Run the step; seconds until it is to be run again."""
        try:
            wait_s = self._step()
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt) and threading.current_thread() is threading.main_thread():
                raise
            self.error = type(error).__name__
            with suppress(Exception):
                self._say(error)
            return self._retry_s
        self.last_progress_at, self.error = self._clock(), ""
        return wait_s

    def _say(self, error: BaseException) -> None:
        if isinstance(error, LabelStudioExportError):  # no message of ours holds content
            if self._seldom.is_due(str(error)):
                _logger.error("%s is tried again: %s", self._what, error)
        elif self._seldom.is_due(where := where_raised(error)):
            _logger.error(
                "%s failed unexpectedly (%s) and is tried again.\n%s", self._what, type(error).__name__, where
            )


class BackgroundThread:
    """A daemon thread that runs a step again and again until `stop`.

    ``step`` returns in how many seconds it is to be run again if nobody wakes it before, `FOREVER` if not at all.
    ``at_end`` runs once after the last step, also where no thread could be started.
    """

    def __init__(
        self,
        name: str,
        what: str,
        step: Callable[[], float],
        *,
        at_end: Callable[[], object] = lambda: None,
        retry_s: float = _RETRY_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._attempts = Attempts(what, step, retry_s=retry_s, clock=clock)
        self._at_end, self._has_ended = at_end, False
        self._woken = threading.Event()
        self._changing = threading.Lock()
        self._is_stopped = False
        self._thread: threading.Thread | None = None

    @property
    def is_alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def is_stopped(self) -> bool:
        """Whether it was told to stop: a long step should come to its end."""
        return self._is_stopped

    @property
    def last_progress_at(self) -> float:
        """When a step last ended without an error, by the clock; before the first, when this was made."""
        return self._attempts.last_progress_at

    @property
    def error(self) -> str:
        """The type of the error that the last step raised; empty if it raised none."""
        return self._attempts.error

    def start(self) -> bool:
        """Start the thread if it should run and does not; whether it runs. The system may refuse another thread, and
        does while the interpreter shuts down."""
        if self.is_alive:
            return True
        with self._changing:
            if self.is_alive or self._is_stopped:
                return self.is_alive
            _should_run[id(self)] = self
            thread = threading.Thread(target=self._run, name=self.name, daemon=True)
            try:
                thread.start()
            except (RuntimeError, MemoryError):
                return False
            if self._thread is not None:
                _logger.error("The thread %s had ended and was started again.", self.name)
            self._thread = thread
            return True

    def wake(self) -> bool:
        """Have the step run at once; whether the thread runs."""
        self._woken.set()
        return self.start()

    def stop(self, timeout_s: float) -> bool:
        """Run no further step and wait for the one that is under way; whether it came to its end within the time."""
        with self._changing:
            self._is_stopped = True
            _should_run.pop(id(self), None)
        self._woken.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout_s)
        if self.is_alive:
            return False
        self._end()
        return True

    def _run(self) -> None:
        while not self._is_stopped:
            self._woken.clear()
            wait_s = self._attempts.attempt()
            if wait_s > 0 and not self._is_stopped:
                self._woken.wait(min(wait_s, threading.TIMEOUT_MAX))
        self._end()

    def _end(self) -> None:
        with self._changing:
            has_ended, self._has_ended = self._has_ended, True
        if not has_ended:
            Attempts(f"The end of {self.name}", self._run_end).attempt()

    def _run_end(self) -> float:
        self._at_end()
        return FOREVER


def running() -> list[BackgroundThread]:
    """The threads of this process that were started and not stopped, by name."""
    threads = (reference() for reference in _should_run.valuerefs())
    return sorted((thread for thread in threads if thread is not None), key=lambda thread: thread.name)


def dead() -> list[str]:
    """The names of those that have ended and cannot be started again; the others are."""
    return [thread.name for thread in running() if not thread.start()]


def where_raised(error: BaseException) -> str:
    """The lines of code that raised an error, without its text, which may hold what people asked."""
    return "".join(traceback.format_tb(error.__traceback__))


_should_run: weakref.WeakValueDictionary[int, BackgroundThread] = weakref.WeakValueDictionary()

if hasattr(os, "register_at_fork"):  # the parent's threads do not exist in the child
    os.register_at_fork(after_in_child=_should_run.clear)

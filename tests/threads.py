"""Background threads that end though nobody told them to, and a system that starts no others."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from otel_labelstudio.background import BackgroundThread

_DEADLINE_S = 240.0


def end(thread: BackgroundThread) -> None:
    """The thread is gone, as if it had died: nobody has stopped it."""
    running = thread._thread
    assert running is not None
    thread._is_stopped = True
    thread._woken.set()
    running.join(_DEADLINE_S)
    assert not thread.is_alive
    thread._is_stopped = thread._has_ended = False


@contextmanager
def none_can_start(named: str) -> Iterator[None]:
    """The system refuses threads of this name."""
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name == named:
            raise RuntimeError("can't start new thread")
        start(thread)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        yield

"""How much memory all bodies together may take: what would be more is sent again later."""

from __future__ import annotations

import threading
from types import TracebackType

from otel_labelstudio.receiver.status import Outcome, RefusedError


class Admission:
    """The bytes of bodies, received and inflated, that may be held at once. Thread-safe."""

    def __init__(self, max_bytes: int) -> None:
        self._lock = threading.Lock()
        self._left = max_bytes

    def take(self, size: int) -> None:
        """Raises `RefusedError` where there is not that much left."""
        with self._lock:
            if size > self._left:
                raise RefusedError(Outcome.BUSY, "too many requests at once")
            self._left -= size

    def give_back(self, size: int) -> None:
        """The end of `take`."""
        with self._lock:
            self._left += size


class Share:
    """What one request holds of it; a context manager, which gives all back. Thread-safe: a thread may still be at work
    for a sender who went away, and what it took then would be gone for good."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._lock = threading.Lock()
        self._taken = 0
        self._is_over = False

    def reserve(self, size: int) -> None:
        """Take more, before the memory is. Raises `RefusedError`."""
        with self._lock:
            if self._is_over:
                raise RefusedError(Outcome.INCOMPLETE, "nobody waits for the answer any longer")
            self._admission.take(size)
            self._taken += size

    def __enter__(self) -> Share:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._lock:
            self._is_over = True
            self._admission.give_back(self._taken)
            self._taken = 0

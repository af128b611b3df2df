"""The outbox: what was accepted and is not yet delivered.

One implementation, SQLite, in memory or in a file. Accepted means: here; in a file, accepted means on the disk.

It stores *readings*, not tasks: a task depends on the project's labeling configuration, which may be out of reach now
or mended later. A reading waits a short time for others of its call (``settle/``), then the readings of one call become
that call:

    settling -> pending -> in_flight -> delivered
        |          ^           |
        v          +-----------+------> dead
     folded

What is delivered or folded stays known by its key for a while, so that what arrives again is not delivered again, and
for a shorter while by its content, so that a duplicate reading that comes late is recognised.

Next to the readings the outbox *holds* what is no reading yet: spans whose content comes in log records, and such
records. A row that cannot be read becomes a dead letter, with the bytes that it has.

Split by who uses it: `accepting`, `settling`, `queue` for who delivers, `dead_letters` and `status` for who looks on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from otel_labelstudio.outbox.accepting import Accepting, Bounds
from otel_labelstudio.outbox.database import Database
from otel_labelstudio.outbox.dead_letters import DeadLetters
from otel_labelstudio.outbox.notes import OutboxNotes
from otel_labelstudio.outbox.queue import DeliveryQueue
from otel_labelstudio.outbox.retention import Retention
from otel_labelstudio.outbox.sent_to import SentTo
from otel_labelstudio.outbox.settling import SettlingRows
from otel_labelstudio.outbox.status import Figures


class Outbox:
    """Thread-safe. All of its parts raise `OutboxError` where SQLite cannot store.

    ``max_calls`` and ``max_bytes`` bound what waits, a quarter of them what is dead: of that the oldest is forgotten.
    ``clock`` gives seconds since 1970.
    """

    def __init__(
        self,
        path: str | None = None,
        *,
        max_calls: int,
        max_bytes: int,
        clock: Callable[[], float] = time.time,
        is_read_only: bool = False,
    ) -> None:
        """Raises `ConfigError` for a file that is no outbox. Where it is read only, nothing is changed in the file, not
        even its format if that is an older one."""
        self._clock = clock
        self.is_durable = path is not None
        self.capacity = max_calls
        self.database = Database(path, is_read_only=is_read_only)
        bounds = Bounds(max_calls, max_bytes)
        self.accepting = Accepting(self.database, bounds, clock)
        self.settling = SettlingRows(self.database, clock)
        self.dead_letters = DeadLetters(self.database, bounds, clock)
        self.sent_to = SentTo(self.database, clock)
        self.queue = DeliveryQueue(self.database, self.dead_letters, self.sent_to, clock)
        self.retention = Retention(self.database, bounds, clock)
        self.notes = OutboxNotes(self.database, clock)
        self.figures = Figures(self.database, clock)

    def now(self) -> float:
        """Seconds since 1970, by the outbox's clock."""
        return self._clock()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is done inside is on the disk when it ends, or, if it raises, not at all."""
        with self.database.transaction():
            yield

    @property
    def is_kept(self) -> bool:
        """Whether the next process that opens the outbox finds what waits here."""
        return self.is_durable and self.database.is_in_place

    def check_in_place(self) -> None:
        """Raises `OutboxGoneError` where somebody has removed or replaced the file: nothing may be accepted then."""
        self.database.check_in_place()

    def __len__(self) -> int:
        """How many readings and calls wait or are in flight, and how many things are held."""
        with self.database.reading():
            return self.database.total("waiting")[0] + self.database.total("held")[0]

    def close(self) -> None:
        """Close the database; nothing may be asked of the outbox afterwards."""
        self.database.close()

    def lock(self) -> None:
        """Be ready to be copied into another process; nobody gets in until `unlock`, by the same thread."""
        self.database.close_and_lock()

    def unlock(self) -> None:
        """The end of `lock`."""
        self.database.unlock()

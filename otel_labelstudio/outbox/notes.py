"""What is noted beside the calls, for the next process and for those who look on (`status`)."""

from __future__ import annotations

from collections.abc import Callable

from otel_labelstudio.outbox.database import Database
from otel_labelstudio.tasks.mend import mend_text

LAST_ERROR, SEEN, PAUSED = "last_error", "delivery seen", "paused: "


class OutboxNotes:
    """Raises `OutboxError`."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database, self._clock = database, clock

    def write(self, name: str, value: str) -> None:
        """Keep a word under a name."""
        with self._database.transaction() as db:
            db.execute("INSERT OR REPLACE INTO notes VALUES (?, ?, ?)", (name, mend_text(value), self._clock()))

    def read(self, name: str) -> str | None:
        """What was kept last under this name."""
        with self._database.reading() as db:
            row = db.execute("SELECT value FROM notes WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def delivery_failed(self, destination: str, error: str, *, is_paused: bool) -> None:
        """The last error, and why a destination waits where only a person can mend the cause."""
        with self._database.transaction():
            self.write(LAST_ERROR, error)
            if is_paused:
                self.write(f"{PAUSED}{destination}", error)
            else:
                self.delivery_resumed(destination)

    def delivery_resumed(self, destination: str) -> None:
        """A destination waits for nobody any longer; where it did not before, nothing is written."""
        name = f"{PAUSED}{destination}"
        if self.read(name) is not None:
            with self._database.transaction() as db:
                db.execute("DELETE FROM notes WHERE name = ?", (name,))

    def delivery_seen(self) -> None:
        """A process works on what waits here."""
        self.write(SEEN, "")

"""What is noted beside the calls, for the next process and for those who look on (`status`)."""

from __future__ import annotations

from collections.abc import Callable

from otel_labelstudio.outbox.database import Database
from otel_labelstudio.tasks.mend import mend_text

SEEN = "delivery seen"
# A destination in trouble has one of these: it waits for a person, or is tried again and again
PAUSED, RETRIED = "paused: ", "retried: "
LAST_ERROR, LAST_ERROR_OF, LAST_ERROR_OVER = "last_error", "last_error of", "last_error over"


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
        """Why a destination is in trouble, and whether only a person can mend the cause; it is the last error too."""
        with self._database.transaction():
            self._delete(*_troubles(destination), LAST_ERROR_OVER)
            self.write(f"{PAUSED if is_paused else RETRIED}{destination}", error)
            self.write(LAST_ERROR, error)
            self.write(LAST_ERROR_OF, destination)

    def delivery_resumed(self, destination: str) -> None:
        """A destination is in no trouble any longer; where it was in none before, nothing is written."""
        if all(self.read(name) is None for name in _troubles(destination)):
            return
        with self._database.transaction():
            self._delete(*_troubles(destination))
            if self.read(LAST_ERROR_OF) == destination:
                self.write(LAST_ERROR_OVER, "")

    def delivery_seen(self) -> None:
        """A process works on what waits here."""
        self.write(SEEN, "")

    def _delete(self, *names: str) -> None:
        with self._database.transaction() as db:
            db.executemany("DELETE FROM notes WHERE name = ?", ((name,) for name in names))


def _troubles(destination: str) -> tuple[str, str]:
    return f"{PAUSED}{destination}", f"{RETRIED}{destination}"

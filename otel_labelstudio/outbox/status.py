"""The outbox for those who look on: how it stands, and what was noted beside it."""

from __future__ import annotations

from collections.abc import Callable

from otel_labelstudio.outbox.database import Database
from otel_labelstudio.outbox.entry import STATES, OutboxStatus
from otel_labelstudio.tasks.mend import mend_text

LAST_ERROR, _SEEN, PAUSED = "last_error", "delivery seen", "paused: "


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
        self.write(_SEEN, "")

    def status(self) -> OutboxStatus:
        """How the outbox stands."""
        with self._database.reading() as db:
            now = self._clock()
            states = dict(db.execute("SELECT state, COUNT(*) FROM readings GROUP BY state").fetchall())
            notes = {name: (value, at) for name, value, at in db.execute("SELECT name, value, at FROM notes")}
            oldest = db.execute(OLDEST).fetchone()[0]
            rate = db.execute(
                "SELECT COUNT(*) FROM readings WHERE state = 'delivered' AND done_at > ?", (now - 60,)
            ).fetchone()[0]
            error = notes.get(LAST_ERROR, (None, None))
            return OutboxStatus(
                states={state: states.get(state, 0) for state in STATES},
                held=self._database.total("held")[0],
                waiting_bytes=self._database.total("waiting")[1],
                oldest_age_s=None if oldest is None else max(0.0, now - oldest),
                delivered_last_minute=rate,
                last_delivered_at=self.last_delivered_at(),
                delivery_seen_at=notes.get(_SEEN, (None, None))[1],
                paused={name[len(PAUSED) :]: value for name, (value, _) in notes.items() if name.startswith(PAUSED)},
                last_error=error[0],
                last_error_at=error[1],
            )

    def last_delivered_at(self) -> float | None:
        """When a call was delivered last (seconds since 1970); None where none was."""
        with self._database.reading() as db:
            at = db.execute("SELECT MAX(delivered_at) FROM destinations").fetchone()[0]
        return None if at is None else float(at)

    def oldest_age_s(self) -> float:
        """Seconds for which the oldest call that is not delivered has waited; 0 where none waits."""
        with self._database.reading() as db:
            oldest = db.execute(OLDEST).fetchone()[0]
        return 0.0 if oldest is None else max(0.0, self._clock() - oldest)


OLDEST = (
    "SELECT MIN(accepted_at) FROM readings INDEXED BY readings_by_age"
    " WHERE state IN ('settling', 'pending', 'in_flight')"
)

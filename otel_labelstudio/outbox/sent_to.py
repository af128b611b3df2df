"""To which projects calls of each destination were sent.

A destination may be a title, and a project may be renamed: what was sent to it before is looked up by its id.
"""

from __future__ import annotations

from collections.abc import Callable

from otel_labelstudio.outbox.database import Database

# For how long that is known, and in how many of them a call is looked up: the last ones
_KNOWN_S = 400 * 24 * 3600.0
_MOST_PROJECTS = 10


class SentTo:
    """Raises `OutboxError`. ``clock`` gives seconds since 1970."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database, self._clock = database, clock

    def note(self, destination: str, project_id: int) -> None:
        """Calls of a destination are sent to this project."""
        now = self._clock()
        with self._database.transaction() as db:
            db.execute("INSERT OR REPLACE INTO sent_to VALUES (?, ?, ?)", (destination, project_id, now))
            db.execute("DELETE FROM sent_to WHERE sent_at <= ?", (now - _KNOWN_S,))

    def projects(self, destination: str) -> tuple[int, ...]:
        """The ids of the projects to which calls of a destination were sent, the last one first."""
        with self._database.reading() as db:
            rows = db.execute(
                "SELECT project_id FROM sent_to WHERE destination = ? ORDER BY sent_at DESC LIMIT ?",
                (destination, _MOST_PROJECTS),
            ).fetchall()
        return tuple(project_id for (project_id,) in rows)

    def all(self) -> set[tuple[str, int]]:
        """Each destination with each of its projects."""
        with self._database.reading() as db:
            return set(db.execute("SELECT destination, project_id FROM sent_to").fetchall())

"""SQLite connections that are closed when nobody has them any more, as files are.

From Python 3.13 on, one that was not closed by then warns. An outbox stays open until nobody is left to ask it, and
what goes wrong while a database is opened must not leave a connection that warns about something else.
"""

from __future__ import annotations

import sqlite3
from contextlib import suppress


class ClosingConnection(sqlite3.Connection):
    """For the parameter ``factory`` of `sqlite3.connect`."""

    def __del__(self) -> None:
        with suppress(sqlite3.Error):  # of another thread, or never opened
            self.close()

"""What a disk, or another version, may have made of the rows of an outbox. Only text is changed, in any table."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from itertools import cycle
from pathlib import Path
from typing import Any

_DAMAGES: tuple[Callable[[str], Any], ...] = (
    lambda body: body[:-5],
    lambda body: body[: len(body) // 2],
    lambda body: "",
    lambda body: "null",
    lambda body: "[]",
    lambda body: "{}",
    lambda body: "5",
    lambda body: "[" * 50_000,
    lambda body: b"\xff\x00\xfe",
    lambda body: body.replace('"gen_ai', '"\\ud800'),
    lambda body: body.replace(":", ";"),
    lambda body: json.dumps(dict.fromkeys(json.loads(body), 5)),
    lambda body: json.dumps(dict.fromkeys(json.loads(body), None)),
    lambda body: json.dumps({name: [value] for name, value in json.loads(body).items()}),
    lambda body: json.dumps({**json.loads(body), "of_the_future": {"a": [1]}}),
)


def damage_rows(outbox: Path) -> int:
    """Change the body of every row of a closed outbox, each in another way; how many there were."""
    changes = cycle(_DAMAGES)
    rows = 0
    with closing(sqlite3.connect(outbox)) as db, db:
        for table in _tables_with_bodies(db):
            found = db.execute(f"SELECT rowid, body FROM {table} WHERE body IS NOT NULL").fetchall()
            changed = [(change(body), rowid) for (rowid, body), change in zip(found, changes, strict=False)]
            db.executemany(f"UPDATE {table} SET body = ? WHERE rowid = ?", changed)
            rows += len(changed)
    return rows


def _tables_with_bodies(db: sqlite3.Connection) -> list[str]:
    tables = db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    return [t for (t,) in tables if any(c[1] == "body" for c in db.execute(f"PRAGMA table_info({t})").fetchall())]

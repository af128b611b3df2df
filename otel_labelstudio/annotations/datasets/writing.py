"""The files of a dataset from its state: rows, their provenance, and the card, each the same for the same state."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from otel_labelstudio.annotations.datasets.card import Contents, card
from otel_labelstudio.annotations.datasets.json_text import json_text
from otel_labelstudio.annotations.datasets.options import DatasetOptions, Kind
from otel_labelstudio.annotations.datasets.output import CARD, PROVENANCE
from otel_labelstudio.annotations.datasets.resolving import resolve
from otel_labelstudio.annotations.datasets.splitting import SPLITS, Split
from otel_labelstudio.annotations.datasets.store import RowStore

_ROWS = """
SELECT id, of, line, provenance, has_tools FROM rows
WHERE kind = ? AND split_of(of) = ? AND id NOT IN (SELECT row FROM left_out)
ORDER BY start, span, project, task, ordinal
"""
_TOOLS = "SELECT DISTINCT kind FROM rows WHERE has_tools AND id NOT IN (SELECT row FROM left_out)"
_DUPLICATES = """
SELECT provenance FROM rows JOIN duplicates ON id = row WHERE first = ? ORDER BY start, span, project, task, ordinal
"""
_ADDED_TOOLS = ', "tools": null}'

OnRows = Callable[[int], object]


@dataclass(frozen=True, slots=True)
class _Writing:
    """One run of writing."""

    connection: sqlite3.Connection
    directory: Path
    options: DatasetOptions
    with_tools: frozenset[Kind]
    on_rows: OnRows


def write_files(store: RowStore, directory: Path, options: DatasetOptions, on_rows: OnRows) -> Contents:
    """Write the dataset that the state holds to an empty directory; ``on_rows`` is told of each row."""
    reasons = Counter(store.reasons())
    reasons.update(resolve(store.connection))
    split = Split(store.connection, options.train_share)
    store.connection.create_function("split_of", 1, split.of, deterministic=True)
    with_tools = frozenset(Kind(kind) for (kind,) in store.connection.execute(_TOOLS))
    writing = _Writing(store.connection, directory, options, with_tools, on_rows)
    with _created(directory / PROVENANCE) as provenance:
        counts = {kind: _write_kind(writing, kind, provenance) for kind in options.kinds}
    rows = {kind: splits for kind, splits in counts.items() if splits}
    contents = Contents(rows, with_tools, dict(sorted(reasons.items(), key=lambda item: (item[0][0], item[0][1].code))))
    with _created(directory / CARD) as file:
        file.write(card(contents, options))
    return contents


def _write_kind(writing: _Writing, kind: Kind, provenance: IO[str]) -> dict[str, int]:
    counts = {split: _write_split(writing, kind, split, provenance) for split in SPLITS}
    return {split: count for split, count in counts.items() if count}


def _write_split(writing: _Writing, kind: Kind, split: str, provenance: IO[str]) -> int:
    rows = writing.connection.execute(_ROWS, (kind.value, split))
    first = rows.fetchone()
    if first is None:
        return 0
    name = f"{kind.value}/{split}.jsonl"
    (writing.directory / kind.value).mkdir(mode=0o700, exist_ok=True)
    number = 0
    with _created(writing.directory / name) as file:
        for number, row in enumerate(_chained(first, rows), 1):
            line = _with_tools(row, is_needed=kind in writing.with_tools)
            file.write(line + "\n")
            provenance.write(_provenance(writing.connection, row, line, name, number) + "\n")
            writing.on_rows(1)
    return number


_Stored = tuple[int, int, str, str, int]


def _chained(first: _Stored, rows: sqlite3.Cursor) -> Iterator[_Stored]:
    yield first
    yield from rows


def _with_tools(row: _Stored, *, is_needed: bool) -> str:
    """Every row of a file has the same keys; a row of which no other has tools has none either."""
    line, has_tools = row[2], row[4]
    return line[:-1] + _ADDED_TOOLS if is_needed and not has_tools else line


def _provenance(connection: sqlite3.Connection, row: _Stored, line: str, name: str, number: int) -> str:
    own = json.loads(row[3])
    digest = hashlib.sha256(f"{name.split('/')[0]}\n{own['call_id']}\n{line}".encode()).hexdigest()
    record = {"row": digest, "file": name, "line": number, **own}
    duplicates = [json.loads(text) for (text,) in connection.execute(_DUPLICATES, (row[0],))]
    return json_text({**record, "duplicates": duplicates} if duplicates else record)


def _created(path: Path) -> IO[str]:
    """A new file that its owner alone reads."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    return open(descriptor, "w", encoding="utf-8", newline="\n")

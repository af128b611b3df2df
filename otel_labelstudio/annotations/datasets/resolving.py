"""What several rows say of one prompt: pairs that contradict each other, labels that are voted upon, duplicates.

All in the state, by digests; the temporary tables hold which rows are left out, and of which row a row is a duplicate.
"""

from __future__ import annotations

import sqlite3

from otel_labelstudio.annotations.datasets.left_out import LeftOut

_TABLES = """
DROP TABLE IF EXISTS temp.left_out;
DROP TABLE IF EXISTS temp.duplicates;
CREATE TEMP TABLE left_out (row INTEGER PRIMARY KEY, reason TEXT NOT NULL);
CREATE TEMP TABLE duplicates (row INTEGER PRIMARY KEY, first INTEGER NOT NULL);
"""
# Both directions of one pair are there
_CONTRADICTORY = """
INSERT INTO left_out SELECT id, ? FROM rows WHERE kind = 'dpo' AND pair IN (
    SELECT pair FROM rows WHERE kind = 'dpo' GROUP BY pair HAVING MIN(is_forward) <> MAX(is_forward)
)
"""
_TIES = """
INSERT INTO left_out SELECT id, ? FROM rows WHERE kind = 'kto' AND content IN (
    SELECT content FROM rows WHERE kind = 'kto' GROUP BY content HAVING SUM(label) * 2 = COUNT(*)
)
"""
_OUTVOTED = """
INSERT INTO left_out SELECT rows.id, ? FROM rows JOIN (
    SELECT content, SUM(label) * 2 > COUNT(*) AS label FROM rows WHERE kind = 'kto' GROUP BY content
) AS majority ON rows.content = majority.content
WHERE rows.kind = 'kto' AND rows.label <> majority.label AND rows.id NOT IN (SELECT row FROM left_out)
"""
_DUPLICATES = """
INSERT INTO duplicates SELECT id, first FROM (
    SELECT id, FIRST_VALUE(id) OVER (
        PARTITION BY kind, content ORDER BY start, span, project, task, ordinal
    ) AS first FROM rows WHERE kind <> 'eval' AND id NOT IN (SELECT row FROM left_out)
) WHERE id <> first
"""


def resolve(connection: sqlite3.Connection) -> dict[tuple[str, LeftOut], int]:
    """Fill the tables ``left_out`` and ``duplicates``; how many rows were left out, by kind and reason."""
    connection.executescript(_TABLES)
    connection.execute("BEGIN")
    counts = {
        (kind, reason): connection.execute(statement, (reason.code,)).rowcount
        for kind, reason, statement in (
            ("dpo", LeftOut.CONTRADICTORY, _CONTRADICTORY),
            ("kto", LeftOut.TIE, _TIES),
            ("kto", LeftOut.OUTVOTED, _OUTVOTED),
        )
    }
    connection.execute(_DUPLICATES)
    connection.execute("INSERT INTO left_out SELECT row, ? FROM duplicates", (LeftOut.DUPLICATE.code,))
    connection.execute("CREATE INDEX temp.duplicates_first ON duplicates (first)")
    connection.execute("COMMIT")
    duplicates = connection.execute("SELECT kind, COUNT(*) FROM duplicates JOIN rows ON id = row GROUP BY kind")
    counts |= {(kind, LeftOut.DUPLICATE): count for kind, count in duplicates}
    return {key: count for key, count in counts.items() if count}

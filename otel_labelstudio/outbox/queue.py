"""The outbox for the one who delivers: what is pending, and what becomes of it.

A call in flight remembers what is known of it: the task id once Label Studio has named one, and that its outcome is
unknown from just before the request until an answer has come, so that whoever takes it up next looks before sending it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from otel_labelstudio.outbox.database import Database
from otel_labelstudio.outbox.dead_letters import DeadLetters
from otel_labelstudio.outbox.entry import CallToRecheck, OutboxEntry
from otel_labelstudio.outbox.sent_to import SentTo
from otel_labelstudio.outbox.serialization import UnreadableError, call_from_text

_FOREVER = float("inf")
# For how long a destination is known after its last delivery
KNOWN_S = 48 * 3600.0


class DeliveryQueue:
    """Raises `OutboxError`. ``clock`` gives seconds since 1970."""

    def __init__(
        self, database: Database, dead_letters: DeadLetters, sent_to: SentTo, clock: Callable[[], float]
    ) -> None:
        self._database, self._dead_letters, self._sent_to, self._clock = database, dead_letters, sent_to, clock

    def destinations(self, by: float | None = None) -> list[str]:
        """Every destination that has calls to deliver by then (seconds since 1970; None: now), the one that has waited
        longest first."""
        with self._database.reading() as db:
            rows = db.execute(_DESTINATIONS, (self._clock() if by is None else by,)).fetchall()
        return [row[0] for row in rows]

    def next_in_s(self, after: float | None = None) -> float:
        """Seconds until the next call can be delivered that was put off beyond ``after`` (seconds since 1970; None:
        now): not above 0 where it can be by now; infinity when none was.

        Whoever has looked at `destinations` asks for what was not due then: nothing becomes due between the two.
        """
        now = self._clock()
        after = now if after is None else min(after, now)  # the clock may have been set back meanwhile
        with self._database.reading() as db:
            at = db.execute(
                "SELECT MIN(not_before) FROM readings INDEXED BY readings_put_off"
                " WHERE state = 'pending' AND not_before > 0 AND not_before > ?",
                (after,),
            ).fetchone()[0]
        return _FOREVER if at is None else float(at) - now

    def take(self, destination: str, *, limit: int, max_bytes: int) -> list[OutboxEntry]:
        """The next pending calls to a destination, in order, now in flight. What cannot be read is a dead letter."""
        taken: list[OutboxEntry] = []
        unreadable: list[tuple[int, str]] = []
        size = 0
        with self._database.transaction() as db:
            project_ids = self._sent_to.projects(destination)
            rows = db.execute(_TAKE, (destination, self._clock(), limit))
            for row in rows:  # a row at a time: many large calls are not held at once
                size += row[0]
                if taken and size > max_bytes:
                    break
                try:
                    taken.append(_entry(project_ids, *row[1:]))
                except UnreadableError as error:
                    unreadable.append((row[1], f"cannot be read ({error})"))
            rows.close()
            self._dead_letters.bury(unreadable)
            self._update("UPDATE readings SET state = 'in_flight' WHERE seq = ?", taken)
        return taken

    def put_back(self, entries: Iterable[OutboxEntry], *, after_s: float = 0.0) -> None:
        """What is in flight still is pending again, in so many seconds; what is known of its import is kept."""
        self._update(
            "UPDATE readings SET state = 'pending', not_before = ? WHERE state = 'in_flight' AND seq = ?",
            entries,
            self._clock() + after_s if after_s else 0.0,
        )

    def put_off_look_ups(self, destination: str, after_s: float) -> None:
        """What waits for a destination and may be a task there, or is one, waits for so many seconds."""
        with self._database.transaction() as db:
            db.execute(
                "UPDATE readings SET not_before = MAX(not_before, ?) WHERE state = 'pending' AND destination = ?"
                " AND (outcome_unknown OR task_id IS NOT NULL)",
                (self._clock() + after_s, destination),
            )

    def recover(self, but_for: Iterable[str] = ()) -> None:
        """Take over from a process that died: what it had in flight is pending again, but for some destinations."""
        with self._database.transaction() as db:
            named = db.execute("SELECT DISTINCT destination FROM readings WHERE state = 'in_flight'").fetchall()
            db.executemany(
                "UPDATE readings SET state = 'pending' WHERE state = 'in_flight' AND destination = ?",
                [(destination,) for (destination,) in named if destination not in set(but_for)],
            )

    def mark_sent(self, entries: Iterable[OutboxEntry], import_id: str, after_task_id: int) -> None:
        """A request with these calls is made next. Until more is known they may be tasks with ids above that."""
        self._update(
            "UPDATE readings SET outcome_unknown = 1, sent_at = ?, after_task_id = ?,"
            " import_ids = LTRIM(import_ids || ' ' || ?) WHERE seq = ?",
            entries,
            self._clock(),
            after_task_id,
            import_id,
        )

    def mark_not_stored(self, entries: Iterable[OutboxEntry]) -> None:
        """The last request has certainly stored none of these calls: of an earlier one nothing is known by that."""
        with self._database.transaction() as db:
            db.executemany(
                "UPDATE readings SET outcome_unknown = ?, sent_at = ?, after_task_id = ? WHERE seq = ?",
                ((entry.is_outcome_unknown, entry.sent_at, entry.after_task_id, entry.seq) for entry in entries),
            )

    def mark_stored(self, task_ids: Iterable[tuple[OutboxEntry, int]]) -> None:
        """These calls are tasks of Label Studio now; their predictions are still to be checked."""
        with self._database.transaction() as db:
            db.executemany(
                "UPDATE readings SET outcome_unknown = 0, task_id = ? WHERE seq = ?",
                ((task_id, entry.seq) for entry, task_id in task_ids),
            )

    def mark_delivered(self, entries: Iterable[OutboxEntry]) -> None:
        """These calls are done."""
        self._update("UPDATE readings SET state = 'delivered', done_at = ? WHERE seq = ?", entries, self._clock())

    def mark_failed(self, entry: OutboxEntry) -> int:
        """Requests with this call alone failed while the server takes others; how often that was so far."""
        self._update("UPDATE readings SET failures = failures + 1 WHERE seq = ?", [entry])
        return entry.failures + 1

    # -- rechecks ------------------------------------------------------------------------------------------------

    def mark_recheck(self, entries: Iterable[OutboxEntry], after_s: float) -> None:
        """Look these calls up again in so many seconds, if they are delivered then: Label Studio may have stored them
        twice."""
        self._update("UPDATE readings SET recheck_at = ? WHERE seq = ?", entries, self._clock() + after_s)

    def due_rechecks(self, limit: int) -> dict[str, list[CallToRecheck]]:
        """By destination, the delivered calls that are to be looked up once more; those that wait longest first."""
        with self._database.reading() as db:
            rows = db.execute(
                "SELECT destination, call_id, import_ids, other_keys FROM readings"
                " WHERE recheck_at <= ? AND state = 'delivered' ORDER BY recheck_at LIMIT ?",
                (self._clock(), limit),
            ).fetchall()
        due: dict[str, list[CallToRecheck]] = {}
        for destination, call_id, import_ids, other_keys in rows:
            call = CallToRecheck(call_id, tuple(import_ids.split()), other_keys=tuple(other_keys.split()))
            due.setdefault(destination, []).append(call)
        return {destination: self._located(destination, calls) for destination, calls in due.items()}

    def _located(self, destination: str, calls: Iterable[CallToRecheck]) -> list[CallToRecheck]:
        project_ids = self._sent_to.projects(destination)
        return [replace(call, project_ids=project_ids) for call in calls]

    def next_recheck_in_s(self) -> float:
        """Seconds until the next delivered call is to be looked up again; infinity when none is."""
        with self._database.reading() as db:
            at = db.execute(
                "SELECT MIN(recheck_at) FROM readings WHERE recheck_at IS NOT NULL AND state = 'delivered'"
            ).fetchone()[0]
        return _FOREVER if at is None else float(at) - self._clock()

    def put_off_rechecks(self, call_ids: Iterable[str], after_s: float) -> None:
        """Look these delivered calls up in so many seconds, and others before them."""
        at = self._clock() + after_s
        with self._database.transaction() as db:
            db.executemany(
                "UPDATE readings SET recheck_at = ? WHERE recheck_at IS NOT NULL AND call_id = ?",
                ((at, call_id) for call_id in call_ids),
            )

    def mark_rechecked(self, call_ids: Iterable[str]) -> None:
        """These calls need no further look."""
        with self._database.transaction() as db:
            db.executemany(
                "UPDATE readings SET recheck_at = NULL WHERE call_id = ?", ((call_id,) for call_id in call_ids)
            )

    # -- destinations --------------------------------------------------------------------------------------------

    def known(self) -> set[str]:
        """The destinations to which calls were delivered before."""
        with self._database.reading() as db:
            return {destination for (destination,) in db.execute("SELECT destination FROM destinations")}

    def mark_known(self, destination: str, *, is_created: bool = False) -> None:
        """Calls are delivered there now; ``is_created`` where the project was created for them."""
        now = self._clock()
        with self._database.transaction() as db:
            db.execute(
                "INSERT INTO destinations VALUES (?, ?, ?) ON CONFLICT (destination) DO UPDATE"
                " SET delivered_at = excluded.delivered_at, created_at = COALESCE(excluded.created_at, created_at)",
                (destination, now, now if is_created else None),
            )

    def in_use_and_created(self, used_within_s: float, created_within_s: float) -> tuple[int, int]:
        """How many destinations had deliveries in the last so many seconds and are older, and how many were created."""
        now = self._clock()
        with self._database.reading() as db:
            in_use, created = db.execute(
                "SELECT COALESCE(SUM(delivered_at > :used AND COALESCE(created_at, 0) <= :created), 0),"
                " COALESCE(SUM(created_at > :created), 0) FROM destinations",
                {"used": now - used_within_s, "created": now - created_within_s},
            ).fetchone()
        return int(in_use), int(created)

    def _update(self, statement: str, entries: Iterable[OutboxEntry], *values: object) -> None:
        """One change to each entry; its ``seq`` is the statement's last value."""
        with self._database.transaction() as db:
            db.executemany(statement, ((*values, entry.seq) for entry in entries))


# One look into the index for each destination, however many calls wait
_DESTINATIONS = """
WITH RECURSIVE named (destination) AS (
    SELECT MIN(destination) FROM readings WHERE state = 'pending'
    UNION ALL
    SELECT (SELECT MIN(destination) FROM readings WHERE state = 'pending' AND destination > named.destination)
    FROM named WHERE named.destination IS NOT NULL
)
SELECT destination, (
    SELECT seq FROM readings WHERE state = 'pending' AND readings.destination = named.destination AND not_before <= ?
    ORDER BY seq LIMIT 1
) AS first FROM named WHERE first IS NOT NULL ORDER BY first
"""
_TAKE = (
    "SELECT size, seq, call_id, destination, key, body, outcome_unknown, sent_at, after_task_id, task_id, import_ids,"
    " failures, other_keys FROM readings"
    " WHERE state = 'pending' AND destination = ? AND not_before <= ? ORDER BY seq LIMIT ?"
)


def _entry(
    project_ids: tuple[int, ...],
    seq: int,
    call_id: str,
    destination: str,
    key: str,
    body: str,
    outcome_unknown: int,
    sent_at: float | None,
    after_task_id: int,
    task_id: int | None,
    import_ids: str,
    failures: int,
    other_keys: str,
) -> OutboxEntry:
    call = call_from_text(key, body)
    return OutboxEntry(
        seq=seq,
        call_id=call_id,
        destination=destination,
        call=call,
        is_outcome_unknown=bool(outcome_unknown),
        sent_at=sent_at,
        after_task_id=after_task_id,
        task_id=task_id,
        import_ids=tuple(import_ids.split()),
        failures=failures,
        project_ids=project_ids if outcome_unknown or task_id is not None else (),
        other_keys=tuple(other_keys.split()),
    )

"""The outbox: what was accepted and is not yet delivered.

One implementation, SQLite, in memory or in a file. Accepted means: here; in a file, accepted means on the disk.

It stores *readings*, not tasks: a task depends on the project's labeling configuration, which may be out of reach now
or mended later. A reading waits a short time for its twins (`folding`), then the readings of one call become that call:

    settling -> pending -> in_flight -> delivered
        |          ^           |
        v          +-----------+------> dead
     folded

A call in flight remembers what is known of it: the task id once Label Studio has named one, and that its import is in
doubt from just before the request until an answer has come, so that whoever takes it up next looks before sending it.

What is delivered or folded stays known by its key for a while, so that what arrives again is not delivered again, and
for a shorter while by its content, so that a twin that comes late is known.

Next to the readings the outbox *holds* what is no reading yet: spans whose content comes in log records, and such
records. It does not know what they are.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from sqlite3 import Connection

from otel_labelstudio.calls import LLMCall
from otel_labelstudio.delivery.letters import STATES, DeadLetter, Held, Letter, OutboxStatus, Put
from otel_labelstudio.delivery.outbox_file import Database
from otel_labelstudio.delivery.settling import settle
from otel_labelstudio.delivery.written import body_of, call_of, key_of
from otel_labelstudio.folding import completed
from otel_labelstudio.tasks.mend import mend_text

# How long the key of a delivered call is known, and how many are at the most
KEY_RETENTION_S = 24 * 3600.0
MAX_KEYS = 200_000
# How long a delivered call is compared with what comes, and how much of them is kept for that
LATE_TWIN_WINDOW_S = 120.0
_MAX_KEPT_BYTES = 32 * 2**20
_FORGET_EVERY_S = 10.0
_FORGET_LIMIT = 500
# A clock that is set by less than this is only kept in step
_CLOCK_SLACK_S = 1.0
_FOREVER = float("inf")


class Outbox:
    """Thread-safe. Raises `OutboxError` where SQLite cannot store.

    ``max_calls`` and ``max_bytes`` bound what waits, a quarter of them what is dead: of those the oldest are forgotten.
    ``clock`` gives seconds since 1970.
    """

    def __init__(
        self,
        path: str | None = None,
        *,
        max_calls: int,
        max_bytes: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.is_durable = path is not None
        self.capacity = max_calls
        self._max_calls, self._max_bytes, self._clock = max_calls, max_bytes, clock
        self._forget_at = 0.0
        self._database = Database(path)
        self._seen_at = self._last_accepted_at()

    # -- accepting -----------------------------------------------------------------------------------------------

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is done inside is on the disk when it ends, or, if it raises, not at all."""
        with self._database.transaction():
            yield

    def put(
        self,
        reading: LLMCall,
        destination: str,
        *,
        due_at: float,
        in_doubt: bool = False,
        is_accepted: bool = False,
    ) -> Put:
        """Accept a reading; it settles when it is due.

        ``in_doubt`` says that an earlier run may have delivered it; ``is_accepted`` that it was accepted before, in
        another form, so that no bound may refuse it.
        """
        body = body_of(reading)
        key = key_of(reading)
        with self._database.transaction() as db:
            if self.is_known(reading):
                return Put.KNOWN
            calls, size = self._total("waiting")
            if not is_accepted and not self._fits(calls + 1, size + len(body)):
                return Put.FULL
            db.execute(
                "INSERT INTO readings (key, call_id, state, destination, body, size, accepted_at, due_at, in_doubt)"
                " VALUES (?, ?, 'settling', ?, ?, ?, ?, ?, ?)",
                (key, key, destination, body, len(body), self._clock(), due_at, in_doubt),
            )
            return Put.ACCEPTED

    def complete(self, readings: Iterable[LLMCall]) -> None:
        """Fill what the readings of the same keys lack, as far as they still settle."""
        with self._database.transaction() as db:
            for reading in readings:
                key = key_of(reading)
                row = db.execute("SELECT body FROM readings WHERE state = 'settling' AND key = ?", (key,)).fetchone()
                if row is not None:
                    body = body_of(completed(call_of(key, row[0]), reading))
                    db.execute("UPDATE readings SET body = ?, size = ? WHERE key = ?", (body, len(body), key))

    def is_known(self, reading: LLMCall) -> bool:
        """Whether a reading of this key is here, or was delivered."""
        with self._database.reading() as db:
            return bool(db.execute("SELECT 1 FROM readings WHERE key = ?", (key_of(reading),)).fetchone())

    def hold(self, kind: str, body: str, *, due_at: float) -> bool:
        """Keep something that is no reading yet; False when the outbox is full."""
        with self._database.transaction() as db:
            calls, size = self._total("waiting")
            if not self._fits(calls, size + len(body)):
                return False
            db.execute(
                "INSERT INTO held (kind, body, size, due_at) VALUES (?, ?, ?, ?)", (kind, body, len(body), due_at)
            )
            return True

    def held(self) -> list[Held]:
        """All that is held, oldest first."""
        with self._database.reading() as db:
            rows = db.execute("SELECT seq, kind, body, due_at FROM held ORDER BY seq").fetchall()
        return [Held(*row) for row in rows]

    def release(self, held: Iterable[Held]) -> None:
        """Hold these no longer."""
        self._update("DELETE FROM held WHERE seq = ?", held)

    def defer(self, held: Iterable[Held], due_at: float) -> None:
        """Hold these for longer."""
        self._update("UPDATE held SET due_at = ? WHERE seq = ?", held, due_at)

    def __len__(self) -> int:
        """How many readings and calls wait or are in flight, and how many things are held."""
        with self._database.reading():
            return self._total("waiting")[0] + self._total("held")[0]

    # -- settling ------------------------------------------------------------------------------------------------

    def next_settling_at(self) -> float:
        """When the next reading, or something held, is due; infinity when nothing is."""
        with self._database.reading() as db:
            due = db.execute(
                "SELECT MIN(at) FROM (SELECT MIN(due_at) AS at FROM readings INDEXED BY readings_by_due"
                " WHERE state = 'settling'"
                " UNION ALL SELECT MIN(due_at) FROM held)"
            ).fetchone()[0]
        return _FOREVER if due is None else float(due)

    def settle(self, due_by: float) -> int:
        """Fold what is due by then into calls, each pending from now on; how many readings came as late twins.

        Only the process that delivers settles, on one thread; whoever accepts meanwhile is not kept waiting for long.
        """
        now = self._clock()
        self._follow(now)
        late = settle(self._database, due_by, now)
        self._forget(now)
        return late

    def _follow(self, now: float) -> None:
        """A clock that was set back holds nothing up: what was dated by the old one is dated anew."""
        back_s, self._seen_at = self._seen_at - now, now
        if back_s <= _CLOCK_SLACK_S:
            return
        self._forget_at = 0.0
        with self._database.transaction() as db:
            db.execute(
                "UPDATE readings SET due_at = due_at - CASE WHEN accepted_at > :now THEN :back_s ELSE 0 END,"
                " accepted_at = MIN(accepted_at, :now), not_before = MAX(0, not_before - :back_s),"
                " doubted_at = doubted_at - :back_s, done_at = done_at - :back_s, audit_at = audit_at - :back_s",
                {"now": now, "back_s": back_s},
            )
            db.execute("UPDATE held SET due_at = due_at - ?", (back_s,))

    def _last_accepted_at(self) -> float:
        with self._database.reading() as db:
            row = db.execute("SELECT accepted_at FROM readings ORDER BY seq DESC LIMIT 1").fetchone()
        return 0.0 if row is None else float(row[0])

    def _forget(self, now: float) -> None:
        """Of what is done, the content after a short while, the keys after a long one."""
        if now < self._forget_at:
            return
        self._forget_at = now + _FORGET_EVERY_S
        with self._database.transaction() as db:
            _forget_content(db, "done_at <= ?", now - LATE_TWIN_WINDOW_S, -1)
            while self._total("kept")[1] > min(_MAX_KEPT_BYTES, self._max_bytes):
                _forget_content(db, "done_at < ?", _FOREVER, _FORGET_LIMIT)
            # One that cannot be audited for so long will never be: its project is gone
            is_over = "state IN ('delivered', 'folded') AND (audit_at IS NULL OR audit_at <= :oldest)"
            bounds = {"oldest": now - KEY_RETENTION_S, "max_keys": MAX_KEYS}
            db.execute(f"DELETE FROM readings WHERE {is_over} AND done_at <= :oldest", bounds)
            db.execute(
                f"DELETE FROM readings WHERE {is_over} AND seq <= (SELECT MAX(seq) FROM readings) - :max_keys", bounds
            )

    # -- delivering ----------------------------------------------------------------------------------------------

    def destinations(self) -> list[str]:
        """Every destination that has calls to deliver now, the one that has waited longest first."""
        with self._database.reading() as db:
            rows = db.execute(_DESTINATIONS, (self._clock(),)).fetchall()
        return [row[0] for row in rows]

    def next_pending_at(self) -> float:
        """When the next call that was put off can be delivered; infinity when none was."""
        with self._database.reading() as db:
            at = db.execute(
                "SELECT MIN(not_before) FROM readings INDEXED BY readings_put_off"
                " WHERE state = 'pending' AND not_before > 0 AND not_before > ?",
                (self._clock(),),
            ).fetchone()[0]
        return _FOREVER if at is None else float(at)

    def take(self, destination: str, *, limit: int, max_bytes: int) -> list[Letter]:
        """The next pending calls to a destination, in order, now in flight. At least one where there is any."""
        with self._database.transaction() as db:
            rows = db.execute(
                "SELECT size, seq, call_id, destination, key, body, in_doubt, doubted_at, after_task_id, task_id"
                " FROM readings WHERE state = 'pending' AND destination = ? AND not_before <= ? ORDER BY seq LIMIT ?",
                (destination, self._clock(), limit),
            )
            size = 0
            taken: list[Letter] = []
            for row in rows:  # a row at a time: many large calls are not held at once
                size += row[0]
                if taken and size > max_bytes:
                    break
                taken.append(_letter(*row[1:]))
            rows.close()
            self._update("UPDATE readings SET state = 'in_flight' WHERE seq = ?", taken)
        return taken

    def put_back(self, letters: Iterable[Letter], *, not_before: float = 0.0) -> None:
        """What is in flight still is pending again; what is known of its import is kept."""
        self._update(
            "UPDATE readings SET state = 'pending', not_before = ? WHERE state = 'in_flight' AND seq = ?",
            letters,
            not_before,
        )

    def recover(self) -> None:
        """Take over from a process that died: what it had in flight is pending again."""
        self._seen_at = max(self._seen_at, self._last_accepted_at())
        with self._database.transaction() as db:
            db.execute("UPDATE readings SET state = 'pending' WHERE state = 'in_flight'")

    def mark_in_doubt(self, letters: Iterable[Letter], after_task_id: int) -> None:
        """These calls may be imported from now on without our knowing, as tasks with ids above ``after_task_id``."""
        self._update(
            "UPDATE readings SET in_doubt = 1, doubted_at = ?, after_task_id = ? WHERE seq = ?",
            letters,
            self._clock(),
            after_task_id,
        )

    def mark_not_stored(self, letters: Iterable[Letter]) -> None:
        """What was tried last has certainly stored none of these calls: of an earlier try nothing is known by that."""
        with self._database.transaction() as db:
            db.executemany(
                "UPDATE readings SET in_doubt = ?, doubted_at = ?, after_task_id = ? WHERE seq = ?",
                ((letter.in_doubt, letter.doubted_at, letter.after_task_id, letter.seq) for letter in letters),
            )

    def mark_audit(self, letters: Iterable[Letter], audit_at: float) -> None:
        """Ask later whether Label Studio has stored these calls twice."""
        self._update("UPDATE readings SET audit_at = ? WHERE seq = ?", letters, audit_at)

    def mark_stored(self, task_ids: Iterable[tuple[Letter, int]]) -> None:
        """These calls are tasks of Label Studio now; their predictions are still to be checked."""
        with self._database.transaction() as db:
            db.executemany(
                "UPDATE readings SET in_doubt = 0, task_id = ? WHERE seq = ?",
                ((task_id, letter.seq) for letter, task_id in task_ids),
            )

    def mark_delivered(self, letters: Iterable[Letter]) -> None:
        """These calls are done."""
        self._update("UPDATE readings SET state = 'delivered', done_at = ? WHERE seq = ?", letters, self._clock())

    def due_audits(self, limit: int) -> dict[str, list[str]]:
        """By destination, the ids of delivered calls that are to be asked for once more."""
        with self._database.reading() as db:
            rows = db.execute(
                "SELECT destination, call_id FROM readings WHERE audit_at <= ? AND state = 'delivered' LIMIT ?",
                (self._clock(), limit),
            ).fetchall()
        audits: dict[str, list[str]] = {}
        for destination, call_id in rows:
            audits.setdefault(destination, []).append(call_id)
        return audits

    def next_audit_at(self) -> float:
        """When the next delivered call is to be asked for; infinity when none is."""
        with self._database.reading() as db:
            at = db.execute(
                "SELECT MIN(audit_at) FROM readings WHERE audit_at IS NOT NULL AND state = 'delivered'"
            ).fetchone()[0]
        return _FOREVER if at is None else float(at)

    def mark_audited(self, call_ids: Iterable[str]) -> None:
        """These calls are in Label Studio once."""
        with self._database.transaction() as db:
            db.executemany(
                "UPDATE readings SET audit_at = NULL WHERE call_id = ?", ((call_id,) for call_id in call_ids)
            )

    # -- dead letters --------------------------------------------------------------------------------------------

    def mark_dead(self, letter: Letter, reason: str) -> None:
        """Move a call to the dead letters, with why it cannot be delivered as things are."""
        with self._database.transaction() as db:
            db.execute(
                "UPDATE readings SET state = 'dead', done_at = ?, reason = ? WHERE seq = ?",
                (self._clock(), mend_text(reason), letter.seq),
            )
            while self._is_too_much(*self._total("dead")):
                db.execute(
                    "DELETE FROM readings WHERE seq = (SELECT seq FROM readings INDEXED BY readings_by_end"
                    " WHERE state = 'dead' AND done_at IS NOT NULL ORDER BY done_at, seq LIMIT 1)"
                )

    def dead_letters(self) -> list[DeadLetter]:
        """The calls that were refused for good, oldest first."""
        with self._database.reading() as db:
            rows = db.execute(
                "SELECT call_id, destination, key, body, reason, done_at FROM readings WHERE state = 'dead'"
                " ORDER BY done_at, seq"
            ).fetchall()
        return [DeadLetter(i, d, call_of(key, body), r, at) for i, d, key, body, r, at in rows]

    def retry_dead(self) -> int:
        """Deliver the dead letters after all, once their cause is mended; how many there were."""
        with self._database.transaction() as db:
            return db.execute(
                "UPDATE readings SET state = 'pending', reason = NULL, done_at = NULL, not_before = 0"
                " WHERE state = 'dead'"
            ).rowcount

    def purge_dead(self) -> int:
        """Forget the dead letters; how many there were."""
        with self._database.transaction() as db:
            return db.execute("DELETE FROM readings WHERE state = 'dead'").rowcount

    # -- looking on ----------------------------------------------------------------------------------------------

    def note(self, name: str, value: str) -> None:
        """Keep a word for those who look at the outbox, such as the last error."""
        with self._database.transaction() as db:
            db.execute("INSERT OR REPLACE INTO notes VALUES (?, ?, ?)", (name, mend_text(value), self._clock()))

    def noted(self, name: str) -> str | None:
        """What was noted last under this name."""
        with self._database.reading() as db:
            row = db.execute("SELECT value FROM notes WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def status(self) -> OutboxStatus:
        """How the outbox stands."""
        with self._database.reading() as db:
            now = self._clock()
            states = dict(db.execute("SELECT state, COUNT(*) FROM readings GROUP BY state").fetchall())
            oldest = db.execute(
                "SELECT MIN(accepted_at) FROM readings WHERE state IN ('settling', 'pending', 'in_flight')"
            ).fetchone()[0]
            rate = db.execute(
                "SELECT COUNT(*) FROM readings WHERE state = 'delivered' AND done_at > ?", (now - 60,)
            ).fetchone()[0]
            error = db.execute("SELECT value, at FROM notes WHERE name = 'last_error'").fetchone()
            return OutboxStatus(
                states={state: states.get(state, 0) for state in STATES},
                held=self._total("held")[0],
                waiting_bytes=self._total("waiting")[1],
                oldest_age_s=None if oldest is None else max(0.0, now - oldest),
                delivered_last_minute=rate,
                last_error=None if error is None else error[0],
                last_error_at=None if error is None else error[1],
            )

    def close(self) -> None:
        """Close the database; nothing may be asked of the outbox afterwards."""
        self._database.close()

    # -- forking ---------------------------------------------------------------------------------------------------

    def lock(self) -> None:
        """Be ready to be copied into another process; nobody gets in until `unlock`, by the same thread."""
        self._database.close_and_lock()

    def unlock(self) -> None:
        """The end of `lock`."""
        self._database.unlock()

    # -- inside --------------------------------------------------------------------------------------------------

    def _total(self, what: str) -> tuple[int, int]:
        with self._database.reading() as db:
            calls, size = db.execute("SELECT calls, bytes FROM totals WHERE what = ?", (what,)).fetchone()
        return int(calls), int(size)

    def _is_too_much(self, dead: int, size: int) -> bool:
        return dead > max(1, self._max_calls // 4) or size > self._max_bytes // 4

    def _fits(self, calls: int, size: int) -> bool:
        return calls <= self._max_calls and size <= self._max_bytes

    def _update(self, statement: str, items: Iterable[Letter | Held], *values: object) -> None:
        """One change to each item; its ``seq`` is the statement's last value."""
        with self._database.transaction() as db:
            db.executemany(statement, ((*values, item.seq) for item in items))


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


def _letter(
    seq: int,
    call_id: str,
    destination: str,
    key: str,
    body: str,
    in_doubt: int,
    doubted_at: float | None,
    after_task_id: int,
    task_id: int | None,
) -> Letter:
    call = call_of(key, body)
    return Letter(seq, call_id, destination, call, bool(in_doubt), doubted_at, after_task_id, task_id)


def _forget_content(db: Connection, condition: str, value: float, limit: int) -> None:
    rows = db.execute(
        "SELECT seq, call_id FROM readings WHERE body IS NOT NULL AND state IN ('delivered', 'folded')"
        f" AND {condition} ORDER BY done_at LIMIT ?",
        (value, limit),
    ).fetchall()
    db.executemany("UPDATE readings SET body = NULL WHERE seq = ?", [(seq,) for seq, _ in rows])
    # A call that waits still is known by what its twins said
    db.executemany(
        "DELETE FROM fingerprints WHERE call_id = :call_id"
        " AND NOT EXISTS (SELECT 1 FROM readings WHERE call_id = :call_id AND body IS NOT NULL)",
        [{"call_id": call_id} for call_id in {call_id for _, call_id in rows}],
    )

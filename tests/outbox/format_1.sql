-- The outbox of format 1, as version 0.1 made it.
CREATE TABLE readings (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL UNIQUE,
    call_id TEXT NOT NULL,
    state TEXT NOT NULL,
    destination TEXT NOT NULL,
    body TEXT,
    size INTEGER NOT NULL,
    accepted_at REAL NOT NULL,
    due_at REAL NOT NULL,
    not_before REAL NOT NULL DEFAULT 0,
    in_doubt INTEGER NOT NULL DEFAULT 0,
    doubted_at REAL,
    after_task_id INTEGER NOT NULL DEFAULT 0,
    task_id INTEGER,
    done_at REAL,
    audit_at REAL,
    reason TEXT
);
CREATE INDEX readings_by_state ON readings (state, destination);
CREATE INDEX readings_put_off ON readings (not_before) WHERE state = 'pending' AND not_before > 0;
CREATE INDEX readings_by_due ON readings (due_at) WHERE state = 'settling';
CREATE INDEX readings_by_call ON readings (call_id);
CREATE INDEX readings_by_end ON readings (state, done_at) WHERE done_at IS NOT NULL;
CREATE INDEX readings_kept ON readings (done_at) WHERE body IS NOT NULL AND state IN ('delivered', 'folded');
CREATE INDEX readings_to_audit ON readings (audit_at) WHERE audit_at IS NOT NULL;
-- What a settled call's readings say, and when they began, so that of many that say the same the nearest are found
CREATE TABLE fingerprints (
    fingerprint TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    call_id TEXT NOT NULL,
    PRIMARY KEY (fingerprint, started_at, call_id)
) WITHOUT ROWID;
CREATE INDEX fingerprints_by_call ON fingerprints (call_id);
CREATE TABLE notes (name TEXT PRIMARY KEY, value TEXT NOT NULL, at REAL NOT NULL);
CREATE TABLE held (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    body TEXT NOT NULL,
    size INTEGER NOT NULL,
    due_at REAL NOT NULL
);
CREATE INDEX held_by_due ON held (due_at);
-- Kept by triggers, so that the bounds cost no counting: what waits, how much of it is held, what is dead, and what is
-- kept for late twins
CREATE TABLE totals (what TEXT PRIMARY KEY, calls INTEGER NOT NULL, bytes INTEGER NOT NULL);
INSERT INTO totals VALUES ('waiting', 0, 0), ('held', 0, 0), ('dead', 0, 0), ('kept', 0, 0);
CREATE TRIGGER reading_comes AFTER INSERT ON readings BEGIN
    UPDATE totals SET calls = calls + 1, bytes = bytes + NEW.size WHERE what = 'waiting';
END;
CREATE TRIGGER reading_changes AFTER UPDATE OF size ON readings WHEN NEW.state = 'settling' BEGIN
    UPDATE totals SET bytes = bytes + NEW.size - OLD.size WHERE what = 'waiting';
END;
CREATE TRIGGER reading_ends AFTER UPDATE OF state ON readings
WHEN OLD.state IN ('settling', 'pending', 'in_flight') AND NEW.state IN ('delivered', 'folded', 'dead') BEGIN
    UPDATE totals SET calls = calls - 1, bytes = bytes - OLD.size WHERE what = 'waiting';
    UPDATE totals SET calls = calls + 1, bytes = bytes + NEW.size
        WHERE what = CASE NEW.state WHEN 'dead' THEN 'dead' ELSE 'kept' END;
END;
CREATE TRIGGER reading_returns AFTER UPDATE OF state ON readings
WHEN OLD.state = 'dead' AND NEW.state = 'pending' BEGIN
    UPDATE totals SET calls = calls + 1, bytes = bytes + NEW.size WHERE what = 'waiting';
    UPDATE totals SET calls = calls - 1, bytes = bytes - OLD.size WHERE what = 'dead';
END;
CREATE TRIGGER reading_is_forgotten AFTER UPDATE OF body ON readings
WHEN OLD.body IS NOT NULL AND NEW.body IS NULL BEGIN
    UPDATE totals SET calls = calls - 1, bytes = bytes - OLD.size WHERE what = 'kept';
END;
CREATE TRIGGER reading_goes AFTER DELETE ON readings WHEN OLD.body IS NOT NULL BEGIN
    UPDATE totals SET calls = calls - 1, bytes = bytes - OLD.size
        WHERE what = CASE OLD.state WHEN 'dead' THEN 'dead' ELSE 'kept' END;
    DELETE FROM fingerprints WHERE call_id = OLD.call_id;
END;
CREATE TRIGGER held_comes AFTER INSERT ON held BEGIN
    UPDATE totals SET bytes = bytes + NEW.size WHERE what = 'waiting';
    UPDATE totals SET calls = calls + 1, bytes = bytes + NEW.size WHERE what = 'held';
END;
CREATE TRIGGER held_goes AFTER DELETE ON held BEGIN
    UPDATE totals SET bytes = bytes - OLD.size WHERE what = 'waiting';
    UPDATE totals SET calls = calls - 1, bytes = bytes - OLD.size WHERE what = 'held';
END;
PRAGMA application_id = 1330402127;
PRAGMA user_version = 1;

-- The outbox of format 2.
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
    outcome_unknown INTEGER NOT NULL DEFAULT 0,
    sent_at REAL,
    after_task_id INTEGER NOT NULL DEFAULT 0,
    task_id INTEGER,
    done_at REAL,
    recheck_at REAL,
    reason TEXT,
    import_ids TEXT NOT NULL DEFAULT '',
    failures INTEGER NOT NULL DEFAULT 0
);
-- What a settled call's readings say, and when they began, so that of many that say the same the nearest are found
CREATE TABLE fingerprints (
    fingerprint TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    call_id TEXT NOT NULL,
    PRIMARY KEY (fingerprint, started_at, call_id)
) WITHOUT ROWID;
CREATE INDEX fingerprints_by_call ON fingerprints (call_id);
CREATE TABLE notes (name TEXT PRIMARY KEY, value TEXT NOT NULL, at REAL NOT NULL);
-- What waits, what is held, what is dead, and what is kept to recognise late duplicate readings; kept by triggers
CREATE TABLE totals (what TEXT PRIMARY KEY, calls INTEGER NOT NULL, bytes INTEGER NOT NULL);
INSERT INTO totals VALUES ('waiting', 0, 0), ('held', 0, 0), ('dead', 0, 0), ('kept', 0, 0);

-- Spans and log records that are no readings yet. A log record's times are both the time at which it was written
CREATE TABLE held (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    trace_id TEXT NOT NULL,
    span_id TEXT NOT NULL,
    scope TEXT NOT NULL,
    start_unix_nano INTEGER NOT NULL,
    end_unix_nano INTEGER NOT NULL,
    body TEXT NOT NULL,
    size INTEGER NOT NULL,
    due_at REAL NOT NULL,
    expires_at REAL NOT NULL
);
CREATE INDEX held_by_due ON held (due_at);
CREATE INDEX held_by_span ON held (span_id, trace_id);
CREATE INDEX held_spans_by_trace ON held (trace_id) WHERE kind = 'span';
CREATE INDEX held_by_scope ON held (scope, kind, start_unix_nano);
-- What became of the spans of LLM calls that came, so that their log records wait for them no longer
CREATE TABLE seen_spans (
    trace_id TEXT NOT NULL,
    span_id TEXT NOT NULL,
    fate TEXT NOT NULL,
    seen_at REAL NOT NULL,
    PRIMARY KEY (trace_id, span_id)
) WITHOUT ROWID;
CREATE INDEX seen_spans_by_time ON seen_spans (seen_at);
-- Where calls were delivered to, and which of these projects were created for them
CREATE TABLE destinations (destination TEXT PRIMARY KEY, delivered_at REAL NOT NULL, created_at REAL) WITHOUT ROWID;

CREATE INDEX readings_by_state ON readings (state, destination);
CREATE INDEX readings_put_off ON readings (not_before) WHERE state = 'pending' AND not_before > 0;
CREATE INDEX readings_by_due ON readings (due_at) WHERE state = 'settling';
CREATE INDEX readings_by_call ON readings (call_id);
CREATE INDEX readings_by_end ON readings (state, done_at) WHERE done_at IS NOT NULL;
CREATE INDEX readings_kept ON readings (done_at) WHERE body IS NOT NULL AND state IN ('delivered', 'folded');
CREATE INDEX readings_by_age ON readings (accepted_at) WHERE state IN ('settling', 'pending', 'in_flight');
CREATE INDEX readings_to_recheck ON readings (recheck_at) WHERE recheck_at IS NOT NULL;
CREATE TRIGGER reading_comes AFTER INSERT ON readings WHEN NEW.state <> 'dead' BEGIN
    UPDATE totals SET calls = calls + 1, bytes = bytes + NEW.size WHERE what = 'waiting';
END;
CREATE TRIGGER dead_letter_comes AFTER INSERT ON readings WHEN NEW.state = 'dead' BEGIN
    UPDATE totals SET calls = calls + 1, bytes = bytes + NEW.size WHERE what = 'dead';
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
PRAGMA user_version = 2;

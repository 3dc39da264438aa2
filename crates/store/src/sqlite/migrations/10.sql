-- Operators: people with a login (`store/src/operators.rs`). `applications` is JSON; an empty list means all of them.
-- `password` is an argon2id hash (PHC string); NULL for those who have none. `identity` says who proves the name of an
-- operator who signs in elsewhere.
CREATE TABLE operators (
    name TEXT PRIMARY KEY,
    role TEXT NOT NULL,
    applications TEXT NOT NULL,
    password TEXT,
    identity TEXT,
    created_ms INTEGER NOT NULL,
    disabled_ms INTEGER
) WITHOUT ROWID;

-- One-time links, by SHA-256 of their codes. An operator has one at most.
CREATE TABLE operator_links (
    operator TEXT PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,
    purpose TEXT NOT NULL,
    ends_ms INTEGER NOT NULL
) WITHOUT ROWID;

-- Sessions, by SHA-256 of their ids.
CREATE TABLE sessions (
    hash BLOB PRIMARY KEY,
    operator TEXT NOT NULL,
    started_ms INTEGER NOT NULL,
    seen_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX sessions_operator ON sessions (operator, started_ms);

-- What operators did (`store/src/audit.rs`). Only an outcome that is absent can be added to an entry.
CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms INTEGER NOT NULL,
    operator TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL,
    outcome TEXT
);
CREATE INDEX audit_operator ON audit (operator);
CREATE INDEX audit_action ON audit (action);
CREATE INDEX audit_subject ON audit (subject);
CREATE TRIGGER audit_keeps_entries BEFORE DELETE ON audit
BEGIN
    SELECT RAISE(ABORT, 'entries of the audit stay');
END;
CREATE TRIGGER audit_keeps_words BEFORE UPDATE ON audit
WHEN OLD.outcome IS NOT NULL
    OR (OLD.id, OLD.at_ms, OLD.operator, OLD.action, OLD.subject, OLD.detail)
        IS NOT (NEW.id, NEW.at_ms, NEW.operator, NEW.action, NEW.subject, NEW.detail)
BEGIN
    SELECT RAISE(ABORT, 'entries of the audit stay as they are');
END;

-- Carriers that an operator paused or drains (`store/src/halts.rs`). One that runs has no row.
CREATE TABLE halted_carriers (
    carrier TEXT PRIMARY KEY,
    halt TEXT NOT NULL,
    since_ms INTEGER NOT NULL,
    asked_by TEXT NOT NULL
) WITHOUT ROWID;

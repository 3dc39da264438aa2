-- Statistics (`store/src/statistics`). A document has the sums of an application's flows by when they were accepted: of so
-- many quarters of an hour (`span`: 1, 4 or 96) from `start` on (quarters since 1970), as far as one node counted them.
CREATE TABLE statistics (
    row INTEGER PRIMARY KEY,
    application TEXT NOT NULL,
    span INTEGER NOT NULL,
    start INTEGER NOT NULL,
    node INTEGER NOT NULL,
    doc BLOB NOT NULL
);
CREATE UNIQUE INDEX statistics_span ON statistics (application, span, start, node);

-- What messages that are counted together have in common, by the numbers that documents have for it.
CREATE TABLE statistics_keys (number INTEGER PRIMARY KEY, key TEXT NOT NULL);

-- Flows of before are not counted yet: the next start of a server does that.
ALTER TABLE installation ADD COLUMN statistics_owed INTEGER NOT NULL DEFAULT 0;
UPDATE installation SET statistics_owed = EXISTS (SELECT 1 FROM flows);

-- The change feed's other half: flows that were removed, until whoever follows the feed is behind them.
CREATE TABLE removals (
    change      INTEGER PRIMARY KEY, -- position in the change feed
    application TEXT    NOT NULL,
    id          BLOB    NOT NULL,
    created_ms  INTEGER NOT NULL
);

-- The last time that the clock showed when it was right, Unix milliseconds: at a start it tells whether the clock can be.
ALTER TABLE installation ADD COLUMN seen_ms INTEGER;

-- Closed flows by their age, for retention: the order of rows is not that of times where the clock was once wrong.
CREATE INDEX flows_closed ON flows (created_ms) WHERE owes = 0;
CREATE INDEX early_received ON early (received_ms);

-- Messages whose carrier used their id again for another message; `refs` has the newest one of an id.
CREATE TABLE reused_refs (
    carrier   TEXT    NOT NULL,
    reference TEXT    NOT NULL,
    flow      BLOB    NOT NULL,
    message   INTEGER NOT NULL,
    part      INTEGER NOT NULL,
    PRIMARY KEY (carrier, reference, flow, message, part)
) WITHOUT ROWID;

-- Parts that were handed to a carrier which did not answer yet, or did not answer at all.
CREATE TABLE unanswered (
    flow      BLOB    NOT NULL,
    message   INTEGER NOT NULL,
    part      INTEGER NOT NULL,
    recipient BLOB    NOT NULL, -- a keyed hash of the carrier and the recipient's digits
    life      INTEGER,          -- the life of the process (`writers.writer`) that waits for the answer; NULL: none does
    PRIMARY KEY (flow, message, part)
) WITHOUT ROWID;
CREATE INDEX unanswered_recipient ON unanswered (recipient);

-- As in `unanswered`; NULL if the receipt does not tell it.
ALTER TABLE early ADD COLUMN recipient BLOB;
CREATE INDEX early_recipient ON early (recipient) WHERE recipient IS NOT NULL;

-- Receipts that nobody could make sense of.
CREATE TABLE unmatched (
    row         INTEGER PRIMARY KEY,
    carrier     TEXT    NOT NULL,
    received_ms INTEGER NOT NULL,
    receipt     BLOB    NOT NULL -- JSON, sealed
);
CREATE INDEX unmatched_received ON unmatched (received_ms);

-- What handsets sent.
CREATE TABLE inbound (
    row         INTEGER PRIMARY KEY,
    sender      BLOB    NOT NULL, -- a keyed hash
    received_ms INTEGER NOT NULL,
    content     BLOB    NOT NULL  -- JSON, sealed
);
CREATE INDEX inbound_sender ON inbound (sender);
CREATE INDEX inbound_received ON inbound (received_ms);

-- Segments of messages that are not complete yet.
CREATE TABLE inbound_segments (
    message     BLOB    NOT NULL, -- a keyed hash of what the segments of a message have in common
    sequence    INTEGER NOT NULL,
    sender      BLOB    NOT NULL, -- as in `inbound`
    received_ms INTEGER NOT NULL,
    content     BLOB    NOT NULL, -- JSON, sealed
    PRIMARY KEY (message, sequence)
) WITHOUT ROWID;
CREATE INDEX inbound_segments_received ON inbound_segments (received_ms);

-- Ids are times (UUIDv7): their index tells the age of closed flows as well, so that no flow is written to another one when
-- it closes.
DROP INDEX flows_closed;

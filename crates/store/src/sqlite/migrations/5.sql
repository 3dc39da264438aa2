-- Recipients of steps that are not their flow's first one's, so that erasure finds every flow to a recipient: by a keyed
-- hash of application and recipient, without its case.
CREATE TABLE later_recipients (
    recipient BLOB NOT NULL,
    flow      BLOB NOT NULL,
    PRIMARY KEY (recipient, flow)
) WITHOUT ROWID;
INSERT OR IGNORE INTO later_recipients SELECT blind('recipient', application, lower(recipient)), flow FROM beside;
DROP TABLE beside;

UPDATE links SET url = seal(CAST(code AS BLOB), CAST(url AS BLOB));
UPDATE early SET receipt = seal(CAST(reference AS BLOB), receipt);

-- Each life of a process that wrote here, by a random number, and the position in the change feed that it began behind:
-- what follows the feed knows by it whether this is still the database that it followed.
CREATE TABLE writers (
    life   INTEGER PRIMARY KEY, -- in their order
    writer INTEGER NOT NULL UNIQUE,
    began  INTEGER NOT NULL
);

-- Flows that can't be read, changed or stored: nothing is done for them any more.
CREATE TABLE quarantine (
    flow     BLOB    PRIMARY KEY,
    since_ms INTEGER NOT NULL,
    reason   TEXT    NOT NULL
) WITHOUT ROWID;

-- One row: what a probe wrote last. It says nothing.
CREATE TABLE probe (
    row    INTEGER PRIMARY KEY,
    filler BLOB NOT NULL
);

-- An application's tokens, those that end first at the front.
CREATE INDEX tokens_application ON tokens (application, expires_ms);

-- The last time that the clock showed when it was right, Unix milliseconds: at a start it tells whether the clock can be.
ALTER TABLE installation ADD COLUMN seen_ms INTEGER;

-- Closed flows by their age, for retention: the order of rows is not that of times where the clock was once wrong.
CREATE INDEX flows_closed ON flows (created_ms) WHERE owes = 0;
CREATE INDEX early_received ON early (received_ms);

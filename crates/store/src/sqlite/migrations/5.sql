-- One row: what a probe wrote last. It says nothing.
CREATE TABLE probe (
    row    INTEGER PRIMARY KEY,
    filler BLOB NOT NULL
);

-- An application's tokens, those that end first at the front.
CREATE INDEX tokens_application ON tokens (application, expires_ms);

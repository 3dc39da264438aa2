-- A flow is one document; the columns beside it are what the store itself looks things up by.
CREATE TABLE flows (
    row        INTEGER PRIMARY KEY, -- the order of acceptance
    id         BLOB    NOT NULL,    -- UUID, 16 octets
    created_ms INTEGER NOT NULL,
    change     INTEGER NOT NULL,    -- position of its last change in the change feed
    owes       INTEGER NOT NULL,    -- 1 while it owes tasks
    dead       INTEGER NOT NULL,    -- callbacks that were given up
    doc        BLOB    NOT NULL     -- JSON
);
CREATE UNIQUE INDEX flows_id ON flows (id);
CREATE UNIQUE INDEX flows_change ON flows (change);
CREATE INDEX flows_owing ON flows (row) WHERE owes = 1;
CREATE INDEX flows_dead ON flows (row) WHERE dead > 0;

-- What carriers call the messages that they took.
CREATE TABLE refs (
    carrier   TEXT    NOT NULL,
    reference TEXT    NOT NULL,
    flow      BLOB    NOT NULL,
    message   INTEGER NOT NULL,
    part      INTEGER NOT NULL,
    PRIMARY KEY (carrier, reference)
) WITHOUT ROWID;

-- Receipts that came before their message was recorded.
CREATE TABLE early (
    row         INTEGER PRIMARY KEY,
    carrier     TEXT    NOT NULL,
    reference   TEXT    NOT NULL,
    received_ms INTEGER NOT NULL,
    receipt     BLOB    NOT NULL -- JSON
);
CREATE INDEX early_reference ON early (carrier, reference);

-- What short links stand for.
CREATE TABLE links (
    code       TEXT    PRIMARY KEY,
    url        TEXT    NOT NULL,
    expires_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX links_expires ON links (expires_ms);

CREATE TABLE keys (
    application TEXT    NOT NULL,
    key         TEXT    NOT NULL,
    body_hash   BLOB    NOT NULL,
    flow        BLOB    NOT NULL,
    used_ms     INTEGER NOT NULL,
    PRIMARY KEY (application, key)
) WITHOUT ROWID;
CREATE INDEX keys_used ON keys (used_ms);

CREATE TABLE applications (
    id          TEXT    PRIMARY KEY,
    name        TEXT    NOT NULL,
    secret_hash BLOB    NOT NULL,
    created_ms  INTEGER NOT NULL,
    revoked_ms  INTEGER,
    settings    TEXT    NOT NULL -- JSON
) WITHOUT ROWID;

CREATE TABLE tokens (
    hash        BLOB    PRIMARY KEY,
    application TEXT    NOT NULL,
    expires_ms  INTEGER NOT NULL,
    scope       TEXT    NOT NULL
) WITHOUT ROWID;
CREATE INDEX tokens_expires ON tokens (expires_ms);

-- Flows whose dead callbacks somebody asked to make again.
CREATE TABLE replays (flow BLOB PRIMARY KEY) WITHOUT ROWID;

-- One row: what belongs to this installation.
CREATE TABLE installation (secret_key BLOB NOT NULL);

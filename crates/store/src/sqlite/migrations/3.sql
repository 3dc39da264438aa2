-- Recipients who want no more messages of an application on a channel.
CREATE TABLE suppressions (
    application TEXT    NOT NULL,
    channel     TEXT    NOT NULL,
    recipient   TEXT    NOT NULL, -- E.164
    reason      TEXT    NOT NULL,
    since_ms    INTEGER NOT NULL,
    PRIMARY KEY (application, channel, recipient)
) WITHOUT ROWID;

-- What an application may still spend, a decimal; NULL where nobody counts.
ALTER TABLE applications ADD COLUMN balance TEXT;

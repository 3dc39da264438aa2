-- Recipients of steps that are not their flow's first one's: with the index they find every flow to a recipient.
CREATE TABLE beside (
    application TEXT NOT NULL,
    recipient   TEXT NOT NULL,
    flow        BLOB NOT NULL,
    PRIMARY KEY (application, recipient, flow)
) WITHOUT ROWID;

-- 1 where nothing of the flow may be left in the index.
ALTER TABLE removals ADD COLUMN erased INTEGER NOT NULL DEFAULT 0;

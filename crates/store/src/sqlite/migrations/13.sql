-- How often a day of an application's statistics changed (`store/src/statistics/answered.rs`): who summed it up knows from
-- it whether that still holds. Whatever changes a quarter or an hour changes their day, and no row is ever removed. A day
-- without a row did not change since this table exists.
CREATE TABLE statistics_days (
    application TEXT NOT NULL,
    start INTEGER NOT NULL,
    version INTEGER NOT NULL,
    PRIMARY KEY (application, start)
) WITHOUT ROWID;
CREATE TRIGGER statistics_inserted AFTER INSERT ON statistics WHEN NEW.span = 96 BEGIN
    INSERT INTO statistics_days VALUES (NEW.application, NEW.start, 1)
    ON CONFLICT DO UPDATE SET version = version + 1;
END;
CREATE TRIGGER statistics_updated AFTER UPDATE ON statistics WHEN NEW.span = 96 BEGIN
    INSERT INTO statistics_days VALUES (NEW.application, NEW.start, 1)
    ON CONFLICT DO UPDATE SET version = version + 1;
END;
CREATE TRIGGER statistics_deleted AFTER DELETE ON statistics WHEN OLD.span = 96 BEGIN
    INSERT INTO statistics_days VALUES (OLD.application, OLD.start, 1)
    ON CONFLICT DO UPDATE SET version = version + 1;
END;

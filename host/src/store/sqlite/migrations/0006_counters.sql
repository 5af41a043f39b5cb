-- What a store counts beside its rows.
CREATE TABLE counters (
    name  TEXT PRIMARY KEY NOT NULL,
    value INTEGER NOT NULL CHECK (value >= 0)
) STRICT, WITHOUT ROWID;

-- Milliseconds for which tills have been running on this store, so that nothing is forgotten because a clock was set. They
-- begin where answers that are kept already have their times, which were the wall clock's.
INSERT INTO counters VALUES ('running_ms', CAST(unixepoch('subsec') * 1000 AS INTEGER));

-- The highest numbers that another store gave out which this one took the place of: a restored one goes on past them.
INSERT INTO counters VALUES ('order_id', 0), ('plugin_version_id', 0), ('plugin_rollout_id', 0);

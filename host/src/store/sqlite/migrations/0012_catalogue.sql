-- What the shop knows of its items, whole: a row is a part of it, lines of JSON that the host has packed. An import replaces
-- the few rows of it at once, however many items there are.
CREATE TABLE catalogue (
    part  INTEGER PRIMARY KEY CHECK (part >= 1),
    lines BLOB NOT NULL
) STRICT;

-- How often that was done.
INSERT INTO counters VALUES ('catalogue_epoch', 0);

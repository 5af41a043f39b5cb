-- What the shop knows of its items, whole: a row is a part of it, lines of JSON that the host has packed.
CREATE TABLE IF NOT EXISTS catalogue (
    part  bigint PRIMARY KEY CHECK (part >= 1),
    lines bytea NOT NULL
)
;;
-- How often it was replaced.
INSERT INTO counters (name, value) VALUES ('catalogue_epoch', 0) ON CONFLICT (name) DO NOTHING

-- Versions that are tried before they are live, and in which language a version was written. SQLite can't widen a
-- CHECK, so both tables are made anew; the audit's triggers go with the old one.

CREATE TABLE versions_now (
    id             INTEGER PRIMARY KEY,
    kind           TEXT NOT NULL CHECK (kind = 'checkout' OR kind = 'inventory'),
    name           TEXT NOT NULL,
    version        TEXT NOT NULL,
    -- The file's sha256.
    digest         TEXT NOT NULL CHECK (length(digest) = 64),
    bytes          INTEGER NOT NULL CHECK (bytes >= 0),
    -- As the file's own metadata has it.
    language       TEXT NOT NULL,
    -- JSON: what was set for this version, over what the host's own settings say.
    settings       TEXT NOT NULL CHECK (json_valid(settings)),
    state          TEXT NOT NULL CHECK (state = 'candidate' OR state = 'live' OR state = 'former'
                                        OR state = 'withdrawn'),
    -- What made it what it is; by whom, and when, it last became what its state says.
    action         TEXT NOT NULL,
    changed_by     TEXT NOT NULL,
    changed_at_ms  INTEGER NOT NULL,
    UNIQUE (kind, digest, settings)
) STRICT;

INSERT INTO versions_now
SELECT id, kind, name, version, digest, bytes, 'unknown', settings, state, action, changed_by, changed_at_ms
FROM plugin_versions;

CREATE TABLE events_now (
    id         INTEGER PRIMARY KEY,
    at_ms      INTEGER NOT NULL,
    changed_by TEXT NOT NULL,
    action     TEXT NOT NULL,
    kind       TEXT CHECK (kind = 'checkout' OR kind = 'inventory'),
    version_id INTEGER REFERENCES versions_now (id),
    detail     TEXT NOT NULL
) STRICT;

INSERT INTO events_now SELECT id, at_ms, changed_by, action, kind, version_id, detail FROM plugin_events;

DROP TABLE plugin_events;
DROP TABLE plugin_versions;
ALTER TABLE versions_now RENAME TO plugin_versions;
ALTER TABLE events_now RENAME TO plugin_events;

CREATE UNIQUE INDEX plugin_versions_live ON plugin_versions (kind) WHERE state = 'live';

CREATE TRIGGER plugin_events_are_never_changed BEFORE UPDATE ON plugin_events
BEGIN
    SELECT RAISE(ABORT, 'the audit is append-only');
END;

CREATE TRIGGER plugin_events_are_never_deleted BEFORE DELETE ON plugin_events
BEGIN
    SELECT RAISE(ABORT, 'the audit is append-only');
END;

-- A version beside the live one, on some of the requests or in the shadow of all.
CREATE TABLE plugin_rollouts (
    id            INTEGER PRIMARY KEY,
    version_id    INTEGER NOT NULL REFERENCES plugin_versions (id),
    -- JSON: on how many requests it runs, and what decides about it.
    plan          TEXT NOT NULL CHECK (json_valid(plan)),
    state         TEXT NOT NULL CHECK (state = 'running' OR state = 'paused' OR state = 'promoted'
                                       OR state = 'rolled_back' OR state = 'aborted' OR state = 'superseded'),
    -- Why it is in that state, in words.
    reason        TEXT NOT NULL,
    started_by    TEXT NOT NULL,
    started_at_ms INTEGER NOT NULL,
    changed_by    TEXT NOT NULL,
    changed_at_ms INTEGER NOT NULL
) STRICT;

-- One at a time, so that a difference has one cause.
CREATE UNIQUE INDEX plugin_rollouts_open ON plugin_rollouts ((1)) WHERE state = 'running' OR state = 'paused';

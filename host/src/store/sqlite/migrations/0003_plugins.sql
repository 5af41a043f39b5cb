-- Which plugins the shop has had, and who changed what was live. The files themselves are beside this one, by digest.

CREATE TABLE plugin_versions (
    id             INTEGER PRIMARY KEY,
    kind           TEXT NOT NULL CHECK (kind = 'checkout' OR kind = 'inventory'),
    name           TEXT NOT NULL,
    version        TEXT NOT NULL,
    -- The file's sha256.
    digest         TEXT NOT NULL CHECK (length(digest) = 64),
    bytes          INTEGER NOT NULL CHECK (bytes >= 0),
    -- JSON: what was set for this version, over what the host's own settings say.
    settings       TEXT NOT NULL CHECK (json_valid(settings)),
    state          TEXT NOT NULL CHECK (state = 'live' OR state = 'former' OR state = 'withdrawn'),
    -- What made it live; by whom, and when, it last became what its state says.
    action         TEXT NOT NULL,
    changed_by     TEXT NOT NULL,
    changed_at_ms  INTEGER NOT NULL,
    UNIQUE (kind, digest, settings)
) STRICT;

CREATE UNIQUE INDEX plugin_versions_live ON plugin_versions (kind) WHERE state = 'live';

-- Every change, and every file that was refused.
CREATE TABLE plugin_events (
    id         INTEGER PRIMARY KEY,
    at_ms      INTEGER NOT NULL,
    changed_by TEXT NOT NULL,
    action     TEXT NOT NULL,
    kind       TEXT CHECK (kind = 'checkout' OR kind = 'inventory'),
    version_id INTEGER REFERENCES plugin_versions (id),
    detail     TEXT NOT NULL
) STRICT;

CREATE TRIGGER plugin_events_are_never_changed BEFORE UPDATE ON plugin_events
BEGIN
    SELECT RAISE(ABORT, 'the audit is append-only');
END;

CREATE TRIGGER plugin_events_are_never_deleted BEFORE DELETE ON plugin_events
BEGIN
    SELECT RAISE(ABORT, 'the audit is append-only');
END;

-- Changes of a hook's plugins that wait for a second person, or did (`plugins.approval`).
CREATE TABLE plugin_approvals (
    id            INTEGER PRIMARY KEY,
    action        TEXT NOT NULL CHECK (action = 'install' OR action = 'uninstall' OR action = 'order'),
    -- The hook, with the installation's name but for an order.
    kind          TEXT NOT NULL,
    -- What is to be installed.
    version_id    INTEGER REFERENCES plugin_versions (id),
    -- The installation before which that is asked, if any; all installations for an order.
    names         TEXT NOT NULL,
    state         TEXT NOT NULL CHECK (state = 'waiting' OR state = 'approved' OR state = 'rejected'),
    -- Why it is in that state, in words.
    reason        TEXT NOT NULL,
    asked_by      TEXT NOT NULL,
    asked_at_ms   INTEGER NOT NULL,
    changed_by    TEXT NOT NULL,
    changed_at_ms INTEGER NOT NULL,
    CHECK ((action = 'install') = (version_id IS NOT NULL))
) STRICT;

-- Changes of a hook's plugins that wait for a second person, or did (`plugins.approval`).
CREATE TABLE IF NOT EXISTS plugin_approvals (
    id            bigint PRIMARY KEY,
    action        text NOT NULL CHECK (action IN ('install', 'uninstall', 'order')),
    -- The hook, with the installation's name but for an order.
    kind          text NOT NULL,
    -- What is to be installed.
    version_id    bigint,
    -- The installation before which that is asked, if any; all installations for an order.
    names         text NOT NULL,
    state         text NOT NULL CHECK (state IN ('waiting', 'approved', 'rejected')),
    -- Why it is in that state, in words.
    reason        text NOT NULL,
    asked_by      text NOT NULL,
    asked_at_ms   bigint NOT NULL,
    changed_by    text NOT NULL,
    changed_at_ms bigint NOT NULL,
    CHECK ((action = 'install') = (version_id IS NOT NULL))
)

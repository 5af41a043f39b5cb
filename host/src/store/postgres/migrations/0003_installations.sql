-- At which place a hook's plugins are asked: the names of its installations, with spaces between. What is installed is what is live;
-- plugin_versions.kind has the hook and the installation's name, such as discounts/spring.
CREATE TABLE IF NOT EXISTS plugin_order (
    kind  text PRIMARY KEY,
    names text NOT NULL
)

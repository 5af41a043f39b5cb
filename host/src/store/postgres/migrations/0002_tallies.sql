-- How the calls of a rollout's two versions ended on each host, for the one that judges. Kept until the next rollout begins.
CREATE TABLE IF NOT EXISTS plugin_tallies (
    rollout_id bigint NOT NULL,
    -- Who counted: a number that a process draws.
    counter    bigint NOT NULL,
    -- JSON, the host's own.
    counts     text NOT NULL,
    PRIMARY KEY (rollout_id, counter)
)

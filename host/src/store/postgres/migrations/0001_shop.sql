-- Orders, the stock they take from, and the ledger that explains every piece of it: as in SQLite, for several hosts at once.
-- A statement ends with a line `;;`. Each is carried out by itself and may be carried out again.
--
-- There are no foreign keys: each would lock the stock's row once more for every movement. What they would forbid,
-- `till doctor` looks for. There are no triggers and no functions, so that other engines of the same SQL can take it.

-- A hot row is written again and again: room on its page lets PostgreSQL reuse the space without touching an index.
CREATE TABLE IF NOT EXISTS stock (
    item    text COLLATE "C" PRIMARY KEY CHECK (length(item) > 0),
    opening bigint NOT NULL CHECK (opening >= 0),
    on_hand bigint NOT NULL CHECK (on_hand >= 0),
    removed boolean NOT NULL DEFAULT false
) WITH (fillfactor = 20)
;;
CREATE TABLE IF NOT EXISTS orders (
    id                 bigint PRIMARY KEY CHECK (id BETWEEN 1 AND 9007199254740991),
    reference          text COLLATE "C" NOT NULL UNIQUE CHECK (length(reference) BETWEEN 1 AND 255),
    status             text NOT NULL CHECK (status IN ('PENDING', 'COMPLETED', 'FAILED', 'PENDING_RELEASE')),
    inventory          text NOT NULL CHECK (inventory IN ('local', 'remote')),
    -- Where a remote order's stock was asked for, and is given back.
    inventory_url      text,
    deducts            bigint NOT NULL DEFAULT 1 CHECK (deducts >= 1),
    currency           text NOT NULL CHECK (length(currency) = 3),
    decimals           smallint NOT NULL CHECK (decimals BETWEEN 0 AND 8),
    -- JSON, written once and read whole.
    lines              text NOT NULL,
    attributes         text NOT NULL,
    subtotal           bigint NOT NULL CHECK (subtotal BETWEEN 0 AND 9007199254740991),
    -- The receipt: there exactly when the order is completed.
    adjustments        text,
    receipt_attributes text,
    total              bigint CHECK (total BETWEEN 0 AND 9007199254740991),
    reason             text,
    trace_id           text NOT NULL,
    plugins            text NOT NULL,
    placed_at_ms       bigint NOT NULL CHECK (placed_at_ms >= 0),
    ended_at_ms        bigint CHECK (ended_at_ms >= 0),
    -- The host that drives the order to its end, and since when, by the database's clock.
    host               bigint NOT NULL,
    opened_at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK ((status = 'COMPLETED') = (total IS NOT NULL)),
    CHECK ((status = 'COMPLETED') = (adjustments IS NOT NULL)),
    CHECK ((status = 'COMPLETED') = (receipt_attributes IS NOT NULL)),
    CHECK ((status IN ('FAILED', 'PENDING_RELEASE')) = (reason IS NOT NULL)),
    CHECK ((status IN ('COMPLETED', 'FAILED')) = (ended_at_ms IS NOT NULL)),
    CHECK (status <> 'PENDING_RELEASE' OR inventory = 'remote')
) WITH (fillfactor = 80)
;;
-- The orders without an end: few, and looked for when a host has died.
CREATE INDEX IF NOT EXISTS orders_unresolved ON orders (id) WHERE ended_at_ms IS NULL
;;
-- One row for every reference that took stock, or that was released before it could ('released' without movements).
CREATE TABLE IF NOT EXISTS reservations (
    reference text COLLATE "C" PRIMARY KEY CHECK (length(reference) BETWEEN 1 AND 255),
    state     text NOT NULL CHECK (state IN ('held', 'final', 'released')),
    at_ms     bigint NOT NULL,
    round     bigint NOT NULL DEFAULT 0 CHECK (round >= 0),
    -- Given back so that it may take once more. Otherwise what is released never takes again.
    reopened  boolean NOT NULL DEFAULT false CHECK (NOT reopened OR state = 'released'),
    -- The host that serves the order or the deduct.
    host      bigint NOT NULL,
    opened_at timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 80)
;;
CREATE INDEX IF NOT EXISTS reservations_held ON reservations (reference) WHERE state = 'held'
;;
-- opening + the sum of the deltas = on_hand, for every item, at every commit.
CREATE TABLE IF NOT EXISTS stock_movements (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    reference text COLLATE "C",
    item      text COLLATE "C" NOT NULL,
    delta     bigint NOT NULL,
    kind      text NOT NULL,
    at_ms     bigint NOT NULL,
    round     bigint NOT NULL DEFAULT 0 CHECK (round >= 0),
    CHECK (CASE kind
        WHEN 'reserved' THEN reference IS NOT NULL AND delta < 0
        WHEN 'released' THEN reference IS NOT NULL AND delta > 0
        WHEN 'set'      THEN reference IS NULL
        WHEN 'added'    THEN reference IS NULL
        ELSE false
    END)
)
;;
-- Nothing is taken twice in one round, and nothing given back twice.
CREATE UNIQUE INDEX IF NOT EXISTS stock_movements_once ON stock_movements (reference, item, kind, round)
    WHERE reference IS NOT NULL
;;
-- What was answered under an Idempotency-Key. Written with the order, so that its key is taken on every host as long as the
-- order has no end.
CREATE TABLE IF NOT EXISTS checkout_answers (
    key         text COLLATE "C" PRIMARY KEY CHECK (length(key) BETWEEN 1 AND 255),
    fingerprint bytea NOT NULL CHECK (length(fingerprint) = 32),
    order_id    bigint NOT NULL UNIQUE,
    status      smallint CHECK (status BETWEEN 200 AND 599),
    body        bytea,
    at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK ((status IS NULL) = (body IS NULL))
)
;;
CREATE INDEX IF NOT EXISTS checkout_answers_by_age ON checkout_answers (at)
;;
-- Written in the transaction that makes a deduct final, or that refuses it.
CREATE TABLE IF NOT EXISTS deduct_answers (
    reference   text COLLATE "C" PRIMARY KEY CHECK (length(reference) BETWEEN 1 AND 255),
    fingerprint bytea NOT NULL CHECK (length(fingerprint) = 32),
    status      smallint NOT NULL CHECK (status BETWEEN 200 AND 599),
    body        bytea NOT NULL,
    at          timestamptz NOT NULL DEFAULT clock_timestamp()
)
;;
CREATE INDEX IF NOT EXISTS deduct_answers_by_age ON deduct_answers (at)
;;
-- Which plugins the shop has had, and who changed what was live.
CREATE TABLE IF NOT EXISTS plugin_versions (
    id             bigint PRIMARY KEY,
    kind           text NOT NULL,
    name           text NOT NULL,
    version        text NOT NULL,
    -- The file's sha256.
    digest         text NOT NULL CHECK (length(digest) = 64),
    bytes          bigint NOT NULL CHECK (bytes >= 0),
    language       text NOT NULL,
    -- JSON: what was set for this version, over what the host's own settings say.
    settings       text NOT NULL,
    state          text NOT NULL CHECK (state IN ('candidate', 'live', 'former', 'withdrawn')),
    -- What made it what it is; by whom, and when, it last became what its state says.
    action         text NOT NULL,
    changed_by     text NOT NULL,
    changed_at_ms  bigint NOT NULL,
    UNIQUE (kind, digest, settings)
)
;;
CREATE UNIQUE INDEX IF NOT EXISTS plugin_versions_live ON plugin_versions (kind) WHERE state = 'live'
;;
-- Every change, and every file that was refused. Rows are only added.
CREATE TABLE IF NOT EXISTS plugin_events (
    id         bigint PRIMARY KEY,
    at_ms      bigint NOT NULL,
    changed_by text NOT NULL,
    action     text NOT NULL,
    -- NULL of a file that was refused before its kind was known.
    kind       text,
    version_id bigint,
    detail     text NOT NULL
)
;;
-- A version beside the live one, on some of the requests or in the shadow of all.
CREATE TABLE IF NOT EXISTS plugin_rollouts (
    id            bigint PRIMARY KEY,
    version_id    bigint NOT NULL,
    -- JSON: on how many requests it runs, and what decides about it.
    plan          text NOT NULL,
    state         text NOT NULL CHECK (state IN ('running', 'paused', 'promoted', 'rolled_back', 'aborted', 'superseded')),
    reason        text NOT NULL,
    started_by    text NOT NULL,
    started_at_ms bigint NOT NULL,
    changed_by    text NOT NULL,
    changed_at_ms bigint NOT NULL
)
;;
-- One at a time, so that a difference has one cause.
CREATE UNIQUE INDEX IF NOT EXISTS plugin_rollouts_open ON plugin_rollouts ((1)) WHERE state IN ('running', 'paused')
;;
-- The plugins' files, for the hosts that don't have them yet.
CREATE TABLE IF NOT EXISTS plugin_files (
    digest text PRIMARY KEY CHECK (length(digest) = 64),
    bytes  bytea NOT NULL
)
;;
-- The highest numbers given out, and how often the items and the plugins have changed.
CREATE TABLE IF NOT EXISTS counters (
    name  text PRIMARY KEY,
    value bigint NOT NULL CHECK (value >= 0)
)
;;
INSERT INTO counters (name, value) VALUES
    ('order_id', 0), ('host_id', 0), ('items_epoch', 0), ('plugins_epoch', 0)
ON CONFLICT (name) DO NOTHING
;;
-- The hosts that serve the shop. A host that doesn't beat before `until`, by the database's clock, counts as dead: others
-- settle its orders, and nothing that it begins afterwards is taken.
CREATE TABLE IF NOT EXISTS hosts (
    id           bigint PRIMARY KEY,
    name         text NOT NULL,
    version      text NOT NULL,
    -- What the folder is known by that the host serves from, one host at a time.
    folder       text NOT NULL,
    started_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    until        timestamptz NOT NULL,
    -- The lowest number under which the host may still begin an order: lists of orders stop before it.
    numbers_from bigint NOT NULL,
    -- The epoch of the plugins that the host runs.
    plugins_epoch bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 20)

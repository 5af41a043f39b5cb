-- Orders, the stock they take from, and the ledger that explains every piece of it.
-- Rows that can't be true are refused here, whatever the code above does. Words are compared one by one: for an
-- IN of three or more SQLite fills a temporary table at every write.

CREATE TABLE stock (
    item    TEXT PRIMARY KEY NOT NULL CHECK (length(item) > 0),
    opening INTEGER NOT NULL CHECK (opening >= 0),
    on_hand INTEGER NOT NULL CHECK (on_hand >= 0)
) STRICT, WITHOUT ROWID;

CREATE TABLE orders (
    id                 INTEGER PRIMARY KEY CHECK (id BETWEEN 1 AND 9007199254740991),
    reference          TEXT NOT NULL UNIQUE CHECK (length(reference) BETWEEN 1 AND 255),
    status             TEXT NOT NULL CHECK (status = 'PENDING' OR status = 'COMPLETED' OR status = 'FAILED'
                                            OR status = 'PENDING_RELEASE'),
    inventory          TEXT NOT NULL CHECK (inventory IN ('local', 'remote')),
    currency           TEXT NOT NULL CHECK (length(currency) = 3),
    decimals           INTEGER NOT NULL CHECK (decimals BETWEEN 0 AND 8),
    -- JSON, written once and read whole; what it took by item is in stock_movements.
    lines              TEXT NOT NULL CHECK (json_valid(lines)),
    attributes         TEXT NOT NULL CHECK (json_valid(attributes)),
    subtotal           INTEGER NOT NULL CHECK (subtotal BETWEEN 0 AND 9007199254740991),
    -- The receipt: there exactly when the order is completed.
    adjustments        TEXT CHECK (json_valid(adjustments)),
    receipt_attributes TEXT CHECK (json_valid(receipt_attributes)),
    total              INTEGER CHECK (total BETWEEN 0 AND 9007199254740991),
    reason             TEXT,
    trace_id           TEXT NOT NULL,
    plugins            TEXT NOT NULL,
    placed_at_ms       INTEGER NOT NULL CHECK (placed_at_ms >= 0),
    ended_at_ms        INTEGER CHECK (ended_at_ms >= 0),
    CHECK ((status = 'COMPLETED') = (total IS NOT NULL)),
    CHECK ((status = 'COMPLETED') = (adjustments IS NOT NULL)),
    CHECK ((status = 'COMPLETED') = (receipt_attributes IS NOT NULL)),
    CHECK ((status IN ('FAILED', 'PENDING_RELEASE')) = (reason IS NOT NULL)),
    CHECK ((status IN ('COMPLETED', 'FAILED')) = (ended_at_ms IS NOT NULL)),
    CHECK (status <> 'PENDING_RELEASE' OR inventory = 'remote')
) STRICT;

-- The orders without an end: few, and looked for at every start.
CREATE INDEX orders_unresolved ON orders (id) WHERE ended_at_ms IS NULL;

-- One row for every reference that took stock, or that was released before it could ('released' without movements).
CREATE TABLE reservations (
    reference TEXT PRIMARY KEY NOT NULL CHECK (length(reference) BETWEEN 1 AND 255),
    state     TEXT NOT NULL CHECK (state = 'held' OR state = 'final' OR state = 'released'),
    at_ms     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What a crash left held: few, and looked for at every start.
CREATE INDEX reservations_held ON reservations (reference) WHERE state = 'held';

-- opening + the sum of the deltas = on_hand, for every item, at every commit.
CREATE TABLE stock_movements (
    id        INTEGER PRIMARY KEY,
    reference TEXT REFERENCES reservations (reference),
    item      TEXT NOT NULL REFERENCES stock (item),
    delta     INTEGER NOT NULL,
    kind      TEXT NOT NULL,
    at_ms     INTEGER NOT NULL,
    CHECK (CASE kind
        WHEN 'reserved' THEN reference IS NOT NULL AND delta < 0
        WHEN 'released' THEN reference IS NOT NULL AND delta > 0
        WHEN 'set'      THEN reference IS NULL
        WHEN 'added'    THEN reference IS NULL
        ELSE FALSE
    END)
) STRICT;

-- Nothing is taken twice under one reference, and nothing given back twice.
CREATE UNIQUE INDEX stock_movements_once ON stock_movements (reference, item, kind) WHERE reference IS NOT NULL;

CREATE TRIGGER stock_movements_are_never_changed BEFORE UPDATE ON stock_movements
BEGIN
    SELECT RAISE(ABORT, 'the stock ledger is append-only');
END;

CREATE TRIGGER stock_movements_are_never_deleted BEFORE DELETE ON stock_movements
BEGIN
    SELECT RAISE(ABORT, 'the stock ledger is append-only');
END;

-- One row that readiness checks write, to learn whether the writer can commit.
CREATE TABLE readiness (
    id            INTEGER PRIMARY KEY CHECK (id = 1),
    checked_at_ms INTEGER NOT NULL
) STRICT;

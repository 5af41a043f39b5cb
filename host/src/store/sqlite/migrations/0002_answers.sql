-- Where a remote order's stock was asked for, and is given back: what is set by then may be another till.
ALTER TABLE orders ADD COLUMN inventory_url TEXT;

-- What was answered under an Idempotency-Key, so that the same request gets the same answer and changes nothing twice.
-- Kept for some hours (checkout.idempotency_hours), then pruned.

-- Written with the order, so that its key is taken as long as the order has no end.
CREATE TABLE checkout_answers (
    key         TEXT PRIMARY KEY NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
    fingerprint BLOB NOT NULL CHECK (length(fingerprint) = 32),
    order_id    INTEGER NOT NULL UNIQUE REFERENCES orders (id),
    -- The answer: written in the transaction that ends the order, or that has it wait for its release.
    status      INTEGER CHECK (status BETWEEN 200 AND 599),
    body        BLOB,
    at_ms       INTEGER NOT NULL,
    CHECK ((status IS NULL) = (body IS NULL))
) STRICT;

CREATE INDEX checkout_answers_by_age ON checkout_answers (at_ms);

-- Those without an answer: few, and looked for at every start.
CREATE INDEX checkout_answers_awaited ON checkout_answers (order_id) WHERE status IS NULL;

-- Written in the transaction that makes a deduct final, or that refuses it.
CREATE TABLE deduct_answers (
    reference   TEXT PRIMARY KEY NOT NULL CHECK (length(reference) BETWEEN 1 AND 255),
    fingerprint BLOB NOT NULL CHECK (length(fingerprint) = 32),
    status      INTEGER NOT NULL CHECK (status BETWEEN 200 AND 599),
    body        BLOB NOT NULL,
    at_ms       INTEGER NOT NULL
) STRICT;

CREATE INDEX deduct_answers_by_age ON deduct_answers (at_ms);

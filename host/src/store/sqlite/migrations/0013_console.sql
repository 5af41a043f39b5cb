-- What operators look for: orders by their time, why stock was changed by hand, and what happened to the hosts.

CREATE INDEX orders_placed ON orders (placed_at_ms);

-- Why somebody changed the stock by hand; NULL where nobody said, and of orders' movements.
ALTER TABLE stock_movements ADD COLUMN why TEXT;

-- The changes by hand: few, beside the movements of orders.
CREATE INDEX stock_movements_by_hand ON stock_movements (item, id) WHERE reference IS NULL;

-- What happened to a host: starts, stops, other settings, breakers. Rows are only added.
CREATE TABLE host_events (
    id     INTEGER PRIMARY KEY,
    at_ms  INTEGER NOT NULL,
    host_name TEXT NOT NULL,
    what   TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;

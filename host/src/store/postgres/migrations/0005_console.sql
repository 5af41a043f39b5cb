-- What operators look for: orders by their time, why stock was changed by hand, and what happened to the hosts.
CREATE INDEX IF NOT EXISTS orders_placed ON orders (placed_at_ms)
;;
-- Why somebody changed the stock by hand; NULL where nobody said, and of orders' movements.
ALTER TABLE stock_movements ADD COLUMN IF NOT EXISTS why text
;;
-- The changes by hand: few, beside the movements of orders.
CREATE INDEX IF NOT EXISTS stock_movements_by_hand ON stock_movements (item, id) WHERE reference IS NULL
;;
-- What happened to a host: starts, stops, other settings, breakers. Rows are only added.
CREATE TABLE IF NOT EXISTS host_events (
    id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at_ms  bigint NOT NULL,
    host_name text NOT NULL,
    what   text NOT NULL,
    detail text NOT NULL
)

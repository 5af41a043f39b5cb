-- An item's name is composed from now on (Unicode's normal form C), whichever way it was typed. What the store has under
-- another form of it comes under that name; two forms of one name become one item. `nfc` is the host's own function.

CREATE TEMP TABLE renamed AS SELECT item AS old, nfc(item) AS new FROM stock WHERE nfc(item) <> item;

INSERT INTO stock (item, opening, on_hand) SELECT DISTINCT new, 0, 0 FROM renamed WHERE TRUE ON CONFLICT (item) DO NOTHING;
UPDATE stock SET
    opening = opening + (SELECT sum(was.opening) FROM renamed JOIN stock AS was ON was.item = old WHERE new = stock.item),
    on_hand = on_hand + (SELECT sum(was.on_hand) FROM renamed JOIN stock AS was ON was.item = old WHERE new = stock.item)
WHERE item IN (SELECT new FROM renamed);

DROP TRIGGER stock_movements_are_never_changed;
DROP TRIGGER stock_movements_are_never_deleted;

-- What one reference took of two forms is one movement.
CREATE TEMP TABLE renamed_movements AS
SELECT id, delta, min(id) OVER same AS first, sum(delta) OVER same AS pieces
FROM stock_movements LEFT JOIN renamed ON old = item
WHERE reference IS NOT NULL AND coalesce(new, item) IN (SELECT new FROM renamed)
WINDOW same AS (PARTITION BY reference, coalesce(new, item), kind, round);

DELETE FROM stock_movements WHERE id IN (SELECT id FROM renamed_movements WHERE id <> first);
UPDATE stock_movements SET delta = (SELECT pieces FROM renamed_movements WHERE renamed_movements.id = stock_movements.id)
WHERE id IN (SELECT id FROM renamed_movements WHERE delta <> pieces AND id = first);
UPDATE stock_movements SET item = (SELECT new FROM renamed WHERE old = item) WHERE item IN (SELECT old FROM renamed);
DELETE FROM stock WHERE item IN (SELECT old FROM renamed);

DROP TABLE renamed_movements;
DROP TABLE renamed;

CREATE TRIGGER stock_movements_are_never_changed BEFORE UPDATE ON stock_movements
BEGIN
    SELECT RAISE(ABORT, 'the stock ledger is append-only');
END;

CREATE TRIGGER stock_movements_are_never_deleted BEFORE DELETE ON stock_movements
BEGIN
    SELECT RAISE(ABORT, 'the stock ledger is append-only');
END;

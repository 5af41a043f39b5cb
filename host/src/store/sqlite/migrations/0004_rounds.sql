-- A canary that is at fault gives back what it took, and the live version takes for the same order: a reference may
-- take again after that, in a round of its own.

ALTER TABLE reservations ADD COLUMN round INTEGER NOT NULL DEFAULT 0 CHECK (round >= 0);
-- Given back so that it may take once more. Otherwise what is released never takes again.
ALTER TABLE reservations ADD COLUMN reopened INTEGER NOT NULL DEFAULT 0 CHECK (reopened = 0 OR state = 'released');
ALTER TABLE stock_movements ADD COLUMN round INTEGER NOT NULL DEFAULT 0 CHECK (round >= 0);

-- Nothing is taken twice in one round, and nothing given back twice.
DROP INDEX stock_movements_once;
CREATE UNIQUE INDEX stock_movements_once ON stock_movements (reference, item, kind, round) WHERE reference IS NOT NULL;

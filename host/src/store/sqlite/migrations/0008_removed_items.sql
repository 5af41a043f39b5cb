-- An item that the shop no longer has. Its row stays, for the ledger explains every piece that it ever had; it is shown
-- nowhere and none of it can be bought until somebody sets its stock again.
ALTER TABLE stock ADD COLUMN removed INTEGER NOT NULL DEFAULT 0 CHECK (removed = 0 OR removed = 1);

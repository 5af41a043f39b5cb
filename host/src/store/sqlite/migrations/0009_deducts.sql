-- How many deducts a remote order may have sent: a canary's, and after its fault the live version's, each under a reference
-- of its own. All of them are released when the order comes to nothing.
ALTER TABLE orders ADD COLUMN deducts INTEGER NOT NULL DEFAULT 1 CHECK (deducts >= 1);

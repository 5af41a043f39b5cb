-- Where a plugin's file came from and who signed it, as JSON: {"source", "signer": {"by", "identity", "at_ms"}}.
ALTER TABLE plugin_versions ADD COLUMN IF NOT EXISTS origin text NOT NULL DEFAULT '{}'
